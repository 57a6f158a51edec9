import ArgumentParser

/// A failure that a command finds itself; the message names the thing, what was expected, what was found and what to do.
struct CommandError: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

extension ExitCode {
    /// What a shell reports of a program that Ctrl-C ended.
    static let interrupted = ExitCode(130)
}
