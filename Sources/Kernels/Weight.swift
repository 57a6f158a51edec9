import GPU
import Numerics

/// A weight matrix as the checkpoint stores it: `[rows, columns]` in F32, BF16, F16 or FP8 E4M3 with one scale for each
/// 128 × 128 block (the last row and column of blocks ragged).
///
/// Several matrices of one shape may stand on each other (an expert bank): then `rows` counts one matrix's rows, and
/// each has its own ragged blocks.
public struct Weight: Sendable {
    /// `[matrixCount * rows, columns]`, rows padded with zeros to whole chunks of 16 bytes.
    public let codes: Tensor
    /// `[matrixCount * ⌈rows/128⌉, ⌈columns/128⌉]`, F32; only with FP8.
    public let scales: Tensor?
    public let rows: Int
    public let matrixCount: Int

    public init(codes: Tensor, scales: Tensor?, matrixCount: Int = 1) {
        precondition(
            codes.rows % matrixCount == 0 && (codes.type == .fp8E4M3) == (scales != nil),
            "\(codes.label): \(codes.type)")
        precondition(codes.pitch * codes.type.byteCount % 16 == 0, "\(codes.label): pitch \(codes.pitch)")
        self.codes = codes
        self.scales = scales
        self.matrixCount = matrixCount
        rows = codes.rows / matrixCount
    }

    public var columns: Int { codes.columns }
    /// The published name's part that tells the weights of a layer apart: "q_b_proj".
    public var name: String {
        let parts = codes.label.split(separator: ".")
        return String((parts.last == "weight" ? parts.dropLast() : parts).last ?? "")
    }

    /// The shaders' constant FORMAT.
    public var format: UInt32 {
        switch codes.type {
        case .f32: 0
        case .bf16: 1
        case .f16: 2
        case .fp8E4M3: 3
        default: preconditionFailure("\(codes.label): weights of \(codes.type)")
        }
    }

    /// Rows of 16-byte chunks are this many chunks apart.
    public var chunkPitch: Int { codes.pitch * codes.type.byteCount / 16 }
    public var scaleRows: Int { BlockScaling.blockCount(rows) }
    public var scalePitch: Int { BlockScaling.blockCount(columns) }
    /// Bytes that a product with one whole matrix reads.
    public var byteCount: Int {
        rows * columns * codes.type.byteCount + (scales == nil ? 0 : scaleRows * scalePitch * 4)
    }

    /// What the `scales` binding takes where there are none: any readable buffer.
    public var scalesView: BufferView { scales?.view ?? codes.rows(0..<1).view }

    /// Row `row` of matrix `matrix`, dequantised: `w[i, j] = code[i, j] · scale[i/128, j/128]`.
    public func decodedRow(_ row: Int, matrix: Int = 0) -> [Float] {
        var values = codes.decodedRow(matrix * rows + row)
        if let scales {
            let scaleRow = (matrix * scaleRows + row / 128) * scales.pitch
            for column in values.indices { values[column] *= scales.floats[scaleRow + column / 128] }
        }
        return values
    }

    /// Runs of rows, each small enough for one binding: a tensor may exceed what a device binds at once.
    public func slabs(of rows: Range<Int>, limit: Int) -> [Range<Int>] {
        let rowByteCount = codes.pitch * codes.type.byteCount
        // Slabs start at multiples of 16 rows, so at multiples of 256 bytes.
        let step = max(16, limit / rowByteCount / 16 * 16)
        return stride(from: rows.lowerBound, to: rows.upperBound, by: step).map { $0..<min($0 + step, rows.upperBound) }
    }
}
