import Glibc
import TerminalSupport
import Testing

/// Answers in the program's chat as they stream, are stopped, and outlive signals.
@Suite(.serialized) struct ChatInterruptionTests {
    @Test func anAnswerStreams() throws {
        let chat = try TerminalChat()
        let question = "> Tell me a story about a fox."
        try chat.terminal.send("\(question.dropFirst(2))\r")
        func answer() -> String {
            let lines = chat.terminal.screen.lines
            return lines.firstIndex(of: question).map { lines[($0 + 1)...].joined() } ?? ""
        }
        try chat.terminal.wait { _ in answer().contains("fox") }
        let beginning = answer()
        try chat.waitForPrompt()
        // The beginning was there before the end.
        #expect(answer().count > beginning.count + 20)
        try chat.say("/stats", answer: "decode")
        let output = chat.terminal.output
        #expect(output.contains("tokens/s") && output.contains("prefill ") && output.contains(" of 4096 tokens used"))
        try chat.leave()
        #expect(chat.terminal.output.hasSuffix("\u{1B}[?2004l"))
    }

    @Test func controlCStopsTheAnswerAndKeepsIt() throws {
        let chat = try TerminalChat()
        let beginning = try chat.stopAStory()
        try chat.say("What is the capital of France?", answer: "Paris")
        let messages = try chat.saved().suffix(4)
        #expect(messages.count == 4 && messages.last?.contains("Paris") == true)
        #expect(beginning.count > 3 && messages.dropFirst().first?.hasPrefix(beginning.prefix(20)) == true)
        // At an empty line it says how to leave, and does not.
        try chat.waitForPrompt()
        try chat.terminal.send("abc\u{3}")
        try chat.waitForPrompt()
        try chat.terminal.send("\u{3}")
        try chat.terminal.waitForLastLine("Ctrl-D or /exit leaves.")
        try chat.terminal.send("\u{4}")
        #expect(try chat.terminal.waitForEnd() == 0)
    }

    /// Longer than the terminal's queue, in which Ctrl-C would otherwise stand at the end; it goes with the answer.
    @Test func controlCGetsPastALongPaste() throws {
        let chat = try TerminalChat()
        try chat.stopAStory {
            try chat.terminal.send("\u{1B}[200~\(String(repeating: "pasted ", count: 900))\u{1B}[201~")
        }
        try chat.say("What is the capital of France?", answer: "Paris")
        #expect(!chat.terminal.screen.lines.contains { $0.contains("pasted") })
        try chat.leave()
    }

    @Test func theWindowMayChangeDuringAnAnswer() throws {
        let chat = try TerminalChat()
        try chat.stopAStory { chat.terminal.resize(columns: 40, rows: 10) }
        try chat.say("What is the capital of France?", answer: "Paris")
        try chat.leave()
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGSEGV])
    func aSignalGivesTheTerminalBack(_ signal: Int32) throws {
        let chat = try TerminalChat(environment: ["SWIFT_BACKTRACE": "enable=no"])
        #expect(!chat.terminal.isRestored)
        chat.terminal.signal(signal)
        #expect(try chat.terminal.waitForEnd() == 128 + signal)
        #expect(chat.terminal.isRestored)
    }

    /// Ctrl-Z at a shell: the shell has its terminal back, and `fg` brings the line back as it was typed so far.
    @Test func aStoppedChatGoesOn() throws {
        let folder = try TemporaryFolder()
        let terminal = try PseudoTerminal()
        try terminal.start(
            "/bin/bash", ["--norc", "--noprofile", "-i"],
            environment: ["PS1": "shell: ", "HISTFILE": nil, "XDG_STATE_HOME": folder.path, "INPUTRC": "/dev/null"])
        try terminal.waitForLastLine("shell: ")
        try terminal.send("'\(Program.url.path)' \(TerminalChat.arguments.joined(separator: " "))\r")
        try terminal.waitForLastLine("> ")
        try terminal.send("What is the capital")
        try terminal.waitForLastLine("> What is the capital")
        try terminal.send("\u{1A}")
        try terminal.waitForLastLine("shell: ")
        try terminal.send("echo $((6 * 7))\r")
        try terminal.wait { $0.screen.lines.contains("42") }
        try terminal.waitForLastLine("shell: ")
        try terminal.send("fg\r")
        try terminal.waitForLastLine("> What is the capital")
        try terminal.send(" of France?\r")
        try terminal.wait(for: "Paris")
        try terminal.waitForLastLine("> ")
        try terminal.send("\u{4}")
        try terminal.waitForLastLine("shell: ")
        try terminal.send("exit\r")
        #expect(try terminal.waitForEnd() == 0)
        #expect(terminal.isRestored)
    }

    /// What was typed while the model loaded: Enter was a line feed then, and ends a message all the same.
    @Test func whatIsTypedBeforeThePromptIsAMessage() throws {
        let chat = try TerminalChat(typedBefore: "What is the capital of France?\r")
        try chat.terminal.wait(for: "Paris")
        try chat.leave()
    }
}
