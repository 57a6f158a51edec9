import FixtureSupport
import Foundation
import Numerics
import Testing

@testable import Checkpoint

/// Converting packed integers gives the same as converting the weights that they represent.
@Suite struct PackedConversionTests {
    private static func isMatrix(_ name: String) -> Bool { !name.hasSuffix(".kv_b_proj.weight") }

    /// A checkpoint of packed integers and the same weights in F32. The three sources use all types of scales.
    private static func sources(_ index: Int) throws -> PackedCheckpoint {
        let (bits, groupSize, scales) = [(4, 32, ElementType.bf16), (8, 32, .f16), (4, 64, .f16)][index]
        return try PackedCheckpoint(
            .v2BF16, GroupScaling(bits: bits, groupSize: groupSize), scales: scales, where: isMatrix)
    }

    @Test(arguments: 0..<3) func toBF16(source: Int) throws {
        let (sources, folder) = (try Self.sources(source), try TemporaryFolder())
        let target = folder.path + "/out"
        let result = try Conversions.convert(sources.packed.path, ConversionOptions(format: .bf16), into: target)
        #expect(result.quantized.isEmpty)
        let (plain, found) = (try Checkpoint(.folder(sources.plain.path)), try Checkpoint(.folder(target)))
        #expect(found.config.integers == nil && Set(found.tensors.keys) == Set(plain.tensors.keys))
        for (name, tensor) in plain.tensors {
            var expected = try Conversions.bytes(name, of: sources.plain.path)
            if tensor.type == .f32, tensor.shape.count == 2 {
                expected = expected.withUnsafeBytes { raw in
                    raw.bindMemory(to: Float.self).map(BF16.encode).withUnsafeBytes { Array($0) }
                }
            }
            #expect(try Conversions.bytes(name, of: target) == expected, "\(name)")
        }
    }

