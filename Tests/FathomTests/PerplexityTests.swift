import FixtureSupport
import Foundation
import JSON
import Testing

@Suite(.serialized) struct PerplexityTests {
    private let story = "What is the capital of France?\nThe capital of France is Paris.\n"

    /// Against what `logits` writes, in one window and in several.
    @Test func theBuiltInModelPredictsAsItsLogitsSay() throws {
        let folder = try TemporaryFolder()
        let text = try folder.write("text.txt", story)
        let ids = try Program.run(["tokenize", "--as-text"], input: story).lines[0].split(separator: ",").map {
            Int($0)!
        }
        // The built-in model's texts begin with its begin token.
        let run = try Program.run(["perplexity", "--device", "cpu", "--text", text, "--json"])
        let object = try JSONField(parsing: Array(run.output.utf8), name: "perplexity")
        let count = try object["tokens"].int() + 1
        #expect(run.status == 0 && (count == ids.count || count == ids.count + 1))
        let tokens = (count == ids.count ? [] : [0]) + ids
        let out = folder.path + "/logits.safetensors"
        let list = tokens.map(String.init).joined(separator: ",")
        #expect(try Program.run(["logits", "--device", "cpu", "--tokens", list, "--out", out]).status == 0)
        let logits = try SafetensorsReader(path: out).floats("logits")
        let width = logits.count / tokens.count
        let sum = (1..<tokens.count).reduce(0.0) { sum, place in
            let row = logits[(place - 1) * width..<place * width]
            return sum + log(row.reduce(0.0) { $0 + exp(Double($1)) }) - Double(row[row.startIndex + tokens[place]])
        }
        let nats = try object["nats_per_token"].double()
        #expect(abs(nats - sum / Double(tokens.count - 1)) < 1e-6)
        #expect(try abs(object["perplexity"].double() - exp(nats)) < 1e-9)

        let page = try Program.run([
            "perplexity", "--device", "cpu", "--text", text, "--context", "8", "--stride", "2",
        ])
        #expect(page.status == 0 && page.lines[0].hasPrefix("perplexity  "), "\(page)")
        #expect(
            page.lines[1] == "tokens      \(tokens.count - 1) predicted, in windows of 8 that begin 2 apart", "\(page)")
        #expect(page.lines[2].hasSuffix(" nats a token") && page.lines.count == 3)
    }

    @Test func wrongInputIsNamed() throws {
        let folder = try TemporaryFolder()
        let text = try folder.write("text.txt", story)
        func errors(_ arguments: String..., status: Int32) throws -> String {
            let result = try Program.run(["perplexity", "--device", "cpu"] + arguments)
            #expect(result.status == status && result.output.isEmpty, "\(result)")
            return result.errors
        }
        #expect(
            try errors("--text", "/nowhere.txt", status: 1).contains("/nowhere.txt: expected a file that can be read"))
        #expect(
            try errors("--text", text, "--stride", "0", status: 64).contains("--stride: expected 1 or more, found 0"))
        #expect(
            try errors("--text", text, "--context", "8", "--stride", "8", status: 64)
                .contains("--stride: expected less than the context's 8, found 8"))
        #expect(
            try errors("--text", text, "--stride", "100000", status: 1).contains(
                "--stride: expected less than the context's"))
        #expect(try errors("--text", text, "--context", "1", status: 64).contains("--context: expected 2 or more"))
        let empty = try folder.write("empty.txt", "")
        #expect(try errors("--text", empty, status: 1).contains("expected a text of two tokens or more, found "))
        let latin = folder.path + "/latin.txt"
        try Data([0x61, 0xE9, 0x62]).write(to: URL(fileURLWithPath: latin))
        #expect(try errors("--text", latin, status: 1).contains("found byte 233 at offset 1"))
    }
}
