import Files
import Glibc
import JSON

/// An error in a checkpoint, or an operation that is impossible with it.
public struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// A file, a folder or a tensor that must be there is not.
        case missing
        /// Files that are incomplete, contradict themselves or each other, or belong to another model.
        case damaged
        /// Well-formed files of a model, a format or a size that this engine does not run or convert.
        case unsupported
        /// The system refused to open, read or write a file, with this `errno`.
        case system(Int32)
        /// The files are valid, but the requested operation is impossible with them.
        case refused
        /// The caller asked to stop.
        case interrupted
    }

    /// The action that resolves an error.
    public enum Advice: Sendable, Equatable, CustomStringConvertible, ExpressibleByStringInterpolation {
        /// Something to do with the files; complete as it stands.
        case text(String)
        /// Merge the files of the checkpoint in `folder`, which is split for ranks.
        case merge(folder: String)
        /// The conversion is finished: force it, if it is to be done again.
        case force
        /// The target holds another unfinished conversion: name another folder, or force this one.
        case forceOverUnfinished
        /// The target holds other files: name another folder, or force the conversion to replace a checkpoint there.
        case forceOverCheckpoint
        /// Rows are no multiple of the group size: choose a smaller one.
        case smallerGroup
        /// Rows are no multiple of the smallest group size: choose FP8.
        case fp8
        /// The matrices are in the chosen format already: only splitting for ranks is left to do.
        case splitOnly
        /// Blocks of FP8 scales are no multiple of the number of ranks: choose another number, or BF16.
        case otherRanksOrBF16

        public init(stringLiteral text: String) { self = .text(text) }

        public var description: String {
            switch self {
            case .text(let text): text
            case .merge: "put it together first"
            case .force: "nothing is left to do, unless the conversion is forced"
            case .forceOverUnfinished: "name another folder, or force the conversion to begin anew"
            case .forceOverCheckpoint: "name another folder, or force the conversion to replace the checkpoint there"
            case .smallerGroup: "choose a smaller group"
            case .fp8: "choose FP8"
            case .splitOnly: "its matrices are in this format already: it can only be split"
            case .otherRanksOrBF16: "choose another number of ranks, or BF16"
            }
        }
    }

    public var kind: Kind
    /// The file, the tensor or the field, as the user would name it.
    public var subject: String
    public var expected: String
    public var found: String
    /// Nil where the first three already say it.
    public var advice: Advice?

    public init(_ kind: Kind, _ subject: String, expected: String, found: String, advice: Advice? = nil) {
        self.kind = kind
        self.subject = subject
        self.expected = expected
        self.found = found
        self.advice = advice
    }

    /// The error without the advice.
    public var statement: String { "\(subject): expected \(expected), found \(found)" }

    public var description: String { statement + (advice.map { "; \($0)" } ?? "") }

    /// A system call on the file or folder `subject` that failed.
    init(_ error: SystemError, _ subject: String, expected: String, advice: Advice? = nil) {
        self.init(
            error.isMissing ? .missing : .system(error.code), subject, expected: expected, found: error.description,
            advice: advice ?? Self.remedy(error))
    }

    private static func remedy(_ error: SystemError) -> Advice? {
        if error.isOutOfRoom { return "make room" }
        return error.isOutOfDescriptors ? "raise the limit of open files (ulimit -n)" : nil
    }

    /// Malformed JSON, which is damaged, or a value that does not fit its use, which is of `kind`.
    init(_ error: JSONError, _ kind: Kind = .damaged, advice: Advice? = nil) {
        let subject: String
        switch error.location {
        case .path(let path):
            subject = [error.name, path].filter { !$0.isEmpty }.joined(separator: ": ")
            self.kind = kind
        case .position(let offset, let line, let column):
            subject = "\(error.name.isEmpty ? "" : error.name + ":")\(line):\(column) (byte \(offset))"
            self.kind = .damaged
        }
        self.subject = subject
        expected = error.expected
        found = error.found
        self.advice = advice
    }
}

/// Runs JSON reading within this module's errors.
func readingJSON<Result>(
    _ kind: CheckpointError.Kind = .damaged, advice: CheckpointError.Advice? = nil,
    _ body: () throws(JSONError) -> Result
) throws(CheckpointError) -> Result {
    do throws(JSONError) { return try body() } catch { throw CheckpointError(error, kind, advice: advice) }
}

/// Runs a system call on the file or folder `subject` within this module's errors.
@discardableResult func onFile<Result>(
    _ subject: String, _ expected: @autoclosure () -> String, _ body: () throws(SystemError) -> Result
) throws(CheckpointError) -> Result {
    do throws(SystemError) { return try body() } catch {
        throw CheckpointError(error, subject, expected: expected())
    }
}
