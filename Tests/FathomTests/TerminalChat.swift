import Foundation
import Glibc
import JSON
import TerminalSupport
import Testing

/// The program's chat at a pseudo-terminal, with the built-in model and a folder for its history and files.
struct TerminalChat {
    let folder: TemporaryFolder
    let terminal: PseudoTerminal

    static let arguments = ["chat", "--device", "cpu"]

    /// A chat that waits for its first message.
    ///
    /// - Parameter folder: that of an earlier chat, to go on with its history.
    init(
        _ arguments: [String] = [], folder: TemporaryFolder? = nil, columns: Int = 80, rows: Int = 24,
        environment: [String: String?] = [:], redirected: [Int32: Int32] = [:], typedBefore: String = ""
    ) throws {
        self.folder = try folder ?? TemporaryFolder()
        terminal = try PseudoTerminal(columns: columns, rows: rows)
        try terminal.send(typedBefore)
        try terminal.start(
            Program.url.path, Self.arguments + arguments,
            environment: ["XDG_STATE_HOME": self.folder.path].merging(environment) { $1 }, redirected: redirected)
        try waitForPrompt()
    }

    func waitForPrompt() throws { try terminal.waitForLastLine("> ") }

    /// Sends a message or a command and waits for what it leads to, and for the next prompt.
    func say(_ message: String, answer: String) throws {
        try waitForPrompt()
        terminal.clear()
        try terminal.send("\(message)\r")
        try terminal.wait(for: answer)
        try waitForPrompt()
    }

    /// Asks for a story and presses Ctrl-C when its first words have come; again if the story was over by then.
    ///
    /// - Parameter meanwhile: what happens between the first words and Ctrl-C.
    /// - Returns: what there was of the story.
    @discardableResult
    func stopAStory(meanwhile: () throws -> Void = {}) throws -> String {
        let question = "Tell me a story about a dragon."
        for _ in 0..<30 {
            try waitForPrompt()
            terminal.clear()
            try terminal.send("\(question)\r")
            try terminal.wait(for: "a story") { story(after: question, on: $0).count > 3 }
            try meanwhile()
            try terminal.send("\u{3}")
            try terminal.wait(for: "the story's end") {
                $0.output.contains("Stopped after ") || $0.lastLine == "Ctrl-D or /exit leaves."
            }
            if terminal.output.contains("Stopped after ") {
                try waitForPrompt()
                return story(after: question, on: terminal)
            }
            // The hint goes with the next key.
            try terminal.send("\u{15}")
        }
        throw PseudoTerminal.Failure(description: "every story ended before it could be stopped")
    }

    private func story(after question: String, on terminal: PseudoTerminal) -> String {
        let lines = terminal.screen.lines
        guard let place = lines.lastIndex(where: { $0.hasSuffix(question) }) else { return "" }
        return lines[(place + 1)...].prefix { !$0.isEmpty && !$0.hasPrefix("Stopped") && $0 != "> " }.joined()
    }

    /// Leaves by Ctrl-D, and checks that the terminal is as it was.
    func leave() throws {
        try waitForPrompt()
        try terminal.send("\u{4}")
        #expect(try terminal.waitForEnd() == 0)
        #expect(terminal.isRestored)
    }

    /// Saves the conversation and returns its messages.
    func saved() throws -> [String] {
        let path = "\(folder.path)/chat-\(UUID().uuidString).json"
        try waitForPrompt()
        try terminal.send("/save \(path)\r")
        try terminal.wait(for: "the file") { _ in FileManager.default.fileExists(atPath: path) }
        try waitForPrompt()
        return try Self.messages(path)
    }

    static func messages(_ path: String) throws -> [String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        return try JSONField(parsing: Array(data), name: path)["messages"].array().map { try $0["content"].string() }
    }
}
