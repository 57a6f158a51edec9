import Foundation
import JSON
import Testing

/// The whole way, from a question to the built-in model's answer, on the CPU and on a Vulkan device.
@Suite(.serialized) struct AnswersTests {
    /// What PyTorch computed from the exported weights, written by Tools/demo-model.
    private static let questions = Result {
        let file = Program.fixtures.appendingPathComponent("minnow.json")
        return try JSONField(parsing: Array(Data(contentsOf: file)), name: file.path)["questions"].array()
    }

    private func messages(_ question: JSONField) throws -> [(role: String, content: String)] {
        try question["messages"].array().map { (try $0["role"].string(), try $0["content"].string()) }
    }

    private func ids(_ question: JSONField, _ key: String) throws -> [Int] {
        try question[key].array().map { try $0.int() }
    }

    @Test(arguments: [["--device", "cpu"], []])
    func twelveQuestions(device: [String]) throws {
        let questions = try Self.questions.get()
        #expect(questions.count == 12)
        for question in questions {
            let prompt = try ids(question, "prompt_ids").map(String.init).joined(separator: ",")
            let result = try Program.run(["generate", "--prompt-tokens", prompt, "--json"] + device)
            #expect(result.status == 0, "\(result)")
            let found = try JSONField(parsing: Array(result.output.utf8), name: "stdout")
            #expect(try found["text"].string() == question["answer"].string())
            #expect(try ids(found, "ids") == ids(question, "answer_ids"))
        }
    }

    /// The same as a batch of texts, through the tokenizer and the chat template; these have one message each.
    @Test func asTextInOneBatch() throws {
        let single = try Self.questions.get().filter { try messages($0).count == 1 }
        #expect(single.count >= 8)
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "questions.txt", try single.map { try messages($0)[0].content + "\n" }.joined())
        let result = try Program.run(["generate", "--input-file", file])
        let answers = try single.map { try $0["answer"].string() }
        #expect(result.status == 0 && result.lines == answers, "\(result)")
    }

    /// The conversation in which a name is told, as a person would have it.
    @Test func aConversation() throws {
        for question in try Self.questions.get() where try messages(question).count > 2 {
            let said = try messages(question).filter { $0.role == "user" }.map(\.content)
            let result = try Program.run(
                ["chat", "--device", "cpu"], input: said.map { $0 + "\n" }.joined())
            let answers = try messages(question).filter { $0.role == "assistant" }.map(\.content)
            let last = try question["answer"].string()
            #expect(result.lines == answers + [last])
        }
    }

    /// Elsewhere, with nothing of the repository beside it, the program brings its model along.
    @Test func aCopiedProgramAnswers() throws {
        let folder = try TemporaryFolder()
        let copy = folder.url.appendingPathComponent("copy of fathom")
        try FileManager.default.copyItem(at: Program.url.resolvingSymlinksInPath(), to: copy)
        let process = Process()
        process.executableURL = copy
        process.arguments = ["generate", "What is the capital of France?", "--device", "cpu"]
        process.environment = [:]
        process.currentDirectoryURL = folder.url
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answer = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && answer == "The capital of France is Paris.\n")
    }
}
