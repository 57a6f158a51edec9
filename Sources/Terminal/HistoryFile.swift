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
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw failure("open") }
            return History(limit: limit)
        }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &part, part.count)
            if count > 0 {
                bytes += part[..<count]
            } else if count == 0 {
                break
            } else if errno != EINTR {
                let error = failure("read")
                close(descriptor)
                throw error
            }
        }
        close(descriptor)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let history = History(lines.map { History.decoded($0) }, limit: limit)
        if lines.count > 2 * limit { try rewrite(history) }
        return history
    }

    /// Appends an entry; creates the file and its folders if necessary.
    public func append(_ entry: String) throws(TerminalError) {
        try makeFolder()
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open") }
        defer { close(descriptor) }
        // A single write, so that entries of two processes do not interleave.
        try Output(descriptor: descriptor).write(History.encoded(entry) + "\n")
    }

    private func rewrite(_ history: History) throws(TerminalError) {
        let temporary = "\(path).\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open") }
        do throws(TerminalError) {
            try Output(descriptor: descriptor).write(history.entries.map { History.encoded($0) + "\n" }.joined())
        } catch {
            close(descriptor)
            unlink(temporary)
            throw error
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else {
            let error = failure("rename")
            unlink(temporary)
            throw error
        }
    }

    private func makeFolder() throws(TerminalError) {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/" + part
            // mkdir may fail with another code for a folder that exists, for example on a read-only file system.
            if mkdir(folder, 0o700) != 0, errno != EEXIST, access(folder, X_OK) != 0 { throw failure("mkdir") }
        }
    }

    private func failure(_ call: String) -> TerminalError { .system(call: call, object: path, code: errno) }
}
