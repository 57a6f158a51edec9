/// FP8 E4M3 (the "FN" form): a sign, 4 bits of exponent with bias 7, 3 of fraction. No infinities: 0x7F and 0xFF are NaN and
/// every other code is finite, up to 448. The smallest subnormal is 2⁻⁹.
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

    /// The value of one code, exactly. In a hot loop take `values` once and index that.
    public static func decode(_ code: UInt8) -> Float { values[Int(code)] }

    /// The nearest code, ties to even. Saturates: beyond ±448, infinities included, gives ±448. A NaN gives 0x7F or 0xFF.
    ///
    /// (PyTorch's conversion gives NaN beyond 464; quantisers scale so that neither case arises.)
    @inlinable
    public static func encode(_ value: Float) -> UInt8 {
        let sign = UInt8(truncatingIfNeeded: value.bitPattern >> 24) & 0x80
        let magnitude = value.magnitude
        if value.isNaN { return sign | 0x7F }
        if magnitude >= 448 { return sign | 0x7E }
        if magnitude < 0x1p-6 {
            // Subnormal: a multiple of 2⁻⁹. Rounding up to 8 gives the code of the smallest normal, as it should.
            return sign | UInt8((magnitude * 0x1p9).rounded(.toNearestOrEven))
        }
        let bits = magnitude.bitPattern
        // 20 of the 23 fraction bits go; a carry runs on into the exponent. FP32's bias 127 becomes 7.
        let rounded = (bits &+ 0x7FFFF &+ (bits >> 20 & 1)) >> 20
        return sign | UInt8(truncatingIfNeeded: rounded &- 120 << 3)
    }
}

/// E8M0: a scale that is a power of two, 2^(code − 127); 0xFF is NaN.
public enum E8M0 {
    /// The value, exactly (code 0 is the FP32 subnormal 2⁻¹²⁷).
    @inlinable
    public static func decode(_ code: UInt8) -> Float {
        switch code {
        case 0: 0x1p-127
        case 0xFF: .nan
        default: Float(bitPattern: UInt32(code) << 23)
        }
    }
}
