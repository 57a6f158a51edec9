import FixtureSupport
import Foundation
import Numerics
import Testing

@testable import Checkpoint

/// Compares the converter's fast loops, bit for bit, with PyTorch and compressed-tensors
/// (Tools/oracle/make_conversions.py) and with the definitions in Numerics.
@Suite struct ConversionCodecTests {
    private static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures").path
    private static let values = FP8E4M3.values

    private let file: SafetensorsFile

    init() throws { file = try SafetensorsFile(.folder(Self.fixture), "conversions.safetensors") }

    private func bytes(_ name: String) throws -> [UInt8] { try file.bytes(try #require(file[name])) }

    private func words<Word: FixedWidthInteger>(_ name: String, as type: Word.Type) throws -> [Word] {
        try bytes(name).withUnsafeBytes { raw in
            (0..<raw.count / (Word.bitWidth / 8)).map {
                raw.loadUnaligned(fromByteOffset: $0 * Word.bitWidth / 8, as: Word.self)
            }
        }
    }

    /// Calls `body` with some rows of a stored matrix.
    private func slab<Result>(
        _ name: String, scales: [Float] = [], rows: Range<Int>? = nil, _ body: (MatrixSlab) throws -> Result
    ) throws -> Result {
        let info = try #require(file[name])
        let (rowCount, columns) = info.matrix
        let rows = rows ?? 0..<rowCount
        let bytes = try bytes(name)
        return try bytes.withUnsafeBytes { raw in
            let size = columns * info.type.byteCount
            return try body(
                MatrixSlab(
                    bytes: UnsafeRawBufferPointer(rebasing: raw[rows.lowerBound * size..<rows.upperBound * size]),
                    type: info.type, rows: rows, columns: 0..<columns, scales: scales,
                    scaleColumns: BlockScaling.blockCount(columns)))
        }
    }

    // MARK: PyTorch and compressed-tensors

    /// All codes, with ordinary scales and with scales that give subnormals, infinities and NaN; the shape has ragged
    /// blocks.
    @Test(arguments: ["edges", "plain"])
    func bf16IsPyTorchs(name: String) throws {
        let scales = try words(name + ".scales", as: UInt32.self).map(Float.init(bitPattern:))
        let expected = try words(name + ".bf16", as: UInt16.self)
        let rowCount = try #require(file[name + ".codes"]).shape[0]
        for rows in [0..<rowCount, 1..<rowCount, rowCount - 2..<rowCount] {
            var found = [UInt16](repeating: 0, count: expected.count / rowCount * rows.count)
            try slab(name + ".codes", scales: scales, rows: rows) { slab in
                Self.values.withUnsafeBufferPointer { values in
                    found.withUnsafeMutableBufferPointer {
                        BlockCodec.bf16(slab, values: values.baseAddress!, into: $0.baseAddress!)
                    }
                }
            }
            let start = rows.lowerBound * (expected.count / rowCount)
            for (index, code) in found.enumerated() {
                let other = expected[start + index]
                // The bits of a NaN depend on PyTorch's code path.
                let areNaN = BF16.decode(code).isNaN && BF16.decode(other).isNaN
                #expect(code == other || areNaN, "\(name)[\(start + index)]: \(code) instead of \(other)")
            }
        }
    }

    @Test(arguments: [(false, "fp8"), (true, "fp8_ue8m0")])
    func fp8IsPyTorchs(powersOfTwo: Bool, suffix: String) throws {
        let expected = try bytes("blocks." + suffix)
        let expectedScales = try words("blocks.\(suffix)_scales", as: UInt32.self)
        let (codes, scales, error) = try slab("blocks.weight") { try fp8($0, powersOfTwo: powersOfTwo) }
        #expect(scales.map(\.bitPattern) == expectedScales)
        for index in codes.indices where codes[index] != expected[index] {
            Issue.record("[\(index / 320), \(index % 320)]: \(codes[index]) instead of \(expected[index])")
        }
        #expect(error.value > 0.001 && error.value < 0.05)
        // The second row of blocks only.
        let (lower, lowerScales, _) = try slab("blocks.weight", rows: 128..<130) {
            try fp8($0, powersOfTwo: powersOfTwo)
        }
        #expect(lower == Array(expected[(128 * 320)...]))
        #expect(lowerScales.map(\.bitPattern) == Array(expectedScales[3...]))
    }

    @Test(arguments: [4, 8], [32, 64, 128])
    func integersAreCompressedTensors(bits: Int, groupSize: Int) throws {
        let name = "groups.int\(bits)_\(groupSize)"
        let scaling = GroupScaling(bits: bits, groupSize: groupSize)
        let (packed, scales, error) = try slab("groups.weight") { try integers($0, scaling) }
        #expect(try scales == words(name + "_scale", as: UInt16.self))
        #expect(try packed == bytes(name))
        #expect(error.value > 0 && error.value < (bits == 4 ? 0.12 : 0.01))
    }

    // MARK: The definitions

    private func fp8(_ slab: MatrixSlab, powersOfTwo: Bool) throws -> ([UInt8], [Float], RelativeError) {
        var codes = [UInt8](repeating: 0, count: slab.rows.count * slab.columns.count)
        var scales = [Float](repeating: 0, count: slab.rowBlocks.count * slab.columnBlocks.count)
        var result = RelativeError()
        try Self.values.withUnsafeBufferPointer { values in
            try codes.withUnsafeMutableBufferPointer { codes in
                try scales.withUnsafeMutableBufferPointer { scales in
                    result = try BlockCodec.fp8(
                        slab, powersOfTwo: powersOfTwo, values: values.baseAddress!, codes: codes.baseAddress!,
                        scales: scales.baseAddress!)
                }
            }
        }
        return (codes, scales, result)
    }

    private func integers(_ slab: MatrixSlab, _ scaling: GroupScaling) throws -> ([UInt8], [UInt16], RelativeError) {
        let (rows, columns) = (slab.rows.count, slab.columns.count)
        var packed = [UInt8](repeating: 0xAA, count: rows * scaling.wordCount(columns) * 4)
        var scales = [UInt16](repeating: 0, count: rows * scaling.groupCount(columns))
        var result = RelativeError()
        try Self.values.withUnsafeBufferPointer { values in
            try packed.withUnsafeMutableBufferPointer { packed in
                try scales.withUnsafeMutableBufferPointer { scales in
                    result = try GroupCodec.quantize(
                        slab, scaling, values: values.baseAddress!, packed: packed.baseAddress!,
                        scales: scales.baseAddress!)
                }
            }
        }
        return (packed, scales, result)
    }

    /// A random FP32 matrix whose magnitudes span many powers of two.
    private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> [Float] {
        var random = SeededRandom(seed: seed)
        return (0..<rows * columns).map { _ in
            random.nextNormal() * Float(sign: .plus, exponent: Int(random.next() % 16) - 12, significand: 1)
        }
    }

    @Test(arguments: [(1, 1), (3, 130), (129, 31), (256, 257)])
    func fp8IsTheNearest(rows: Int, columns: Int) throws {
        let weights = random(rows, columns, seed: UInt64(rows))
        try weights.withUnsafeBytes { raw in
            let slab = MatrixSlab(bytes: raw, type: .f32, rows: 0..<rows, columns: 0..<columns)
            let (codes, scales, error) = try fp8(slab, powersOfTwo: false)
            var differences = 0.0
            var squares = 0.0
            for (index, weight) in weights.enumerated() {
                let block = index / columns / 128 * BlockScaling.blockCount(columns) + index % columns / 128
                #expect(codes[index] == FP8E4M3.encode(weight / scales[block]), "\(index)")
                let difference = Double(weight) - Double(FP8E4M3.decode(codes[index])) * Double(scales[block])
                differences += difference * difference
                squares += Double(weight) * Double(weight)
            }
            #expect(abs(error.value - (differences / squares).squareRoot()) < 1e-5)
        }
    }

    @Test(arguments: [4, 8], [(1, 1), (2, 31), (3, 200), (5, 384)])
    func integersAreTheNearest(bits: Int, shape: (Int, Int)) throws {
        let (rows, columns) = shape
        let scaling = GroupScaling(bits: bits, groupSize: 64)
        let weights = random(rows, columns, seed: UInt64(columns))
        try weights.withUnsafeBytes { raw in
            let slab = MatrixSlab(bytes: raw, type: .f32, rows: 0..<rows, columns: 0..<columns)
            let (packed, scales, error) = try integers(slab, scaling)
            var words: [UInt32] = []
            var expectedScales: [UInt16] = []
            var found: [Float] = []
            for row in 0..<rows {
                let (codes, own) = try #require(
                    scaling.quantized(Array(weights[row * columns..<(row + 1) * columns])))
                words += scaling.packed(codes)
                expectedScales += own
                found += scaling.dequantized(codes, scales: own)
            }
            #expect(packed == words.withUnsafeBytes { Array($0) })
            #expect(scales == expectedScales)
            let difference = zip(weights, found).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
            let squares = weights.reduce(0.0) { $0 + Double($1) * Double($1) }
            #expect(abs(error.value - (difference / squares).squareRoot()) < 1e-5)
        }
    }

    /// Values near every FP16 scale and near the midpoints between scales.
    @Test(arguments: [4, 8]) func groupScalesAreTheDefinitions(bits: Int) {
        let scaling = GroupScaling(bits: bits, groupSize: 32)
        let divisor = Float(scaling.codes.count - 1) / 2
        for code in UInt16(0)...0x7C01 {
            let (value, next) = (FP16.decode(code), FP16.decode(code + 1))
            for exact in [value, (value + next) / 2] where exact.isFinite {
                for largest in [(exact * divisor).nextDown, exact * divisor, (exact * divisor).nextUp]
                where largest >= 0 {
                    let found = GroupCodec.scale(largest: largest, scaling, divisor)
                    let expected = scaling.scaleCode(largest: largest)
                    #expect(found?.code == expected && found?.value == expected.map(FP16.decode), "\(largest)")
                }
            }
        }
    }

    /// Magnitudes whose squares exceed FP32's range.
    @Test func largeWeightsHaveAnError() throws {
        var weights = random(2, 200, seed: 9)
        weights[131] = 1e25
        try weights.withUnsafeBytes { raw in
            let slab = MatrixSlab(bytes: raw, type: .f32, rows: 0..<2, columns: 0..<200)
            let (_, _, error) = try fp8(slab, powersOfTwo: false)
            #expect(error.value > 0 && error.value < 1e-3)
            let bad = try #require(throws: UnscalableWeight.self) {
                try integers(slab, GroupScaling(bits: 4, groupSize: 64))
            }
            #expect(bad.column == 131)
        }
    }

