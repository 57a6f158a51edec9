import Files
import Glibc
import Synchronization

/// Sets a terminal's modes for line editing and restores them: on `restore()`, at `exit`, when a signal or a crash ends
/// the process, and while the process is suspended.
///
/// Only one may exist at a time, because its signal handlers use global state; a second one throws
/// `TerminalError.inUse`.
final class TerminalMode {
    enum Mode { case editing, working }

    /// - Parameter usesEscapeCodes: whether to enable bracketed paste.
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

    /// In both modes the terminal does not echo and delivers each key immediately. In `.editing`, Ctrl-C and Ctrl-Z are
    /// keys; in `.working`, they are signals.
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

    /// Restores the terminal's modes. May be called more than once.
    func restore() {
        guard isArmed.load(ordering: .acquiring) else { return }
        giveBackTerminal()
        isArmed.store(false, ordering: .releasing)
        removeHandlers()
        isHeld.store(false, ordering: .releasing)
    }
}

// MARK: State of the signal handlers

private struct Held {
    var input: Int32
    var output: Int32
    var saved: termios
    var current: termios
    var usesEscapeCodes: Bool
}

/// Plain memory, because handlers may interrupt an allocation. Written before `isArmed` is set.
private nonisolated(unsafe) let held = UnsafeMutablePointer<Held>.allocate(capacity: 1)
/// Whether a `TerminalMode` exists.
private let isHeld = Atomic(false)
/// Whether the terminal's modes differ from the saved ones.
private let isArmed = Atomic(false)

/// Signals that end the process, after their handler has restored the terminal.
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
    // Ignores errors: a terminal that is gone needs no output.
    _ = write(held.pointee.output, text.utf8Start, text.utf8CodeUnitCount)
}

/// Whether another process group, usually the shell's, owns the terminal, so that this process must not change it.
private var isInBackground: Bool {
    let owner = tcgetpgrp(held.pointee.input)
    return owner > 0 && owner != getpgrp()
}

private func giveBackTerminal() {
    let code = errno
    defer { errno = code }
    guard !isInBackground else { return }
    if held.pointee.usesEscapeCodes { emit(bracketedPasteOff) }
    // TCSANOW does not wait for output to drain, which in a handler might block forever.
    tcsetattr(held.pointee.input, TCSANOW, &held.pointee.saved)
}

/// Sets the modes again after a stop, and makes the editor redraw.
private func takeTerminalAgain() {
    let code = errno
    defer { errno = code }
    guard isArmed.load(ordering: .acquiring), !isInBackground else { return }
    tcsetattr(held.pointee.input, TCSANOW, &held.pointee.current)
    beginPasteMode()
    Signals.resizes.wrappingAdd(1, ordering: .relaxed)
    Signals.wake()
}

/// Stops the process by the default action of SIGTSTP, which does nothing if no shell could continue the process.
private func stop() {
    let handled = Signals.replace(SIGTSTP, sigaction())
    var stopping = sigset_t()
    sigemptyset(&stopping)
    sigaddset(&stopping, SIGTSTP)
    raise(SIGTSTP)
    // The signal is blocked in its own handler; unblocking it here delivers it.
    pthread_sigmask(SIG_UNBLOCK, &stopping, nil)
    Signals.replace(SIGTSTP, handled)
}

private func installHandlers() {
    for signal in endingSignals {
        actionsBefore[Int(signal)] = Signals.handle(signal) { signal in
            if isArmed.load(ordering: .acquiring) { giveBackTerminal() }
            // Restores the previous action and raises the signal again, which writes a crash report or ends the
            // process.
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
