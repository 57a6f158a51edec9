import Files
import Glibc

/// An error of a terminal, or of standard output or standard error.
public enum TerminalError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `call` on `object` failed.
    case system(call: String, object: String, SystemError)
    /// Whoever read the output has gone away.
    case outputClosed
    /// The terminal is already being edited by another reader of this process.
    case inUse

    public var description: String {
        switch self {
        case .system(let call, let object, let error): "\(object): \(call): \(error)"
        case .outputClosed: "the reader of the output has closed it"
        case .inUse: "the terminal is already in use by this process: expected one line reader at a time"
        }
    }
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
    public func write(_ text: String) throws(TerminalError) { try write(Array(text.utf8)) }

    /// Writes lines of a report for a person. The names in it may come from files and drivers: `terminalSafe` makes their control
    /// characters visible.
    public func print(_ text: String) throws(TerminalError) { try write(terminalSafe(text)) }

    public func write(_ bytes: [UInt8]) throws(TerminalError) {
        do throws(SystemError) { try Descriptor(descriptor).write(bytes) } catch {
            switch error.code {
            case EPIPE: throw .outputClosed
            // A terminal that hung up answers EIO.
            case EIO where isTerminal(descriptor) || descriptor <= 2: throw .outputClosed
            default: throw .system(call: "write", object: name, error)
            }
        }
    }

    private var name: String {
        switch descriptor {
        case 1: "standard output"
        case 2: "standard error"
        default: "descriptor \(descriptor)"
        }
    }
}
