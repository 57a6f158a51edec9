import GPU
import Numerics

/// A weight matrix as the checkpoint stores it: `[rows, columns]` in F32, BF16, F16, FP8 E4M3 with one scale for each
/// 128 × 128 block (the last row and column of blocks ragged), or integers with one for each group of a row.
///
/// Several matrices of one shape may stand on each other (an expert bank): then `rows` counts one matrix's rows, and
/// each has its own ragged blocks.
public struct Weight: Sendable {
    public let type: WeightFormat
    /// `[matrixCount * rows, columns]`, or `[matrixCount * rows, words]` of packed integers; rows padded to whole chunks of
    /// 16 bytes.
    public let codes: Tensor
    /// `[matrixCount * scaleRows, scalePitch]`, F32; only with FP8 and integers.
    public let scales: Tensor?
    public let rows: Int
    public let columns: Int
    public let matrixCount: Int

    /// - Parameter columns: of the matrix.
    public init(_ type: WeightFormat, codes: Tensor, scales: Tensor?, columns: Int, matrixCount: Int = 1) {
        self.type = type
        self.codes = codes
        self.scales = scales
        self.columns = columns
        self.matrixCount = matrixCount
        rows = codes.rows / matrixCount
        precondition(
            codes.rows % matrixCount == 0 && codes.type == type.codeType && codes.columns == type.codeCount(columns),
            "\(codes.label): \(codes.type) \(codes.shape) for \(matrixCount) matrices of \(columns) columns, \(type)")
        let scaleShape = type.scaleShape(rows: rows, columns: columns).map { [matrixCount * $0[0], $0[1]] }
        precondition(
            scales?.shape == scaleShape, "\(codes.label): scales \(scales?.shape ?? []), not \(scaleShape ?? [])")
        precondition(codes.pitch * codes.type.byteCount % 16 == 0, "\(codes.label): pitch \(codes.pitch)")
    }

    /// What is not packed: the elements' type is the format.
    public init(codes: Tensor, scales: Tensor?, matrixCount: Int = 1) {
        guard let type = WeightFormat(codes.type) else {
            preconditionFailure("\(codes.label): weights of \(codes.type)")
        }
        self.init(type, codes: codes, scales: scales, columns: codes.columns, matrixCount: matrixCount)
    }

    /// The published name's part that tells the weights of a layer apart: "q_b_proj".
    public var name: String {
        let parts = codes.label.split(separator: ".")
        return String((parts.last == "weight" ? parts.dropLast() : parts).last ?? "")
    }

    /// The shaders' constant FORMAT.
    public var format: UInt32 { type.constant }

    /// Rows of 16-byte chunks are this many chunks apart.
    public var chunkPitch: Int { codes.pitch * codes.type.byteCount / 16 }
    /// Rows of scales of a matrix, and scales of such a row; without any, those of FP8.
    public var scaleRows: Int { scaleShape[0] }
    public var scalePitch: Int { scaleShape[1] }
    private var scaleShape: [Int] {
        type.scaleShape(rows: rows, columns: columns) ?? WeightFormat.fp8E4M3.scaleShape(rows: rows, columns: columns)!
    }
    /// Bytes that a product with one whole matrix reads.
    public var byteCount: Int {
        rows * codes.columns * codes.type.byteCount + (scales == nil ? 0 : scaleRows * scalePitch * 4)
    }

    /// What the `scales` binding takes where there are none: any readable buffer.
    public var scalesView: BufferView { scales?.view ?? codes.rows(0..<1).view }

    /// Row `row` of matrix `matrix`, dequantised: `w[i, j] = code[i, j] · scale`, that of its block or group.
    public func decodedRow(_ row: Int, matrix: Int = 0) -> [Float] {
        if case .integers(let scaling) = type { return decodedRow(row, matrix: matrix, scaling) }
        var values = codes.decodedRow(matrix * rows + row)
        if let scales {
            let scaleRow = (matrix * scaleRows + row / 128) * scales.pitch
            for column in values.indices { values[column] *= scales.floats[scaleRow + column / 128] }
        }
        return values
    }

    private func decodedRow(_ row: Int, matrix: Int, _ scaling: GroupScaling) -> [Float] {
        let words = codes.words + (matrix * rows + row) * codes.pitch
        let rowScales = scales!.floats + (matrix * rows + row) * scales!.pitch
        let codes = scaling.unpacked((0..<codes.columns).map { words[$0] }, count: columns)
        return codes.indices.map { Float(codes[$0]) * rowScales[$0 / scaling.groupSize] }
    }

    /// Runs of rows, each small enough for one binding: a tensor may exceed what a device binds at once.
    public func slabs(of rows: Range<Int>, limit: Int) -> [Range<Int>] {
        let rowByteCount = 16 * chunkPitch
        // Slabs start at multiples of 16 rows, so at multiples of 256 bytes.
        let step = max(16, limit / rowByteCount / 16 * 16)
        return stride(from: rows.lowerBound, to: rows.upperBound, by: step).map { $0..<min($0 + step, rows.upperBound) }
    }
}
