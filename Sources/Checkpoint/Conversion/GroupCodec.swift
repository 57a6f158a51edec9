import Numerics

/// Fast quantisation to packed integers. Codes, scales and words equal the results of `GroupScaling`.
enum GroupCodec {
    /// Quantises a slab whose columns begin at a group. Throws at a weight that is not finite or too large for a scale.
    ///
    /// - Parameters:
    ///   - values: `FP8E4M3.values`.
    ///   - packed: receives `[rows, wordCount · 4]` bytes.
    ///   - scales: receives `[rows, groupCount]`, FP16.
    /// - Returns: the quantisation error.
    static func quantize(
        _ slab: MatrixSlab, _ scaling: GroupScaling, values: UnsafePointer<Float>,
        packed: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<UInt16>
    ) throws(UnscalableWeight) -> RelativeError {
        var error = RelativeError()
        let (width, groupSize) = (slab.columns.count, scaling.groupSize)
        let weights = UnsafeMutablePointer<Float>.allocate(capacity: BlockScaling.blockSize)
        // Packing reads eight codes at a time; the bytes beyond the last code are 0.
        let codes = UnsafeMutableRawPointer.allocate(byteCount: width + 8, alignment: 8)
        codes.initializeMemory(as: UInt8.self, repeating: 0, count: width + 8)
        defer {
            weights.deallocate()
            codes.deallocate()
        }
        let blocks = slab.columnBlocks
        let (groupCount, rowByteCount) = (scaling.groupCount(width), 4 * scaling.wordCount(width))
        let divisor = Float(scaling.codes.count - 1) / 2
        for index in 0..<slab.rows.count {
            let row = slab.rows.lowerBound + index
            var (magnitudes, lost) = (Magnitudes(), Magnitudes())
            for block in blocks {
                slab.decode(row: row, columns: block, values: values, into: weights)
                let first = block.lowerBound - slab.columns.lowerBound
                for start in stride(from: 0, to: block.count, by: groupSize) {
                    let group = weights + start
                    let count = min(groupSize, block.count - start)
                    magnitudes.add(group, count: count)
                    let largest = magnitudes.takeLargest()
                    guard let (code, scale) = scale(largest: largest, scaling, divisor) else {
                        let bad = (0..<count).first { abs(group[$0]) == largest } ?? 0
                        throw UnscalableWeight(row: row, column: block.lowerBound + start + bad, value: group[bad])
                    }
                    scales[index * groupCount + (first + start) / groupSize] = code
                    encode(
                        group, count: count, scale: scale, codes: scaling.codes,
                        into: (codes + first + start).assumingMemoryBound(to: UInt8.self))
                }
                lost.add(weights, count: block.count)
            }
            // Only NaN makes this sum not finite: infinities have been refused above, and weights with a scale have
            // finite squares.
            guard magnitudes.squares.isFinite else { throw firstNaN(slab, row: row, values: values, weights) }
            error.squares += magnitudes.squares
            error.differences += lost.squares
            pack(codes, byteCount: rowByteCount, bits: scaling.bits, into: packed + index * rowByteCount)
        }
        return error
    }

    private static func firstNaN(
        _ slab: MatrixSlab, row: Int, values: UnsafePointer<Float>, _ weights: UnsafeMutablePointer<Float>
    ) -> UnscalableWeight {
        for block in slab.columnBlocks {
            slab.decode(row: row, columns: block, values: values, into: weights)
            for index in 0..<block.count where weights[index].isNaN {
                return UnscalableWeight(row: row, column: block.lowerBound + index, value: weights[index])
            }
        }
        preconditionFailure("no NaN in row \(row)")
    }

    /// `GroupScaling.scaleCode` and its value. In FP16's normal range avoids the library's conversions, which took 20%
    /// of the time for groups of 32.
    static func scale(
        largest: Float, _ scaling: GroupScaling, _ divisor: Float
    ) -> (code: UInt16, value: Float)? {
        let exact = largest / divisor
        guard exact >= 0x1p-14, exact < 65504 else {
            return scaling.scaleCode(largest: largest).map { ($0, FP16.decode($0)) }
        }
        // Keeps ten of the 23 fraction bits; a carry propagates into the exponent. FP32's bias 127 becomes 15.
        let rounded = (exact.bitPattern &+ 0xFFF &+ (exact.bitPattern &>> 13 & 1)) &>> 13
        return (UInt16(truncatingIfNeeded: rounded &- 112 << 10), Float(bitPattern: rounded &<< 13))
    }

    /// Computes codes as stored, that is minus the least code. Replaces each value by its error, value − code · scale.
    private static func encode(
        _ values: UnsafeMutablePointer<Float>, count: Int, scale: Float, codes: ClosedRange<Int>,
        into stored: UnsafeMutablePointer<UInt8>
    ) {
        let (least, greatest) = (Float(codes.lowerBound), Float(codes.upperBound))
        let offset = Int32(codes.lowerBound)
        for index in 0..<count {
            let value = values[index] / scale
            let above = value < least ? least : value
            let clamped = above > greatest ? greatest : above
            // Adding 1.5 · 2²³ makes FP32 round to an integer, which is then in the lowest bits.
            let shifted = clamped + 0x1.8p23
            let code = Int32(bitPattern: shifted.bitPattern) &- 0x4B40_0000
            stored[index] = UInt8(truncatingIfNeeded: code &- offset)
            values[index] -= (shifted - 0x1.8p23) * scale
        }
    }

    private static func pack(
        _ codes: UnsafeRawPointer, byteCount: Int, bits: Int, into packed: UnsafeMutablePointer<UInt8>
    ) {
        let target = UnsafeMutableRawPointer(packed)
        guard bits == 4 else { return target.copyMemory(from: codes, byteCount: byteCount) }
        for word in 0..<byteCount / 4 {
            // Joins the low halves of eight bytes.
            var eight = codes.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
            eight = (eight | eight &>> 4) & 0x00FF_00FF_00FF_00FF
            eight = (eight | eight &>> 8) & 0x0000_FFFF_0000_FFFF
            eight |= eight &>> 16
            target.storeBytes(of: UInt32(truncatingIfNeeded: eight), toByteOffset: 4 * word, as: UInt32.self)
        }
    }
}
