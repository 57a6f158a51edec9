import GPU
import Numerics

/// A weight matrix as the checkpoint stores it: `[rows, columns]` in F32, BF16 or F16; in FP8 E4M3 with one scale for each
/// block of 128 × 128 elements (blocks of the last row and column may be smaller); or in packed integers with one scale for
/// each group of a row's elements.
///
/// A weight may hold several matrices of one shape, one after the other (an expert bank). `rows` then counts the rows of one
/// matrix, and blocks of scales begin anew with each.
public struct Weight: Sendable {
    public let format: WeightFormat
    /// `[matrixCount * rows, columns]`, or `[matrixCount * rows, words]` of packed integers. The pitch is a whole number of
    /// 16-byte chunks.
    public let codes: Tensor
    /// `[matrixCount * scaleRows, scalePitch]`, F32; only of FP8 and integers.
    public let scales: Tensor?
    public let rows: Int
    public let columns: Int
    public let matrixCount: Int

    /// - Parameter columns: columns of the matrix; packed integers have fewer words.
    public init(_ format: WeightFormat, codes: Tensor, scales: Tensor?, columns: Int, matrixCount: Int = 1) {
        self.format = format
        self.codes = codes
        self.scales = scales
        self.columns = columns
        self.matrixCount = matrixCount
        rows = codes.rows / matrixCount
        precondition(
            codes.rows % matrixCount == 0 && codes.type == format.codeType
                && codes.columns == format.codeCount(columns),
            "\(codes.label): \(codes.type) \(codes.shape) for \(matrixCount) matrices of \(columns) columns, \(format)")
        let scaleShape = format.scaleShape(rows: rows, columns: columns).map { [matrixCount * $0[0], $0[1]] }
        precondition(
            scales?.shape == scaleShape, "\(codes.label): scales \(scales?.shape ?? []), not \(scaleShape ?? [])")
        precondition(codes.pitch * codes.type.byteCount % 16 == 0, "\(codes.label): pitch \(codes.pitch)")
    }

    /// A weight that is not packed: the type of its elements is its format.
    public init(codes: Tensor, scales: Tensor?, matrixCount: Int = 1) {
        guard let format = WeightFormat(codes.type) else {
            preconditionFailure("\(codes.label): weights of \(codes.type)")
        }
        self.init(format, codes: codes, scales: scales, columns: codes.columns, matrixCount: matrixCount)
    }

    /// The part of the published name that differs between the weights of one layer: "q_b_proj".
    public var name: String {
        let parts = codes.label.split(separator: ".")
        return String((parts.last == "weight" ? parts.dropLast() : parts).last ?? "")
    }

    /// The shaders' constant FORMAT.
    public var formatConstant: UInt32 { format.constant }

    /// 16-byte chunks from one row to the next.
    public var chunkPitch: Int { codes.pitch * codes.type.byteCount / 16 }
    /// Rows of scales of one matrix, and scales in each of them. For a format without scales: the numbers for FP8.
    public var scaleRows: Int { scaleShape[0] }
    public var scalePitch: Int { scaleShape[1] }
    private var scaleShape: [Int] {
        format.scaleShape(rows: rows, columns: columns)
            ?? WeightFormat.fp8E4M3.scaleShape(rows: rows, columns: columns)!
    }
    /// Bytes that a product with one matrix reads.
    public var byteCount: Int {
        rows * codes.columns * codes.type.byteCount + (scales == nil ? 0 : scaleRows * scalePitch * 4)
    }

    /// The buffer for a shader's `scales`; without scales, a part of the codes, which the shader does not read.
    public var scalesView: BufferView { scales?.view ?? codes.rows(0..<1).view }

    /// Row `row` of matrix `matrix`, dequantised: w[i, j] = code[i, j] · (scale of the element's block or group).
    public func decodedRow(_ row: Int, matrix: Int = 0) -> [Float] {
        if case .integers(let scaling) = format { return decodedRow(row, matrix: matrix, scaling) }
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

    /// Cuts a range of rows into runs that each fit into one binding: a tensor may be larger than the device's limit.
    ///
    /// - Parameter limit: bytes of one binding.
    public func slabs(of rows: Range<Int>, limit: Int) -> [Range<Int>] {
        let rowByteCount = 16 * chunkPitch
        // Runs start at multiples of 16 rows, so at multiples of 256 bytes, as devices demand.
        let step = max(16, limit / rowByteCount / 16 * 16)
        return stride(from: rows.lowerBound, to: rows.upperBound, by: step).map { $0..<min($0 + step, rows.upperBound) }
    }
}
