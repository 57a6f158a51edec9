import Foundation
import Glibc
import Terminal
import TerminalSupport
import Testing

@testable import fathom

/// The same loop at a terminal. Of the same suite, which runs one test at a time: a signal reaches the whole process.
extension ChatLoopTests {
    /// Runs a chat on a pseudo-terminal within this process.
    private func atTerminal(
        _ backend: ScriptedBackend, showsReasoning: Bool? = nil, allowsEscapeCodes: Bool = true, columns: Int = 80,
        _ body: (PseudoTerminal) throws -> Void
    ) throws {
        let terminal = try PseudoTerminal(columns: columns)
        let path = terminal.path
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            defer { ended.signal() }
            let descriptor = open(path, O_RDWR | O_NOCTTY)
            defer { close(descriptor) }
            let surroundings = Surroundings(
                inputIsTerminal: true, outputIsTerminal: true, errorIsTerminal: true,
                allowsEscapeCodes: allowsEscapeCodes)
            let output = Output(descriptor: descriptor)
            do {
                let console = try ChatConsole(
                    input: descriptor, output: output, errors: output, surroundings: surroundings, history: nil)
                defer { console.close() }
                var loop = ChatLoop(
                    backend: backend, console: console, settings: ChatLoop.Settings(showsReasoning: showsReasoning))
                try loop.run()
            } catch {
                Issue.record(error)
            }
        }
        try body(terminal)
        #expect(ended.wait(timeout: .now() + 20) == .success)
        #expect(terminal.isRestored)
    }

    @Test func reasoningIsDimmedOrHidden() throws {
        let backend = ScriptedBackend()
        backend.script = { _, _ in ["<think>", "why\u{1B}[2J", "</think>\n", "Yes."] }
        try atTerminal(backend) { terminal in
            try terminal.wait { $0.lastLine == ">" }
            try terminal.send("a\r")
            try terminal.wait(for: "Yes.")
            #expect(terminal.output.contains("\u{1B}[2mwhy^[[2J\u{1B}[0m\r\n\r\nYes."))
            try terminal.send("\u{4}")
        }
        try atTerminal(backend, showsReasoning: false) { terminal in
            try terminal.wait { $0.lastLine == ">" }
            try terminal.send("a\r")
            try terminal.wait { $0.screen.lines.contains("Yes.") }
            #expect(terminal.output.contains("thinking …") && !terminal.output.contains("why"))
            try terminal.send("\u{4}")
        }
        try atTerminal(backend, allowsEscapeCodes: false) { terminal in
            try terminal.wait { $0.lastLine == ">" }
            try terminal.send("a\r")
            try terminal.wait { $0.screen.lines.contains("Yes.") }
            #expect(terminal.output.contains("<think>\r\nwhy^[[2J\r\n</think>\r\n\r\nYes."))
            #expect(!terminal.output.contains("\u{1B}"))
            try terminal.send("\u{4}")
        }
    }

    @Test func rowsBreakBetweenWordsAtATerminal() throws {
        let backend = ScriptedBackend()
        backend.script = { _, _ in ["Once upon a time", " there was a dra", "gon who lived by the sea", ".\n\nThe end"]
        }
        try atTerminal(backend, columns: 30) { terminal in
            try terminal.waitForLastLine(">")
            #expect(
                terminal.screen.lines.prefix(2).map(\.trimmed) == [
                    "Script on paper, context 1000", "tokens. /help lists the",
                ])
            try terminal.send("a\r")
            try terminal.wait { $0.screen.lines.contains("The end") }
            try terminal.waitForLastLine(">")
            #expect(
                terminal.screen.lines.map(\.trimmed).suffix(6)
                    == ["Once upon a time there was a", "dragon who lived by the sea.", "", "The end", "", ">"])
            try terminal.send("\u{4}")
        }
        #expect(
            try PipedChat(backend, "a\n").output.hasPrefix(
                "Once upon a time there was a dragon who lived by the sea.\n"))
    }

    @Test(arguments: [true, false])
    func stoppedBeforeTheFirstWordAMessageIsTakenBack(allowsEscapeCodes: Bool) throws {
        let backend = ScriptedBackend()
        backend.script = { messages, _ in messages.last?.content == "long" ? ["⏳"] : ["Yes."] }
        try atTerminal(backend, allowsEscapeCodes: allowsEscapeCodes) { terminal in
            try terminal.waitForLastLine(">")
            try terminal.send("long\r")
            try terminal.waitForLastLine("reading 256 of 700 tokens …")
            // The pseudo-terminal controls no one, so the signal does not come from Ctrl-C.
            kill(getpid(), SIGINT)
            try terminal.wait(for: "Stopped before the answer began; the conversation is as it was before.")
            try terminal.waitForLastLine(">")
            #expect(!terminal.screen.lines.contains { $0.contains("reading") })
            #expect(terminal.output.contains("\u{1B}") == allowsEscapeCodes)
            try terminal.send("short\r")
            try terminal.wait(for: "Yes.")
            try terminal.waitForLastLine(">")
            try terminal.send("\u{4}")
        }
        #expect(backend.seen.map { $0.map(\.content) } == [["long"], ["short"]])
    }

    /// More than the terminal's queue holds: without a reader, this test's writes would wait for ever.
    @Test func aLongPasteDuringAnAnswerHoldsNothingUp() throws {
        let backend = ScriptedBackend()
        backend.script = { _, _ in ["⏳", "Yes."] }
        try atTerminal(backend) { terminal in
            try terminal.waitForLastLine(">")
            try terminal.send("a\r")
            try terminal.waitForLastLine("reading 256 of 700 tokens …")
            try terminal.send("\u{1B}[200~" + String(repeating: "0123456789 abcdef\r", count: 2000) + "end\u{1B}[201~")
            backend.goOn.signal()
            try terminal.wait(for: "Yes.")
            try terminal.waitForLastLine("  end")
            try terminal.send("\u{3}\u{4}")
        }
        #expect(backend.seen.count == 1)
    }

    @Test func anErrorDoesNotEndAChatAtATerminal() throws {
        let backend = ScriptedBackend()
        backend.contextLength = 3
        try atTerminal(backend) { terminal in
            try terminal.waitForLastLine(">")
            try terminal.send("a b c d\r/hlp\rx\r")
            try terminal.wait(for: "takes 4 tokens, but the context holds 3")
            try terminal.wait(for: "did you mean /help?")
            try terminal.wait { $0.screen.lines.contains("x") }
            try terminal.send("/exit\r")
        }
        #expect(backend.seen.map { $0.map(\.content) } == [["x"]])
    }
}
