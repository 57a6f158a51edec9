/// Symmetric integer weights with one FP16 scale per group of columns: w[i, j] = code[i, j] · scale[i, ⌊j /
/// groupSize⌋]. Codes are signed integers of 4 or 8 bits.
///
/// The "pack-quantized" format of compressed-tensors stores three tensors: `weight_packed: [rows, ⌈columns · bits /
/// 32⌉]`, I32 words of 32 / bits codes each, the first in the lowest bits, every code stored as code + 2^(bits − 1);
/// `weight_scale: [rows, ⌈columns / groupSize⌉]`; `weight_shape: [2]`, the numbers of rows and columns. Source:
/// `pack_to_int32` and `calculate_qparams` of compressed-tensors; Kimi-K2-Thinking's experts (4 bits, groups of 32).
public struct GroupScaling: Hashable, Sendable {
    public let bits: Int
    public let groupSize: Int

    public init(bits: Int, groupSize: Int) {
        precondition(
            (bits == 4 || bits == 8) && [32, 64, 128].contains(groupSize), "\(bits) bits, groups of \(groupSize)")
        self.bits = bits
        self.groupSize = groupSize
    }

    public var codesPerWord: Int { 32 / bits }
    public var codes: ClosedRange<Int> { -(1 << (bits - 1))...(1 << (bits - 1)) - 1 }
    public func groupCount(_ columns: Int) -> Int { (columns + groupSize - 1) / groupSize }
    public func wordCount(_ columns: Int) -> Int { (columns + codesPerWord - 1) / codesPerWord }

    /// One row's codes and FP16 scales: scale = 2 · max|w| / (2^bits − 1) over a group, code = w / scale rounded to
    /// nearest, ties to even, and clamped to `codes`. A group of zeros has scale 1.
    ///
    /// - Returns: nil if a value is not finite or a scale exceeds the largest FP16.
    public func quantized(_ row: [Float]) -> (codes: [Int8], scales: [UInt16])? {
        var codes: [Int8] = []
        var scales: [UInt16] = []
        codes.reserveCapacity(row.count)
        for start in stride(from: 0, to: row.count, by: groupSize) {
            let group = row[start..<min(start + groupSize, row.count)]
            guard group.allSatisfy(\.isFinite), let code = scaleCode(largest: group.reduce(0) { max($0, abs($1)) })
            else {
                return nil
            }
            let scale = FP16.decode(code)
            scales.append(code)
            for value in group {
                let nearest = (value / scale).rounded(.toNearestOrEven)
                codes.append(Int8(min(max(nearest, Float(self.codes.lowerBound)), Float(self.codes.upperBound))))
            }
        }
        return (codes, scales)
    }

    /// The FP16 scale of a group whose largest magnitude is `largest`; nil if it is not finite or the scale exceeds
    /// FP16.
    public func scaleCode(largest: Float) -> UInt16? {
        if largest == 0 { return FP16.encode(1) }
        // A scale that would round to 0 becomes the smallest subnormal.
        let code = max(FP16.encode(largest / (Float(1 << bits - 1) / 2)), 1)
        return FP16.decode(code).isFinite ? code : nil
    }

    /// One row's codes packed into words; the unused high bits of the last word are 0.
    public func packed(_ codes: [Int8]) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: wordCount(codes.count))
        for (index, code) in codes.enumerated() {
            let stored = UInt32(Int(code) - self.codes.lowerBound)
            words[index / codesPerWord] |= stored << UInt32(index % codesPerWord * bits)
        }
        return words
    }

    /// The inverse of `packed`: one row's `count` codes.
    public func unpacked(_ words: [UInt32], count: Int) -> [Int8] {
        precondition(words.count == wordCount(count), "\(words.count) words for \(count) codes")
        let mask = UInt32(1 << bits - 1)
        return (0..<count).map { index in
            let stored = words[index / codesPerWord] >> UInt32(index % codesPerWord * bits) & mask
            return Int8(Int(stored) + codes.lowerBound)
        }
    }

    /// One row's weights, code · scale.
    public func dequantized(_ codes: [Int8], scales: [UInt16]) -> [Float] {
        codes.indices.map { Float(codes[$0]) * FP16.decode(scales[$0 / groupSize]) }
    }
}
