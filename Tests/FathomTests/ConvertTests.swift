import Checkpoint
import FixtureSupport
import Foundation
import Glibc
import JSON
import Numerics
import Testing

/// `fathom convert`, as a user runs it.
@Suite(.serialized) struct ConvertTests {
    private static func files(_ folder: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
            files[file] = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(file)"))
        }
        return files
    }

    private static let minnow = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources/Minnow/checkpoint")
        .path

    /// The converted model answers as it did: from BF16, and from FP8 made of that again.
    @Test func aConvertedModelAnswers() throws {
        let folder = try TemporaryFolder()
        let (bf16, fp8) = (folder.path + "/bf16", folder.path + "/fp8")
        let first = try Program.run(["convert", Self.minnow, bf16, "--to", "bf16"])
        #expect(first.status == 0 && first.output.contains("files, "), "\(first)")
        let second = try Program.run(["convert", bf16, fp8, "--to", "fp8", "--scales", "ue8m0"])
        #expect(second.status == 0 && second.output.contains("routed experts: "), "\(second)")
        for model in [bf16, fp8] {
            let answer = try Program.run([
                "generate", "--device", "cpu", "--model", model, "What is the capital of France?",
            ])
            #expect(answer.output == "The capital of France is Paris.\n", "\(answer)")
        }
    }

    @Test func reportsForPrograms() throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(["convert", Self.minnow, folder.path + "/out", "--to", "int8", "--json"])
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONField(parsing: Array(result.output.utf8), name: "report")
        let errors = try report["quantized"].array().map { try $0["relative_error"].double() }
        #expect(errors.count > 100 && errors.allSatisfy { $0 > 0 && $0 < 0.02 })
        let size = try report["files"].array().reduce(0) { try $0 + $1["byte_count"].int() }
        #expect(try report["byte_count"].int() == size)
    }

    @Test func splitsAndMerges() throws {
        let folder = try TemporaryFolder()
        let source = try Oracle.v2BF16.folder()
        let (split, merged) = (folder.path + "/split", folder.path + "/merged")
        let planned = try Program.run(["convert", source, split, "--ranks", "4", "--dry-run"])
        #expect(planned.status == 0 && planned.lines.count == 5, "\(planned)")
        #expect(!FileManager.default.fileExists(atPath: split))
        #expect(try Program.run(["convert", source, split, "--ranks", "4"]).output == planned.output)
        #expect(try Program.run(["convert", split, merged, "--merge"]).status == 0)
        var expected = try Self.files(source)
        expected["expected.safetensors"] = nil
        #expect(try Self.files(merged) == expected)
        let opened = try Program.run(["convert", split, folder.path + "/no", "--to", "fp8"])
        #expect(opened.status == 1 && opened.errors.contains("--merge"), "\(opened.errors)")
    }

    /// By a signal that cannot be caught, at any moment; the next run goes on.
    @Test func killedBySignals() throws {
        let folder = try TemporaryFolder()
        let expected = folder.path + "/expected"
        let arguments = { (target: String) in ["convert", Self.minnow, target, "--to", "int4"] }
        let start = ContinuousClock.now
        #expect(try Program.run(arguments(expected)).status == 0)
        let duration =
            Double((ContinuousClock.now - start).components.attoseconds) / 1e18
            + Double((ContinuousClock.now - start).components.seconds)
        var random = SeededRandom(seed: 2)
        var killedCount = 0
        for attempt in 0..<25 {
            let target = folder.path + "/\(attempt)"
            let running = try Program.start(arguments(target))
            Thread.sleep(forTimeInterval: random.nextUnit() * duration)
            kill(running.process.processIdentifier, attempt % 2 == 0 ? SIGKILL : SIGINT)
            if running.finish().status != 0 { killedCount += 1 }
            let isThere = FileManager.default.fileExists(atPath: target + "/config.json")
            let isDone = try isThere && Self.files(target) == Self.files(expected)
            #expect(isDone || !isThere || FileManager.default.fileExists(atPath: target + "/.fathom-convert.json"))
            if !isDone { #expect(try Program.run(arguments(target)).status == 0) }
            #expect(try Self.files(target) == Self.files(expected))
        }
        #expect(killedCount > 0)
    }

    /// The shell's limit on files stands for a full disk.
    @Test func aFullDiskIsACleanError() throws {
        let folder = try TemporaryFolder()
        let target = folder.path + "/out"
        let result = try Program.start(
            [
                "-c", "ulimit -f 1000; exec \"$0\" \"$@\"", Program.url.path, "convert", Self.minnow, target, "--to",
                "bf16",
            ],
            program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
        #expect(result.status == 1 && result.errors.contains("File too large; make room"), "\(result)")
        let left = try FileManager.default.contentsOfDirectory(atPath: target)
        #expect(!left.contains { $0.hasSuffix(".partial") || $0 == "config.json" }, "\(left)")
        #expect(try Program.run(["convert", Self.minnow, target, "--to", "bf16"]).status == 0)
    }

    @Test(arguments: [
        ["a"], ["a", "b"], ["a", "", "--to", "bf16"], ["a", "b", "--to", "fp4"],
        ["a", "b", "--to", "int4", "--group", "48"],
        ["a", "b", "--to", "bf16", "--group", "32"], ["a", "b", "--to", "int4", "--scales", "ue8m0"],
        ["a", "b", "--ranks", "1"], ["a", "b", "--ranks", "2", "--merge"],
        ["a", "b", "--ranks", "2", "--experts-only"],
    ])
    func wrongUsage(arguments: [String]) throws {
        let result = try Program.run(["convert"] + arguments)
        #expect(result.status == 64 && result.output.isEmpty && result.errors.contains("Usage"), "\(result)")
    }

    @Test func failures() throws {
        let folder = try TemporaryFolder()
        for (arguments, text) in [
            (["/nowhere", folder.path + "/a", "--to", "bf16"], "/nowhere: expected a model's folder"),
            ([Self.minnow, Self.minnow, "--to", "bf16"], "apart from the source's"),
            ([Self.minnow, folder.path + "/a/b/c", "--to", "bf16"], "expected a folder to make c in"),
            ([Self.minnow, folder.path + "/a", "--merge"], "source-layout.json"),
            ([try Oracle.v2BF16.folder(), folder.path + "/a", "--to", "bf16"], "to convert to bf16, found none"),
        ] {
            let result = try Program.run(["convert"] + arguments)
            #expect(result.status == 1 && result.errors.contains(text), "\(result.errors)")
        }
    }
}

/// Checkpoints of true sizes, of which the disk holds next to nothing: every byte is a hole's zero.
@Suite(.serialized) struct LargeConversionTests {
    /// One file a layer, all tensors of a published model, FP8 where they may be.
    private static func sparse(_ name: String, layers: Int?, experts: Int?)
        throws
        -> TemporaryFolder
    {
        let folder = try TemporaryFolder()
        let config = try #require(try ModelConfig.known(name)).resized(layers: layers, experts: experts, isFP8: true)
        var json: [String: Any] = [
            "model_type": config.modelType, "vocab_size": config.vocabSize, "hidden_size": config.hiddenSize,
            "intermediate_size": config.intermediateSize, "moe_intermediate_size": config.moeIntermediateSize,
            "num_hidden_layers": config.numHiddenLayers, "num_attention_heads": config.numAttentionHeads,
            "kv_lora_rank": config.kvLoraRank, "qk_nope_head_dim": config.qkNopeHeadDim,
            "qk_rope_head_dim": config.qkRopeHeadDim, "v_head_dim": config.vHeadDim,
            "n_routed_experts": config.nRoutedExperts, "n_shared_experts": config.nSharedExperts,
            "num_experts_per_tok": config.numExpertsPerTok, "n_group": config.nGroup, "topk_group": config.topkGroup,
            "norm_topk_prob": config.normTopkProb, "scoring_func": config.scoringFunc.rawValue,
            "topk_method": config.topkMethod.rawValue, "first_k_dense_replace": config.firstKDenseReplace,
            "max_position_embeddings": config.maxPositionEmbeddings,
            "quantization_config": [
                "quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic",
            ],
        ]
        if let rank = config.qLoraRank { json["q_lora_rank"] = rank }
        _ = try folder.write("config.json", JSONSerialization.data(withJSONObject: json))
        let byLayer = Dictionary(grouping: WeightList(config, hasMTP: false)) { $0.layer ?? -1 }
        var map: [String: String] = [:]
        for (layer, tensors) in byLayer {
            let file = "model-layer\(layer + 1).safetensors"
            var header: [String: Any] = [:]
            var end = 0
            func add(_ name: String, _ shape: [Int], _ type: ElementType) {
                let size = shape.reduce(type.byteCount, *)
                header[name] = [
                    "dtype": type.safetensorsName, "shape": shape, "data_offsets": [end, end + size],
                ]
                end += size
                map[name] = file
            }
            for tensor in tensors {
                add(tensor.name, tensor.shape, tensor.isQuantisable ? .fp8E4M3 : .bf16)
                guard tensor.isQuantisable else { continue }
                add(
                    HuggingFaceNames().name(of: .blockScales, of: tensor.name),
                    tensor.shape.map(BlockScaling.blockCount), .f32)
            }
            let text = try JSONSerialization.data(withJSONObject: header)
            var data = Data((0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) })
            data += text
            let path = try folder.write(file, data)
            try #require(truncate(path, off_t(data.count + end)) == 0)
        }
        _ = try folder.write(
            "model.safetensors.index.json", JSONSerialization.data(withJSONObject: ["weight_map": map]))
        return folder
    }

    /// All of V3 for 8 and 16 ranks, without reading its weights.
    @Test func v3IsPlanned() throws {
        let source = try Self.sparse("v3", layers: nil, experts: nil)
        for ranks in [8, 16] {
            let result = try Program.run([
                "convert", source.path, source.path + "-split", "--ranks", "\(ranks)", "--dry-run", "--json",
            ])
            #expect(result.status == 0, "\(result.errors)")
            let report = try JSONField(parsing: Array(result.output.utf8), name: "report")
            let sizes = try report["files"].array().map { try $0["byte_count"].int() }
            #expect(sizes.count == ranks && Set(sizes.map { $0 >> 24 }).count == 1)
            // 671 billion weights, nearly all of one byte, and what every rank has a copy of.
            let size = try report["byte_count"].int()
            #expect(size > 671_000_000_000 && size < 720_000_000_000)
        }
    }

    /// What has no room is known from the headers.
    @Test func tooLargeToMeasure() throws {
        let source = try Self.sparse("v3", layers: nil, experts: nil)
        let text = try source.write("text.txt", "Too large.")
        let target = source.path + "-bf16"
        let result = try Program.run([
            "convert", source.path, target, "--to", "bf16", "--eval", text, "--device", "cpu",
        ])
        #expect(result.status == 1 && !FileManager.default.fileExists(atPath: target), "\(result)")
        #expect(
            result.errors.contains("\(target): expected at most ") && result.errors.contains("of weights")
                && result.errors.contains("leave --eval out"), "\(result.errors)")
    }

    /// More than two gigabytes of weights in 0.4 of address space.
    @Test(arguments: [["--to", "int4"], ["--to", "bf16"], ["--ranks", "2"]]) func memoryStaysSmall(options: [String])
        throws
    {
        let source = try Self.sparse("moonlight", layers: 3, experts: 64)
        let target = source.path + "-out"
        defer { try? FileManager.default.removeItem(atPath: target) }
        let result = try Program.start(
            [
                "-c", "ulimit -v 400000; exec \"$0\" \"$@\"", Program.url.path, "convert", source.path, target,
            ] + options, program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
        #expect(result.status == 0, "\(result)")
        if options == ["--to", "bf16"] { #expect(try !Checkpoint(.folder(target)).config.isFP8) }
    }
}
