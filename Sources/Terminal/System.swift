import Glibc

/// A failure of the operating system while reading, writing or setting up a terminal or a file.
public enum TerminalError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `call` on `object` failed with this `errno`.
    case system(call: String, object: String, code: Int32)
    /// Whoever read the output has gone away.
    case outputClosed
    /// The terminal is already being edited by another reader of this process.
    case inUse

    public var description: String {
        switch self {
        case .system(let call, let object, let code): "\(object): \(call): \(errorText(code))"
        case .outputClosed: "the reader of the output has closed it"
        case .inUse: "the terminal is already in use by this process: expected one line reader at a time"
        }
    }
}

/// The system's words for an `errno`.
public func errorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// A variable of the environment; nil when unset.
public func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// True if the descriptor is a terminal.
public func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

/// Size of the terminal behind a descriptor; 80 × 24 where it does not say.
public func screenSize(_ descriptor: Int32) -> ScreenSize {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
        return ScreenSize(columns: 80, rows: 24)
    }
    return ScreenSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
}

/// Seconds on a clock that only moves forward.
public func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Unbuffered output to a descriptor.
public struct Output: Sendable {
    public let descriptor: Int32
    public static let standard = Output(descriptor: 1)
    public static let error = Output(descriptor: 2)

    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Writes the whole text, waiting where the reader is slow.
    public func write(_ text: String) throws(TerminalError) {
        var text = text
        try check(text.withUTF8 { writeAll($0) })
    }

    public func write(_ bytes: [UInt8]) throws(TerminalError) {
        try check(bytes.withUnsafeBufferPointer { writeAll($0) })
    }

    private func check(_ code: Int32) throws(TerminalError) {
        switch code {
        case 0: return
        // A terminal that hung up answers EIO.
        case EPIPE: throw .outputClosed
        case EIO where isTerminal(descriptor) || descriptor <= 2: throw .outputClosed
        default: throw .system(call: "write", object: name, code: code)
        }
    }

    /// 0 or the `errno`.
    private func writeAll(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        var offset = 0
        while offset < bytes.count {
            let written = Glibc.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
            if written >= 0 {
                offset += written
            } else if errno == EAGAIN {
                // Another program left the terminal non-blocking.
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&waiting, 1, -1) < 0, errno != EINTR { return errno }
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    private var name: String {
        switch descriptor {
        case 1: "standard output"
        case 2: "standard error"
        default: "descriptor \(descriptor)"
        }
    }
}