    @Test(
        arguments: 0..<3,
        [
            ConversionOptions(format: .fp8), ConversionOptions(format: .int8, groupSize: 64),
            ConversionOptions(format: .int4, groupSize: 32),
        ]) func toOthers(source: Int, options: ConversionOptions) throws
    {
        let (sources, folder) = (try Self.sources(source), try TemporaryFolder())
        let (target, expectedPath) = (folder.path + "/out", folder.path + "/expected")
        guard try Checkpoint(.folder(sources.packed.path)).config.integers != options.scaling else {
            let error = #expect(throws: CheckpointError.self) {
                try Conversions.convert(sources.packed.path, options, into: target)
            }
            #expect(error?.description.contains("found none; its matrices are in this format already") == true)
            return
        }
        let result = try Conversions.convert(sources.packed.path, options, into: target)
        let expectedResult = try Conversions.convert(sources.plain.path, options, into: expectedPath)
        let (found, expected) = (try Checkpoint(.folder(target)), try Checkpoint(.folder(expectedPath)))
        #expect(found.config == expected.config && Set(found.tensors.keys) == Set(expected.tensors.keys))
        // Matrices that groups do not divide are not quantised: they are F32 in one source and BF16 in the other.
        for (name, tensor) in expected.tensors where tensor.type == found[name]?.type {
            #expect(try Conversions.bytes(name, of: target) == Conversions.bytes(name, of: expectedPath), "\(name)")
        }
        let errors = { (result: ConversionResult) in
            Dictionary(uniqueKeysWithValues: result.quantized.map { ($0.name, $0.error) })
        }
        #expect(errors(result) == errors(expectedResult) && !errors(result).isEmpty)
    }

    /// With --experts-only, other matrices keep their format only if the output's config can describe it.
    @Test(arguments: [ConversionOptions.Format.bf16, .fp8, .int8]) func expertsAlone(
        format: ConversionOptions.Format
    ) throws {
        let (sources, folder) = (try Self.sources(0), try TemporaryFolder())
        let target = folder.path + "/out"
        try Conversions.convert(
            sources.packed.path, ConversionOptions(format: format, expertsOnly: true), into: target)
        let (before, after) = (try Checkpoint(.folder(sources.packed.path)), try Checkpoint(.folder(target)))
        for weight in WeightList(before.config, hasMTP: false) {
            let packed = HuggingFaceNames().name(of: .packed, of: weight.name)
            guard before[packed] != nil else { continue }
            if weight.split == .experts {
                #expect((after[packed] != nil) == (format == .int8), "\(weight.name)")
                #expect(after[weight.name]?.type == [.bf16: .bf16, .fp8: .fp8E4M3][format])
            } else if format == .bf16 {
                #expect(try Conversions.bytes(packed, of: target) == Conversions.bytes(packed, of: sources.packed.path))
            } else {
                #expect(after[weight.name]?.type == .bf16 && after[packed] == nil, "\(weight.name)")
            }
        }
        let config = try String(contentsOfFile: target + "/config.json", encoding: .utf8)
        let (expert, other) = ("layers.1.mlp.experts.0.up_proj\"", "self_attn.o_proj\"")
        #expect(config.contains(expert) == (format == .bf16) && config.contains(other) == (format != .bf16))
    }

    /// Only the experts are integers, as published: other tensors keep their bytes.
    @Test func plainTensorsStay() throws {
        let source = try PackedCheckpoint(.v2BF16, GroupScaling(bits: 4, groupSize: 32)) { $0.contains(".experts.") }
        let folder = try TemporaryFolder()
        let target = folder.path + "/out"
        try Conversions.convert(source.packed.path, ConversionOptions(format: .bf16), into: target)
        let before = try Checkpoint(.folder(source.packed.path))
        for (name, tensor) in before.tensors where tensor.type == .bf16 && !name.contains(".experts.") {
            #expect(try Conversions.bytes(name, of: target) == Conversions.bytes(name, of: source.packed.path))
        }
        #expect(try Checkpoint(.folder(target)).tensors.values.allSatisfy { $0.type != .i32 })
    }

    @Test(arguments: [nil, ConversionOptions.Format.bf16, .int8]) func ranksMerge(
        format: ConversionOptions.Format?
    ) throws {
        let (source, folder) = (try Self.sources(0), try TemporaryFolder())
        let (whole, split, merged) = (folder.path + "/whole", folder.path + "/split", folder.path + "/merged")
        var options = ConversionOptions(format: format)
        if format != nil { try Conversions.convert(source.packed.path, options, into: whole) }
        options.rankCount = 2
        try Conversions.convert(source.packed.path, options, into: split)
        for index in 0..<2 { _ = try Checkpoint(.folder(split), rank: Rank(index, of: 2)) }
        _ = try ConversionPlan(merging: ConversionSource(merging: split)).run(into: merged, threadCount: 2)
        #expect(try Conversions.files(merged) == Conversions.files(format == nil ? source.packed.path : whole))
    }

    /// All codes, in rows whose last word is not full, from every column at which a group begins.
    @Test(arguments: [4, 8]) func unpackingIsTheDefinitions(bits: Int) throws {
        let scaling = GroupScaling(bits: bits, groupSize: 32)
        var random = SeededRandom(seed: UInt64(bits))
        let width = 301
        var (words, scales, expected): ([UInt32], [Float], [Float]) = ([], [], [])
        for _ in 0..<5 {
            let codes = (0..<width).map { _ in Int8(Int(random.next() % UInt64(1 << bits)) + scaling.codes.lowerBound) }
            let own = (0..<scaling.groupCount(width)).map { _ in FP16.encode(Float(random.nextUnit())) }
            words += scaling.packed(codes)
            scales += own.map(FP16.decode)
            expected += scaling.dequantized(codes, scales: own)
        }
        words.withUnsafeBytes { raw in
            let slab = MatrixSlab(
                bytes: raw, type: .i32, rows: 7..<12, columns: 64..<64 + width, scales: scales,
                scaleColumns: scaling.groupCount(width), packing: scaling)
            var found = [Float](repeating: .nan, count: width)
            for row in slab.rows {
                for columns in slab.columnBlocks {
                    found.withUnsafeMutableBufferPointer { target in
                        slab.decode(
                            row: row, columns: columns, values: target.baseAddress!,
                            into: target.baseAddress! + columns.lowerBound - 64)
                    }
                }
                #expect(found == Array(expected[(row - 7) * width..<(row - 6) * width]))
            }
        }
    }
}
