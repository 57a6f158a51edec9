import Glibc

/// A call of the operating system that failed.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's `errno`.
    public var code: Int32

    public init(code: Int32) { self.code = code }

    /// The error of the call that has just failed.
    public static var last: SystemError { SystemError(code: errno) }

    /// No file or folder has this name.
    public var isMissing: Bool { code == ENOENT || code == ENOTDIR }

    /// The disk, the user's share of it or the largest file allowed is full.
    public var isOutOfRoom: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

    /// The process or the system has reached its limit of open files.
    public var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }

    /// The system's description of the error.
    public var description: String {
        switch code {
        case ENOENT: "no such file or folder"
        default: strerror(code).map { String(cString: $0) } ?? "error \(code)"
        }
    }
}

/// Makes a system call, again as long as a signal interrupts it. The one place where EINTR is handled.
///
/// Not for `close`: Linux has closed the descriptor even where it reports EINTR.
///
/// - Returns: the call's result, which is not -1.
@discardableResult
public func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        guard errno == EINTR else { throw .last }
    }
}
