import Checkpoint
import FixtureSupport
import Foundation
import Engine
import JSON
import Loading
import Model
import Numerics
import Testing
import Text

@testable import fathom

/// Every file of a checkpoint, damaged at random: what the program does with a folder either works or ends with an error
/// that says something. A crash or a hang ends the test.
@Suite struct DamagedFilesTests {
    /// A model of a few kilobytes with the built-in model's tokenizer.
    private static func wholeFiles() throws -> [String: [UInt8]] {
        let built = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/Minnow/checkpoint")
        var files: [String: [UInt8]] = [:]
        for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
            files[name] = [UInt8](try Data(contentsOf: built.appendingPathComponent(name)))
        }
        try TinyCheckpoint(["vocab_size": 1024]).open { folder in
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                files[name] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))
            }
        }
        return files
    }

    /// What `fathom generate` does with a folder's files.
    private func answer(_ files: [String: [UInt8]]) throws -> Int {
        let copies = files.mapValues { bytes in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
            copy.copyBytes(from: bytes)
            return UnsafeRawBufferPointer(copy)
        }
        defer { copies.values.forEach { $0.deallocate() } }
        let source = CheckpointSource.memory(name: "memory", copies)
        let read: (String) throws -> [UInt8]? = { source.exists($0) ? try source.read($0) : nil }
        let text = try ModelText(read: read)
        let stopTokens = try ModelText.stopTokens(text, read: read)
        let model = try ModelLoader.load(source: source, device: .cpu, options: LoadOptions(contextTokens: 64))
        guard let text else { return 0 }
        let prompt = try text.encode(raw: "Hello, 12 worlds! \u{1F41F} <｜User｜>")
        let completion = try Session(model: model).generate(
            prompt, options: GenerationOptions(stopTokens: stopTokens, maxNewTokens: 2),
            text: TokenizerText(text.tokenizer), onEvent: { _ in })
        return completion.tokens.count
    }

    @Test func wholeFilesAnswer() throws { #expect(try answer(Self.wholeFiles()) > 0) }

    @Test(arguments: [
        "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "tokenizer.json",
        "tokenizer_config.json", "generation_config.json",
    ])
    func anyDamageIsAnAnswerOrAnError(name: String) throws {
        let whole = try Self.wholeFiles()
        let original = try #require(whole[name])
        var random = SeededRandom(seed: UInt64(name.utf8.count))
        var answers = 0
        var errors = 0
        for round in 0..<120 {
            var files = whole
            files[name] = Self.damaged(original, isShard: name.hasSuffix(".safetensors"), using: &random)
            let start = ContinuousClock.now
            do {
                _ = try answer(files)
                answers += 1
            } catch {
                errors += 1
                #expect("\(error)".count > 20, "\(name), round \(round): \(error)")
            }
            #expect(ContinuousClock.now - start < .seconds(5), "\(name), round \(round)")
        }
        // Both happen: the damage neither spares everything nor stops at the first byte.
        #expect(errors > 0 && answers + errors == 120)
    }

    /// Every field of the config with every kind of value and every number at a limit: never more than an error.
    @Test func anyValueOfAnyFieldIsAnAnswerOrAnError() throws {
        let whole = try Self.wholeFiles()
        let original = try JSONValue(parsing: try #require(whole["config.json"]))
        guard case .object(let members) = original else { throw CommandError("config.json is no object") }
        let yarn: JSONValue = [
            "type": "yarn", "factor": 40, "original_max_position_embeddings": 16, "beta_fast": 32, "beta_slow": 1,
            "mscale": 1.0, "mscale_all_dim": 1.0,
        ]
        guard case .object(let scaling) = yarn else { preconditionFailure("an object") }
        let values: [JSONValue] = [
            -1, 0, 1, 2, 3, 64, 65537, 1_048_576, 1_073_741_824, 2_147_483_648, 9_223_372_036_854_775_807, 1e-300,
            1e300,
            0.5, "", nil, true, [], [1, 2], ["type": "yarn"],
        ]
        var configs: [[JSONMember]] = []
        for value in values {
            for key in Set(members.map(\.key) + ["rope_scaling", "rope_theta", "rope_parameters", "rms_norm_eps"]) {
                configs.append(members.filter { $0.key != key } + [JSONMember(key, value)])
            }
            for key in scaling.map(\.key) {
                let changed = scaling.filter { $0.key != key } + [JSONMember(key, value)]
                configs.append(members + [JSONMember("rope_scaling", .object(changed))])
            }
        }
        var answers = 0
        for config in configs {
            var files = whole
            files["config.json"] = Array(JSONValue.object(config).serialized().utf8)
            do {
                _ = try answer(files)
                answers += 1
            } catch {
                #expect("\(error)".count > 20, "\(config.last!): \(error)")
            }
        }
        #expect(answers > 0 && answers < configs.count / 2)
    }

    /// One to three changes, of the kinds that a bad disk, a cut transfer or a wrong edit make.
    private static func damaged(_ original: [UInt8], isShard: Bool, using random: inout SeededRandom) -> [UInt8] {
        var bytes = original
        // A shard's data has no structure to break: its header does, and its first bytes of data.
        let end = isShard ? 8 + bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) } + 64 : bytes.count
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            guard !bytes.isEmpty else { return bytes }
            let place = Int.random(in: 0..<min(end, bytes.count), using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = Array("{}[]\",:-0e\\".utf8).randomElement(using: &random)!
            case 2: bytes.removeSubrange(place..<min(place + Int.random(in: 1...40, using: &random), bytes.count))
            case 3: bytes.insert(contentsOf: bytes[place..<min(place + 40, bytes.count)], at: place)
            case 4: bytes.removeSubrange(place...)
            default:
                // The next number becomes one at a limit.
                guard let first = bytes[place...].firstIndex(where: { (48...57).contains($0) }) else { continue }
                let last = bytes[first...].firstIndex { !(48...57).contains($0) } ?? bytes.count
                let limits = [
                    "-1", "0", "1", "1e999", "0.5", "2147483648", "9223372036854775807", "1073741824", "65537",
                ]
                bytes.replaceSubrange(first..<last, with: limits.randomElement(using: &random)!.utf8)
            }
        }
        return bytes
    }
}
