import Foundation
import JSON
import Testing

@Suite(.serialized) struct TokenizeTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder.withTokenizer() }

    private var model: [String] { ["tokenize", "--model", folder.path] }

    @Test func textToIDsAndBack() throws {
        #expect(try Program.run(model + ["Hello, world!"]).output == "19923,14,2058,3\n")
        #expect(try Program.run(model + ["--decode", "19923,14,2058,3"]).output == "Hello, world!\n")
        #expect(try Program.run(model, input: "Hello").output == "19923\n")
        let special = "<｜User｜>"
        #expect(try Program.run(model + [special]).output == "128803\n")
        #expect(try Program.run(model + ["--as-text", special]).output != "128803\n")
        #expect(try Program.run(model + ["--decode", "--skip-specials", "0,19923"]).output == "Hello\n")
    }

    @Test func publishedCasesLineByLine() throws {
        let cases = try String(
            contentsOf: Program.fixtures.appendingPathComponent("tokenizers/v3/cases.jsonl"), encoding: .utf8)
        let result = try Program.run(model + ["--jsonl"], input: cases)
        #expect(result.status == 0 && result.errors.isEmpty)
        let expected = try cases.split(separator: "\n").map { try ids(String($0)) }
        #expect(try result.lines.map(ids) == expected)
    }

    @Test func idsToTextLineByLine() throws {
        let result = try Program.run(
            model + ["--jsonl", "--decode"], input: "{\"ids\": [19923, 14]}\n{\"x\": 1, \"ids\": []}")
        #expect(result.output == "{\"text\":\"Hello,\"}\n{\"text\":\"\"}\n")
    }

    @Test func aLoneSurrogateIsTheReplacementCharacter() throws {
        let result = try Program.run(
            model + ["--jsonl"], input: "{\"text\": \"a\\ud800b\"}\n{\"text\": \"a\u{FFFD}b\"}\n")
        #expect(result.lines.count == 2 && result.lines[0] == result.lines[1])
    }

    @Test(arguments: [
        ("{\"text\": 5}", "column 10: expected a string, found a number"), ("{\"ids\": []}", "key \"text\""),
        ("", "expected an object"), ("{\"text\": \"a\"} x", "column 15: expected the end of the text"),
        ("{\"text\": \"a\", \"text\": \"b\"}", "the key twice"),
    ])
    func aWrongLineIsNamed(line: String, message: String) throws {
        let result = try Program.run(model + ["--jsonl"], input: "{\"text\": \"Hello\"}\n\(line)\n{\"text\": \"x\"}\n")
        #expect(result.status == 1)
        // What came before it is there.
        #expect(result.output == "{\"ids\":[19923]}\n")
        #expect(
            result.errors.contains("standard input, line 2: ") && result.errors.contains(message), "\(result.errors)")
    }

    @Test(arguments: [["--decode", "1,999999"], ["--decode", "-5"]])
    func anIDWithoutATokenIsAnError(arguments: [String]) throws {
        let result = try Program.run(
            model + (arguments[1].hasPrefix("-") ? ["--decode", "--", arguments[1]] : arguments))
        #expect(result.status == 1 && result.output.isEmpty && result.errors.contains("token id"), "\(result.errors)")
    }

    @Test func idsComeFromAPipe() throws {
        let ids = try Program.run(["tokenize"], input: "What is this?").output
        #expect(try Program.run(["tokenize", "--decode"], input: ids).output == "What is this?\n")
        // No text is no ids, and the other way round.
        let none = try Program.run(["tokenize", "--decode"], input: try Program.run(["tokenize", ""]).output)
        #expect(none.status == 0 && none.output == "\n")
        let wrong = try Program.run(["tokenize", "--decode"], input: "1,x\n")
        #expect(wrong.status == 1 && wrong.errors.contains("standard input: expected token ids"), "\(wrong.errors)")
        #expect(try Program.run(["tokenize", "--decode", "1,x"]).errors.contains("Usage: fathom tokenize"))
    }

    @Test func missingFilesAreNamed() throws {
        let nowhere = try Program.run(["tokenize", "--model", "/nowhere", "x"])
        #expect(nowhere.status == 1 && nowhere.errors.contains("/nowhere: expected a folder"))
        let empty = try TemporaryFolder()
        let result = try Program.run(["tokenize", "--model", empty.path, "x"])
        #expect(result.status == 1 && result.errors.contains("expected tokenizer.json"))
        let file = try empty.write("file", "")
        #expect(try Program.run(["tokenize", "--model", file, "x"]).errors.contains("expected a folder"))
    }

    private func ids(_ line: String) throws -> [Int] {
        try JSONField(parsing: Array(line.utf8), name: "line")["ids"].array().map { try $0.int() }
    }
}
