import Numerics

/// Integer weights with a scale for each group, fast: the same codes, scales and words as `GroupScaling` makes.
enum GroupCodec {
    /// Quantises a slab whose columns are whole groups.
    ///
    /// - Parameters:
    ///   - packed: `[rows, wordCount · 4]` bytes.
    ///   - scales: `[rows, groupCount]`, FP16.
    static func quantize(
        _ slab: MatrixSlab, _ scaling: GroupScaling, values: UnsafePointer<Float>,
        packed: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<UInt16>
    ) throws(UnscalableWeight) -> RelativeError {
        var error = RelativeError()
        let (width, groupSize) = (slab.columns.count, scaling.groupSize)
        let row = UnsafeMutablePointer<Float>.allocate(capacity: width)
        // Codes of a word are packed eight bytes at a time: what lies beyond the last code is zero.
        let codes = UnsafeMutableRawPointer.allocate(byteCount: width + 8, alignment: 8)
        codes.initializeMemory(as: UInt8.self, repeating: 0, count: width + 8)
        defer {
            row.deallocate()
            codes.deallocate()
        }
        let blocks = slab.columnBlocks
        let (groupCount, rowByteCount) = (scaling.groupCount(width), 4 * scaling.wordCount(width))
        for index in 0..<slab.rows.count {
            let matrixRow = slab.rows.lowerBound + index
            for block in blocks {
                slab.decode(
                    row: matrixRow, columns: block, values: values,
                    into: row + block.lowerBound - slab.columns.lowerBound)
            }
            error.squares += sumOfSquares(row, count: width)
            for group in 0..<groupCount {
                let start = group * groupSize
                let count = min(groupSize, width - start)
                let largest = Float(bitPattern: largestMagnitude(row + start, count: count))
                guard let code = scaling.scaleCode(largest: largest) else {
                    let group = start..<start + count
                    let bad = group.first { !row[$0].isFinite } ?? group.first { abs(row[$0]) == largest } ?? start
                    throw UnscalableWeight(
                        row: matrixRow, column: slab.columns.lowerBound + bad, value: row[bad])
                }
                scales[index * groupCount + group] = code
                encode(
                    row + start, count: count, scale: FP16.decode(code), codes: scaling.codes,
                    into: (codes + start).assumingMemoryBound(to: UInt8.self))
            }
            error.differences += sumOfSquares(row, count: width)
            pack(codes, byteCount: rowByteCount, bits: scaling.bits, into: packed + index * rowByteCount)
        }
        return error
    }

    /// Codes as they are stored, counted from the least one; what is lost of the values takes their place.
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
            // Beside 1.5 · 2²³ FP32 rounds to whole numbers, which are then its lowest bits.
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
            // Eight bytes' low halves move together.
            var eight = codes.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
            eight = (eight | eight &>> 4) & 0x00FF_00FF_00FF_00FF
            eight = (eight | eight &>> 8) & 0x0000_FFFF_0000_FFFF
            eight |= eight &>> 16
            target.storeBytes(of: UInt32(truncatingIfNeeded: eight), toByteOffset: 4 * word, as: UInt32.self)
        }
    }
}
