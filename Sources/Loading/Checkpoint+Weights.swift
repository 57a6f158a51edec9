import Checkpoint
import Kernels
import Model
import Numerics
import Program

extension Checkpoint: WeightSource {
    /// The most bytes of one read, unless a row is longer: they fit a processor's own cache, and Ctrl-C takes effect soon.
    private static let partByteCount = 1 << 20

    func floats(_ slice: TensorSlice) throws(ModelError) -> [Float] {
        let type = slice.tensor.type
        var bytes = [UInt8](repeating: 0, count: slice.byteCount)
        var failure: ModelError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(ModelError) { try readFinite(slice, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes.withUnsafeBytes { raw in
            (0..<slice.elementCount).map { index in
                switch type {
                case .bf16: BF16.decode(raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
                case .f16: FP16.decode(raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
                case .e8m0: E8M0.decode(raw[index])
                // Matrix dimensions: FP32 represents them exactly.
                case .i64: Float(raw.loadUnaligned(fromByteOffset: index * 8, as: Int64.self))
                case .i32: Float(raw.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
                default: raw.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
                }
            }
        }
    }

    /// Reads the slices' rows to their padded places; padding is zero.
    func fill(
        _ codes: Tensor, with slices: [TensorSlice], in memory: any ModelMemory,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError) {
        let rowByteCount = codes.columns * codes.type.byteCount
        let pitchByteCount = codes.pitch * codes.type.byteCount
        precondition(slices.allSatisfy { $0.rowByteCount == rowByteCount }, "\(codes.label): rows of different widths")
        let mostRows = max(1, Self.partByteCount / rowByteCount)
        try memory.write(codes.storage, pieceByteCount: pitchByteCount) { offset, bytes throws(ModelError) in
            let firstRow = offset / pitchByteCount
            let rows = firstRow..<min(firstRow + bytes.count / pitchByteCount, codes.rows)
            let parts = RowPart.parts(of: rows, in: slices, mostRows: mostRows)
            zero(bytes[(rows.count * pitchByteCount)...])
            nonisolated(unsafe) let target = bytes
            try ParallelReads.run(
                partCount: parts.count, scratchByteCount: min(mostRows, rows.count) * rowByteCount
            ) { (index, scratch) throws(ModelError) in
                let part = parts[index]
                // Through scratch memory, which stays in the processor's cache for the check of the elements; reading a
                // device's memory back may be slow.
                let packed = UnsafeMutableRawBufferPointer(rebasing: scratch[..<(part.rowCount * rowByteCount)])
                try readFinite(slices[part.slice].rows(from: part.firstRow, count: part.rowCount), into: packed)
                let start = part.place * pitchByteCount
                copyRows(
                    packed, of: rowByteCount,
                    to: target[start..<start + part.rowCount * pitchByteCount], every: pitchByteCount)
                return packed.count
            } advance: { (byteCount) throws(ModelError) in
                try advance(byteCount)
            }
        }
    }

    /// Reads a slice and refuses NaN and infinity; the error names the element.
    private func readFinite(_ slice: TensorSlice, into bytes: UnsafeMutableRawBufferPointer) throws(ModelError) {
        let tensor = slice.tensor
        do throws(CheckpointError) { try read(slice, into: bytes) } catch {
            var error = error
            error.subject = "\(tensor.name): \(error.subject)"
            throw .checkpoint(error)
        }
        guard let bad = FiniteScan.firstNonFinite(tensor.type, in: UnsafeRawBufferPointer(bytes)) else { return }
        let (row, column) = bad.quotientAndRemainder(dividingBy: slice.columns.count)
        let index = (slice.rows.lowerBound + row) * tensor.matrix.columns + slice.columns.lowerBound + column
        let columns = tensor.shape.last ?? 1
        throw .checkpoint(
            CheckpointError(
                .damaged, tensor.name, expected: "finite weights",
                found: "NaN or infinity (\(tensor.type)) at [\(index / columns), \(index % columns)]",
                advice: "the file is damaged: download it again"))
    }
}

/// Some rows of one of several slices that stand below each other, to be read at once.
struct RowPart: Equatable {
    /// The slice's index.
    var slice: Int
    /// In the slice.
    var firstRow: Int
    var rowCount: Int
    /// Where the first row goes, counted in rows from the start of the memory that is read into.
    var place: Int

    /// The parts that make up `rows`, which count through the slices, in order.
    static func parts(of rows: Range<Int>, in slices: [TensorSlice], mostRows: Int) -> [RowPart] {
        var parts: [RowPart] = []
        var start = 0
        for (index, slice) in slices.enumerated() {
            let end = start + slice.rows.count
            let own = rows.clamped(to: start..<end)
            for row in stride(from: own.lowerBound, to: own.upperBound, by: mostRows) {
                parts.append(
                    RowPart(
                        slice: index, firstRow: row - start, rowCount: min(mostRows, own.upperBound - row),
                        place: row - rows.lowerBound))
            }
            start = end
        }
        return parts
    }
}

/// Copies adjacent rows to places `pitch` bytes apart, and writes zeros between them.
private func copyRows(
    _ rows: UnsafeMutableRawBufferPointer, of byteCount: Int, to target: Slice<UnsafeMutableRawBufferPointer>,
    every pitch: Int
) {
    if byteCount == pitch {
        return UnsafeMutableRawBufferPointer(rebasing: target).copyMemory(from: UnsafeRawBufferPointer(rows))
    }
    for (row, start) in stride(from: target.startIndex, to: target.endIndex, by: pitch).enumerated() {
        UnsafeMutableRawBufferPointer(rebasing: target[start..<start + byteCount]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: rows[row * byteCount..<(row + 1) * byteCount]))
        zero(target[start + byteCount..<start + pitch])
    }
}
