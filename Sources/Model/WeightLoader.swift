import Checkpoint
import Kernels
import Numerics

/// Brings a checkpoint's tensors to where the kernels read them, checking every value on the way.
struct WeightLoader {
    let checkpoint: Checkpoint
    let executor: Executor
    /// Told after each read; false stops the loading.
    let progress: (LoadProgress) -> Bool
    /// Most bytes of one read.
    private static let readByteCount = 16 << 20
    /// Bytes that the model takes of the checkpoint: all, but for copies and a module that is left out.
    private let totalByteCount: Int
    private(set) var loadedByteCount = 0

    init(
        checkpoint: Checkpoint, executor: Executor, totalByteCount: Int = 0,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) {
        self.checkpoint = checkpoint
        self.executor = executor
        self.totalByteCount = totalByteCount
        self.progress = progress
    }

    /// A matrix `[rows, columns]`, or several of one shape stood on each other.
    mutating func matrix(_ names: [String]) throws(ModelError) -> Weight {
        let first = try tensor(names[0])
        let (rows, columns) = (first.shape[0], first.shape[1])
        let pitch = Tensor.weightPitch(columns)
        let storage = try executor.makeStorage(names[0], byteCount: names.count * rows * pitch * first.type.byteCount)
        let codes = Tensor(storage, first.type, [names.count * rows, columns], pitch: pitch)
        try fillRows(
            storage, names, rowByteCount: columns * first.type.byteCount, pitchByteCount: pitch * first.type.byteCount,
            rows: rows)
        guard first.type == .fp8E4M3 else { return Weight(codes: codes, scales: nil, matrixCount: names.count) }

        let scaleShape = [BlockScaling.blockCount(rows), BlockScaling.blockCount(columns)]
        var scales: [Float] = []
        for name in names { scales += try floats(name + "_scale_inv") }
        let scaleStorage = try executor.makeStorage(names[0] + "_scale_inv", byteCount: scales.count * 4)
        let scaleTensor = Tensor(scaleStorage, .f32, [names.count * scaleShape[0], scaleShape[1]])
        try executor.set(Tensor(scaleStorage, .u32, scaleTensor.shape), to: scales.map(\.bitPattern))
        return Weight(codes: codes, scales: scaleTensor, matrixCount: names.count)
    }

    /// A vector as `[1, width]` F32.
    mutating func vector(_ name: String) throws(ModelError) -> Tensor { try constant(name, try floats(name)) }

    func constant(_ label: String, _ values: [Float]) throws(ModelError) -> Tensor {
        let storage = try executor.makeStorage(label, byteCount: values.count * 4)
        try executor.set(Tensor(storage, .u32, [1, values.count]), to: values.map(\.bitPattern))
        return Tensor(storage, .f32, [1, values.count])
    }

    func has(_ name: String) -> Bool { checkpoint[name] != nil }

    private func tensor(_ name: String) throws(ModelError) -> TensorInfo {
        guard let info = checkpoint[name] else {
            throw .failed("\(name): expected in the checkpoint, found no such tensor")
        }
        return info
    }

    /// A small tensor as FP32.
    private mutating func floats(_ name: String) throws(ModelError) -> [Float] {
        let info = try tensor(name)
        if executor.onlyCounts {
            try advance(info.byteCount)
            return [Float](repeating: 0, count: info.byteCount / info.type.byteCount)
        }
        var bytes = [UInt8](repeating: 0, count: info.byteCount)
        var failure: ModelError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(ModelError) { try read(info, offset: 0, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        try advance(info.byteCount)
        return bytes.withUnsafeBytes { raw in
            (0..<info.byteCount / info.type.byteCount).map { index in
                switch info.type {
                case .bf16: BF16.decode(raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
                case .f16: FP16.decode(raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
                case .e8m0: E8M0.decode(raw[index])
                default: raw.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
                }
            }
        }
    }

    /// Reads the tensors' rows to their padded places; padding is zero.
    private mutating func fillRows(
        _ storage: Storage, _ names: [String], rowByteCount: Int, pitchByteCount: Int, rows: Int
    ) throws(ModelError) {
        var infos: [TensorInfo] = []
        for name in names { infos.append(try tensor(name)) }
        if executor.onlyCounts { return try advance(infos.reduce(0) { $0 + $1.byteCount }) }
        try executor.fill(storage, pieceByteCount: pitchByteCount) { offset, bytes throws(ModelError) in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            let firstRow = offset / pitchByteCount
            let endRow = min(firstRow + bytes.count / pitchByteCount, rows * infos.count)
            var row = firstRow
            while row < endRow {
                // The rows of one tensor at a time, in one read where they need no padding; few enough for Ctrl-C.
                let info = infos[row / rows]
                let count = min(endRow - row, rows - row % rows, max(1, Self.readByteCount / rowByteCount))
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: bytes[(row - firstRow) * pitchByteCount..<(row - firstRow + count) * pitchByteCount])
                let source = row % rows * rowByteCount
                if rowByteCount == pitchByteCount {
                    try read(info, offset: source, into: target)
                } else {
                    let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: count * rowByteCount, alignment: 16)
                    defer { packed.deallocate() }
                    try read(info, offset: source, into: packed)
                    for index in 0..<count {
                        let line = UnsafeRawBufferPointer(
                            rebasing: packed[index * rowByteCount..<(index + 1) * rowByteCount])
                        UnsafeMutableRawBufferPointer(rebasing: target[(index * pitchByteCount)...]).copyMemory(
                            from: line)
                    }
                }
                try advance(count * rowByteCount)
                row += count
            }
        }
    }

    /// Reads part of a tensor and refuses NaN and infinity, naming the element.
    private func read(_ info: TensorInfo, offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws(ModelError) {
        do throws(CheckpointError) { try checkpoint.read(info, offset: offset, into: bytes) } catch {
            throw .failed(error.description)
        }
        guard let bad = FiniteScan.firstNonFinite(info.type, in: UnsafeRawBufferPointer(bytes)) else { return }
        let index = offset / info.type.byteCount + bad
        let columns = info.shape.last ?? 1
        throw .failed(
            "\(info.name): expected finite weights, found NaN or infinity (\(info.type)) at [\(index / columns), \(index % columns)]: "
                + "the file is damaged; fetch it again")
    }

    private mutating func advance(_ byteCount: Int) throws(ModelError) {
        loadedByteCount += byteCount
        guard progress(LoadProgress(loadedByteCount: loadedByteCount, totalByteCount: totalByteCount)) else {
            throw .failed("loading was interrupted")
        }
    }
}
