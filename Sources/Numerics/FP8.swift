/// FP8 E4M3 (the "FN" variant): 1 sign bit, 4 exponent bits with bias 7, 3 fraction bits. It has no infinities: 0x7F
/// and 0xFF are NaN, all other codes are finite. The largest value is 448, the smallest subnormal 2⁻⁹.
public enum FP8E4M3 {
    public static let greatest: Float = 448

    /// All 256 values by code: (−1)^s · 2^(e−7) · (1 + m/8), or (−1)^s · 2⁻⁶ · m/8 where e = 0.
    public static let values: [Float] = (0..<256).map { code in
        let exponent = code >> 3 & 15
        let fraction = Float(code & 7) / 8
        guard code & 0x7F != 0x7F else { return .nan }
        let magnitude =
            exponent == 0
            ? Float(sign: .plus, exponent: -6, significand: fraction)
            : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction)
        return code < 128 ? magnitude : -magnitude
    }

    /// The exact value of one code. A hot loop should read `values` once and index it.
    public static func decode(_ code: UInt8) -> Float { values[Int(code)] }

    /// The nearest code, ties to even. Saturates: values beyond ±448 and infinities become ±448. NaN becomes 0x7F or
    /// 0xFF.
    ///
    /// (PyTorch's conversion gives NaN beyond 464. Quantisers choose scales for which neither occurs.)
    @inlinable
    public static func encode(_ value: Float) -> UInt8 {
        let sign = UInt8(truncatingIfNeeded: value.bitPattern >> 24) & 0x80
        let magnitude = value.magnitude
        if value.isNaN { return sign | 0x7F }
        if magnitude >= 448 { return sign | 0x7E }
        if magnitude < 0x1p-6 {
            // Subnormal: a multiple of 2⁻⁹. Rounding up to 8 correctly gives the code of the smallest normal number.
            return sign | UInt8((magnitude * 0x1p9).rounded(.toNearestOrEven))
        }
        let bits = magnitude.bitPattern
        // Rounds away 20 of the 23 fraction bits; a carry propagates into the exponent. FP32's bias 127 becomes 7.
        let rounded = (bits &+ 0x7FFFF &+ (bits >> 20 & 1)) >> 20
        return sign | UInt8(truncatingIfNeeded: rounded &- 120 << 3)
    }
}

/// E8M0, a format for scales: code c is 2^(c − 127); 0xFF is NaN.
public enum E8M0 {
    /// The exact value (code 0 is the FP32 subnormal 2⁻¹²⁷).
    @inlinable
    public static func decode(_ code: UInt8) -> Float {
        switch code {
        case 0: 0x1p-127
        case 0xFF: .nan
        default: Float(bitPattern: UInt32(code) << 23)
        }
    }
}