    /// FP8 is converted to integers from code · scale in FP32.
    @Test func integersOfFP8() throws {
        var random = SeededRandom(seed: 3)
        let codes = (0..<130 * 256).map { _ in UInt8(truncatingIfNeeded: random.next()) & 0xF7 }
        let scales = (0..<4).map { _ in Float(random.nextUnit()) }
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        try codes.withUnsafeBytes { raw in
            let weights = BlockScaling.dequantized(codes: raw, scales: scales, rows: 130, columns: 256)
            let slab = MatrixSlab(
                bytes: UnsafeRawBufferPointer(rebasing: raw[(127 * 256)...]), type: .fp8E4M3, rows: 127..<130,
                columns: 0..<256, scales: scales, scaleColumns: 2)
            let (packed, _, _) = try integers(slab, scaling)
            let expected = try (127..<130).flatMap { row in
                scaling.packed(try #require(scaling.quantized(Array(weights[row * 256..<(row + 1) * 256]))).codes)
            }
            #expect(packed == expected.withUnsafeBytes { Array($0) })
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 131])
    func weightsThatAreNotFiniteAreNamed(value: Float, column: Int) throws {
        var weights = random(130, 140, seed: 1)
        weights[129 * 140 + column] = value
        try weights.withUnsafeBytes { raw in
            let slab = MatrixSlab(bytes: raw, type: .f32, rows: 0..<130, columns: 0..<140)
            for convert in [
                { _ = try fp8(slab, powersOfTwo: false) },
                { _ = try integers(slab, GroupScaling(bits: 4, groupSize: 32)) },
            ] {
                let bad = try #require(throws: UnscalableWeight.self) { try convert() }
                #expect(bad.row == 129 && bad.column == column)
            }
        }
    }
}
