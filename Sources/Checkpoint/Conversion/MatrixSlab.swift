import Numerics

/// A range of rows and columns of a stored matrix, read into memory.
struct MatrixSlab {
    /// The slab's elements, row by row.
    let bytes: UnsafeRawBufferPointer
    let type: ElementType
    /// The slab's rows and columns within the matrix.
    let rows: Range<Int>
    let columns: Range<Int>
    /// For FP8, the block scales of the whole matrix; for packed integers, the scales of the slab's groups; else empty.
    var scales: [Float] = []
    /// Number of columns of `scales`.
    var scaleColumns = 0
    /// The packing of packed integers, whose columns begin at a group; nil for other types.
    var packing: GroupScaling?

    /// The columns, split at the edges of scale blocks.
    var columnBlocks: [Range<Int>] { Self.blocks(columns) }
    var rowBlocks: [Range<Int>] { Self.blocks(rows) }

    private static func blocks(_ range: Range<Int>) -> [Range<Int>] {
        let size = BlockScaling.blockSize
        var blocks: [Range<Int>] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, (start / size + 1) * size)
            blocks.append(start..<end)
            start = end
        }
        return blocks
    }

    func scale(row: Int, column: Int) -> Float {
        scales[row / BlockScaling.blockSize * scaleColumns + column / BlockScaling.blockSize]
    }

    /// The index of an element's first byte.
    func offset(row: Int, column: Int) -> Int {
        ((row - rows.lowerBound) * columns.count + column - columns.lowerBound) * type.byteCount
    }

    /// Decodes a part of a row to FP32. The part lies within one scale block and begins at the block's or the slab's
    /// edge.
    ///
    /// - Parameter values: `FP8E4M3.values`.
    func decode(row: Int, columns: Range<Int>, values: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        if let packing { return unpack(row: row, columns: columns, packing, into: target) }
        let start = bytes.baseAddress! + offset(row: row, column: columns.lowerBound)
        switch type {
        case .fp8E4M3:
            let scale = scale(row: row, column: columns.lowerBound)
            let codes = start.assumingMemoryBound(to: UInt8.self)
            for index in 0..<columns.count { target[index] = values[Int(codes[index])] * scale }
        case .bf16:
            for index in 0..<columns.count {
                target[index] = BF16.decode(start.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
            }
        case .f16:
            for index in 0..<columns.count {
                target[index] = FP16.decode(start.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
            }
        default:
            precondition(type == .f32, "a matrix of \(type)")
            for index in 0..<columns.count {
                target[index] = start.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
            }
        }
    }
}

extension MatrixSlab {
    /// Unpacks integers: code · scale, group by group.
    private func unpack(
        row: Int, columns: Range<Int>, _ packing: GroupScaling, into target: UnsafeMutablePointer<Float>
    ) {
        let (row, size) = (row - rows.lowerBound, packing.groupSize)
        let stored = bytes.baseAddress! + row * packing.wordCount(self.columns.count) * 4
        for start in stride(from: columns.lowerBound, to: columns.upperBound, by: size) {
            let place = start - self.columns.lowerBound
            let scale = scales[row * scaleColumns + place / size]
            let count = min(size, columns.upperBound - start)
            let codes = (stored + place * packing.bits / 8).assumingMemoryBound(to: UInt8.self)
            let values = target + (start - columns.lowerBound)
            guard packing.bits == 4 else {
                for index in 0..<count { values[index] = Float(Int32(codes[index]) &- 128) * scale }
                continue
            }
            for pair in 0..<count / 2 {
                values[2 * pair] = Float(Int32(codes[pair] & 15) &- 8) * scale
                values[2 * pair + 1] = Float(Int32(codes[pair] &>> 4) &- 8) * scale
            }
            if count % 2 == 1 { values[count - 1] = Float(Int32(codes[count / 2] & 15) &- 8) * scale }
        }
    }
}

/// The error of converted weights ŵ relative to the source's w: ‖w − ŵ‖ / ‖w‖.
public struct RelativeError: Sendable, Equatable {
    var differences = 0.0
    var squares = 0.0

    public init() {}

    public var value: Double { squares == 0 ? 0 : (differences / squares).squareRoot() }

    /// Adds the error of another part of the same tensor.
    public static func += (sum: inout RelativeError, part: RelativeError) {
        sum.differences += part.differences
        sum.squares += part.squares
    }
}

/// A weight that cannot be quantised because it is not finite or too large.
struct UnscalableWeight: Error {
    var row: Int
    var column: Int
    var value: Float
}
