import JSON
import Testing

@testable import Text

@Suite struct PreTokenizerTests {
    /// Compares splits of every kind of step, behaviour and inversion with the tokenizers library's.
    @Test func piecesAreThePublishedOnes() throws {
        for row in try Fixtures.rows("split-cases.jsonl") {
            let step = try row["step"].value!
            let text = try row["text"].string()
            let found = try pieces(of: text, step: step)
            let expected = try row["pieces"].array().map { try $0.string() }
            if let difference = firstDifference(found, expected) {
                Issue.record("\(step.serialized()) on \(text.debugDescription): \(difference)")
            }
        }
    }

    @Test(arguments: [
        #"\w+"#, #"\bx"#, #"[a[b]]"#, #"[a&&b]"#, #"(?m:x)"#, #"(?<name>x)"#, #"x{,3}"#, #"x{1,2}+"#, #"\p{Han}"#,
        #"\pL"#, #"(*UCP)x"#,
        #"\X"#, #"\K"#, #"\1"#, #"[[:alpha:]]"#, #"x\"#, "[\u{301}[b]]", "[\u{301}&&b]",
    ]) func refusesConstructsThatPCRE2ReadsDifferently(pattern: String) {
        #expect(throws: TextError.self) { try CompiledPattern(expression: pattern) }
    }

    @Test func namesWhatDoesNotCompile() {
        let error = #expect(throws: TextError.self) { try CompiledPattern(expression: "a(b") }
        #expect(error?.description == "pattern \"a(b\": missing closing parenthesis at byte 3")
    }

    @Test func runawayPatternsAreErrors() throws {
        let text = String(repeating: "a", count: 5000) + "-b"
        let error = #expect(throws: TextError.self) {
            try pieces(of: text, step: split("(?:a|a|aa)+b"))
        }
        #expect(
            error?.description.hasPrefix("pattern \"(?:a|a|aa)+b\": match limit exceeded") == true,
            "\(String(describing: error))")
    }

    /// A group repeated two million times needs as many states: more than the largest JIT stack holds.
    @Test func deepRepetitionsDoNotOverflowTheStack() throws {
        let text = String(repeating: "ab", count: 50_000)
        #expect(try pieces(of: text + "-", step: split("(?:ab|a)+")) == [text, "-"])
        _ = try? pieces(of: String(repeating: "ab", count: 2_000_000), step: split("(?:ab|a)+"))
    }

    private func split(_ pattern: String) -> JSONValue {
        ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
    }

    private func pieces(of text: String, step: JSONValue) throws -> [String] {
        var steps = [step]
        if case .object(let members) = step, !members.contains(JSONMember("type", "ByteLevel")) {
            steps.append(["type": "ByteLevel", "add_prefix_space": false, "use_regex": false])
        }
        let field = JSONField(["type": "Sequence", "pretokenizers": .array(steps)], name: "tokenizer.json")
        let bytes = Array(text.utf8)
        var scratch = MatchScratch()
        let ranges = try bytes.withUnsafeBufferPointer { try PreTokenizer(field).pieces(of: $0, &scratch) }
        return ranges.map { String(decoding: bytes[$0], as: UTF8.self) }
    }
}
