import Numerics

/// Converts a source tensor, or a part of it, into one or more output tensors.
struct ConversionStep: Sendable {
    enum Recipe: Sendable, Equatable {
        case copy
        /// From FP8 or packed integers.
        case bf16
        case fp8(powersOfTwo: Bool)
        case integers(GroupScaling)
        /// Writes these bytes, independent of the source's content.
        case constant([UInt8])
    }

    struct Output: Sendable {
        var name: String
        var type: ElementType
        var shape: [Int]
        /// Offset of its bytes in the output file.
        var offset = 0

        var byteCount: Int { shape.reduce(type.byteCount, *) }
    }

    var recipe: Recipe
    let source: TensorInfo
    /// The weight that the source's packed integers represent, if the step unpacks them.
    let packed: PackedWeight?
    /// The converted rows and columns of `packed`, or else of `source` (see `TensorInfo.matrix`).
    let rows: Range<Int>
    let columns: Range<Int>
    var outputs: [Output]

    /// A step for the whole tensor.
    ///
    /// - Parameter packed: the weight that the source's packed integers represent, unless they are copied.
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

    /// The name of the tensor or weight in the output.
    var name: String { packed?.name ?? source.name }

    /// The step split over ranks. Throws if the ranks cannot share the tensor.
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

    /// The number of adjacent rows (dimension 0) or columns (1) that must stay on one rank.
    private func unit(_ dimension: Int) -> Int {
        // Group sizes are powers of two: the larger of two is a multiple of the smaller.
        let stored = dimension == 1 ? packed?.scaling.groupSize ?? 1 : 1
        return switch recipe {
        case .fp8: BlockScaling.blockSize
        case .copy where source.type == .fp8E4M3: BlockScaling.blockSize
        case .integers(let scaling): dimension == 1 ? max(stored, scaling.groupSize) : 1
        case .copy, .bf16, .constant: stored
        }
    }

    /// Throws unless the scales of copied integers can be split in the same way as their columns.
    private func checkGroups(_ split: RankSplit) throws(CheckpointError) {
        guard source.name.hasSuffix(".weight_scale"), recipe == .copy else { return }
        let weight = split.weightShape(source.name)
        guard weight[1] % columns.count == 0 else {
            throw CheckpointError(
                source.name, expected: "groups of equal size, to split over \(split.count) ranks",
                found: "\(columns.count) groups of \(weight[1]) columns",
                advice: "choose another number of ranks, or --to bf16")
        }
    }

    /// Integers as bytes of an integer tensor of `type`, little-endian.
    static func bytes(_ values: [Int], as type: ElementType) -> [UInt8] {
        values.flatMap { value in (0..<type.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }
}
