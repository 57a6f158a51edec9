import Glibc
import Synchronization

/// What signal handlers tell the program. Handlers do nothing but count here and write a byte to a pipe, both of which
/// are safe at any moment; the pipe wakes whoever waits for keys.
enum Signals {
    static let interrupts = Atomic<Int>(0)
    static let resizes = Atomic<Int>(0)

    /// Written by handlers, watched by the line editor. Lives as long as the process.
    private static let pipeEnds: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        // Without a pipe a resize shows at the next key instead of at once.
        guard pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends {
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        return (ends[0], ends[1])
    }()

    static var wakeDescriptor: Int32 { pipeEnds.read }

    /// Makes what handlers touch, which must not happen inside one.
    static func prepare() {
        _ = pipeEnds
        _ = interrupts.load(ordering: .relaxed)
        _ = resizes.load(ordering: .relaxed)
    }

    /// Called by handlers.
    static func wake() {
        let saved = errno
        var byte: UInt8 = 0
        // A full pipe will wake the reader just as well.
        _ = write(pipeEnds.write, &byte, 1)
        errno = saved
    }

    /// Empties the pipe.
    static func drain() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(pipeEnds.read, &bytes, 16) > 0 {}
    }

    /// Sets a handler and returns the action before it.
    @discardableResult
    static func handle(_ signal: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) -> sigaction {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        // On the alternative stack, where there is one: the ordinary one may be what ran out.
        action.sa_flags = SA_RESTART | SA_ONSTACK
        sigemptyset(&action.sa_mask)
        return replace(signal, action)
    }

    /// Sets an action and returns the one before it.
    @discardableResult
    static func replace(_ signal: Int32, _ action: sigaction) -> sigaction {
        var action = action
        var before = sigaction()
        sigaction(signal, &action, &before)
        return before
    }
}

/// Ctrl-C as a flag, for work that asks between steps: the signal no longer ends the process while this exists.
public final class InterruptSource {
    private let before: sigaction

    public init() {
        Signals.prepare()
        Signals.interrupts.store(0, ordering: .relaxed)
        before = Signals.handle(SIGINT) { _ in
            Signals.interrupts.wrappingAdd(1, ordering: .relaxed)
            Signals.wake()
        }
    }

    deinit { Signals.replace(SIGINT, before) }

    /// Ctrl-C has come since the last `reset()`.
    public var isInterrupted: Bool { Signals.interrupts.load(ordering: .relaxed) > 0 }

    public func reset() { Signals.interrupts.store(0, ordering: .relaxed) }
}
