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
    /// The matrices' shapes, where some may be packed integers, whose own tensors tell whole words.
    private let shapes: [String: [Int]]
    private(set) var loadedByteCount = 0

    init(
        source: any WeightSource, executor: Executor, totalByteCount: Int = 0,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) {
        self.source = source
        self.executor = executor
        self.totalByteCount = totalByteCount
        self.progress = progress
        guard source.config.integers != nil else {
            shapes = [:]
            return
        }
        shapes = WeightMap.expected(source.config, hasMTP: source.hasMTP).reduce(into: [:]) { $0[$1.name] = $1.shape }
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
        let (first, second) = (try shape(upper), try shape(lower))
        let type = try format(upper)
        guard try format(lower) == type, first[1] == second[1],
            type != .fp8E4M3 || first[0] % BlockScaling.blockSize == 0,
            first[0] * 4 % (executor.target?.profile.storageBufferAlignment ?? 1) == 0
        else { return nil }
        return try matrices([upper, lower], as: 1, label)
    }

    /// How the source has a matrix, or what else is called so.
    func format(_ name: String) throws(ModelError) -> WeightFormat {
        if source[name] == nil, let scaling = source.config.integers, source[WeightMap.packedName(name)] != nil {
            return .integers(scaling)
        }
        let type = try tensor(name).type
        guard let format = WeightFormat(type) else {
            throw .checkpoint(CheckpointError(.unsupported, name, expected: "a weight's type", found: "\(type)"))
        }
        return format
    }

    private func shape(_ name: String) throws(ModelError) -> [Int] {
        if case .integers = try format(name), let shape = shapes[name] { return shape }
        return try tensor(name).shape
    }

    private mutating func matrices(_ names: [String], as matrixCount: Int, _ label: String) throws(ModelError) -> Weight
    {
        let format = try format(names[0])
        var infos: [TensorInfo] = []
        var rows = 0
        for name in names {
            rows += try shape(name)[0]
            if case .integers = format {
                infos.append(try tensor(WeightMap.packedName(name)))
                try checkPackedShape(name)
            } else {
                infos.append(try tensor(name))
            }
        }
        let columns = try shape(names[0])[1]
        let pitch = format.codePitch(columns)
        let storage = try executor.makeStorage(label, byteCount: rows * pitch * format.codeType.byteCount)
        let codes = Tensor(storage, format.codeType, [rows, format.codeCount(columns)], pitch: pitch)
        if executor.onlyCounts {
            try advance(infos.reduce(0) { $0 + $1.byteCount })
        } else {
            try source.fill(codes, with: infos, on: executor) { (count) throws(ModelError) in try advance(count) }
        }
        let scales = try scales(names, format, rows: rows, columns: columns, label)
        return Weight(format, codes: codes, scales: scales, columns: columns, matrixCount: matrixCount)
    }

    /// The matrices' scales, each one's rows below the last one's; nil for a format without.
    private mutating func scales(
        _ names: [String], _ format: WeightFormat, rows: Int, columns: Int, _ label: String
    ) throws(ModelError) -> Tensor? {
        guard let width = format.scaleShape(rows: rows, columns: columns)?[1] else { return nil }
        let scaleName = format == .fp8E4M3 ? WeightMap.scaleName : WeightMap.groupScaleName
        var infos: [TensorInfo] = []
        for name in names { infos.append(try tensor(scaleName(name))) }
        let count = infos.reduce(0) { $0 + $1.elementCount }
        let storage = try executor.makeStorage(scaleName(label), byteCount: count * 4)
        let tensor = Tensor(storage, .f32, [count / width, width])
        guard !executor.onlyCounts else {
            try advance(infos.reduce(0) { $0 + $1.byteCount })
            return tensor
        }
        var scales: [Float] = []
        for name in names { scales += try floats(scaleName(name)) }
        try executor.set(Tensor(storage, .u32, tensor.shape), to: scales.map(\.bitPattern))
        return tensor
    }

    /// What the file says of a packed matrix's shape, beside what its config says.
    private mutating func checkPackedShape(_ name: String) throws(ModelError) {
        // Random weights have none.
        guard has(WeightMap.packedShapeName(name)) else { return }
        let (found, expected) = (try floats(WeightMap.packedShapeName(name)), try shape(name))
        guard executor.onlyCounts || found == expected.map({ Float($0) }) else {
            throw .checkpoint(
                CheckpointError(
                    .damaged, WeightMap.packedShapeName(name), expected: "\(expected)", found: "\(found)",
                    advice: "the file is of another model or damaged: download it again"))
        }
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
            throw .checkpoint(
                CheckpointError(.missing, name, expected: "a tensor of the checkpoint", found: "none of this name"))
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
            throw .interrupted
        }
    }
}
