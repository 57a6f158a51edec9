import Checkpoint
import FixtureSupport
import Foundation
import Numerics
import Testing

@Suite struct CheckpointTests {
    @Test(arguments: [true, false])
    func reads(hasIndex: Bool) throws {
        var tiny = try TinyCheckpoint()
        tiny.hasIndex = hasIndex
        let checkpoint = try tiny.open()
        #expect(checkpoint.notes.isEmpty && checkpoint.hasMTP)
        #expect(Set(checkpoint.tensors.keys) == Set(tiny.tensors.keys))
        for (name, tensor) in checkpoint.tensors {
            let bytes = TinyCheckpoint.bytes(name, tensor.shape, tensor.type)
            var read = [UInt8](repeating: 0, count: tensor.byteCount)
            try read.withUnsafeMutableBytes { try checkpoint.read(tensor, into: $0) }
            #expect(read == bytes)
            let tail = bytes.count / 2
            var end = [UInt8](repeating: 0, count: bytes.count - tail)
            try end.withUnsafeMutableBytes { try checkpoint.read(tensor, offset: tail, into: $0) }
            #expect(end == Array(bytes[tail...]))
            var tooMany = [UInt8](repeating: 0, count: bytes.count + 1)
            #expect(throws: CheckpointError.self) {
                try tooMany.withUnsafeMutableBytes { try checkpoint.read(tensor, into: $0) }
            }
        }
    }

    @Test(arguments: Oracle.allCases)
    func opensTheOracles(oracle: Oracle) throws {
        let folder = try oracle.folder()
        let checkpoint = try Checkpoint(.folder(folder))
        #expect(checkpoint.notes.isEmpty)
        #expect(checkpoint.hasMTP == (checkpoint.config.numNextnPredictLayers > 0))
        #expect(checkpoint.config.isFP8 == !oracle.rawValue.hasSuffix("bf16"))
        let expected = try SafetensorsFile(.folder(folder), "expected.safetensors")
        let logits = try #require(expected["logits"])
        #expect(logits.shape.last == checkpoint.config.vocabSize)
        #expect(try expected.bytes(logits).count == logits.byteCount)
    }

    /// The files of the built-in model.
    @Test func opensTheBuiltInModel() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let checkpoint = try Checkpoint(.folder(root.appendingPathComponent("Sources/Minnow/checkpoint").path))
        #expect(checkpoint.notes.isEmpty && checkpoint.hasMTP)
    }

    // MARK: Tensors

    @Test func missingTensors() throws {
        var tiny = try TinyCheckpoint()
        for expert in 0..<4 {
            for name in ["gate", "up", "down"] {
                let weight = "model.layers.1.mlp.experts.\(expert).\(name)_proj.weight"
                tiny.tensors[weight] = nil
                tiny.tensors[weight + "_scale_inv"] = nil
            }
        }
        let complaint = try #require(try tiny.complaint())
        #expect(complaint.contains("model.layers.1.mlp.experts.0.gate_proj.weight is missing"))
        #expect(complaint.contains("and 2 more"), "\(complaint)")
    }

    @Test(arguments: [
        ("model.norm.weight", [15], ElementType.bf16, "model.norm.weight is [15] instead of [16]"),
        ("model.norm.weight", [16], .i8, "model.norm.weight is I8 instead of BF16, F16 or F32"),
        ("model.norm.weight", [16], .fp8E4M3, "model.norm.weight is F8_E4M3 instead"),
        ("lm_head.weight", [16, 8], .bf16, "lm_head.weight is [16, 8] instead of [8, 16]"),
        ("model.layers.0.self_attn.o_proj.weight_scale_inv", [1, 2], .f32, "is [1, 2] instead of [1, 1]"),
        ("model.layers.0.self_attn.o_proj.weight_scale_inv", [1, 1], .i32, "is I32 instead of F32"),
        ("model.layers.0.self_attn.o_proj.weight", [16, 8], .bf16, "o_proj.weight_scale_inv is unexpected"),
        ("extra.weight", [1], .bf16, "extra.weight is unexpected"),
    ])
    func wrongTensors(name: String, shape: [Int], type: ElementType, expected: String) throws {
        var tiny = try TinyCheckpoint()
        tiny.tensors[name] = (shape, type)
        let complaint = try #require(try tiny.complaint())
        #expect(complaint.contains(expected), "\(complaint)")
    }

    @Test func missingScale() throws {
        var tiny = try TinyCheckpoint()
        tiny.tensors["model.layers.0.self_attn.o_proj.weight_scale_inv"] = nil
        #expect(try #require(try tiny.complaint()).contains("o_proj.weight_scale_inv is missing"))
        tiny.tensors["model.layers.0.self_attn.o_proj.weight"] = ([16, 8], .bf16)
        #expect(try tiny.complaint() == nil)
    }

    /// Packed integers may replace a matrix if all three of its tensors exist and have the right shapes.
    @Test func packedTensors() throws {
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        var tiny = try TinyCheckpoint()
        for name in tiny.tensors.keys where tiny.tensors[name]?.type == .fp8E4M3 {
            tiny.tensors[name]?.type = .bf16
            tiny.tensors[HuggingFaceNames().name(of: .blockScales, of: name)] = nil
        }
        tiny.config["quantization_config"] = PackedCheckpoint.quantization(scaling)
        #expect(try tiny.complaint() == nil)
        let name = "model.layers.0.mlp.down_proj.weight"
        tiny.tensors[name] = nil
        #expect(try #require(try tiny.complaint()).contains("\(name) is missing"))
        // 12 columns take one and a half words and one group.
        tiny.tensors[name + "_packed"] = ([16, 2], .i32)
        tiny.tensors[name + "_scale"] = ([16, 1], .bf16)
        tiny.tensors[name + "_shape"] = ([2], .i64)
        #expect(try tiny.complaint() == nil)
        for (part, shape, type, expected) in [
            ("packed", [16, 1], ElementType.i32, "_packed is [16, 1] instead of [16, 2]"),
            ("packed", [16, 2], .i8, "_packed is I8 instead of I32"),
            ("scale", [16, 2], .bf16, "_scale is [16, 2] instead of [16, 1]"),
            ("scale", [16, 1], .fp8E4M3, "_scale is F8_E4M3 instead of F16, BF16, F32"),
            ("shape", [2], .f32, "_shape is F32 instead of I64, I32"),
        ] {
            var spoiled = tiny
            spoiled.tensors["\(name)_\(part)"] = (shape, type)
            let complaint = try #require(try spoiled.complaint())
            #expect(complaint.contains(name + expected), "\(complaint)")
            spoiled.tensors["\(name)_\(part)"] = nil
            #expect(try #require(try spoiled.complaint()).contains("is missing"))
        }
        // The weight both plain and packed, or packed in a checkpoint whose config does not mention integers.
        var both = tiny
        both.tensors[name] = ([16, 12], .bf16)
        #expect(try #require(try both.complaint()).contains("\(name)_packed is unexpected"))
        tiny.config["quantization_config"] = nil
        #expect(try #require(try tiny.complaint()).contains("\(name) is missing"))
    }

    @Test func toleratedTensors() throws {
        var tiny = try TinyCheckpoint()
        tiny.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ([2], .f32)
        tiny.tensors["model.layers.2.embed_tokens.weight"] = nil
        tiny.tensors["model.layers.2.shared_head.head.weight"] = nil
        for type in [ElementType.bf16, .e8m0] {
            tiny.tensors["model.layers.0.self_attn.o_proj.weight_scale_inv"] = ([1, 1], type)
            #expect(try tiny.complaint() == nil)
        }
        tiny.tensors["lm_head.weight"] = nil
        #expect(try #require(try tiny.complaint()).contains("lm_head.weight is missing"))
        tiny.config["tie_word_embeddings"] = true
        #expect(try tiny.complaint() == nil)
    }

    @Test func absentPredictionLayerIsANote() throws {
        var tiny = try TinyCheckpoint()
        for name in tiny.tensors.keys where name.hasPrefix("model.layers.2.") { tiny.tensors[name] = nil }
        let checkpoint = try tiny.open()
        #expect(!checkpoint.hasMTP)
        #expect(checkpoint.notes.count == 1 && checkpoint.notes[0].contains("multi-token prediction"))
        tiny.tensors["model.layers.2.enorm.weight"] = ([16], .bf16)
        #expect(try #require(try tiny.complaint()).contains("model.layers.2.hnorm.weight is missing"))
    }

    // MARK: Files

    @Test func truncatedShard() throws {
        let complaint = try TinyCheckpoint().complaint { folder in
            let path = folder + "/model-00002-of-00002.safetensors"
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            #expect(truncate(path, off_t(size - 1)) == 0)
        }
        #expect(try #require(complaint).contains("model-00002-of-00002.safetensors: expected"))
        #expect(try #require(complaint).contains("download it again"))
    }

    /// A file that is truncated after it was opened causes an error. (Access to a mapped file would end the process.)
    @Test func shrunkenShard() throws {
        var folder = ""
        var tiny = try TinyCheckpoint()
        tiny.hasIndex = false
        let checkpoint = try tiny.open { path in
            folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
            try FileManager.default.copyItem(atPath: path, toPath: folder)
        }
        #expect(!checkpoint.tensors.isEmpty)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let other = try Checkpoint(.folder(folder))
        #expect(truncate(folder + "/model.safetensors", 100) == 0)
        let tensor = try #require(other["model.norm.weight"])
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        #expect(throws: CheckpointError.self) { try bytes.withUnsafeMutableBytes { try other.read(tensor, into: $0) } }
    }

    @Test(arguments: [
        "../a.safetensors", "/a.safetensors", "..", "", "b/a.safetensors", "a.bin", "a\\\\b.safetensors",
        "a\\u0000.safetensors",
    ])
    func shardNames(name: String) throws {
        let complaint = try TinyCheckpoint().complaint { folder in
            let index = #"{"weight_map": {"model.norm.weight": "\#(name)"}}"#
            try Data(index.utf8).write(to: URL(fileURLWithPath: folder + "/model.safetensors.index.json"))
        }
        #expect(try #require(complaint).contains("in the same folder"), "\(complaint ?? "")")
    }

    @Test(arguments: [
        (#"{"weight_map": {"a": "model-00001-of-00002.safetensors"}}"#, "that model.safetensors.index.json places"),
        (#"{"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}}"#, "twice"),
        (#"{"weight_map": {"a": "x.safetensors"}}"#, "no such file"),
        (#"{"weight_map": {}}"#, "expected tensors"), ("{}", "weight_map"), ("", "expected"),
    ])
    func indices(index: String, expected: String) throws {
        let complaint = try TinyCheckpoint().complaint { folder in
            try Data(index.utf8).write(to: URL(fileURLWithPath: folder + "/model.safetensors.index.json"))
        }
        #expect(try #require(complaint).contains(expected), "\(complaint ?? "")")
    }

    @Test func missingFiles() throws {
        let folder = try TemporaryFolder()
        func complaint(_ path: String) -> String {
            do throws(CheckpointError) { _ = try Checkpoint(.folder(path)) } catch { return error.description }
            return ""
        }
        #expect(complaint(folder.path + "/none").contains("none: expected a model's folder, found no such file"))
        #expect(complaint(folder.path).contains("config.json: expected a readable file"))
        try Data(try TinyCheckpoint().configJSON).write(to: folder.url("config.json"))
        #expect(complaint(folder.path + "/config.json").contains("found a file"))
        #expect(complaint(folder.path).contains("found neither"))
        try FileManager.default.createDirectory(
            at: folder.url("model.safetensors"), withIntermediateDirectories: false)
        #expect(complaint(folder.path).contains("model.safetensors: expected a regular file"))
    }

    // MARK: Writing

    @Test func writing() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.safetensors"
        try SafetensorsWriter.write(tensors: [("é\"", [2], .bf16, [1, 2, 3, 4]), ("b", [0], .f32, [])], to: path)
        let file = try SafetensorsFile(.folder(folder.path), "a.safetensors")
        #expect(try file.bytes(try #require(file["é\""])) == [1, 2, 3, 4])
        #expect(throws: CheckpointError.self) {
            try SafetensorsWriter.write(tensors: [("a", [2], .f32, [1])], to: path)
        }
        #expect(throws: CheckpointError.self) {
            try SafetensorsWriter.write(tensors: [("a", [0], .f32, []), ("a", [0], .f32, [])], to: path)
        }
        #expect(throws: CheckpointError.self) { try SafetensorsWriter.write(tensors: [], to: folder.path + "/no/a") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
    }

    /// Interrupted writing leaves no partial file and keeps the existing one.
    @Test func interruptedWriting() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.safetensors"
        try Data("old".utf8).write(to: folder.url("a.safetensors"))
        var asked = 0
        let failure = Result { () throws(CheckpointError) in
            try SafetensorsWriter.write(tensors: [("a", [4], .u8, [1, 2, 3, 4])], to: path) {
                asked += 1
                return asked == 2
            }
        }
        #expect {
            try failure.get()
        } throws: {
            "\($0)" == "\(path): expected a complete file, found an interruption"
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    }
}
