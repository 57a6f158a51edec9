import Checkpoint
import Kernels
import Numerics

extension Checkpoint: WeightSource {
    /// Most bytes of one read, but for a longer row: they fit a processor's own cache, and Ctrl-C waits for no more.
    private static let partByteCount = 1 << 20

    func floats(_ tensor: TensorInfo) throws(ModelError) -> [Float] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        var failure: ModelError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(ModelError) { try readFinite(tensor, offset: 0, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes.withUnsafeBytes { raw in
            (0..<tensor.elementCount).map { index in
                switch tensor.type {
                case .bf16: BF16.decode(raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
                case .f16: FP16.decode(raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
                case .e8m0: E8M0.decode(raw[index])
                // Shapes, far below where FP32 skips integers.
                case .i64: Float(raw.loadUnaligned(fromByteOffset: index * 8, as: Int64.self))
                case .i32: Float(raw.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
                default: raw.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
                }
            }
        }
    }

    /// Reads the tensors' rows to their padded places; padding is zero.
    func fill(
        _ codes: Tensor, with tensors: [TensorInfo], on executor: Executor,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError) {
        let rowByteCount = codes.columns * codes.type.byteCount
        let pitchByteCount = codes.pitch * codes.type.byteCount
        let mostRows = max(1, Self.partByteCount / rowByteCount)
        try executor.fill(codes.storage, pieceByteCount: pitchByteCount) { offset, bytes throws(ModelError) in
            let firstRow = offset / pitchByteCount
            let rows = firstRow..<min(firstRow + bytes.count / pitchByteCount, codes.rows)
            let parts = RowPart.parts(of: rows, in: tensors, mostRows: mostRows)
            zero(bytes[(rows.count * pitchByteCount)...])
            nonisolated(unsafe) let target = bytes
            try ParallelReads.run(
                partCount: parts.count, scratchByteCount: min(mostRows, rows.count) * rowByteCount
            ) { (index, scratch) throws(ModelError) in
                let part = parts[index]
                // By way of memory that stays in the processor's cache: it is looked through there, and a device's
                // may be slow to read.
                let packed = UnsafeMutableRawBufferPointer(rebasing: scratch[..<(part.rowCount * rowByteCount)])
                try readFinite(tensors[part.tensor], offset: part.firstRow * rowByteCount, into: packed)
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

    /// Reads part of a tensor and refuses NaN and infinity, naming the element.
    private func readFinite(
        _ info: TensorInfo, offset: Int, into bytes: UnsafeMutableRawBufferPointer
    ) throws(ModelError) {
        do throws(CheckpointError) { try read(info, offset: offset, into: bytes) } catch {
            var error = error
            error.subject = "\(info.name): \(error.subject)"
            throw .checkpoint(error)
        }
        guard let bad = FiniteScan.firstNonFinite(info.type, in: UnsafeRawBufferPointer(bytes)) else { return }
        let index = offset / info.type.byteCount + bad
        let columns = info.shape.last ?? 1
        throw .checkpoint(
            CheckpointError(
                .damaged, info.name, expected: "finite weights",
                found: "NaN or infinity (\(info.type)) at [\(index / columns), \(index % columns)]",
                advice: "the file is damaged: download it again"))
    }
}

/// Rows of one of several tensors that stand on each other, to be read at once.
struct RowPart: Equatable {
    var tensor: Int
    /// In the tensor.
    var firstRow: Int
    var rowCount: Int
    /// Where the first goes, in rows from the start of what is read.
    var place: Int

    /// All of `rows`, which count through the tensors, in order.
    static func parts(of rows: Range<Int>, in tensors: [TensorInfo], mostRows: Int) -> [RowPart] {
        var parts: [RowPart] = []
        var start = 0
        for (index, tensor) in tensors.enumerated() {
            let end = start + tensor.shape[0]
            let own = rows.clamped(to: start..<end)
            for row in stride(from: own.lowerBound, to: own.upperBound, by: mostRows) {
                parts.append(
                    RowPart(
                        tensor: index, firstRow: row - start, rowCount: min(mostRows, own.upperBound - row),
                        place: row - rows.lowerBound))
            }
            start = end
        }
        return parts
    }
}

/// Puts rows that follow each other `pitch` bytes apart, and zeros between them.
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

private func zero(_ bytes: Slice<UnsafeMutableRawBufferPointer>) {
    UnsafeMutableRawBufferPointer(rebasing: bytes).initializeMemory(as: UInt8.self, repeating: 0)
}
