/// BF16: the upper half of an FP32, so 8 bits of exponent and 7 of fraction.
public enum BF16 {
    /// The nearest BF16, ties to even; too large a value becomes infinity, a NaN stays one.
    @inlinable
    public static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        // Rounding would carry a NaN with a low payload to infinity: set the quiet bit instead.
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    /// The value, exactly.
    @inlinable
    public static func decode(_ code: UInt16) -> Float { Float(bitPattern: UInt32(code) << 16) }
}

/// FP16: IEEE 754 binary16, 5 bits of exponent and 10 of fraction; largest 65504, smallest 2⁻²⁴.
public enum FP16 {
    /// The nearest FP16, ties to even; 65520 and above become infinity, a NaN stays one.
    @inlinable
    public static func encode(_ value: Float) -> UInt16 { Float16(value).bitPattern }

    /// The value, exactly.
    @inlinable
    public static func decode(_ code: UInt16) -> Float { Float(Float16(bitPattern: code)) }
}
