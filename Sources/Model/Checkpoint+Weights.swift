import Checkpoint
import Kernels
import Numerics

extension Checkpoint: WeightSource {
    /// Most bytes of one read.
    private static let readByteCount = 16 << 20

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
        // Where each tensor's rows begin, and where the last one's end.
        let starts = tensors.reduce(into: [0]) { $0.append($0.last! + $1.shape[0]) }
        try executor.fill(codes.storage, pieceByteCount: pitchByteCount) { offset, bytes throws(ModelError) in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            let firstRow = offset / pitchByteCount
            let endRow = min(firstRow + bytes.count / pitchByteCount, codes.rows)
            var row = firstRow
            var index = (starts.firstIndex { $0 > firstRow } ?? tensors.count) - 1
            while row < endRow {
                if row == starts[index + 1] { index += 1 }
                // The rows of one tensor at a time, in one read where they need no padding; few enough for Ctrl-C.
                let info = tensors[index]
                let count = min(min(endRow, starts[index + 1]) - row, max(1, Self.readByteCount / rowByteCount))
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: bytes[(row - firstRow) * pitchByteCount..<(row - firstRow + count) * pitchByteCount])
                let source = (row - starts[index]) * rowByteCount
                if rowByteCount == pitchByteCount {
                    try readFinite(info, offset: source, into: target)
                } else {
                    let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: count * rowByteCount, alignment: 16)
                    defer { packed.deallocate() }
                    try readFinite(info, offset: source, into: packed)
                    for line in 0..<count {
                        let elements = packed[line * rowByteCount..<(line + 1) * rowByteCount]
                        UnsafeMutableRawBufferPointer(rebasing: target[(line * pitchByteCount)...]).copyMemory(
                            from: UnsafeRawBufferPointer(rebasing: elements))
                    }
                }
                try advance(count * rowByteCount)
                row += count
            }
        }
    }

    /// Reads part of a tensor and refuses NaN and infinity, naming the element.
    private func readFinite(
        _ info: TensorInfo, offset: Int, into bytes: UnsafeMutableRawBufferPointer
    ) throws(ModelError) {
        do throws(CheckpointError) { try read(info, offset: offset, into: bytes) } catch {
            throw .failed(error.description)
        }
        guard let bad = FiniteScan.firstNonFinite(info.type, in: UnsafeRawBufferPointer(bytes)) else { return }
        let index = offset / info.type.byteCount + bad
        let columns = info.shape.last ?? 1
        throw .failed(
            "\(info.name): expected finite weights, found NaN or infinity (\(info.type)) at [\(index / columns), \(index % columns)]: "
                + "the file is damaged; fetch it again")
    }
}
