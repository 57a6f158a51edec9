import Numerics

/// How part of a source's tensor becomes one or more tensors of the output.
struct ConversionStep: Sendable {
    enum Recipe: Sendable, Equatable {
        case copy
        /// Of FP8 or packed integers.
        case bf16
        case fp8(powersOfTwo: Bool)
        case integers(GroupScaling)
        /// These bytes, whatever the source's.
        case constant([UInt8])
    }

    struct Output: Sendable {
        var name: String
        var type: ElementType
        var shape: [Int]
        /// Where its bytes start in the output's file.
        var offset = 0

        var byteCount: Int { shape.reduce(type.byteCount, *) }
    }

    var recipe: Recipe
    let source: TensorInfo
    /// What the source's integers stand for, where they are unpacked.
    let packed: PackedWeight?
    /// The part of the weight, or of the source where it is none (see `TensorInfo.matrix`).
    let rows: Range<Int>
    let columns: Range<Int>
    var outputs: [Output]

    /// - Parameter packed: what the source's integers stand for, if they are not to be copied.
    init(_ recipe: Recipe, of source: TensorInfo, packed: PackedWeight? = nil) {
        let (rows, columns) = packed.map { ($0.shape[0], $0.shape[1]) } ?? source.matrix
        self.init(recipe, of: source, packed, rows: 0..<rows, columns: 0..<columns)
        if recipe == .copy { outputs[0].shape = source.shape }
    }

    private init(
        _ recipe: Recipe, of source: TensorInfo, _ packed: PackedWeight?, rows: Range<Int>, columns: Range<Int>
    ) {
        self.recipe = recipe
        self.source = source
        self.packed = packed
        self.rows = rows
        self.columns = columns
        let (name, shape) = (packed?.name ?? source.name, [rows.count, columns.count])
        switch recipe {
        case .copy: outputs = [Output(name: name, type: source.type, shape: shape)]
        case .constant: outputs = [Output(name: name, type: source.type, shape: source.shape)]
        case .bf16: outputs = [Output(name: name, type: .bf16, shape: shape)]
        case .fp8:
            let blocks = shape.map(BlockScaling.blockCount)
            outputs = [
                Output(name: name, type: .fp8E4M3, shape: shape),
                Output(name: WeightMap.scaleName(name), type: .f32, shape: blocks),
            ]
        case .integers(let scaling):
            outputs = [
                Output(name: name + "_packed", type: .i32, shape: [rows.count, scaling.wordCount(columns.count)]),
                Output(name: name + "_scale", type: .f16, shape: [rows.count, scaling.groupCount(columns.count)]),
                Output(name: name + "_shape", type: .i64, shape: [2]),
            ]
        }
    }

    /// The tensor or weight, by the name that the output gives it.
    var name: String { packed?.name ?? source.name }

    /// The step's parts by rank.
    func shares(_ split: RankSplit) throws(CheckpointError) -> [(rank: Int, step: ConversionStep)] {
        var shares: [(rank: Int, step: ConversionStep)] = []
        switch split.share(source.name) {
        case .whole: return (0..<split.count).map { ($0, self) }
        case .owned(let owner): return [(owner, self)]
        case .dimension(let dimension):
            if RankSplit.isShape(source.name) {
                var shape = split.weightShape(source.name)
                shape[dimension] /= split.count
                let bytes = Self.bytes(shape, as: source.type)
                let step = ConversionStep(.constant(bytes), of: source, nil, rows: rows, columns: columns)
                return (0..<split.count).map { ($0, step) }
            }
            if dimension == 1 { try checkGroups(split) }
            let unit = unit(dimension)
            for rank in 0..<split.count {
                let rows = try dimension == 0 ? split.part(rows, of: source, unit: unit, on: rank) : rows
                let columns = try dimension == 1 ? split.part(columns, of: source, unit: unit, on: rank) : columns
                shares.append((rank, ConversionStep(recipe, of: source, packed, rows: rows, columns: columns)))
            }
        }
        return shares
    }

    /// Rows or columns that ranks must not part.
    private func unit(_ dimension: Int) -> Int {
        // Of the source's groups and the output's, the larger are whole numbers of the smaller.
        let stored = dimension == 1 ? packed?.scaling.groupSize ?? 1 : 1
        return switch recipe {
        case .fp8: BlockScaling.blockSize
        case .copy where source.type == .fp8E4M3: BlockScaling.blockSize
        case .integers(let scaling): dimension == 1 ? max(stored, scaling.groupSize) : 1
        case .copy, .bf16, .constant: stored
        }
    }

    /// That the groups of stored integers are shared as their columns are.
    private func checkGroups(_ split: RankSplit) throws(CheckpointError) {
        guard source.name.hasSuffix(".weight_scale"), recipe == .copy else { return }
        let weight = split.weightShape(source.name)
        guard weight[1] % columns.count == 0 else {
            throw CheckpointError(
                .refused, source.name, expected: "groups of equal size to share among \(split.count) ranks",
                found: "\(columns.count) groups of \(weight[1]) columns",
                advice: .otherRanksOrBF16)
        }
    }

    /// Integers as a tensor holds them.
    static func bytes(_ values: [Int], as type: ElementType) -> [UInt8] {
        values.flatMap { value in (0..<type.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }
}
