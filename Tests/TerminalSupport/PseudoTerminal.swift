import Foundation
import Glibc

/// A pseudo-terminal with a program running in it: tests send keys and read the screen. Tests wait for output, with a
/// time limit, and never for a fixed time.
public final class PseudoTerminal {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        public init(description: String) { self.description = description }
    }

    /// Path of the program's side.
    public let path: String
    /// All that the program has written.
    public private(set) var output = ""
    public private(set) var columns: Int
    private let master: Int32
    /// Kept open so that the modes can be read after the program's end.
    private let slave: Int32
    private let modesBefore: termios
    private var bytes: [UInt8] = []
    private var process: pid_t = 0
    private var hasEnded = false

    public init(columns: Int = 80, rows: Int = 24) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var unlocked: Int32 = 0
        var number: Int32 = 0
        // The numbers are TIOCSPTLCK and TIOCGPTN, macros that Swift does not import.
        guard master >= 0, ioctl(master, 0x4004_5431, &unlocked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
            throw Failure(description: "no pseudo-terminal: \(String(cString: strerror(errno)))")
        }
        path = "/dev/pts/\(number)"
        slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard slave >= 0 else { throw Failure(description: "\(path): \(String(cString: strerror(errno)))") }
        var modes = termios()
        tcgetattr(slave, &modes)
        modesBefore = modes
        self.columns = columns
        resize(columns: columns, rows: rows)
    }

    deinit {
        if process > 0, !hasEnded {
            kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
        close(master)
        close(slave)
    }

    // MARK: The program

    /// Starts a program with this terminal as its controlling terminal.
    ///
    /// - Parameters:
    ///   - environment: variables to set in addition to the tests' own; nil removes a variable.
    ///   - redirected: for each of the program's standard descriptors that is not the terminal, the descriptor to use.
    public func start(
        _ program: String, _ arguments: [String], environment changes: [String: String?] = [:],
        redirected: [Int32: Int32] = [:]
    ) throws {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // 0x80 is POSIX_SPAWN_SETSID: in a new session, the first terminal that is opened becomes the controlling one.
        // Signals have their default actions, as under a shell.
        var defaults = sigset_t()
        sigfillset(&defaults)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(0x80 | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in Int32(0)...2 {
            if let other = redirected[descriptor] {
                posix_spawn_file_actions_adddup2(&actions, other, descriptor)
            } else {
                posix_spawn_file_actions_addopen(&actions, descriptor, path, O_RDWR, 0)
            }
        }
        var environment = ProcessInfo.processInfo.environment
        environment["TERM"] = "xterm-256color"
        environment["NO_COLOR"] = nil
        for (name, value) in changes { environment[name] = value }
        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        let code = posix_spawn(&process, program, &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw Failure(description: "\(program): \(String(cString: strerror(code)))") }
    }

    public func signal(_ number: Int32) { kill(process, number) }

    /// Waits for the program's end and returns its exit status, 128 + the signal's number if one ended it.
    public func waitForEnd(seconds: Double = 30) throws -> Int32 {
        let limit = Date(timeIntervalSinceNow: seconds)
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            guard Date() < limit else { throw Failure(description: "the program still runs; screen:\n\(screenText)") }
            read(milliseconds: 20)
        }
        hasEnded = true
        read(milliseconds: 0)
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    // MARK: Keys and screen

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    public func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(master, $0.baseAddress!, min($0.count, 1024)) }
            guard count > 0 else { throw Failure(description: "write: \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
            // Reads the program's output meanwhile, so that it does not block.
            read(milliseconds: 0)
        }
    }

    public func resize(columns: Int, rows: Int) {
        self.columns = columns
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// Discards the output so far.
    public func clear() {
        read(milliseconds: 0)
        bytes = []
        output = ""
    }

    /// The screen with all output since `clear()`.
    public var screen: TestScreen { TestScreen(columns: columns, showing: output) }

    /// The screen's last non-blank row, without trailing blanks.
    public var lastLine: String { screen.lines.lazy.map(withoutBlanks).last { !$0.isEmpty } ?? "" }

    private var screenText: String { screen.lines.joined(separator: "\n") }

    /// Waits until `isThere` returns true.
    public func wait(
        seconds: Double = 60, for what: String = "the expected output", until isThere: (PseudoTerminal) -> Bool
    ) throws {
        let limit = Date(timeIntervalSinceNow: seconds)
        while !isThere(self) {
            guard Date() < limit else {
                throw Failure(
                    description: "\(what) did not come; screen:\n\(screenText)\nwritten: \(output.debugDescription)")
            }
            read(milliseconds: 50)
        }
    }

    /// Waits until the output contains `text`.
    public func wait(for text: String) throws {
        try wait(for: text.debugDescription) { $0.output.contains(text) }
    }

    /// Waits until the last line equals `line`, ignoring trailing blanks.
    public func waitForLastLine(_ line: String) throws {
        let wanted = withoutBlanks(line)
        try wait(for: "last line \(line.debugDescription)") { $0.lastLine == wanted }
    }

    /// Whether the terminal's modes are the same as before the program.
    public var isRestored: Bool {
        var modes = termios()
        tcgetattr(slave, &modes)
        return modes.c_iflag == modesBefore.c_iflag && modes.c_oflag == modesBefore.c_oflag
            && modes.c_lflag == modesBefore.c_lflag && modes.c_cflag == modesBefore.c_cflag
    }

    private func read(milliseconds: Int32) {
        var waiting = milliseconds
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var watched = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            guard poll(&watched, 1, waiting) > 0, watched.revents & Int16(POLLIN) != 0 else { return }
            let count = Glibc.read(master, &part, part.count)
            guard count > 0 else { return }
            bytes += part[..<count]
            output = String(decoding: bytes, as: UTF8.self)
            waiting = 0
        }
    }
}

private func withoutBlanks(_ line: String) -> String {
    String(line.reversed().drop { $0 == " " }.reversed())
}
