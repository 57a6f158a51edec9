/// Searches for infinities and NaN, which weights must not contain. Runs at memory speed, so that loading can check all
/// bytes.
public enum FiniteScan {
    /// The index of the first NaN (0x7F or 0xFF) among FP8 E4M3 codes, or nil.
    public static func firstNaN(inFP8 codes: UnsafeRawBufferPointer) -> Int? {
        // Without the sign bit, a NaN is 0x7F, the only value to which adding 1 sets bit 7. No byte carries into the
        // next.
        first(in: codes, width: 1) { (bits: UInt64) in
            ((bits & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x0101_0101_0101_0101) & 0x8080_8080_8080_8080
        }
    }

    /// The index of the first infinite or NaN element, or nil. `bytes` holds elements of `type` at any alignment.
    /// Returns nil for integer types.
    public static func firstNonFinite(_ type: ElementType, in bytes: UnsafeRawBufferPointer) -> Int? {
        // Adding 1 at the exponent's lowest bit, without the sign bit, sets the sign bit only if the exponent was all
        // ones.
        switch type {
        case .fp8E4M3: firstNaN(inFP8: bytes)
        case .bf16: first(in: bytes, width: 2) { allOnes($0, 0x7F80_7F80_7F80_7F80, 0x0080_0080_0080_0080) }
        case .f16: first(in: bytes, width: 2) { allOnes($0, 0x7C00_7C00_7C00_7C00, 0x0400_0400_0400_0400) }
        case .f32: first(in: bytes, width: 4) { allOnes($0, 0x7F80_0000_7F80_0000, 0x0080_0000_0080_0000) }
        case .f64: first(in: bytes, width: 8) { allOnes($0, 0x7FF0_0000_0000_0000, 0x0010_0000_0000_0000) }
        case .fp8E5M2: first(in: bytes, width: 1) { allOnes($0, 0x7C7C_7C7C_7C7C_7C7C, 0x0404_0404_0404_0404) }
        case .e8m0: bytes.firstIndex(of: 0xFF)
        case .i64, .i32, .i16, .i8, .u64, .u32, .u16, .u8, .bool: nil
        }
    }

    /// The number of infinite or NaN elements. Callers check with the faster `firstNonFinite` first.
    public static func nonFiniteCount(_ type: ElementType, in bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        var start = 0
        // The search restarts behind each bad element.
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let index = firstNonFinite(type, in: rest) else { break }
            count += 1
            start += (index + 1) * type.byteCount
        }
        return count
    }

    /// Whether all values are finite.
    public static func areFinite(_ values: [Float]) -> Bool {
        values.withUnsafeBytes { firstNonFinite(.f32, in: $0) } == nil
    }

    /// Sets a bit in each element of `bits` whose exponent is all ones, and no bit in other elements.
    @inline(__always)
    private static func allOnes(_ bits: UInt64, _ exponent: UInt64, _ lowest: UInt64) -> UInt64 {
        ((bits & exponent) &+ lowest) & ~exponent
    }

    /// The index of the first element, of `width` bytes, in which `bad` sets a bit. `bad` takes eight bytes at a time.
    @inline(__always)
    private static func first(
        in bytes: UnsafeRawBufferPointer, width: Int, _ bad: (UInt64) -> UInt64
    ) -> Int? {
        precondition(bytes.count % width == 0, "\(bytes.count) bytes are no whole number of \(width)-byte elements")
        let stride = 64
        var offset = 0
        // Eight words at a time without a branch, which the compiler turns into vector instructions.
        while offset + stride <= bytes.count {
            var any: UInt64 = 0
            for word in 0..<8 { any |= bad(bytes.loadUnaligned(fromByteOffset: offset + 8 * word, as: UInt64.self)) }
            if any != 0 { break }
            offset += stride
        }
        while offset < bytes.count {
            var word: UInt64 = 0
            for index in 0..<min(8, bytes.count - offset) { word |= UInt64(bytes[offset + index]) << (8 * index) }
            let found = bad(word)
            if found != 0 { return (offset + found.trailingZeroBitCount / 8) / width }
            offset += 8
        }
        return nil
    }
}
