import FixtureSupport
import Foundation
import JSON
import Numerics
import Testing

@testable import Checkpoint

/// Converts whole checkpoints: every tensor equals the definitions in Numerics, and the result opens.
@Suite struct ConversionTests {
    @Test(arguments: [Oracle.v3FP8, .v3Ragged, .kimiK2UE8M0])
    func fp8ToBF16(oracle: Oracle) throws {
        let (source, folder) = (try oracle.folder(), try TemporaryFolder())
        let target = folder.path + "/out"
        try Conversions.convert(source, ConversionOptions(format: .bf16), into: target)
        let (before, after) = (try Checkpoint(.folder(source)), try Checkpoint(.folder(target)))
        #expect(!after.config.isFP8 && after.tensors.values.allSatisfy { $0.type != .fp8E4M3 })
        for (name, tensor) in before.tensors where !name.hasSuffix("_scale_inv") {
            let found = try Conversions.bytes(name, of: target)
            let expected =
                tensor.type == .fp8E4M3
                ? try Conversions.weights(tensor, of: before).flatMap { weight -> [UInt8] in
                    let code = BF16.encode(weight)
                    return [UInt8(truncatingIfNeeded: code), UInt8(code >> 8)]
                } : try Conversions.bytes(name, of: source)
            #expect(found == expected, "\(name)")
            #expect(after[name]?.shape == tensor.shape && after[name]?.shard == tensor.shard)
        }
        #expect(after.tensors.count == before.tensors.keys.count { !$0.hasSuffix("_scale_inv") })
    }

    @Test(arguments: [Oracle.moonlightBF16, .v2BF16], [(false, false), (true, false), (false, true)])
    func bf16ToFP8(oracle: Oracle, how: (powersOfTwo: Bool, expertsOnly: Bool)) throws {
        let (powersOfTwo, expertsOnly) = how
        let (source, folder) = (try oracle.folder(), try TemporaryFolder())
        let target = folder.path + "/out"
        let options = ConversionOptions(format: .fp8, powersOfTwo: powersOfTwo, expertsOnly: expertsOnly)
        let result = try Conversions.convert(source, options, into: target)
        let (before, after) = (try Checkpoint(.folder(source)), try Checkpoint(.folder(target)))
        #expect(after.config.isFP8 && after.config.hasPowerOfTwoScales == powersOfTwo)
        let expected = WeightList(before.config, hasMTP: before.hasMTP)
        for tensor in expected where before[tensor.name] != nil {
            let isFP8 = tensor.isQuantisable && (!expertsOnly || tensor.split == .experts)
            let found = try #require(after[tensor.name])
            #expect(found.type == (isFP8 ? .fp8E4M3 : .bf16) || !tensor.isQuantisable)
            if isFP8 {
                let weights = try Conversions.weights(#require(before[tensor.name]), of: before)
                let distance = try similarityDistance(weights, Conversions.weights(found, of: after))
                #expect(distance < 1e-3, "\(tensor.name): \(distance)")
            } else {
                #expect(
                    try Conversions.bytes(tensor.name, of: target) == Conversions.bytes(tensor.name, of: source))
            }
        }
        #expect(result.quantized.count == after.tensors.values.count { $0.type == .fp8E4M3 })
        #expect(result.quantized.allSatisfy { $0.error.value > 0 && $0.error.value < 0.05 })
    }

