import Checkpoint
import GPU
import Kernels
import Model
import Numerics
import Program

/// Loads the weights of a model, or one rank's part of them, into memory in the layout that the kernels read.
struct WeightLoader: WeightLoading {
    let source: any WeightSource
    private let memory: any ModelMemory
    /// The device whose limits hold; nil for none.
    let profile: DeviceProfile?
    let split: RankSplit
    let rank: Rank
    /// Told after each read; false stops the loading.
    private let progress: (LoadProgress) -> Bool
    private let totalByteCount: Int
    /// Bytes that the weights loaded so far take in the source. A plan's memory counts them too, though nothing is read.
    private(set) var sourceByteCount = 0
    private var readByteCount = 0

    /// - Parameters:
    ///   - totalByteCount: bytes that the whole model takes in the source, for `progress`.
    ///   - progress: told after each read; false stops the loading with an error.
    init(
        source: any WeightSource, memory: any ModelMemory, profile: DeviceProfile? = nil, rank: Rank = Rank(0, of: 1),
        totalByteCount: Int = 0, progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) {
        self.source = source
        self.memory = memory
        self.profile = profile
        self.rank = rank
        split = try readingCheckpoint { () throws(CheckpointError) in try RankSplit(source.weights, count: rank.count) }
        self.totalByteCount = totalByteCount
        self.progress = progress
    }

    /// The rank's part of a stored weight.
    private struct Part {
        let stored: StoredWeight
        let format: WeightFormat
        let rows, columns: Int
        let codes: TensorSlice
        let scales: TensorSlice?

        var name: String { stored.declared.name }
    }

    private func part(_ role: WeightRole) throws(ModelError) -> Part {
        let stored = try stored(role)
        guard let format = stored.packing.map(WeightFormat.integers) ?? WeightFormat(stored.codes.type) else {
            throw .checkpoint(
                CheckpointError(
                    .unsupported, stored.codes.name, expected: "a weight's type", found: "\(stored.codes.type)"))
        }
        let codes = try slice(stored.codes)
        let shape = split.shape(of: stored.declared)
        let (rows, columns) = (shape[0], shape[1])
        guard format.scaleShape(rows: rows, columns: columns) != nil else {
            return Part(stored: stored, format: format, rows: rows, columns: columns, codes: codes, scales: nil)
        }
        guard let scales = stored.scales else {
            throw .checkpoint(
                CheckpointError(
                    .missing, stored.declared.name, expected: "scales in the checkpoint", found: "none"))
        }
        return Part(
            stored: stored, format: format, rows: rows, columns: columns, codes: codes, scales: try slice(scales))
    }

    private func stored(_ role: WeightRole) throws(ModelError) -> StoredWeight {
        guard let stored = source.stored(role) else {
            throw .checkpoint(
                CheckpointError(
                    .missing, weights.names.name(of: role), expected: "a tensor in the checkpoint",
                    found: "none"))
        }
        return stored
    }

    private func slice(_ tensor: TensorInfo) throws(ModelError) -> TensorSlice {
        let slice = try readingCheckpoint { () throws(CheckpointError) in try split.slice(tensor, on: rank.index) }
        guard let slice else { preconditionFailure("\(tensor.name): another rank's than \(rank.index)") }
        return slice
    }

    var weights: WeightList { source.weights }

    /// How the source stores a weight.
    func format(_ role: WeightRole) throws(ModelError) -> WeightFormat { try part(role).format }

    // MARK: Matrices

    /// A matrix `[rows, columns]`.
    mutating func matrix(_ role: WeightRole) throws(ModelError) -> Weight {
        let part = try part(role)
        return try load([part], as: 1, part.name)
    }

    /// Several matrices of one shape and format one below the other, each with its own blocks of scales.
    mutating func bank(_ roles: [WeightRole]) throws(ModelError) -> Weight {
        var parts: [Part] = []
        for role in roles { parts.append(try part(role)) }
        return try load(parts, as: parts.count, parts[0].name)
    }

    /// A projection of the rank's experts, in parts that each fit one binding.
    mutating func bank(_ layer: Int, _ projection: Projection) throws(ModelError) -> ExpertBank {
        let roles = split.experts(on: rank.index).map { WeightRole.layer(layer, .expert($0, projection)) }
        guard let shape = weights[roles[0]]?.shape else {
            preconditionFailure("layer \(layer): no expert is declared")
        }
        let expertByteCount = shape[0] * (try format(roles[0])).pitchByteCount(shape[1])
        let limit = profile?.maxStorageBufferRange ?? Int.max
        let partCount = max(1, min(roles.count, min(limit, 1 << 30) / expertByteCount))
        var parts: [(firstExpert: Int, weight: Weight)] = []
        for first in stride(from: 0, to: roles.count, by: partCount) {
            parts.append((first, try bank(Array(roles[first..<min(first + partCount, roles.count)]))))
        }
        return ExpertBank(parts: parts)
    }

    /// Two matrices, one below the other, as one, so that one product computes both; nil if they cannot be: the lower one
    /// must begin where a block of scales does, and its results where the device lets a binding begin.
    mutating func stacked(
        _ upper: WeightRole, _ lower: WeightRole
    ) throws(ModelError) -> (weight: Weight, upperRows: Int)? {
        let (first, second) = (try part(upper), try part(lower))
        guard first.format == second.format, first.columns == second.columns,
            first.format != .fp8E4M3 || first.rows % BlockScaling.blockSize == 0,
            first.rows * 4 % (profile?.storageBufferAlignment ?? 1) == 0
        else { return nil }
        let label = weights.names.name(ofStack: [first.name, second.name])
        return (try load([first, second], as: 1, label), first.rows)
    }

