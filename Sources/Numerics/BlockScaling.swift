/// DeepSeek's FP8 weights: one scale for each block of 128 × 128. Blocks at the right and lower edges may be smaller.
public enum BlockScaling {
    /// Rows and columns of a block.
    public static let blockSize = 128

    /// Number of blocks that cover `count` rows or columns: ⌈count / 128⌉.
    @inlinable
    public static func blockCount(_ count: Int) -> Int { (count + blockSize - 1) / blockSize }

    /// w[i, j] = value(codes[i, j]) · scales[⌊i / 128⌋, ⌊j / 128⌋], in plain loops, as a reference for the kernels.
    ///
    /// - Parameters:
    ///   - codes: `[rows, columns]`, FP8 E4M3.
    ///   - scales: `[⌈rows/128⌉, ⌈columns/128⌉]`, a checkpoint's `weight_scale_inv`.
    /// - Returns: `[rows, columns]`. Traps if a count does not match the shape.
    public static func dequantized(
        codes: UnsafeRawBufferPointer, scales: [Float], rows: Int, columns: Int
    ) -> [Float] {
        precondition(codes.count == rows * columns, "\(codes.count) codes for [\(rows), \(columns)]")
        let scaleColumns = blockCount(columns)
        precondition(
            scales.count == blockCount(rows) * scaleColumns, "\(scales.count) scales for [\(rows), \(columns)]")
        let values = FP8E4M3.values
        return [Float](unsafeUninitializedCapacity: rows * columns) { weights, count in
            for row in 0..<rows {
                for column in 0..<columns {
                    let scale = scales[row / blockSize * scaleColumns + column / blockSize]
                    let index = row * columns + column
                    weights.initializeElement(at: index, to: values[Int(codes[index])] * scale)
                }
            }
            count = rows * columns
        }
    }
}
