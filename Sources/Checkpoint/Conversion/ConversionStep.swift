import Numerics

/// Converts a source tensor, or a part of it, into one or more output tensors.
struct ConversionStep: Sendable {
    enum Recipe: Sendable, Equatable {
        case copy
        /// From FP8 or packed integers.
        case bf16
        case fp8(powersOfTwo: Bool)
        case integers(GroupScaling)
        /// These bytes in place of the source's.
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
    /// The weight that the source's integers encode, if they are unpacked.
    let packed: PackedWeight?
    /// The part of the weight, or of a source tensor that is copied (see `TensorInfo.matrix`).
    let rows: Range<Int>
    let columns: Range<Int>
    var outputs: [Output]

    /// - Parameter packed: the weight that the source's integers encode, unless they are copied.
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
        let (name, shape, names) = (packed?.name ?? source.name, [rows.count, columns.count], HuggingFaceNames())
        switch recipe {
        case .copy: outputs = [Output(name: name, type: source.type, shape: shape)]
        case .constant: outputs = [Output(name: name, type: source.type, shape: source.shape)]
        case .bf16: outputs = [Output(name: name, type: .bf16, shape: shape)]
        case .fp8:
            let blocks = shape.map(BlockScaling.blockCount)
            outputs = [
                Output(name: name, type: .fp8E4M3, shape: shape),
                Output(name: names.name(of: .blockScales, of: name), type: .f32, shape: blocks),
            ]
        case .integers(let scaling):
            outputs = [
                Output(
                    name: names.name(of: .packed, of: name), type: .i32,
                    shape: [rows.count, scaling.wordCount(columns.count)]),
                Output(
                    name: names.name(of: .groupScales, of: name), type: .f16,
                    shape: [rows.count, scaling.groupCount(columns.count)]),
                Output(name: names.name(of: .packedShape, of: name), type: .i64, shape: [2]),
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
            if split.isShape(source.name) {
                var shape = split.weightShape(source.name)
                shape[dimension] /= split.count
                let bytes = Self.bytes(shape, as: source.type)
                let step = ConversionStep(.constant(bytes), of: source, nil, rows: rows, columns: columns)
                return (0..<split.count).map { ($0, step) }
            }
            if dimension == 1, recipe == .copy { try split.checkGroups(source) }
            let unit = unit(dimension)
            for rank in 0..<split.count {
                let part = try split.part(
                    rows: rows, columns: columns, of: source, dimension, unit: unit, on: rank)
                shares.append(
                    (rank, ConversionStep(recipe, of: source, packed, rows: part.rows, columns: part.columns)))
            }
        }
        return shares
    }

    /// The number of rows or columns that stay together on a rank.
    private func unit(_ dimension: Int) -> Int {
        // Group sizes are powers of two: the larger is a multiple of the smaller.
        let stored = dimension == 1 ? packed?.scaling.groupSize ?? 1 : 1
        return switch recipe {
        case .fp8: BlockScaling.blockSize
        case .copy: RankSplit.unit(ofCopied: source)
        case .integers(let scaling): dimension == 1 ? max(stored, scaling.groupSize) : 1
        case .bf16, .constant: stored
        }
    }

    /// Integers as bytes of an integer tensor of `type`, little-endian.
    static func bytes(_ values: [Int], as type: ElementType) -> [UInt8] {
        values.flatMap { value in (0..<type.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }
}
