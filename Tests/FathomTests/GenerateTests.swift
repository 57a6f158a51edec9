import FixtureSupport
import Foundation
import JSON
import Testing

/// `fathom generate` with the real engine: on the CPU, and on a Vulkan device.
@Suite(.serialized) struct GenerateTests {
    private static let france = "What is the capital of France?"
    private static let paris = "The capital of France is Paris.\n"

    @Test func theBuiltInModelAnswers() throws {
        for device in [["--device", "cpu"], []] {
            let result = try Program.run(["generate"] + device + [Self.france])
            #expect(result.status == 0 && result.output == Self.paris, "\(device) \(result)")
            // Nothing to say, so nothing is said.
            #expect(result.errors.isEmpty)
        }
    }

    @Test func thePromptComesFromAnywhere() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("prompt.txt", Self.france + "\n")
        let cpu = ["generate", "--device", "cpu"]
        #expect(try Program.run(cpu, input: Self.france + "\n").output == Self.paris)
        #expect(try Program.run(cpu + ["--file", file]).output == Self.paris)
        let json = try Program.run(cpu + ["--json", Self.france])
        let answer = try JSONField(parsing: Array(json.output.utf8), name: "answer")
        #expect(try answer["text"].string() + "\n" == Self.paris)
        #expect(try answer["finish_reason"].string() == "stop")
        #expect(try answer["prompt_tokens"].int() == answer["timings"]["prefill_tokens"].int())
        #expect(try answer["timings"]["decode_seconds"].double() > 0)
        // The answer's ids are its text.
        let ids = try answer["ids"].array().map { "\(try $0.int())" }.joined(separator: ",")
        #expect(try Program.run(["tokenize", "--decode", ids]).output == Self.paris)
    }

    @Test(arguments: [Oracle.v3FP8, .v2LiteBF16])
    func aModelWithoutATokenizerContinuesTokens(oracle: Oracle) throws {
        let folder = try oracle.folder()
        let expected = try SafetensorsReader(path: folder + "/expected.safetensors")
        let prompt = try expected.integers("tokens").map(String.init).joined(separator: ",")
        let greedy = try expected.integers("greedy").map(String.init)
        let arguments = [
            "generate", "--model", folder, "--device", "cpu", "--prompt-tokens", prompt, "--max-new-tokens", "8",
        ]
        let text = try Program.run(arguments)
        #expect(text.status == 0, "\(text.errors)")
        #expect(text.output == greedy.prefix(8).joined(separator: ",") + "\n")
        #expect(text.errors.contains("the answer ends at --max-new-tokens 8"))
        let json = try JSONField(parsing: Array(Program.run(arguments + ["--json"]).output.utf8), name: "answer")
        #expect(try json["ids"].array().map { "\(try $0.int())" } == Array(greedy.prefix(8)))
        #expect(try json["text"].present == nil && json["finish_reason"].string() == "length")
        let needsText = try Program.run(["generate", "--model", folder, "--device", "cpu", "Hello"])
        #expect(needsText.status == 1 && needsText.errors.contains("expected tokenizer.json, found none"))
    }

    @Test func aBatchAnswersAsEachPromptAlone() throws {
        let folder = try TemporaryFolder()
        let prompts = [Self.france, "What is 7 plus 5?", "Who are you?", "Spell the word lamp."]
        let file = try folder.write("prompts.txt", prompts.joined(separator: "\n"))
        let sampling = ["--device", "cpu", "--temperature", "0.9", "--seed", "5", "--max-new-tokens", "40"]
        let batch = try Program.run(["generate", "--json", "--input-file", file] + sampling)
        #expect(batch.status == 0 && batch.lines.count == prompts.count, "\(batch.errors)")
        for (prompt, line) in zip(prompts, batch.lines) {
            let together = try JSONField(parsing: Array(line.utf8), name: "batch")
            let alone = try JSONField(
                parsing: Array(Program.run(["generate", "--json", prompt] + sampling).output.utf8), name: "alone")
            #expect(try together["text"].string() == alone["text"].string())
            #expect(try together["ids"].value == alone["ids"].value)
        }
        let plain = try Program.run(["generate", "--device", "cpu", "--input-file", file])
        #expect(plain.output.hasPrefix(Self.paris) && plain.lines.count >= prompts.count)
    }

    @Test func endsOfTheAnswer() throws {
        let cpu = ["generate", "--device", "cpu", Self.france]
        #expect(try Program.run(cpu + ["--stop", " Paris"]).output == "The capital of France is\n")
        let full = try Program.run(cpu + ["--context", "18"])
        #expect(full.status == 0 && full.errors.contains("the context is full"))
        let long = try Program.run(cpu + ["--context", "5"])
        #expect(long.status == 1 && long.errors.contains("but the context holds 5"), "\(long.errors)")
        let huge = try Program.run(cpu + ["--context", "10000000"])
        #expect(huge.status == 1 && huge.errors.contains("max_position_embeddings"))
    }

    @Test func wrongInputIsNamed() throws {
        let cpu = ["generate", "--device", "cpu"]
        let range = try Program.run(cpu + ["--prompt-tokens", "1,9999999"])
        #expect(range.status == 1 && range.errors.contains("token id 9999999: expected 0 to"), "\(range.errors)")
        #expect(try Program.run(cpu + ["--prompt-tokens", "-4"]).errors.contains("token id -4: expected 0 to"))
        let empty = try Program.run(cpu + [""])
        #expect(empty.status == 1 && empty.errors.contains("the prompt is empty"))
        let folder = try TemporaryFolder()
        let file = try folder.write("prompts.txt", "one\n\nthree\n")
        let line = try Program.run(cpu + ["--input-file", file])
        #expect(line.status == 1 && line.output.isEmpty && line.errors.contains("line 2: the prompt is empty"))
        let device = try Program.run(["generate", "--device", "no such card", "x"])
        #expect(device.status == 1 && device.errors.contains("no such card"), "\(device.errors)")
    }

    /// Both executors side by side, in prefill and in decode: no kernel parts.
    @Test func theCheckPasses() throws {
        let result = try Program.run(
            [
                "generate", "--check", "--prompt-tokens", "1,2,3", "--max-new-tokens", "3", "--model",
                Oracle.v3FP8.folder(),
            ])
        #expect(result.status == 0 && result.output.split(separator: ",").count == 3, "\(result)")
    }

    @Test func withoutADeviceNothingElseIsUsedInSilence() throws {
        let none = ["VK_ICD_FILENAMES": "/nowhere.json", "VK_DRIVER_FILES": "/nowhere.json"]
        let result = try Program.run(["generate", Self.france], environment: none)
        #expect(
            result.status == 1 && result.output.isEmpty && result.errors.contains("--device cpu"), "\(result.errors)")
        let cpu = try Program.run(["generate", "--device", "cpu", Self.france], environment: none)
        #expect(cpu.status == 0 && cpu.output == Self.paris && cpu.errors.isEmpty)
    }

    @Test func controlCStopsTheAnswerAndKeepsIt() throws {
        // Random weights never end by themselves.
        let folder = try Oracle.v2LiteBF16.folder()
        let running = try Program.start([
            "generate", "--model", folder, "--device", "cpu", "--context", "512", "--prompt-tokens", "1,2,3",
        ])
        let start = String(decoding: running.output.availableData, as: UTF8.self)
        kill(running.process.processIdentifier, SIGINT)
        let result = running.finish(after: start)
        #expect(result.status == 130)
        #expect(result.output.hasSuffix("\n") && result.errors.contains("interrupted after"), "\(result)")
    }
}
