import Numerics
import Testing

@testable import Kernels

/// The reference of `QuantiseRows` against FP8's own encoder, where scales are powers of two and quotients exact.
struct QuantiseRowsTests {
    private func quantised(_ values: [Float], hasPowerOfTwoScales: Bool) throws -> [Float] {
        var bench = Workbench(on: nil, seed: 1)
        let kernel = QuantiseRows(
            x: try bench.tensor("x", [1, values.count], .floats(values)), y: try bench.output("y", [1, values.count]),
            hasPowerOfTwoScales: hasPowerOfTwoScales)
        kernel.reference()
        return kernel.y.decodedRow(0)
    }

    @Test(arguments: [Float(1), 1.75, 1.7500001, 3e5, 1e-3])
    func agreesWithTheEncoder(_ size: Float) throws {
        var random = SeededRandom(seed: 3)
        let values = (0..<128).map { $0 == 5 ? size : Float(random.nextUnit() * 2 - 1) * size }
        // The smallest power of two that brings the largest to 448 or below.
        var scale: Float = 0x1p-40
        while size / scale > 448 { scale *= 2 }
        let expected = values.map { FP8E4M3.decode(FP8E4M3.encode($0 / scale)) * scale }
        #expect(try quantised(values, hasPowerOfTwoScales: true) == expected)
    }

    @Test func tiesGoToEven() throws {
        let values = QuantiseRows.middlesAndLargest
        let expected = values.map { FP8E4M3.decode(FP8E4M3.encode($0)) }
        for hasPowerOfTwoScales in [false, true] {
            #expect(try quantised(values, hasPowerOfTwoScales: hasPowerOfTwoScales) == expected)
        }
        #expect(
            try quantised([448, 17, 19, -0x1p-10, 0x1.8p-9], hasPowerOfTwoScales: false) == [448, 16, 20, 0, 0x1p-8])
    }

    /// Each 128 columns have a scale of their own, and it does not fall below 10⁻⁴ / 448.
    @Test func blocksAreIndependentAndHaveALeastScale() throws {
        let values =
            Array(repeating: Float(1), count: 128) + [1000] + [1] + Array(repeating: Float(0), count: 126) + [1e-7]
        let found = try quantised(values, hasPowerOfTwoScales: false)
        #expect(abs(found[0] - 1) < 1e-6 && abs(found[128] - 1000) < 1e-3)
        // 1 is 0.448 of a block's 1000 / 448: between 0.4375 and 0.46875, nearer to the first.
        #expect(abs(found[129] - 0.4375 * 1000 / 448) < 1e-6)
        // 10⁻⁷ is 0.448 of 10⁻⁴ / 448.
        #expect(abs(found[256] - 0.4375e-4 / 448) < 1e-12)
    }

    @Test func whatIsNotFiniteStays() throws {
        for value in [Float.infinity, -.infinity, .nan] {
            let found = try quantised([1, value, 2], hasPowerOfTwoScales: true)
            #expect(found[1] == value || found[1].isNaN && value.isNaN)
        }
    }
}
