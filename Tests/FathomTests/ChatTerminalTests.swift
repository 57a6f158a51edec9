import Foundation
import Glibc
import TerminalSupport
import Testing

/// Typing in the program's chat: lines, history, pastes, completion, and where input and output may come from and go.
@Suite(.serialized) struct ChatTerminalTests {
    @Test func historyReachesIntoEarlierChats() throws {
        var chat = try TerminalChat()
        try chat.terminal.send("What is the capital of France?\r")
        try chat.terminal.wait(for: "Paris")
        try chat.waitForPrompt()
        try chat.terminal.send("draft\u{1B}[A")
        try chat.terminal.waitForLastLine("> What is the capital of France?")
        try chat.terminal.send("\u{1B}[B")
        try chat.terminal.waitForLastLine("> draft")
        try chat.terminal.send("\u{15}")
        try chat.leave()

        chat = try TerminalChat(folder: chat.folder)
        try chat.terminal.send("\u{12}CAPITAL")
        try chat.terminal.waitForLastLine("(search: CAPITAL) What is the capital of France?")
        try chat.terminal.send("\u{5}\u{1B}\u{7F}Italy?\r")
        try chat.terminal.wait(for: "Rome")
        try chat.leave()
        let file = try String(contentsOfFile: chat.folder.path + "/fathom/history", encoding: .utf8)
        #expect(file == "What is the capital of France?\nWhat is the capital of Italy?\n")

        chat = try TerminalChat(["--no-history"], folder: chat.folder)
        try chat.terminal.send("\u{1B}[Anothing\r")
        try chat.terminal.wait { $0.screen.lines.contains("> nothing") }
        try chat.leave()
        #expect(try String(contentsOfFile: chat.folder.path + "/fathom/history", encoding: .utf8) == file)
    }

    @Test func theLineFollowsTheWindowsWidth() throws {
        let chat = try TerminalChat(columns: 60, rows: 20)
        try chat.terminal.send("The quick brown fox jumps over the lazy dog 漢字漢字 and more")
        try chat.terminal.wait { $0.screen.lines.joined().hasSuffix("漢字漢字 and more") }
        for columns in [25, 80, 11, 47] {
            chat.terminal.clear()
            chat.terminal.resize(columns: columns, rows: 20)
            try chat.terminal.wait(for: "the line at \(columns) columns") { terminal in
                let screen = chat.terminal.screen
                return screen.lines.joined() == "> The quick brown fox jumps over the lazy dog 漢字漢字 and more"
                    && screen.lines.allSatisfy { width($0) <= columns }
            }
        }
        try chat.terminal.send("\u{15}")
        try chat.leave()
    }

    private func width(_ line: String) -> Int { line.reduce(0) { $0 + ($1.isASCII ? 1 : 2) } }

    @Test func wideCharactersAreEditedWhole() throws {
        let chat = try TerminalChat(columns: 24)
        try chat.terminal.send("abcdefghijklmnopqrs漢字")
        // The first wide character does not fit in the last column.
        try chat.terminal.wait {
            $0.screen.lines.suffix(2) == ["> abcdefghijklmnopqrs漢", "字"] || $0.screen.lines.last == "漢字"
                || $0.screen.lines.last == "字"
        }
        try chat.terminal.send("\u{7F}\u{7F}😀e\u{301}👨‍👩‍👧x\u{1B}[D\u{1B}[D\u{7F}")
        try chat.terminal.send("\u{5}\u{7F}!\r")
        try chat.waitForPrompt()
        #expect(try chat.saved().first == "abcdefghijklmnopqrs😀👨‍👩‍👧!")
        // A character may arrive byte by byte.
        for byte in Array("é漢😀\r".utf8) { try chat.terminal.send([byte]) }
        try chat.waitForPrompt()
        #expect(try chat.saved().dropFirst(2).first == "é漢😀")
        try chat.leave()
    }