    @Test(arguments: [ConversionOptions.Format.int4, .int8], [(true, false), (false, false), (true, true)])
    func integers(format: ConversionOptions.Format, of source: (isFP8: Bool, expertsOnly: Bool)) throws {
        let (isFP8, expertsOnly) = source
        let source = try (isFP8 ? Oracle.v3FP8 : .v2BF16).folder()
        let folder = try TemporaryFolder()
        let target = folder.path + "/out"
        let options = ConversionOptions(format: format, groupSize: 64, expertsOnly: expertsOnly)
        let result = try Conversions.convert(source, options, into: target)
        let before = try Checkpoint(.folder(source))
        let scaling = try #require(options.scaling)
        var quantizedCount = 0
        for tensor in WeightList(before.config, hasMTP: before.hasMTP) {
            guard let info = before[tensor.name] else { continue }
            let isInteger =
                tensor.isQuantisable && (!expertsOnly || tensor.split == .experts) && !tensor.name.contains("kv_b_proj")
                && tensor.shape[1] % 64 == 0
            guard isInteger else {
                let found = try Conversions.bytes(tensor.name, of: target)
                #expect(found.count == tensor.shape.reduce(2, *) || !tensor.isQuantisable)
                continue
            }
            quantizedCount += 1
            let weights = try Conversions.weights(info, of: before)
            let (rows, columns) = (tensor.shape[0], tensor.shape[1])
            var (words, scales): ([UInt32], [UInt16]) = ([], [])
            for row in 0..<rows {
                let (codes, own) = try #require(scaling.quantized(Array(weights[row * columns..<(row + 1) * columns])))
                words += scaling.packed(codes)
                scales += own
            }
            #expect(
                try Conversions.bytes(tensor.name + "_packed", of: target) == words.withUnsafeBytes { Array($0) })
            #expect(
                try Conversions.bytes(tensor.name + "_scale", of: target) == scales.withUnsafeBytes { Array($0) })
            #expect(
                try Conversions.bytes(tensor.name + "_shape", of: target)
                    == [Int64(rows), Int64(columns)].withUnsafeBytes { Array($0) })
            #expect(throws: CheckpointError.self) { try Conversions.bytes(tensor.name, of: target) }
        }
        #expect(quantizedCount > 0 && result.quantized.count == quantizedCount)
        let config = try JSONField(
            parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: target + "/config.json"))), name: "config")
        let weights = try config["quantization_config"]["config_groups"]["group_0"]["weights"]
        #expect(try weights["num_bits"].int() == scaling.bits && weights["group_size"].int() == 64)
        #expect(try config["quantization_config"]["format"].string() == "pack-quantized")
    }

    /// compressed-tensors' format cannot represent a last group that is not full, so these matrices are not quantised.
    @Test func unevenMatricesStay() throws {
        let (source, folder) = (try Oracle.moonlightBF16.folder(), try TemporaryFolder())
        let target = folder.path + "/out"
        let plan = try ConversionPlan(
            ConversionSource(folder: source), ConversionOptions(format: .int4, groupSize: 32))
        #expect(plan.notes.count == 1 && plan.notes[0].contains("stay in BF16"), "\(plan.notes)")
        _ = try plan.run(into: target)
        // This matrix has 48 columns.
        let name = "model.layers.1.mlp.experts.0.down_proj.weight"
        #expect(try Conversions.bytes(name, of: target) == Conversions.bytes(name, of: source))
        let config = try String(contentsOfFile: target + "/config.json", encoding: .utf8)
        #expect(config.contains("\"model.layers.1.mlp.experts.0.down_proj\""))
        #expect(throws: CheckpointError.self) {
            try ConversionPlan(
                ConversionSource(folder: source),
                ConversionOptions(format: .int4, groupSize: 128, expertsOnly: true))
        }
    }

    // MARK: Ranks

    @Test(arguments: [true, false], [nil, ConversionOptions.Format.int4, .fp8, .bf16])
    func ranksMergeToTheSameBytes(isFP8: Bool, format: ConversionOptions.Format?) throws {
        guard format != (isFP8 ? .fp8 : .bf16) else { return }
        let (source, folder) = (try Conversions.folder(isFP8: isFP8), try TemporaryFolder())
        let (whole, split, merged) = (folder.path + "/whole", folder.path + "/split", folder.path + "/merged")
        var options = ConversionOptions(format: format, groupSize: 32)
        if format != nil { try Conversions.convert(source.path, options, into: whole) }
        options.rankCount = 2
        try Conversions.convert(source.path, options, into: split)
        let full = try Checkpoint(.folder(format == nil ? source.path : whole))
        for index in 0..<2 {
            let rank = try Checkpoint(.folder(split), rank: Rank(index, of: 2))
            for tensor in WeightList(full.config, hasMTP: true) {
                let names = [
                    tensor.name, HuggingFaceNames().name(of: .packed, of: tensor.name),
                    HuggingFaceNames().name(of: .groupScales, of: tensor.name),
                ]
                let stored = names.compactMap { full[$0] }
                #expect(stored.count == (full[tensor.name] == nil ? 2 : 1), "\(tensor.name)")
                for part in stored {
                    var shape = part.shape
                    switch tensor.split {
                    case .rows: shape[0] /= 2
                    case .columns: shape[1] /= 2
                    case .experts, .whole: break
                    }
                    let isOther =
                        tensor.split == .experts && !tensor.name.contains(".experts.\(2 * index)")
                        && !tensor.name.contains(".experts.\(2 * index + 1)")
                    #expect(rank[part.name]?.shape == (isOther ? nil : shape), "\(part.name)")
                }
            }
        }
        #expect(throws: CheckpointError.self) { try Checkpoint(.folder(split)) }
        _ = try ConversionPlan(merging: ConversionSource(merging: split)).run(into: merged, threadCount: 2)
        #expect(try Conversions.files(merged) == Conversions.files(format == nil ? source.path : whole))
    }

    @Test func ranksOfBF16() throws {
        let (source, folder) = (try Oracle.v2BF16.folder(), try TemporaryFolder())
        for count in [2, 4, 8] {
            let (split, merged) = (folder.path + "/split\(count)", folder.path + "/merged\(count)")
            try Conversions.convert(source, ConversionOptions(rankCount: count), into: split)
            for index in 0..<count {
                _ = try Checkpoint(.folder(split), rank: Rank(index, of: count))
            }
            _ = try ConversionPlan(merging: ConversionSource(merging: split)).run(into: merged)
            var expected = try Conversions.files(source)
            expected["expected.safetensors"] = nil
            #expect(try Conversions.files(merged) == expected)
        }
    }

    @Test func tensorsThatRanksCannotShareAreNamed() throws {
        func complaint(_ source: String, _ options: ConversionOptions) -> String {
            do { _ = try ConversionPlan(ConversionSource(folder: source), options) } catch { return "\(error)" }
            return ""
        }
        let even = try Conversions.folder(isFP8: true)
        #expect(
            complaint(even.path, ConversionOptions(rankCount: 3)).contains(
                "n_routed_experts: expected a multiple of the 3"))
        let ragged = complaint(try Oracle.v3FP8.folder(), ConversionOptions(rankCount: 2))
        #expect(ragged.contains("to share among 2 ranks"), "\(ragged)")
    }

    @Test func damagedSplits() throws {
        let (source, folder) = (try Conversions.folder(isFP8: false), try TemporaryFolder())
        let split = folder.path + "/split"
        try Conversions.convert(source.path, ConversionOptions(rankCount: 2), into: split)
        let files = FileManager.default
        // Rank 0's file in rank 1's place holds the wrong experts.
        try files.removeItem(atPath: split + "/model1-mp2.safetensors")
        #expect(throws: CheckpointError.self) { try ConversionSource(merging: split) }
        try files.copyItem(atPath: split + "/model0-mp2.safetensors", toPath: split + "/model1-mp2.safetensors")
        #expect(throws: CheckpointError.self) { try ConversionSource(merging: split) }
        #expect(throws: CheckpointError.self) { try Checkpoint(.folder(split), rank: Rank(1, of: 2)) }
        for json in [
            "", "{}", #"{"ranks": 0, "files": []}"#,
            #"{"ranks": 2, "files": [{"name": "../a.safetensors", "header": "{}"}]}"#,
        ] {
            try Data(json.utf8).write(to: URL(fileURLWithPath: split + "/source-layout.json"))
            #expect(throws: CheckpointError.self) { try ConversionSource(merging: split) }
        }
    }

    /// The error of merging a split of one rank whose layout lists these files, or nil. The rank's file has the same
    /// header.
    private func complaint(
        _ entries: [String: String], names: [String] = ["a.safetensors"], dataCount: Int = 0
    ) throws -> String? {
        let header = "{" + entries.map { "\"\($0)\":{\($1)}" }.joined(separator: ",") + "}"
        let files = names.map { ["name": .string($0), "header": .string(header)] as JSONValue }
        let layout: JSONValue = ["ranks": 1, "files": .array(files), "index": .null]
        let rank = SafetensorsHeader.length(header.utf8.count) + Array(header.utf8)
        return try withMemory([
            "config.json": TinyCheckpoint().configJSON, SourceLayout.fileName: Array(layout.serialized().utf8),
            Rank(0, of: 1).fileName: rank + [UInt8](repeating: 0, count: dataCount),
        ]) { source in
            do throws(CheckpointError) {
                _ = try ConversionPlan(merging: ConversionSource(merging: source))
                return nil
            } catch { return error.description }
        }
    }

    /// Layouts are untrusted: the names and sizes of the files that they list are checked.
    @Test func invalidLayouts() throws {
        let two = #""dtype":"BF16","shape":[],"data_offsets":[0,2]"#
        #expect(try complaint(["model.norm.weight": two], dataCount: 2) == nil)
        // A tensor without dimensions whose name is that of a split weight.
        #expect(try complaint(["lm_head.weight": two], dataCount: 2) == nil)
        for names in [["config.json\0.safetensors"], ["a\\b.safetensors"], ["a.safetensors", "a.safetensors"]] {
            let found = try #require(try complaint(["model.norm.weight": two], names: names, dataCount: 2))
            #expect(found.contains("each once, found \(names[0])"))
        }
        let twice = try complaint(["x": two], names: ["a.safetensors", "b.safetensors"], dataCount: 2)
        #expect(try #require(twice).contains("expected each tensor once, found x twice"))
        // A shape tensor with one number for a weight of two dimensions, and a shape tensor of no weight.
        let one = #""dtype":"I64","shape":[1],"data_offsets":[0,8]"#
        let shape = try #require(try complaint(["lm_head.weight_shape": one], dataCount: 8))
        #expect(shape.contains("lm_head.weight_shape: expected the shape of a weight, 2 numbers, found [1]"))
        #expect(try complaint(["x.weight_shape": one], dataCount: 8) != nil)
        let most = 1 << 48
        let far = try complaint([
            "a": #""dtype":"U8","shape":[\#(most)],"data_offsets":[0,\#(most)]"#,
            "b": #""dtype":"U8","shape":[1],"data_offsets":[\#(most),\#(most + 1)]"#,
        ])
        #expect(try #require(far).contains("expected at most \(most) bytes of data, found \(most + 1)"))
    }

    /// A tensor without elements may have any number of columns; the sum over ranks must not overflow.
    @Test func manyColumnsWithoutElements() throws {
        let entry = #"{"dtype":"U8","shape":[0,\#(1 << 48)],"data_offsets":[0,0]}"#
        let header = Array(#"{"model.layers.0.self_attn.o_proj.weight":\#(entry)}"#.utf8)
        let rank = Rank(0, of: 2)
        _ = try withMemory([
            "config.json": TinyCheckpoint().configJSON,
            rank.fileName: SafetensorsHeader.length(header.count) + header,
        ]) { source in
            #expect(throws: CheckpointError.self) { try Checkpoint(source, rank: rank) }
        }
    }
}
