import GPU
import Numerics
import Shaders

/// Absorbed causal attention over the paged latent cache: s_j = scale · query · cache[j] for the keys 0 … position;
/// latent = Σ softmax(s)_j · cache[j, :C]. The heads of a token share the entries that are read from the cache.
///
/// `query: [T, heads · P], F32`, see `MLAQuery`; the cache: see `CacheView`. Without splits, `y: [T, heads · C], F32` is the
/// latent. With splits, which run side by side where a step has few tokens, `y: [T, heads · splits · (C + 2)], F32` has for each
/// split Σ exp(s_j − m) · cache[j, :C], then m = max s_j and Σ exp(s_j − m); `MLAValue` joins them. The bounds of a split and the
/// order of the sums depend on the position only, so a token's result has the same bits in every batch.
/// Matrix units take the cache's values as FP16. A value beyond 65504 becomes infinite there, and the step's error names the
/// layer; the variant `tiles` computes it.
/// Source: DeepSeek-V2 report, section 2.1.2; `MLA.forward` ("absorb") in inference/model.py; Milakov and Gimelshein 2018.
public struct MLAAbsorbed: VariedKernel, AttendingKernel {
    public static let name = "mla_absorbed"
    public static let variants = attentionVariants

    let shape: MLAShape
    let query: Tensor
    let cache: CacheView
    let entries: Tensor
    let pageTable: Tensor
    let positions: Tensor
    let sequences: Tensor
    let y: Tensor
    /// Nil where one workgroup computes all keys of a token.
    let splits: AttentionSplits?
    let scale: Float
    public var attendedCount: Int?
    public var variant: Variant?

    public init(shape: MLAShape, query: Tensor, cache: CacheView, splits: AttentionSplits?, y: Tensor, scale: Float) {
        let width = splits.map { $0.count * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
        precondition(
            query.columns == shape.heads * shape.paddedEntryWidth && y.columns == shape.heads * width,
            "mla_absorbed: \(y.shape) from \(query.shape)")
        self.shape = shape
        self.query = query
        self.cache = cache
        entries = cache.entries
        pageTable = cache.pageTable
        positions = cache.positions
        sequences = cache.sequences
        self.y = y
        self.splits = splits
        self.scale = scale
        attendedCount = cache.keyTotal
    }

    public var operands: [KernelOperand] { .read(query, entries, pageTable, positions, sequences) + [.write(y)] }

    public var choice: String { "\(Self.name) \(entries.type)" }
    public func takes(_ variant: Variant, on profile: DeviceProfile) -> Bool { Self.takes(variant, shape, profile) }

    private static func takes(_ variant: Variant, _ shape: MLAShape, _ profile: DeviceProfile) -> Bool {
        variant != .matrix || matrixRows(shape, profile) != nil
    }

    /// Heads of a workgroup on matrix units; nil where these cannot take the shape.
    static func matrixRows(_ shape: MLAShape, _ profile: DeviceProfile) -> Int? {
        guard let tiles = profile.attentionTiles, shape.entryWidth % 8 == 0 else { return nil }
        // More heads share each entry that is read from the cache; eight subgroups share the blocks of their scores.
        let rows = shape.heads > 16 && tiles.shape.m * tiles.shape.n >= 128 ? 32 : 16
        let constants = matrixConstants(shape, tiles, rows: rows, isBF16: false)
        return MlaAbsorbedMatrixShader.sharedByteCount(constants) <= profile.maxSharedByteCount ? rows : nil
    }

    private static func matrixConstants(
        _ shape: MLAShape, _ tiles: DeviceProfile.MatrixTiles, rows: Int, isBF16: Bool
    ) -> MlaAbsorbedMatrixShader.Constants {
        .init(
            cacheBf16: isBF16, m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n), k: UInt32(tiles.shape.k),
            requiredSubgroup: UInt32(tiles.subgroup), threads: UInt32(8 * tiles.subgroup), rows: UInt32(rows),
            width: UInt32(shape.entryWidth), latent: UInt32(shape.kvLoraRank))
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let variant = variant(on: commands.target)
        if variant == .matrix { return try encodeMatrix(into: &commands) }
        let heads = queriesPerWorkgroup(of: shape.heads)
        let shader = MlaAbsorbedShader(
            constants: .init(
                cacheBf16: cache.isBF16, queries: UInt32(heads),
                pairs: UInt32(4 * ceilDivide(shape.kvLoraRank, 8 * 64)),
                subgroup: variant.subgroup(on: commands.profile)),
            params: .init(
                headCount: UInt32(shape.heads), width: UInt32(shape.paddedEntryWidth),
                latentWidth: UInt32(shape.kvLoraRank), queryPitch: UInt32(query.pitch),
                maxPages: UInt32(cache.maxPages), mostSplits: UInt32(splits?.most ?? 0),
                splitCount: UInt32(splits?.count ?? 1), yPitch: UInt32(y.pitch), scale: scale),
            bindings: .init(
                query: query.view, cache: entries.view, positions: positions.view, sequences: sequences.view,
                pageTable: pageTable.view, y: y.view))
        try commands.dispatch(shader, groups: (query.rows, ceilDivide(shape.heads, heads), splits?.count ?? 1))
    }