    @Test func aPasteWithLinesIsOneMessage() throws {
        let chat = try TerminalChat()
        try chat.terminal.send("\u{1B}[200~first 漢\r\nsecond\rthird\n\u{1B}[201~")
        try chat.terminal.wait { $0.screen.lines.suffix(4) == ["> first 漢", "  second", "  third", "  "] }
        #expect(!chat.terminal.output.contains("Saved"))
        try chat.terminal.send("end\r")
        try chat.waitForPrompt()
        try chat.terminal.send("one\u{1B}\rtwo\ntri\\\rfour\r")
        try chat.waitForPrompt()
        let messages = try chat.saved()
        #expect(messages.first == "first 漢\nsecond\nthird\nend")
        #expect(messages.dropFirst(2).first == "one\ntwo\ntri\nfour")
        try chat.leave()
    }

    @Test func aLargePasteIsQuick() throws {
        let chat = try TerminalChat(["--context", "64"])
        let line = "0123456789 0123456789 0123456789 0123456789\r"
        let start = Date()
        try chat.terminal.send("\u{1B}[200~" + String(repeating: line, count: 10_000) + "\u{1B}[201~\u{1B}<x")
        try chat.terminal.wait { $0.screen.lines.contains { $0.hasPrefix("> x0123456789") } }
        #expect(Date().timeIntervalSince(start) < 30)
        try chat.terminal.send("\r")
        try chat.terminal.wait(for: "but the context holds 64")
        try chat.leave()
    }

    @Test func commandsAndPathsComplete() throws {
        let chat = try TerminalChat()
        try chat.terminal.send("/st\t")
        try chat.terminal.waitForLastLine("> /stats")
        try chat.terminal.send("\u{15}/sa\t\(chat.folder.path)/tab.json\r")
        try chat.terminal.wait(for: "Saved 0 messages")
        try chat.waitForPrompt()
        try chat.terminal.send("/load \(chat.folder.path)/ta\t\r")
        try chat.terminal.wait(for: "Loaded 0 messages")
        try chat.waitForPrompt()
        try chat.terminal.send("/s\t\t")
        try chat.terminal.waitForLastLine("/system  /save    /stats")
        try chat.terminal.send("\u{15}")
        try chat.leave()
    }

    @Test func whatIsTypedDuringAnAnswerComesNext() throws {
        let chat = try TerminalChat()
        try chat.terminal.send("What is the capital of France?\r")
        try chat.terminal.send("What is the capital of Italy?\r")
        try chat.terminal.wait(for: "Paris")
        try chat.terminal.wait(for: "Rome")
        try chat.leave()
    }

    @Test(arguments: [["NO_COLOR": "1"], ["TERM": "dumb"]])
    func withoutEscapeCodes(environment: [String: String]) throws {
        let chat = try TerminalChat(environment: environment.mapValues { $0 })
        try chat.terminal.send("What is the capital of Frankreich?\u{1}")
        try chat.terminal.send("\u{5}\u{17}France?\r")
        try chat.terminal.wait(for: "Paris")
        try chat.waitForPrompt()
        try chat.terminal.send("\u{1B}[A")
        try chat.terminal.waitForLastLine("> What is the capital of France?")
        try chat.terminal.send("\u{15}")
        try chat.leave()
        #expect(!chat.terminal.output.contains("\u{1B}"))
    }

    @Test func answersMayGoElsewhere() throws {
        // stdout is a file: one still types at the terminal.
        let folder = try TemporaryFolder()
        let path = try folder.write("answers.txt", "")
        let file = open(path, O_WRONLY | O_CLOEXEC)
        let chat = try TerminalChat(folder: folder, redirected: [1: file])
        close(file)
        try chat.terminal.send("What is the capital of France?\r")
        try chat.terminal.wait { $0.screen.lines.count > 2 && $0.lastLine == ">" }
        try chat.leave()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "The capital of France is Paris.\n")
        #expect(!chat.terminal.output.contains("Paris"))
    }

    @Test func questionsMayComeFromElsewhere() throws {
        // stdin is a file: no prompt and no escape codes, though stdout is a terminal.
        let folder = try TemporaryFolder()
        let file = open(try folder.write("questions.txt", "What is the capital of France?\n"), O_RDONLY | O_CLOEXEC)
        let terminal = try PseudoTerminal()
        try terminal.start(Program.url.path, TerminalChat.arguments, redirected: [0: file])
        close(file)
        #expect(try terminal.waitForEnd() == 0)
        #expect(terminal.output == "The capital of France is Paris.\r\n")
    }
}
