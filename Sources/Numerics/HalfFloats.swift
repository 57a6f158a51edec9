/// BF16: the upper half of an FP32, with 8 exponent bits and 7 fraction bits.
public enum BF16 {
    /// The nearest BF16, ties to even. Values that are too large become infinity; NaN stays NaN.
    @inlinable
    public static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        // Dropping the low bits would turn a NaN with a small payload into infinity: sets the quiet bit instead.
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    /// The exact value.
    @inlinable
    public static func decode(_ code: UInt16) -> Float { Float(bitPattern: UInt32(code) << 16) }
}

/// FP16: IEEE 754 binary16, with 5 exponent bits and 10 fraction bits. The largest value is 65504, the smallest
/// subnormal 2⁻²⁴.
public enum FP16 {
    /// The nearest FP16, ties to even. Magnitudes from 65520 on become infinity; NaN stays NaN.
    @inlinable
    public static func encode(_ value: Float) -> UInt16 { Float16(value).bitPattern }

    /// The exact value.
    @inlinable
    public static func decode(_ code: UInt16) -> Float { Float(Float16(bitPattern: code)) }
}
