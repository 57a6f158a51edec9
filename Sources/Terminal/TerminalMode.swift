import Files
import Glibc
import Synchronization

/// Holds a terminal in the modes that line editing needs and gives it back as it was: on `restore()`, at `exit`, when a
/// signal or a crash ends the process, and while it is suspended.
///
/// One at a time in a process, since signal handlers have to find it.
final class TerminalMode {
    enum Mode { case editing, working }

    /// - Parameter usesEscapeCodes: bracketed paste may be switched on.
    init(input: Int32, output: Int32, usesEscapeCodes: Bool) throws(TerminalError) {
        guard !isHeld.exchange(true, ordering: .acquiringAndReleasing) else { throw .inUse }
        var saved = termios()
        guard tcgetattr(input, &saved) == 0 else {
            isHeld.store(false, ordering: .releasing)
            throw .system(call: "tcgetattr", object: "terminal", .last)
        }
        Signals.prepare()
        held.initialize(
            to: Held(input: input, output: output, saved: saved, current: saved, usesEscapeCodes: usesEscapeCodes))
        isArmed.store(true, ordering: .releasing)
        installHandlers()
        do throws(TerminalError) { try set(.working) } catch {
            restore()
            throw error
        }
        beginPasteMode()
    }

    deinit { restore() }

    /// `.editing`: every key comes as it is pressed, Ctrl-C and Ctrl-Z among them. `.working`: nothing is echoed, what is
    /// typed waits for the next line, and Ctrl-C and Ctrl-Z are signals again.
    func set(_ mode: Mode) throws(TerminalError) {
        var modes = held.pointee.saved
        modes.c_iflag &= ~tcflag_t(ICRNL | INLCR | IGNCR | ISTRIP | INPCK)
        modes.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN)
        modes.c_lflag |= tcflag_t(ISIG)
        modes.c_cflag = (modes.c_cflag & ~tcflag_t(CSIZE | PARENB)) | tcflag_t(CS8)
        if mode == .editing {
            modes.c_iflag &= ~tcflag_t(IXON | BRKINT)
            modes.c_lflag &= ~tcflag_t(ISIG)
        }
        withUnsafeMutableBytes(of: &modes.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        held.pointee.current = modes
        // What is typed ahead stays.
        do throws(SystemError) {
            try retryingInterrupts { tcsetattr(held.pointee.input, TCSADRAIN, &held.pointee.current) }
        } catch {
            throw .system(call: "tcsetattr", object: "terminal", error)
        }
    }

    /// Gives the terminal back. Safe to call more than once.
    func restore() {
        guard isArmed.load(ordering: .acquiring) else { return }
        giveBackTerminal()
        isArmed.store(false, ordering: .releasing)
        removeHandlers()
        isHeld.store(false, ordering: .releasing)
    }
}

// MARK: What signal handlers see

private struct Held {
    var input: Int32
    var output: Int32
    var saved: termios
    var current: termios
    var usesEscapeCodes: Bool
}

/// Plain memory: handlers may run at any moment, also inside an allocation. Written before `isArmed` is set.
private nonisolated(unsafe) let held = UnsafeMutablePointer<Held>.allocate(capacity: 1)
/// A `TerminalMode` exists.
private let isHeld = Atomic(false)
/// The terminal is in other modes than the saved ones.
private let isArmed = Atomic(false)

/// Signals that end the process: the terminal is given back before they do.
private let endingSignals: [Int32] = [
    SIGHUP, SIGQUIT, SIGTERM, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU,
]
private nonisolated(unsafe) let actionsBefore = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
private let otherSignals: [Int32] = [SIGTSTP, SIGCONT, SIGWINCH]

private let bracketedPasteOn: StaticString = "\u{1B}[?2004h"
private let bracketedPasteOff: StaticString = "\u{1B}[?2004l"

private func beginPasteMode() {
    if held.pointee.usesEscapeCodes { emit(bracketedPasteOn) }
}

private func emit(_ text: StaticString) {
    // Nothing to do about a terminal that is gone.
    _ = write(held.pointee.output, text.utf8Start, text.utf8CodeUnitCount)
}

/// The terminal is another process group's now, mostly the shell's: it must be left alone.
private var isInBackground: Bool {
    let owner = tcgetpgrp(held.pointee.input)
    return owner > 0 && owner != getpgrp()
}

private func giveBackTerminal() {
    let code = errno
    defer { errno = code }
    guard !isInBackground else { return }
    if held.pointee.usesEscapeCodes { emit(bracketedPasteOff) }
    // Not waiting for output to drain: in a handler that might never end.
    tcsetattr(held.pointee.input, TCSANOW, &held.pointee.saved)
}

/// Takes the terminal again after a stop; the editor then shows its line anew.
private func takeTerminalAgain() {
    let code = errno
    defer { errno = code }
    guard isArmed.load(ordering: .acquiring), !isInBackground else { return }
    tcsetattr(held.pointee.input, TCSANOW, &held.pointee.current)
    beginPasteMode()
    Signals.resizes.wrappingAdd(1, ordering: .relaxed)
    Signals.wake()
}

/// Stops the process as SIGTSTP does without a handler: not at all where no shell could continue it.
private func stop() {
    let handled = Signals.replace(SIGTSTP, sigaction())
    var stopping = sigset_t()
    sigemptyset(&stopping)
    sigaddset(&stopping, SIGTSTP)
    raise(SIGTSTP)
    // Until here it waits, since a signal is blocked in its own handler.
    pthread_sigmask(SIG_UNBLOCK, &stopping, nil)
    Signals.replace(SIGTSTP, handled)
}

private func installHandlers() {
    for signal in endingSignals {
        actionsBefore[Int(signal)] = Signals.handle(signal) { signal in
            if isArmed.load(ordering: .acquiring) { giveBackTerminal() }
            // As if this handler had never been: what comes next is a crash report or the end.
            Signals.replace(signal, actionsBefore[Int(signal)])
            raise(signal)
        }
    }
    actionsBefore[Int(SIGTSTP)] = Signals.handle(SIGTSTP) { _ in
        giveBackTerminal()
        stop()
        takeTerminalAgain()
    }
    actionsBefore[Int(SIGCONT)] = Signals.handle(SIGCONT) { _ in takeTerminalAgain() }
    actionsBefore[Int(SIGWINCH)] = Signals.handle(SIGWINCH) { _ in
        Signals.resizes.wrappingAdd(1, ordering: .relaxed)
        Signals.wake()
    }
    registerAtExit()
}

private func removeHandlers() {
    for signal in endingSignals + otherSignals { Signals.replace(signal, actionsBefore[Int(signal)]) }
}

private let isRegisteredAtExit = Atomic(false)

private func registerAtExit() {
    guard !isRegisteredAtExit.exchange(true, ordering: .relaxed) else { return }
    atexit { if isArmed.load(ordering: .acquiring) { giveBackTerminal() } }
}
