import Checkpoint
import Kernels
import Numerics

/// Where a model's weights come from: a checkpoint's files, or chance.
protocol WeightSource {
    var config: ModelConfig { get }
    /// What a user may want to know though nothing is wrong.
    var notes: [String] { get }
    /// Whether the multi-token prediction layers are there.
    var hasMTP: Bool { get }
    subscript(name: String) -> TensorInfo? { get }
    /// Puts the tensors' elements into `codes`, each one's rows below the last one's, and zeros into the rows' padding. All
    /// have as many columns.
    ///
    /// - Parameter advance: told of the bytes of every part.
    func fill(
        _ codes: Tensor, with tensors: [TensorInfo], on executor: Executor,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError)
    /// A small tensor as FP32.
    func floats(_ tensor: TensorInfo) throws(ModelError) -> [Float]
}

/// Brings a model's weights to where the kernels read them.
struct WeightLoader {
    let source: any WeightSource
    let executor: Executor
    /// Told after each read; false stops the loading.
    let progress: (LoadProgress) -> Bool
    /// Bytes that the model takes of the source: all, but for copies and a module that is left out.
    private let totalByteCount: Int
    private(set) var loadedByteCount = 0

    init(
        source: any WeightSource, executor: Executor, totalByteCount: Int = 0,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) {
        self.source = source
        self.executor = executor
        self.totalByteCount = totalByteCount
        self.progress = progress
    }

    /// A matrix `[rows, columns]`.
    mutating func matrix(_ name: String) throws(ModelError) -> Weight { try matrices([name], as: 1, name) }

    /// Several of one shape stood on each other, each with its own blocks of scales.
    mutating func bank(_ names: [String]) throws(ModelError) -> Weight {
        try matrices(names, as: names.count, names[0])
    }

    /// Two matrices stood on each other as one, so that one product computes both; nil if they do not fit: the second
    /// must begin where a block of scales does, and its results where the device lets a binding begin.
    mutating func stacked(_ upper: String, _ lower: String, _ label: String) throws(ModelError) -> Weight? {
        let (first, second) = (try tensor(upper), try tensor(lower))
        guard first.type == second.type, first.shape[1] == second.shape[1],
            first.type != .fp8E4M3 || first.shape[0] % BlockScaling.blockSize == 0,
            first.shape[0] * 4 % (executor.target?.profile.storageBufferAlignment ?? 1) == 0
        else { return nil }
        return try matrices([upper, lower], as: 1, label)
    }

    private mutating func matrices(_ names: [String], as matrixCount: Int, _ label: String) throws(ModelError) -> Weight
    {
        var infos: [TensorInfo] = []
        for name in names { infos.append(try tensor(name)) }
        let (type, columns, rows) = (infos[0].type, infos[0].shape[1], infos.reduce(0) { $0 + $1.shape[0] })
        let pitch = Tensor.weightPitch(columns)
        let storage = try executor.makeStorage(label, byteCount: rows * pitch * type.byteCount)
        let codes = Tensor(storage, type, [rows, columns], pitch: pitch)
        if executor.onlyCounts {
            try advance(infos.reduce(0) { $0 + $1.byteCount })
        } else {
            try source.fill(codes, with: infos, on: executor) { (count) throws(ModelError) in try advance(count) }
        }
        guard type == .fp8E4M3 else { return Weight(codes: codes, scales: nil, matrixCount: matrixCount) }

        var scales: [Float] = []
        for name in names { scales += try floats(WeightMap.scaleName(name)) }
        let blockColumns = BlockScaling.blockCount(columns)
        let scaleStorage = try executor.makeStorage(WeightMap.scaleName(label), byteCount: scales.count * 4)
        let scaleTensor = Tensor(scaleStorage, .f32, [scales.count / blockColumns, blockColumns])
        try executor.set(Tensor(scaleStorage, .u32, scaleTensor.shape), to: scales.map(\.bitPattern))
        return Weight(codes: codes, scales: scaleTensor, matrixCount: matrixCount)
    }

    /// A vector as `[1, width]` F32.
    mutating func vector(_ name: String) throws(ModelError) -> Tensor { try constant(name, try floats(name)) }

    func constant(_ label: String, _ values: [Float]) throws(ModelError) -> Tensor {
        let pitch = Tensor.activationPitch(values.count)
        let storage = try executor.makeStorage(label, byteCount: pitch * 4)
        let padding = repeatElement(0 as UInt32, count: pitch - values.count)
        try executor.set(Tensor(storage, .u32, [1, pitch]), to: values.map(\.bitPattern) + padding)
        return Tensor(storage, .f32, [1, values.count], pitch: pitch)
    }

    func has(_ name: String) -> Bool { source[name] != nil }

    private func tensor(_ name: String) throws(ModelError) -> TensorInfo {
        guard let info = source[name] else {
            throw .failed("\(name): expected in the checkpoint, found no such tensor")
        }
        return info
    }

    private mutating func floats(_ name: String) throws(ModelError) -> [Float] {
        let info = try tensor(name)
        let values = executor.onlyCounts ? [Float](repeating: 0, count: info.elementCount) : try source.floats(info)
        try advance(info.byteCount)
        return values
    }

    private mutating func advance(_ byteCount: Int) throws(ModelError) {
        loadedByteCount += byteCount
        guard progress(LoadProgress(loadedByteCount: loadedByteCount, totalByteCount: totalByteCount)) else {
            throw .failed("loading was interrupted")
        }
    }
}
