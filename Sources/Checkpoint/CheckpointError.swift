import JSON

/// What is wrong with a checkpoint: which thing, what was expected of it, what was found, and what to do about it.
public struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, the tensor or the field, as the user would name it.
    public var subject: String
    public var expected: String
    public var found: String
    /// Nil where the first three already say it.
    public var advice: String?

    public init(_ subject: String, expected: String, found: String, advice: String? = nil) {
        self.subject = subject
        self.expected = expected
        self.found = found
        self.advice = advice
    }

    public var description: String {
        "\(subject): expected \(expected), found \(found)" + (advice.map { "; \($0)" } ?? "")
    }

    /// A JSON file that is malformed, or holds what this engine does not support.
    init(_ error: JSONError, advice: String? = nil) {
        switch error.location {
        case .path(let path):
            subject = [error.name, path].filter { !$0.isEmpty }.joined(separator: ": ")
        case .position(let offset, let line, let column):
            subject = "\(error.name.isEmpty ? "" : error.name + ":")\(line):\(column) (byte \(offset))"
        }
        expected = error.expected
        found = error.found
        self.advice = advice
    }
}

/// Runs JSON reading within this module's errors.
func readingJSON<Result>(advice: String? = nil, _ body: () throws(JSONError) -> Result) throws(CheckpointError)
    -> Result
{
    do throws(JSONError) { return try body() } catch { throw CheckpointError(error, advice: advice) }
}
