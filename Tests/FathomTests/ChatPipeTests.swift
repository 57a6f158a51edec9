import Foundation
import Glibc
import Testing

/// The program's chat without a terminal.
@Suite(.serialized) struct ChatPipeTests {
    private static let chat = ["chat", "--device", "cpu"]

    @Test func answersAndNothingElse() throws {
        let result = try Program.run(Self.chat, input: "What is the capital of France?\n\nAnd of Italy?")
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        #expect(result.output == "The capital of France is Paris.\nThe capital of Italy is Rome.\n")
    }

    @Test func theConversationIsRemembered() throws {
        let result = try Program.run(Self.chat, input: "My name is Ada.\nWhat is my name?\n/clear\n/exit\nnever read\n")
        #expect(result.status == 0 && result.lines.count == 2 && result.lines[1].contains("Ada"), "\(result)")
    }

    @Test func damagedTextIsRepaired() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/chat.json"
        // A lone surrogate, a byte that never occurs, a character cut off at the end of the line.
        let running = try Program.start(Self.chat)
        try running.input.write(contentsOf: Data([0x61, 0xED, 0xA0, 0x80, 0xFF, 0x62, 0xE6, 0xBC, 0x0A]))
        try running.input.write(contentsOf: Data("/save \(path)\n".utf8))
        try running.input.close()
        let result = running.finish()
        #expect(result.status == 0 && result.errors.contains("Saved 2 messages"), "\(result)")
        #expect(
            try String(contentsOfFile: path, encoding: .utf8).contains("\"a\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}b\u{FFFD}\"")
        )
    }

    @Test func failuresHaveTheirExitCode() throws {
        let unknown = try Program.run(Self.chat, input: "/stts\nhello\n")
        #expect(unknown.status == 1 && unknown.output.isEmpty && unknown.errors.contains("did you mean /stats?"))
        let long = try Program.run(Self.chat + ["--context", "8"], input: "What is the capital of France?\n")
        #expect(long.status == 1 && long.output.isEmpty)
        #expect(long.errors.contains("tokens, but the context holds 8"), "\(long.errors)")
        #expect(try Program.run(Self.chat + ["--overflow", "forget"]).status == 64)
        #expect(try Program.run(Self.chat + ["--model", "/nowhere"], input: "a\n").status == 1)
    }

    @Test func theOldestTurnsMayGo() throws {
        let questions = ["France", "Italy", "Spain", "Japan"].map { "What is the capital of \($0)?\n" }.joined()
        let result = try Program.run(
            Self.chat + ["--context", "48", "--overflow", "drop-oldest"], input: questions)
        #expect(result.status == 0 && result.lines.count == 4 && result.lines[3].contains("Tokyo"), "\(result)")
        #expect(result.errors.contains("oldest messages") && result.errors.contains("are no longer sent"))
    }

    @Test func aReaderThatGoesAwayEndsItQuietly() throws {
        let questions = String(repeating: "Tell me a story about a fox.\n", count: 20)
        let running = try Program.start(Self.chat)
        try running.input.write(contentsOf: Data(questions.utf8))
        let start = try #require(try running.output.read(upToCount: 4))
        #expect(start.count == 4)
        try running.output.close()
        try running.input.close()
        running.process.waitUntilExit()
        #expect(running.process.terminationReason == .exit && running.process.terminationStatus == 0)
    }

    @Test func controlCStopsAndKeepsWhatWasWritten() throws {
        let running = try Program.start(Self.chat)
        try running.input.write(contentsOf: Data("Tell me a story about a dragon.\nnever\n".utf8))
        let start = String(decoding: try #require(try running.output.read(upToCount: 4)), as: UTF8.self)
        kill(running.process.processIdentifier, SIGINT)
        let result = running.finish(after: start)
        try running.input.close()
        #expect(result.status == 130 && result.output.hasPrefix("Once") && result.lines.count == 1, "\(result)")
        #expect(result.errors.contains("what was said is kept"))
    }

    /// Whatever is opened next would take the place of a closed descriptor, and be read as messages or written to.
    @Test(arguments: [
        ("<&-", "standard input: expected to read it, found: Bad file descriptor"),
        (">&-", "standard output: write: Bad file descriptor"),
    ])
    func aClosedDescriptorIsNamed(redirection: String, message: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", "echo hello | (\"$1\" chat --device cpu \(redirection))", "bash", Program.url.path]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1 && said.contains(message), "\(said)")
    }

    @Test func controlCWhileLoadingEndsIt() throws {
        let running = try Program.start(Self.chat)
        kill(running.process.processIdentifier, SIGINT)
        let result = running.finish()
        #expect(result.status == 130, "\(result)")
        #expect(result.output.isEmpty && result.errors.isEmpty)
    }

    @Test func anEmptySystemMessageIsNone() throws {
        let result = try Program.run(Self.chat + ["--system", ""], input: "/system\n")
        #expect(result.status == 0 && result.errors == "fathom: There is no system message.\n")
    }

    @Test func aFullDiskLeavesTheOldFile() throws {
        let folder = try TemporaryFolder()
        let old = "{\"messages\": [{\"role\": \"user\", \"content\": \"\(String(repeating: "old ", count: 3000))\"}]}"
        let path = try folder.write("chat.json", old)
        // A file may not grow beyond a kilobyte here: a write fails in the middle, as on a full disk.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-c", "ulimit -f 1; printf '/load %s\\n/save %s\\n' \"$2\" \"$2\" | \"$1\" chat --device cpu", "bash",
            Program.url.path, path,
        ]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(
            said.contains("chat.json: cannot write: File too large; nothing was saved, and the file is as it was"),
            "\(said)")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == old)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["chat.json"])
    }
}
