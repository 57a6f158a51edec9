import Glibc
import Synchronization

/// State that signal handlers share with the program. Handlers only increment a counter and write a byte to a pipe,
/// both async-signal-safe; the pipe wakes a thread that waits for keys.
enum Signals {
    static let interrupts = Atomic<Int>(0)
    static let resizes = Atomic<Int>(0)

    /// Handlers write to it, the line editor polls it. Stays open until the process ends.
    private static let pipeEnds: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        // Without a pipe, a resize takes effect at the next key.
        guard pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends {
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        return (ends[0], ends[1])
    }()

    static var wakeDescriptor: Int32 { pipeEnds.read }

    /// Initialises the state that handlers use, since lazy initialisation is not async-signal-safe.
    static func prepare() {
        _ = pipeEnds
        _ = interrupts.load(ordering: .relaxed)
        _ = resizes.load(ordering: .relaxed)
    }

    /// Called by handlers.
    static func wake() {
        let saved = errno
        var byte: UInt8 = 0
        // A failed write to a full pipe is harmless: the pipe already wakes the reader.
        _ = write(pipeEnds.write, &byte, 1)
        errno = saved
    }

    /// Empties the pipe.
    static func drain() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(pipeEnds.read, &bytes, 16) > 0 {}
    }

    /// Sets a handler and returns the previous action.
    @discardableResult
    static func handle(_ signal: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) -> sigaction {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        // Uses the alternative stack if there is one: the signal may be due to a stack overflow.
        action.sa_flags = SA_RESTART | SA_ONSTACK
        sigemptyset(&action.sa_mask)
        return replace(signal, action)
    }

    /// Sets an action and returns the previous one.
    @discardableResult
    static func replace(_ signal: Int32, _ action: sigaction) -> sigaction {
        var action = action
        var before = sigaction()
        sigaction(signal, &action, &before)
        return before
    }
}

/// Turns Ctrl-C into a flag that long work polls. While this object exists, SIGINT does not end the process.
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

    /// Whether SIGINT has arrived since the last `reset()`.
    public var isInterrupted: Bool { Signals.interrupts.load(ordering: .relaxed) > 0 }

    public func reset() { Signals.interrupts.store(0, ordering: .relaxed) }
}
