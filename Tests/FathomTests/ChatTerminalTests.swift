import Foundation
import Glibc
import JSON
import TerminalSupport
import Testing

/// The program's chat as a person at a terminal has it, with the built-in model.
@Suite(.serialized) struct ChatTerminalTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A chat that waits for its first message.
    private func chat(
        _ arguments: [String] = [], columns: Int = 80, rows: Int = 24, environment: [String: String?] = [:],
        redirected: [Int32: Int32] = [:]
    ) throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        try terminal.start(
            Program.url.path, ["chat", "--device", "cpu"] + arguments,
            environment: ["XDG_STATE_HOME": folder.path].merging(environment) { $1 }, redirected: redirected)
        try terminal.waitForLastLine("> ")
        return terminal
    }

    /// Leaves by Ctrl-D, and checks that the terminal is as it was.
    private func leave(_ terminal: PseudoTerminal) throws {
        try terminal.waitForLastLine("> ")
        try terminal.send("\u{4}")
        #expect(try terminal.waitForEnd() == 0)
        #expect(terminal.isRestored)
    }

    private func messages(_ path: String) throws -> [String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        return try JSONField(parsing: Array(data), name: path)["messages"].array().map { try $0["content"].string() }
    }

    /// Saves the conversation and returns its messages.
    private func saved(_ terminal: PseudoTerminal) throws -> [String] {
        let path = "\(folder.path)/chat-\(UUID().uuidString).json"
        try terminal.waitForLastLine("> ")
        try terminal.send("/save \(path)\r")
        try terminal.wait(for: "the file") { _ in FileManager.default.fileExists(atPath: path) }
        try terminal.waitForLastLine("> ")
        return try messages(path)
    }

    @Test func anAnswerStreams() throws {
        let terminal = try chat()
        let question = "> Tell me a story about a fox."
        try terminal.send("\(question.dropFirst(2))\r")
        try terminal.wait { $0.screen.lines.first(after: question)?.contains("fox") == true }
        let beginning = terminal.screen.lines.joined()
        try terminal.waitForLastLine("> ")
        // The beginning was there before the end.
        #expect(terminal.screen.lines.joined().count > beginning.count + 20)
        try terminal.send("/stats\r")
        try terminal.wait { $0.screen.lines.contains { $0.hasPrefix("decode") && $0.contains("tokens/s") } }
        #expect(terminal.output.contains("prefill ") && terminal.output.contains(" of 4096 tokens used"))
        try leave(terminal)
        #expect(terminal.output.hasSuffix("\u{1B}[?2004l"))
    }

    @Test func controlCStopsTheAnswerAndKeepsIt() throws {
        let terminal = try chat()
        try terminal.send("Tell me a story about a dragon.\r")
        try terminal.wait(for: "Once")
        try terminal.send("\u{3}")
        try terminal.wait(for: "what was said is kept")
        try terminal.send("What is the capital of France?\r")
        try terminal.wait(for: "Paris")
        let messages = try saved(terminal)
        #expect(messages.count == 4 && messages[1].hasPrefix("Once") && messages[3].contains("Paris"))
        // At an empty line it says how to leave, and does not.
        try terminal.waitForLastLine("> ")
        try terminal.send("abc\u{3}")
        try terminal.waitForLastLine("> ")
        try terminal.send("\u{3}")
        try terminal.waitForLastLine("Ctrl-D or /exit leaves.")
        try terminal.send("\u{4}")
        #expect(try terminal.waitForEnd() == 0)
    }

    @Test func historyReachesIntoEarlierChats() throws {
        var terminal = try chat()
        try terminal.send("What is the capital of France?\r")
        try terminal.wait(for: "Paris")
        try terminal.waitForLastLine("> ")
        try terminal.send("draft\u{1B}[A")
        try terminal.waitForLastLine("> What is the capital of France?")
        try terminal.send("\u{1B}[B")
        try terminal.waitForLastLine("> draft")
        try terminal.send("\u{15}")
        try leave(terminal)

        terminal = try chat()
        try terminal.send("\u{12}CAPITAL")
        try terminal.waitForLastLine("(search: CAPITAL) What is the capital of France?")
        try terminal.send("\u{5}\u{1B}\u{7F}Italy?\r")
        try terminal.wait(for: "Rome")
        try leave(terminal)
        let file = try String(contentsOfFile: folder.path + "/fathom/history", encoding: .utf8)
        #expect(file == "What is the capital of France?\nWhat is the capital of Italy?\n")

        terminal = try chat(["--no-history"])
        try terminal.send("\u{1B}[Anothing\r")
        try terminal.wait { $0.screen.lines.contains("> nothing") }
        try leave(terminal)
        #expect(try String(contentsOfFile: folder.path + "/fathom/history", encoding: .utf8) == file)
    }

    @Test func theLineFollowsTheWindowsWidth() throws {
        let terminal = try chat(columns: 60, rows: 20)
        try terminal.send("The quick brown fox jumps over the lazy dog 漢字漢字 and more")
        try terminal.wait { $0.screen.lines.joined().hasSuffix("漢字漢字 and more") }
        for columns in [25, 80, 11, 47] {
            terminal.clear()
            terminal.resize(columns: columns, rows: 20)
            try terminal.wait(for: "the line at \(columns) columns") { terminal in
                let screen = terminal.screen
                return screen.lines.joined() == "> The quick brown fox jumps over the lazy dog 漢字漢字 and more"
                    && screen.lines.allSatisfy { width($0) <= columns }
            }
        }
        try terminal.send("\u{15}")
        try leave(terminal)
    }

    private func width(_ line: String) -> Int { line.reduce(0) { $0 + ($1.isASCII ? 1 : 2) } }

    @Test func wideCharactersAreEditedWhole() throws {
        let terminal = try chat(columns: 24)
        try terminal.send("abcdefghijklmnopqrs漢字")
        // The first wide character does not fit in the last column.
        try terminal.wait {
            $0.screen.lines.suffix(2) == ["> abcdefghijklmnopqrs漢", "字"] || $0.screen.lines.last == "漢字"
                || $0.screen.lines.last == "字"
        }
        try terminal.send("\u{7F}\u{7F}😀e\u{301}👨‍👩‍👧x\u{1B}[D\u{1B}[D\u{7F}")
        try terminal.send("\u{5}\u{7F}!\r")
        try terminal.waitForLastLine("> ")
        #expect(try saved(terminal).first == "abcdefghijklmnopqrs😀👨‍👩‍👧!")
        // A character may arrive byte by byte.
        for byte in Array("é漢😀\r".utf8) { try terminal.send([byte]) }
        try terminal.waitForLastLine("> ")
        #expect(try saved(terminal).dropFirst(2).first == "é漢😀")
        try leave(terminal)
    }

    @Test func aPasteWithLinesIsOneMessage() throws {
        let terminal = try chat()
        try terminal.send("\u{1B}[200~first 漢\r\nsecond\rthird\n\u{1B}[201~")
        try terminal.wait { $0.screen.lines.suffix(4) == ["> first 漢", "  second", "  third", "  "] }
        #expect(!terminal.output.contains("Saved"))
        try terminal.send("end\r")
        try terminal.waitForLastLine("> ")
        try terminal.send("one\u{1B}\rtwo\ntri\\\rfour\r")
        try terminal.waitForLastLine("> ")
        let messages = try saved(terminal)
        #expect(messages.first == "first 漢\nsecond\nthird\nend")
        #expect(messages.dropFirst(2).first == "one\ntwo\ntri\nfour")
        try leave(terminal)
    }

    @Test func aLargePasteIsQuick() throws {
        let terminal = try chat(["--context", "64"])
        let line = "0123456789 0123456789 0123456789 0123456789\r"
        let start = Date()
        try terminal.send("\u{1B}[200~" + String(repeating: line, count: 10_000) + "\u{1B}[201~\u{1B}<x")
        try terminal.wait { $0.screen.lines.contains { $0.hasPrefix("> x0123456789") } }
        #expect(Date().timeIntervalSince(start) < 30)
        try terminal.send("\r")
        try terminal.wait(for: "but the context holds 64")
        try leave(terminal)
    }

    @Test func commandsAndPathsComplete() throws {
        let terminal = try chat()
        try terminal.send("/st\t")
        try terminal.waitForLastLine("> /stats")
        try terminal.send("\u{15}/sa\t\(folder.path)/tab.json\r")
        try terminal.wait(for: "Saved 0 messages")
        try terminal.waitForLastLine("> ")
        try terminal.send("/load \(folder.path)/ta\t\r")
        try terminal.wait(for: "Loaded 0 messages")
        try terminal.waitForLastLine("> ")
        try terminal.send("/s\t\t")
        try terminal.waitForLastLine("/system  /save    /stats")
        try terminal.send("\u{15}")
        try leave(terminal)
    }

    @Test func whatIsTypedDuringAnAnswerComesNext() throws {
        let terminal = try chat()
        try terminal.send("What is the capital of France?\r")
        try terminal.send("What is the capital of Italy?\r")
        try terminal.wait(for: "Paris")
        try terminal.wait(for: "Rome")
        try leave(terminal)
    }

    @Test(arguments: [["NO_COLOR": "1"], ["TERM": "dumb"]])
    func withoutEscapeCodes(environment: [String: String]) throws {
        let terminal = try chat(environment: environment.mapValues { $0 })
        try terminal.send("What is the capital of Frankreich?\u{1}")
        try terminal.send("\u{5}\u{17}France?\r")
        try terminal.wait(for: "Paris")
        try terminal.waitForLastLine("> ")
        try terminal.send("\u{1B}[A")
        try terminal.waitForLastLine("> What is the capital of France?")
        try terminal.send("\u{15}")
        try leave(terminal)
        #expect(!terminal.output.contains("\u{1B}"))
    }

    @Test func aSignalGivesTheTerminalBack() throws {
        for signal in [SIGTERM, SIGHUP, SIGSEGV] {
            let terminal = try chat(environment: ["SWIFT_BACKTRACE": "enable=no"])
            #expect(!terminal.isRestored)
            terminal.signal(signal)
            #expect(try terminal.waitForEnd() == 128 + signal)
            #expect(terminal.isRestored)
        }
    }

    @Test func answersMayGoElsewhere() throws {
        // stdout is a file: one still types at the terminal.
        let path = try folder.write("answers.txt", "")
        let file = open(path, O_WRONLY | O_CLOEXEC)
        let terminal = try chat(redirected: [1: file])
        close(file)
        try terminal.send("What is the capital of France?\r")
        try terminal.wait { $0.screen.lines.count > 2 && $0.lastLine == ">" }
        try leave(terminal)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "The capital of France is Paris.\n")
        #expect(!terminal.output.contains("Paris"))
    }

    @Test func questionsMayComeFromElsewhere() throws {
        // stdin is a file: no prompt and no escape codes, though stdout is a terminal.
        let file = open(try folder.write("questions.txt", "What is the capital of France?\n"), O_RDONLY | O_CLOEXEC)
        let terminal = try PseudoTerminal()
        try terminal.start(Program.url.path, ["chat", "--device", "cpu"], redirected: [0: file])
        close(file)
        #expect(try terminal.waitForEnd() == 0)
        #expect(terminal.output == "The capital of France is Paris.\r\n")
    }
}

extension [String] {
    /// The line after the first that is `line`.
    fileprivate func first(after line: String) -> String? {
        firstIndex(of: line).flatMap { indices.contains($0 + 1) ? self[$0 + 1] : nil }
    }
}