    private func encodeMatrix(into commands: inout Commands) throws(GPUError) {
        let profile = commands.profile
        guard let tiles = profile.attentionTiles, let rows = Self.matrixRows(shape, profile) else {
            preconditionFailure("mla_absorbed: the form matrix on \(profile.name) for \(shape)")
        }
        let shader = MlaAbsorbedMatrixShader(
            constants: Self.matrixConstants(shape, tiles, rows: rows, isBF16: cache.isBF16),
            params: .init(
                headCount: UInt32(shape.heads), queryPitch: UInt32(query.pitch), maxPages: UInt32(cache.maxPages),
                mostSplits: UInt32(splits?.most ?? 0), splitCount: UInt32(splits?.count ?? 1),
                yPitch: UInt32(y.pitch), scale: scale),
            bindings: .init(
                query: query.view, cache: entries.view, positions: positions.view, sequences: sequences.view,
                pageTable: pageTable.view, y: y.view))
        try commands.dispatch(shader, groups: (query.rows, ceilDivide(shape.heads, rows), splits?.count ?? 1))
    }

    public func reference() {
        let width = shape.kvLoraRank
        for token in 0..<query.rows {
            let keyCount = Int(positions.words[token]) + 1
            for (split, keys) in (splits?.ranges(of: keyCount) ?? [0..<keyCount]).enumerated() {
                let rows = keys.map {
                    Array(entries.decodedRow(cache.entry(token: token, position: $0))[..<shape.entryWidth])
                }
                for head in 0..<shape.heads {
                    let q = query.floats + token * query.pitch + head * shape.paddedEntryWidth
                    let scores = rows.map { dotProduct($0, q) * scale }
                    let largest = scores.max()!
                    let weights = scores.map { exponential($0 - largest) }
                    let total = weights.reduce(0, +)
                    var target = y.floats + token * y.pitch
                    target += splits.map { (head * $0.count + split) * (width + 2) } ?? head * width
                    for c in 0..<width {
                        var sum: Float = 0
                        for j in rows.indices { sum += weights[j] * rows[j][c] }
                        target[c] = splits == nil ? sum / total : sum
                    }
                    guard splits != nil else { continue }
                    target[width] = largest
                    target[width + 1] = total
                }
            }
        }
    }

    public var summary: String {
        "\(query.rows) × \(shape.heads) heads, \(entries.type)\(splits == nil ? ", whole" : "")"
    }

    public var cost: Cost {
        let keys = attendedCount ?? query.rows * cache.maxPages * CacheView.pageTokenCount
        return Cost(
            byteCount: keys * shape.entryWidth * entries.type.byteCount
                + 4 * query.rows * (query.columns + y.columns),
            flopCount: 2 * keys * shape.heads * (shape.entryWidth + shape.kvLoraRank))
    }

    public var tolerance: Tolerance {
        // A score of a few units is off by about 2^-10, and its weight by the same relative error; times 8 for the worst.
        if variant == .matrix {
            return Tolerance(0x1p-7, because: "queries, entries and weights rounded to FP16")
        }
        return Tolerance(
            1e-4, because: "the device's exponential (2^-20 relative at these scores) and FP32 sums over the positions")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let odd = MLAShape(heads: 11, qkNopeHeadDim: 16, qkRopeHeadDim: 16, vHeadDim: 16, kvLoraRank: 130)
        func able(_ shape: MLAShape) -> [Variant] { variants(on: profile) { takes($0, shape, profile) } }
        let samples = (MLAShape.samples + [("11 heads", odd)]).map { ($0, $1, able($1)) }
        // Enough heads for the matrix units' largest workgroup. The other variants would only take long to compile.
        let many = MLAShape(heads: 33, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128, kvLoraRank: 512)
        let large = [("V3, 33 heads", many, able(many).filter { $0 == .matrix })]
        let splits = [nil, AttentionSplits(most: 64, keyCount: 302), AttentionSplits(most: 3, keyCount: 302)]
        let positions = [0, 1, 62, 63, 64, 127, 128, 130, 301]
        return (samples + large).flatMap { name, shape, variants in
            [ElementType.f32, .bf16].flatMap { type in
                splits.flatMap { splits in
                    KernelCase.eachVariant(
                        variants, "\(name), \(type)\(splits.map { ", in at most \($0.most)" } ?? "")"
                    ) { bench throws(GPUError) in
                        let width = splits.map { $0.count * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
                        return MLAAbsorbed(
                            shape: shape,
                            query: try bench.absorbedQuery(shape, tokens: positions.count),
                            cache: try .sample(&bench, shape, positions: positions, type: type, filled: true),
                            splits: splits, y: try bench.output("y", [positions.count, shape.heads * width]),
                            scale: 1 / Float(shape.entryWidth).squareRoot())
                    }
                }
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let shape = model.attention
        return [
            ModelCase("mla_absorbed\(phase == .decode ? " in splits" : ""), \(model.keyCount(phase)) keys") {
                bench, tokens throws(GPUError) in
                let splits = phase == .decode ? model.splits(tokens: tokens, on: bench.target) : nil
                let width = splits.map { $0.count * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
                return MLAAbsorbed(
                    shape: shape, query: try bench.absorbedQuery(shape, tokens: tokens),
                    cache: try bench.cache(of: model, phase, tokens: tokens), splits: splits,
                    y: try bench.output(splits == nil ? "latent" : "partials", [tokens, shape.heads * width]),
                    scale: shape.plainScale)
            }
        ]
    }

    public static let codeRules = [
        // 19 to 22 KB of shared memory for 64 threads leave room for one subgroup where four SIMDs share 64 KB.
        CodeRule("mla_absorbed", subgroups: 1),
        // Three loads: the query, the entries for the scores, and the entries again as values.
        CodeRule("mla_absorbed_matrix", wideLoads: 3, units: .matrix),
    ]
}
