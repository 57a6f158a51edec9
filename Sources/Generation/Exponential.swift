/// e^x for x ≤ 0, eight values at a time.
///
/// Sampling over a whole vocabulary needs 129,280 of these a token. The C library's take several times as long, and their last
/// bit differs from one library to the next, where the same seed is to give the same text.
enum Exponential {
    /// Replaces each value, at most 0, by its exponential: within 2 units in the last place; 0 below −708 and for −∞.
    static func replaceAll(_ values: inout [Double]) {
        values.withUnsafeMutableBytes { bytes in
            let stride = MemoryLayout<SIMD8<Double>>.size
            var offset = 0
            while offset + stride <= bytes.count {
                let lanes = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<Double>.self)
                bytes.storeBytes(of: exponential(lanes), toByteOffset: offset, as: SIMD8<Double>.self)
                offset += stride
            }
            while offset < bytes.count {
                let value = bytes.loadUnaligned(fromByteOffset: offset, as: Double.self)
                bytes.storeBytes(of: exponential(SIMD8(repeating: value))[0], toByteOffset: offset, as: Double.self)
                offset += MemoryLayout<Double>.size
            }
        }
    }

    /// e^x = 2ⁿ · eʳ with n = round(x / ln 2) and |r| ≤ ln 2 / 2, where e^r's series to r¹³/13! is exact to double precision.
    @inline(__always)
    private static func exponential(_ x: SIMD8<Double>) -> SIMD8<Double> {
        let isZero = x .< -708
        let x = x.replacing(with: -708, where: isZero)
        // Adding 1.5 · 2⁵² rounds to an integer and leaves it in the low bits.
        let shifter = 0x1.8p52
        let shifted = x * 1.442695040888963407 + shifter
        let n = shifted - shifter
        // ln 2 in two parts: the first has 32 bits, so that its product with n is exact.
        let r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
        var sum = r * (1.0 / 6_227_020_800) + 1.0 / 479_001_600
        sum = sum * r + 1.0 / 39_916_800
        sum = sum * r + 1.0 / 3_628_800
        sum = sum * r + 1.0 / 362_880
        sum = sum * r + 1.0 / 40_320
        sum = sum * r + 1.0 / 5_040
        sum = sum * r + 1.0 / 720
        sum = sum * r + 1.0 / 120
        sum = sum * r + 1.0 / 24
        sum = sum * r + 1.0 / 6
        sum = sum * r + 0.5
        sum = sum * r + 1
        sum = sum * r + 1
        let power = (unsafeBitCast(shifted, to: SIMD8<UInt64>.self) &+ 1023) &<< 52
        return (sum * unsafeBitCast(power, to: SIMD8<Double>.self)).replacing(with: 0, where: isZero)
    }
}