    private mutating func load(_ parts: [Part], as matrixCount: Int, _ label: String) throws(ModelError) -> Weight {
        let (format, columns) = (parts[0].format, parts[0].columns)
        let rows = parts.reduce(0) { $0 + $1.rows }
        let pitch = format.codePitch(columns)
        let storage = try memory.storage(label, byteCount: rows * pitch * format.codeType.byteCount)
        let codes = Tensor(storage, format.codeType, [rows, format.codeCount(columns)], pitch: pitch)
        let slices = parts.map(\.codes)
        sourceByteCount += slices.reduce(0) { $0 + $1.byteCount }
        try source.fill(codes, with: slices, in: memory) { (byteCount) throws(ModelError) in try advance(byteCount) }
        let scales = try scales(parts, label)
        return Weight(format, codes: codes, scales: scales, columns: columns, matrixCount: matrixCount)
    }

    /// The matrices' scales in FP32, each one's rows below the last one's; nil for a format without scales.
    private mutating func scales(_ parts: [Part], _ label: String) throws(ModelError) -> Tensor? {
        let slices = parts.compactMap(\.scales)
        guard let width = slices.first?.columns.count else { return nil }
        let component: WeightComponent = parts[0].format == .fp8E4M3 ? .blockScales : .groupScales
        let rows = slices.reduce(0) { $0 + $1.rows.count }
        let storage = try memory.storage(
            weights.names.name(of: component, of: label), byteCount: rows * width * 4)
        let shapes = parts.compactMap { part in part.stored.packedShape.map { (TensorSlice($0), part.stored.declared) }
        }
        sourceByteCount += (slices + shapes.map(\.0)).reduce(0) { $0 + $1.byteCount }
        try memory.write(storage, pieceByteCount: width * 4) { (offset, bytes) throws(ModelError) in
            if offset == 0 { for (shape, weight) in shapes { try checkShape(shape, of: weight) } }
            try write(slices, from: offset, into: bytes)
        }
        return Tensor(storage, .f32, [rows, width])
    }

    /// Compares the shape that a file states of a packed matrix with the declared one.
    private mutating func checkShape(_ slice: TensorSlice, of weight: DeclaredWeight) throws(ModelError) {
        let found = try source.floats(slice)
        try advance(slice.byteCount)
        let expected = weight.shape
        guard found == expected.map({ Float($0) }) else {
            throw .checkpoint(
                CheckpointError(
                    .damaged, slice.tensor.name, expected: "\(expected)", found: "\(found)",
                    advice: "the file is of another model or damaged: download it again"))
        }
    }

    // MARK: Values in FP32

    /// A vector as `[1, width]` F32.
    mutating func vector(_ role: WeightRole) throws(ModelError) -> Tensor {
        let slice = try slice(try stored(role).codes)
        let tensor = try makeVector(slice.tensor.name, slice.elementCount)
        sourceByteCount += slice.byteCount
        try memory.write(tensor.storage, pieceByteCount: 4) { (offset, bytes) throws(ModelError) in
            try write([slice], from: offset, into: bytes)
        }
        return tensor
    }

    /// Values that follow from the config, as `[1, width]` F32.
    func constant(_ label: String, _ values: [Float]) throws(ModelError) -> Tensor {
        let tensor = try makeVector(label, values.count)
        try memory.write(tensor.storage, pieceByteCount: tensor.storage.byteCount) { (_, bytes) throws(ModelError) in
            values.withUnsafeBytes { bytes.copyMemory(from: $0) }
            zero(bytes[(values.count * 4)...])
        }
        return tensor
    }

    private func makeVector(_ label: String, _ count: Int) throws(ModelError) -> Tensor {
        let pitch = Tensor.activationPitch(count)
        return Tensor(try memory.storage(label, byteCount: pitch * 4), .f32, [1, count], pitch: pitch)
    }

    /// Writes part of the slices' values, one slice's rows after the other's without gaps, and zeros behind the last.
    ///
    /// - Parameter offset: where `bytes` begin, from the first slice's first value on; whole rows.
    private mutating func write(
        _ slices: [TensorSlice], from offset: Int, into bytes: UnsafeMutableRawBufferPointer
    ) throws(ModelError) {
        let rowByteCount = slices[0].columns.count * 4
        let first = offset / rowByteCount
        let parts = RowPart.parts(
            of: first..<first + bytes.count / rowByteCount, in: slices, mostRows: max(1, (1 << 20) / rowByteCount))
        var end = 0
        for part in parts {
            let slice = slices[part.slice].rows(from: part.firstRow, count: part.rowCount)
            let values = try source.floats(slice)
            let start = part.place * rowByteCount
            end = start + values.count * 4
            values.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]).copyMemory(from: $0)
            }
            try advance(slice.byteCount)
        }
        zero(bytes[end...])
    }

    private mutating func advance(_ byteCount: Int) throws(ModelError) {
        readByteCount += byteCount
        guard progress(LoadProgress(loadedByteCount: readByteCount, totalByteCount: totalByteCount)) else {
            throw .interrupted
        }
    }
}

func zero(_ bytes: Slice<UnsafeMutableRawBufferPointer>) {
    UnsafeMutableRawBufferPointer(rebasing: bytes).initializeMemory(as: UInt8.self, repeating: 0)
}
