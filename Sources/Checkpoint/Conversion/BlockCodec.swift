import Numerics

/// FP8 blocks and BF16 from and to other formats, fast: the same bits as the definitions in Numerics give.
enum BlockCodec {
    /// w = BF16(value(code) · scale), the product in FP32, as DeepSeek's fp8_cast_bf16.py.
    ///
    /// - Parameter target: the slab's elements.
    static func bf16(_ slab: MatrixSlab, values: UnsafePointer<Float>, into target: UnsafeMutablePointer<UInt16>) {
        if slab.packing != nil { return bf16(unpacking: slab, values: values, into: target) }
        // A block has 256 codes and 16384 elements: its products are made once.
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 256) { table in
            for rows in slab.rowBlocks {
                for columns in slab.columnBlocks {
                    let scale = slab.scale(row: rows.lowerBound, column: columns.lowerBound)
                    for code in 0..<256 { table[code] = BF16.encode(values[code] * scale) }
                    let products = UnsafePointer(table.baseAddress!)
                    for row in rows {
                        let offset = slab.offset(row: row, column: columns.lowerBound)
                        let codes = (slab.bytes.baseAddress! + offset).assumingMemoryBound(to: UInt8.self)
                        let output = target + offset
                        for index in 0..<columns.count { output[index] = products[Int(codes[index])] }
                    }
                }
            }
        }
    }

    /// The same of packed integers: w = BF16(code · scale).
    private static func bf16(
        unpacking slab: MatrixSlab, values: UnsafePointer<Float>, into target: UnsafeMutablePointer<UInt16>
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: BlockScaling.blockSize) { weights in
            for (index, row) in slab.rows.enumerated() {
                for columns in slab.columnBlocks {
                    slab.decode(row: row, columns: columns, values: values, into: weights.baseAddress!)
                    let output = target + index * slab.columns.count + columns.lowerBound - slab.columns.lowerBound
                    for place in 0..<columns.count { output[place] = BF16.encode(weights[place]) }
                }
            }
        }
    }

    /// The scale of a block: max|w| / 448, where `powersOfTwo` rounded up to one. At least FP32's smallest normal number,
    /// which every device multiplies with; 1 for a block of zeros.
    static func scale(largest: Float, powersOfTwo: Bool) -> Float {
        if largest == 0 { return 1 }
        let scale = max(largest / FP8E4M3.greatest, .leastNormalMagnitude)
        guard powersOfTwo, scale.significandBitPattern != 0 else { return scale }
        return Float(sign: .plus, exponent: scale.exponent + 1, significand: 1)
    }

    /// code = E4M3(w / scale), to the nearest, ties to even. The slab begins and ends where blocks do, or the matrix.
    ///
    /// - Parameters:
    ///   - codes: the slab's elements.
    ///   - scales: the slab's blocks, row by row.
    static func fp8(
        _ slab: MatrixSlab, powersOfTwo: Bool, values: UnsafePointer<Float>,
        codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>
    ) throws(UnscalableWeight) -> RelativeError {
        var error = RelativeError()
        let tile = UnsafeMutablePointer<Float>.allocate(capacity: BlockScaling.blockSize * BlockScaling.blockSize)
        defer { tile.deallocate() }
        var block = 0
        for rows in slab.rowBlocks {
            for columns in slab.columnBlocks {
                for (index, row) in rows.enumerated() {
                    slab.decode(row: row, columns: columns, values: values, into: tile + index * columns.count)
                }
                let count = rows.count * columns.count
                let largest = largestMagnitude(tile, count: count)
                guard largest < Float.infinity.bitPattern else {
                    let bad = (0..<count).first { !tile[$0].isFinite } ?? 0
                    throw UnscalableWeight(
                        row: rows.lowerBound + bad / columns.count, column: columns.lowerBound + bad % columns.count,
                        value: tile[bad])
                }
                let scale = scale(largest: Float(bitPattern: largest), powersOfTwo: powersOfTwo)
                scales[block] = scale
                block += 1
                error.squares += sumOfSquares(tile, count: count)
                for (index, row) in rows.enumerated() {
                    let start = (row - slab.rows.lowerBound) * slab.columns.count + columns.lowerBound
                    encode(
                        tile + index * columns.count, count: columns.count, scale: scale,
                        into: codes + start - slab.columns.lowerBound)
                }
                error.differences += sumOfSquares(tile, count: count) * Double(scale) * Double(scale)
            }
        }
        return error
    }

    /// The codes of values / scale, without a branch, so that the compiler makes vector instructions of the loop. What is
    /// lost of values / scale takes the values' place.
    private static func encode(
        _ values: UnsafeMutablePointer<Float>, count: Int, scale: Float, into codes: UnsafeMutablePointer<UInt8>
    ) {
        for index in 0..<count {
            let value = values[index] / scale
            let bits = Int32(bitPattern: value.bitPattern & 0x7FFF_FFFF)
            let magnitude = bits < 0x43E0_0000 ? bits : 0x43E0_0000
            // Three of the 23 fraction bits stay; a carry runs on into the exponent.
            let rounded = (magnitude &+ 0x7FFFF &+ (magnitude &>> 20 & 1)) &>> 20
            // Below 2⁻⁶ a multiple of 2⁻⁹, which is what FP32 rounds to beside 2¹⁴.
            let shifted = Float(bitPattern: UInt32(bitPattern: magnitude)) + 0x1p14
            let isSubnormal = magnitude < 0x3C80_0000
            let code = isSubnormal ? Int32(bitPattern: shifted.bitPattern) &- 0x4680_0000 : rounded &- 960
            let nearest = isSubnormal ? shifted - 0x1p14 : Float(bitPattern: UInt32(bitPattern: rounded &<< 20))
            codes[index] = UInt8(truncatingIfNeeded: code | Int32(bitPattern: value.bitPattern) &>> 24 & 0x80)
            values[index] = Float(bitPattern: UInt32(bitPattern: bits)) - nearest
        }
    }
}
