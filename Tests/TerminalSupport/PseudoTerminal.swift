import Foundation
import Glibc

/// A pseudo-terminal and a program on it, driven as a person would: keys in, screen out. Waiting is for output, with a
/// time limit, never for time to pass.
public final class PseudoTerminal {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        public init(description: String) { self.description = description }
    }

    /// Where the program's side can be opened.
    public let path: String
    /// All that the program has written.
    public private(set) var output = ""
    public private(set) var columns: Int
    private let master: Int32
    /// Kept open so that the modes can be read when the program has gone.
    private let slave: Int32
    private let modesBefore: termios
    private var bytes: [UInt8] = []
    private var process: pid_t = 0
    private var hasEnded = false

    public init(columns: Int = 80, rows: Int = 24) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var unlocked: Int32 = 0
        var number: Int32 = 0
        // TIOCSPTLCK and TIOCGPTN, whose macros Swift does not see.
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

    /// Starts a program whose terminal this is.
    ///
    /// - Parameters:
    ///   - environment: variables beside the tests' own; nil takes one away.
    ///   - redirected: descriptors of the program that are something else than the terminal.
    public func start(
        _ program: String, _ arguments: [String], environment changes: [String: String?] = [:],
        redirected: [Int32: Int32] = [:]
    ) throws {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own (POSIX_SPAWN_SETSID): the terminal that it opens first then is its controlling one.
        // Signals as a shell would hand them on.
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
            guard Date() < limit else { throw Failure(description: "the program goes on; screen:\n\(screenText)") }
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
            // The program's answers have to go somewhere meanwhile.
            read(milliseconds: 0)
        }
    }

    public func resize(columns: Int, rows: Int) {
        self.columns = columns
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// Forgets what was written so far.
    public func clear() {
        read(milliseconds: 0)
        bytes = []
        output = ""
    }

    /// The screen after all that was written since `clear()`.
    public var screen: TestScreen { TestScreen(columns: columns, showing: output) }

    /// The screen's last row that shows something, without blanks at its end.
    public var lastLine: String { screen.lines.lazy.map(withoutBlanks).last { !$0.isEmpty } ?? "" }

    private var screenText: String { screen.lines.joined(separator: "\n") }

    /// Waits until what was written satisfies a condition.
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

    /// Waits until a text was written, in one piece.
    public func wait(for text: String) throws {
        try wait(for: text.debugDescription) { $0.output.contains(text) }
    }

    /// Waits until the last line shows this, blanks at its end aside.
    public func waitForLastLine(_ line: String) throws {
        let wanted = withoutBlanks(line)
        try wait(for: "last line \(line.debugDescription)") { $0.lastLine == wanted }
    }

    /// The terminal's modes are what they were before the program.
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
