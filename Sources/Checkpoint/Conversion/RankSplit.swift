import Numerics

/// One of several equal parts of a model, each for a device of its own.
public struct Rank: Hashable, Sendable {
    public let index: Int
    public let count: Int

    public init(_ index: Int, of count: Int) {
        precondition(count > 0 && (0..<count).contains(index), "rank \(index) of \(count)")
        self.index = index
        self.count = count
    }

    /// Its file, by the name that DeepSeek's convert.py gives it.
    public var fileName: String { "model\(index)-mp\(count).safetensors" }
}

/// How the declared weights are shared among ranks: each rank has an equal run of the experts, an equal part of the rows or
/// columns of other matrices, and all of the rest. A scale goes where its codes go.
///
/// The same as DeepSeek's convert.py does, with the published names and the prediction layers.
public struct RankSplit: Sendable {
    enum Share: Equatable {
        case whole
        /// An equal part of this dimension.
        case dimension(Int)
        /// One rank's alone.
        case owned(by: Int)
    }

    public let count: Int
    let weights: WeightList

    public init(_ weights: WeightList, count: Int) throws(CheckpointError) {
        let experts = weights.config.nRoutedExperts
        guard experts % count == 0 else {
            throw CheckpointError(
                .refused, "n_routed_experts", expected: "a multiple of the \(count) ranks", found: "\(experts)",
                advice: "choose another number of ranks")
        }
        self.count = count
        self.weights = weights
    }

    /// The experts of each layer that a rank has.
    public func experts(on rank: Int) -> Range<Int> {
        let own = weights.config.nRoutedExperts / count
        return rank * own..<(rank + 1) * own
    }

    func share(_ weight: DeclaredWeight) -> Share {
        switch (weight.split, weight.role) {
        case (.rows, _): .dimension(0)
        case (.columns, _): .dimension(1)
        case (.experts, .layer(_, .expert(let expert, _))): .owned(by: expert / (weights.config.nRoutedExperts / count))
        case (.whole, _), (.experts, _): .whole
        }
    }

    /// How the weight that a tensor belongs to is shared.
    func share(_ tensor: String) -> Share { weights.find(tensor).map { share($0.weight) } ?? .whole }

    /// Whether a tensor holds the shape of its weight, which differs from the ranks' if they share the weight.
    func isShape(_ tensor: String) -> Bool {
        // By its name, so that a shape of no declared weight is refused where a split is merged.
        tensor.hasSuffix(weights.names.name(of: .packedShape, of: ".weight"))
    }

    /// The whole weight's shape, whatever format the tensor has.
    func weightShape(_ tensor: String) -> [Int] { weights.find(tensor)?.weight.shape ?? [] }

    /// The shape of a rank's part of a weight. Does not check whether the ranks can share it; `slice` does.
    public func shape(of weight: DeclaredWeight) -> [Int] {
        var shape = weight.shape
        if case .dimension(let dimension) = share(weight) { shape[dimension] /= count }
        return shape
    }

    /// A rank's part of a stored tensor; nil if the rank has none of it. Of a packed weight's shape, which each rank states
    /// for its own part, the slice is the whole.
    ///
    /// - Throws: where blocks or groups would be cut.
    public func slice(_ tensor: TensorInfo, on rank: Int) throws(CheckpointError) -> TensorSlice? {
        let whole = TensorSlice(tensor)
        if count == 1 { return whole }
        switch share(tensor.name) {
        case .whole: return whole
        case .owned(let owner): return owner == rank ? whole : nil
        case .dimension where isShape(tensor.name): return whole
        case .dimension(let dimension):
            if dimension == 1 { try checkGroups(tensor) }
            let (rows, columns) = try part(
                rows: whole.rows, columns: whole.columns, of: tensor, dimension, unit: Self.unit(ofCopied: tensor),
                on: rank)
            return TensorSlice(tensor, rows: rows, columns: columns)
        }
    }

    /// The number of rows or columns of a stored tensor that a split must not separate if its format is kept: a block's.
    static func unit(ofCopied tensor: TensorInfo) -> Int { tensor.type == .fp8E4M3 ? BlockScaling.blockSize : 1 }

    /// One rank's part of some rows and columns, shared in one dimension.
    ///
    /// - Parameter unit: the number of rows or columns that a split must not separate: a block's, or a group's columns.
    func part(
        rows: Range<Int>, columns: Range<Int>, of tensor: TensorInfo, _ dimension: Int, unit: Int, on rank: Int
    ) throws(CheckpointError) -> (rows: Range<Int>, columns: Range<Int>) {
        let range = dimension == 0 ? rows : columns
        guard range.count % (count * unit) == 0 else {
            throw CheckpointError(
                .refused, tensor.name, expected: "a multiple of \(count * unit) to share among \(count) ranks",
                found: "\(range.count) of \(tensor.shape)",
                advice: unit > 1 ? .otherRanksOrBF16 : "choose another number of ranks")
        }
        let size = range.count / count
        let part = range.lowerBound + rank * size..<range.lowerBound + (rank + 1) * size
        return dimension == 0 ? (part, columns) : (rows, part)
    }

    /// Checks that the last group of stored integers is as large as the others: else groups cannot be shared as their
    /// columns are.
    func checkGroups(_ scales: TensorInfo) throws(CheckpointError) {
        guard let (weight, component) = weights.find(scales.name), component == .groupScales else { return }
        let (groups, columns) = (scales.matrix.columns, weight.shape[1])
        guard let scaling = weights.config.integers, columns == groups * scaling.groupSize else {
            throw CheckpointError(
                .refused, scales.name, expected: "groups of equal size to share among \(count) ranks",
                found: "\(groups) groups of \(columns) columns", advice: .otherRanksOrBF16)
        }
    }

    /// A rank's tensors with the shapes that they have in the whole model, and with other ranks' experts: the rank's file
    /// can be checked against a config with them.
    func whole(_ tensors: [String: TensorInfo], of rank: Rank) throws(CheckpointError) -> [String: TensorInfo] {
        var whole: [String: TensorInfo] = [:]
        let own = experts(on: 0).count
        for (name, tensor) in tensors {
            guard let (weight, component) = weights.find(name) else {
                whole[name] = tensor
                continue
            }
            switch share(weight) {
            case .whole: whole[name] = tensor
            case .dimension(let dimension):
                var shape = tensor.shape
                if shape.count == 2, component != .packedShape { shape[dimension] *= count }
                whole[name] = TensorInfo(name: name, type: tensor.type, shape: shape)
            case .owned(let owner):
                guard owner == rank.index, case .layer(let layer, .expert(let expert, let projection)) = weight.role
                else {
                    throw CheckpointError(
                        .damaged, "\(rank.fileName): \(name)", expected: "experts of rank \(rank.index) alone",
                        found: "one of rank \(owner)", advice: "split the checkpoint again")
                }
                for other in 0..<count {
                    let twin = WeightRole.layer(layer, .expert(expert % own + other * own, projection))
                    let name = weights.names.name(of: component, of: weights.names.name(of: twin))
                    whole[name] = TensorInfo(name: name, type: tensor.type, shape: tensor.shape)
                }
            }
        }
        return whole
    }
}
