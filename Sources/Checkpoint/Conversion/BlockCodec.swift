import Numerics

/// Fast conversion to FP8 blocks and to BF16. The results are bit-identical to the definitions in Numerics.
enum BlockCodec {
    /// Converts FP8 or packed integers to BF16: w = BF16(value(code) · scale), with the product in FP32, as DeepSeek's
    /// fp8_cast_bf16.py.
    ///
    /// - Parameters:
    ///   - values: `FP8E4M3.values`.
    ///   - target: receives the slab's elements, row by row.
    static func bf16(_ slab: MatrixSlab, values: UnsafePointer<Float>, into target: UnsafeMutablePointer<UInt16>) {
        if slab.packing != nil { return bf16(unpacking: slab, values: values, into: target) }
        // A block has 256 possible codes but 16384 elements: computes each product once.
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

    /// The same for packed integers: w = BF16(code · scale).
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

    /// The scale of a block: max|w| / 448, rounded up to a power of two if `powersOfTwo`; 1 for a block of zeros. Not
    /// below FP32's smallest normal number, since devices may flush subnormals to 0.
    static func scale(largest: Float, powersOfTwo: Bool) -> Float {
        if largest == 0 { return 1 }
        let scale = max(largest / FP8E4M3.greatest, .leastNormalMagnitude)
        guard powersOfTwo, scale.significandBitPattern != 0 else { return scale }
        return Float(sign: .plus, exponent: scale.exponent + 1, significand: 1)
    }

    /// Quantises to FP8: code = E4M3(w / scale), rounded to nearest, ties to even. The slab must begin and end at edges
    /// of blocks or of the matrix. Throws at a weight that is not finite.
    ///
    /// - Parameters:
    ///   - values: `FP8E4M3.values`.
    ///   - codes: receives the slab's elements, row by row.
    ///   - scales: receives the scales of the slab's blocks, row by row.
    /// - Returns: the quantisation error.
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

    /// Computes the codes of values / scale, without branches, so that the compiler vectorises the loop. Replaces each
    /// value by the error |value / scale| − |decoded code|.
    private static func encode(
        _ values: UnsafeMutablePointer<Float>, count: Int, scale: Float, into codes: UnsafeMutablePointer<UInt8>
    ) {
        for index in 0..<count {
            let value = values[index] / scale
            let bits = Int32(bitPattern: value.bitPattern & 0x7FFF_FFFF)
            let magnitude = bits < 0x43E0_0000 ? bits : 0x43E0_0000
            // Keeps three of the 23 fraction bits; a carry propagates into the exponent.
            let rounded = (magnitude &+ 0x7FFFF &+ (magnitude &>> 20 & 1)) &>> 20
            // Below 2⁻⁶, codes are multiples of 2⁻⁹. Adding 2¹⁴ makes FP32 round to a multiple of 2⁻⁹.
            let shifted = Float(bitPattern: UInt32(bitPattern: magnitude)) + 0x1p14
            let isSubnormal = magnitude < 0x3C80_0000
            let code = isSubnormal ? Int32(bitPattern: shifted.bitPattern) &- 0x4680_0000 : rounded &- 960
            let nearest = isSubnormal ? shifted - 0x1p14 : Float(bitPattern: UInt32(bitPattern: rounded &<< 20))
            codes[index] = UInt8(truncatingIfNeeded: code | Int32(bitPattern: value.bitPattern) &>> 24 & 0x80)
            values[index] = Float(bitPattern: UInt32(bitPattern: bits)) - nearest
        }
    }
}
