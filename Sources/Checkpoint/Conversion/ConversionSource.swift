import JSON
import Numerics

/// The source of a conversion: a checkpoint, or a checkpoint split over ranks, whose tensors are merged when read.
public final class ConversionSource: Sendable {
    /// The checkpoint's folder.
    public let folder: String
    let configJSON: [UInt8]
    let weights: WeightList
    let tensors: [String: TensorInfo]
    /// The files of the whole checkpoint: names, and tensors in the order of their data.
    let files: [(name: String, tensors: [TensorInfo])]
    /// For a split checkpoint, the layout of the files before the split; else nil.
    let layout: SourceLayout?
    /// The weights that are stored as packed integers, by the name of the packed tensor. Empty for a split checkpoint.
    let packedWeights: [String: PackedWeight]
    private let parts: Parts

    private enum Parts: Sendable {
        case whole(Checkpoint)
        case ranks([SafetensorsFile], RankSplit)
    }

    /// Opens a checkpoint that is not split.
    public init(folder: String) throws(CheckpointError) {
        let source = CheckpointSource.folder(folder)
        guard !source.exists(SourceLayout.fileName) else {
            throw CheckpointError(
                .unsupported, folder, expected: "a checkpoint that is not split", found: SourceLayout.fileName,
                advice: .merge(folder: folder))
        }
        configJSON = try source.read("config.json")
        let checkpoint = try Checkpoint(source)
        self.folder = folder
        weights = checkpoint.weights
        tensors = checkpoint.tensors
        layout = nil
        packedWeights = PackedWeight.all(of: checkpoint)
        parts = .whole(checkpoint)
        files = Dictionary(grouping: checkpoint.tensors.values, by: \.shard).sorted { $0.key < $1.key }.map {
            ($0.key, $0.value.sorted { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) })
        }
    }

    /// Opens a checkpoint that is split over ranks.
    public convenience init(merging folder: String) throws(CheckpointError) {
        try self.init(merging: .folder(folder))
    }

    init(merging source: CheckpointSource) throws(CheckpointError) {
        let layout = try SourceLayout(
            json: source.read(SourceLayout.fileName), name: source.path(of: SourceLayout.fileName))
        configJSON = try source.read("config.json")
        let config = try Self.plainConfig(configJSON, name: source.path(of: "config.json"))
        weights = WeightList(config, hasMTP: true)
        let split = try RankSplit(weights, count: layout.rankCount)
        var ranks: [SafetensorsFile] = []
        for index in 0..<layout.rankCount {
            ranks.append(try SafetensorsFile(source, Rank(index, of: layout.rankCount).fileName))
        }
        var tensors: [String: TensorInfo] = [:]
        for tensor in layout.files.flatMap(\.tensors) {
            try Self.check(tensor, split, ranks, source.name)
            guard tensors.updateValue(tensor, forKey: tensor.name) == nil else {
                throw CheckpointError(
                    .damaged, source.path(of: SourceLayout.fileName), expected: "each tensor once",
                    found: "\(tensor.name) twice")
            }
        }
        folder = source.name
        self.tensors = tensors
        self.layout = layout
        packedWeights = [:]
        files = layout.files.map { ($0.name, $0.tensors) }
        parts = .ranks(ranks, split)
    }

    /// The config without the weights' format, which merging need not know.
    private static func plainConfig(_ json: [UInt8], name: String) throws(CheckpointError) -> ModelConfig {
        var root = try readingJSON { () throws(JSONError) in try JSONValue(parsing: json, name: name) }
        if case .object(let members) = root {
            root = .object(members.filter { $0.key != "quantization_config" })
        }
        return try ModelConfig(json: Array(root.serialized().utf8), name: name)
    }

    /// The layout of this checkpoint's files, which a split stores for the later merge.
    func ownLayout(rankCount: Int) throws(CheckpointError) -> SourceLayout {
        let source = CheckpointSource.folder(folder)
        var layouts: [SourceLayout.File] = []
        for (name, tensors) in files {
            let file = try source.open(name)
            let end = tensors.map(\.offset).min() ?? 0
            layouts.append(SourceLayout.File(name: name, header: try file.bytes(at: 0, count: end), tensors: []))
        }
        let isOneFile = files.count == 1 && files[0].name == ShardSet.singleFile
        let index = try isOneFile ? nil : source.read(ShardSet.indexFile)
        return SourceLayout(
            rankCount: rankCount, files: layouts, index: index.map { String(decoding: $0, as: UTF8.self) })
    }

    /// Checks that the ranks' files hold a tensor's parts.
    private static func check(
        _ tensor: TensorInfo, _ split: RankSplit, _ ranks: [SafetensorsFile], _ folder: String
    ) throws(CheckpointError) {
        let weight = split.weightShape(tensor.name)
        guard !split.isShape(tensor.name) || tensor.shape == [weight.count] else {
            throw CheckpointError(
                .damaged, "\(folder)/\(SourceLayout.fileName): \(tensor.name)",
                expected: "the shape of a weight, \(weight.count) numbers", found: "\(tensor.shape)")
        }
        let share = split.share(tensor.name)
        for (index, file) in ranks.enumerated() {
            var shape = tensor.shape
            switch share {
            case .whole: break
            case .owned(let owner): if owner != index { continue }
            case .dimension(let dimension):
                if !split.isShape(tensor.name) {
                    let (rows, columns) = tensor.matrix
                    _ = try split.part(rows: 0..<rows, columns: 0..<columns, of: tensor, dimension, unit: 1, on: index)
                    if dimension < shape.count { shape[dimension] /= ranks.count }
                }
            }
            let found = file[tensor.name]
            guard let found, found.type == tensor.type, found.shape == shape else {
                throw CheckpointError(
                    .damaged, "\(folder)/\(Rank(index, of: ranks.count).fileName): \(tensor.name)",
                    expected: "\(tensor.type) \(shape)",
                    found: found.map { "\($0.type) \($0.shape)" } ?? "no such tensor",
                    advice: "the files are of different conversions: split the checkpoint again")
            }
        }
    }

    /// Reads some rows and columns of a tensor (see `TensorInfo.matrix`), row by row.
    func read(
        _ tensor: TensorInfo, rows: Range<Int>, columns: Range<Int>, into target: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        switch parts {
        case .whole(let checkpoint):
            try checkpoint.read(TensorSlice(tensor, rows: rows, columns: columns), into: target)
        case .ranks(let ranks, let split):
            try read(tensor, rows, columns, of: ranks, split, into: target)
        }
    }

    private func read(
        _ tensor: TensorInfo, _ rows: Range<Int>, _ columns: Range<Int>, of ranks: [SafetensorsFile],
        _ split: RankSplit, into target: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        func read(
            _ rank: Int, _ rows: Range<Int>, _ columns: Range<Int>, _ target: UnsafeMutableRawBufferPointer
        ) throws(CheckpointError) {
            guard let part = ranks[rank][tensor.name] else { preconditionFailure("no \(tensor.name) in rank \(rank)") }
            let slice = TensorSlice(part, rows: rows, columns: columns)
            try slice.read(into: target) { (offset, bytes) throws(CheckpointError) in
                try ranks[rank].read(part, offset: offset, into: bytes)
            }
        }
        switch split.share(tensor.name) {
        case .whole: try read(0, rows, columns, target)
        case .owned(let owner): try read(owner, rows, columns, target)
        case .dimension(0):
            let own = tensor.matrix.rows / ranks.count
            let rowByteCount = columns.count * tensor.type.byteCount
            var row = rows.lowerBound
            while row < rows.upperBound {
                let end = min(rows.upperBound, (row / own + 1) * own)
                let offset = (row - rows.lowerBound) * rowByteCount
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: target[offset..<offset + (end - row) * rowByteCount])
                try read(row / own, row % own..<row % own + end - row, columns, part)
                row = end
            }
        case .dimension:
            let own = tensor.matrix.columns / ranks.count
            let (size, ownByteCount) = (tensor.type.byteCount, own * tensor.type.byteCount)
            precondition(columns == 0..<tensor.matrix.columns, "whole rows are merged")
            let part = UnsafeMutableRawBufferPointer.allocate(byteCount: rows.count * ownByteCount, alignment: 16)
            defer { part.deallocate() }
            for rank in ranks.indices {
                try read(rank, rows, 0..<own, part)
                for row in 0..<rows.count {
                    (target.baseAddress! + row * columns.count * size + rank * ownByteCount).copyMemory(
                        from: part.baseAddress! + row * ownByteCount, byteCount: ownByteCount)
                }
            }
        }
    }

    /// A weight's block scales.
    func scales(of weight: TensorInfo) throws(CheckpointError) -> [Float] {
        guard weight.type == .fp8E4M3, let info = tensors[weights.names.name(of: .blockScales, of: weight.name)] else {
            return []
        }
        let (rows, columns) = info.matrix
        return try scales(info, rows: 0..<rows, columns: 0..<columns)
    }

    /// The group scales of packed integers, for a range of the weight's rows and columns.
    func scales(of weight: PackedWeight, rows: Range<Int>, columns: Range<Int>) throws(CheckpointError) -> [Float] {
        guard let info = tensors[weights.names.name(of: .groupScales, of: weight.name)] else { return [] }
        let size = weight.scaling.groupSize
        return try scales(
            info, rows: rows, columns: columns.lowerBound / size..<weight.scaling.groupCount(columns.upperBound))
    }

    private func scales(
        _ info: TensorInfo, rows: Range<Int>, columns: Range<Int>
    ) throws(CheckpointError) -> [Float] {
        let count = rows.count * columns.count
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count * info.type.byteCount, alignment: 16)
        defer { bytes.deallocate() }
        try read(info, rows: rows, columns: columns, into: bytes)
        return (0..<count).map { index in
            switch info.type {
            case .bf16: BF16.decode(bytes.load(fromByteOffset: 2 * index, as: UInt16.self))
            case .f16: FP16.decode(bytes.load(fromByteOffset: 2 * index, as: UInt16.self))
            case .e8m0: E8M0.decode(bytes[index])
            default: bytes.load(fromByteOffset: 4 * index, as: Float.self)
            }
        }
    }
}
