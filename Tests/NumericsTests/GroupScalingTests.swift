import Numerics
import Testing

@Suite struct GroupScalingTests {
    /// max|w| = 7.5 gives scale 1, so that each code is its value rounded to nearest, ties to even, and clamped to −8
    /// to 7.
    @Test func codesAreTheNearest() throws {
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        var row = [Float](repeating: 0, count: 40)
        row.replaceSubrange(0..<6, with: [7.5, -7.5, 2.5, -3.5, 0.49, 6.2])
        let (codes, scales) = try #require(scaling.quantized(row))
        #expect(Array(codes[..<6]) == [7, -8, 2, -4, 0, 6])
        #expect(scales == [FP16.encode(1), FP16.encode(1)] && codes.count == 40)
        #expect(Array(scaling.dequantized(codes, scales: scales)[..<6]) == [7, -8, 2, -4, 0, 6])
    }

    @Test func wordsHoldCodesFromTheLowestBitsUp() {
        let four = GroupScaling(bits: 4, groupSize: 32), eight = GroupScaling(bits: 8, groupSize: 128)
        #expect(four.packed([-8, -7, 7, 0, 1, 2, 3, 4, -1]) == [0xCBA9_8F10, 0x0000_0007])
        #expect(eight.packed([-128, -127, 127, 0, 1]) == [0x80FF_0100, 0x0000_0081])
    }

    @Test(arguments: [4, 8], [32, 64, 128]) func errorsAreHalfAStep(bits: Int, groupSize: Int) throws {
        let scaling = GroupScaling(bits: bits, groupSize: groupSize)
        var random = SeededRandom(seed: UInt64(bits * groupSize))
        for count in [1, 31, 128, 300] {
            let row = (0..<count).map { _ in random.nextNormal() }
            let (codes, scales) = try #require(scaling.quantized(row))
            #expect(scaling.unpacked(scaling.packed(codes), count: count) == codes)
            let again = scaling.dequantized(codes, scales: scales)
            for (index, (value, other)) in zip(row, again).enumerated() {
                // The largest positive value lies half a step beyond the largest code, and the scale is rounded to
                // FP16.
                #expect(abs(value - other) <= FP16.decode(scales[index / groupSize]) * (bits == 4 ? 0.51 : 0.57))
            }
        }
    }

    @Test func valuesThatHaveNoScaleAreRefused() {
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        #expect(scaling.quantized([1, .nan]) == nil && scaling.quantized([.infinity]) == nil)
        #expect(scaling.quantized([1e6]) == nil && scaling.quantized([1e-12]) != nil)
    }
}
