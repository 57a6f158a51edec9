import Files
import Glibc

/// A file that keeps entered messages between runs: one line per entry, readable only by its owner.
///
/// Appends each entry immediately, so that several processes can share the file. `load` shortens the file to the limit.
public struct HistoryFile: Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    /// `$XDG_STATE_HOME/<program>/history`, or under `~/.local/state`; nil without a home.
    public static func standard(program: String) -> HistoryFile? {
        // The XDG standard says to ignore relative paths.
        if let state = environmentValue("XDG_STATE_HOME"), state.hasPrefix("/") {
            return HistoryFile(path: "\(state)/\(program)/history")
        }
        guard let home = environmentValue("HOME"), home.hasPrefix("/") else { return nil }
        return HistoryFile(path: "\(home)/.local/state/\(program)/history")
    }

    /// The newest `limit` entries; none if the file does not exist. Rewrites a file that has more than twice as many.
    public func load(limit: Int = 1000) throws(TerminalError) -> History {
        let file: Descriptor
        do throws(SystemError) { file = try Descriptor.open(path, O_RDONLY) } catch {
            guard error.isMissing else { throw failure("open", error) }
            return History(limit: limit)
        }
        defer { file.discard() }
        let bytes = try calling("read") { () throws(SystemError) in try file.readAll() }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let history = History(lines.map { History.decoded($0) }, limit: limit)
        if lines.count > 2 * limit { try rewrite(history) }
        return history
    }

    /// Appends an entry; creates the file and its folders if necessary.
    public func append(_ entry: String) throws(TerminalError) {
        try makeFolder()
        let file = try calling("open") { () throws(SystemError) in
            try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        }
        defer { file.discard() }
        // One write, so that entries of two programs do not mix.
        try calling("write") { () throws(SystemError) in try file.write(Array((History.encoded(entry) + "\n").utf8)) }
    }

    private func rewrite(_ history: History) throws(TerminalError) {
        let temporary = "\(path).\(getpid())"
        let text = history.entries.map { History.encoded($0) + "\n" }.joined()
        let file = try calling("open") { () throws(SystemError) in
            try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        }
        do throws(TerminalError) {
            defer { file.discard() }
            try calling("write") { () throws(SystemError) in try file.write(Array(text.utf8)) }
            try calling("rename") { () throws(SystemError) in try retryingInterrupts { rename(temporary, path) } }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private func makeFolder() throws(TerminalError) {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/" + part
            // A folder that cannot be made because it is read-only may still exist.
            if mkdir(folder, 0o700) != 0, errno != EEXIST, access(folder, X_OK) != 0 { throw failure("mkdir", .last) }
        }
    }

    @discardableResult private func calling<Result>(
        _ call: String, _ body: () throws(SystemError) -> Result
    ) throws(TerminalError) -> Result {
        do throws(SystemError) { return try body() } catch { throw failure(call, error) }
    }

    private func failure(_ call: String, _ error: SystemError) -> TerminalError {
        .system(call: call, object: path, error)
    }
}
