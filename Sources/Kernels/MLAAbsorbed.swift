import GPU
import Numerics
import Shaders

/// Absorbed causal attention over the paged latent cache: s_j = scale · query · cache[j] for the keys 0 … position;
/// latent = Σ softmax(s)_j · cache[j, :C]. A token's heads share what is read of the cache.
///
/// Whole, it gives `latent: [T, heads · C]`. In splits of `splitKeyCount` keys, which run side by side where a token has few
/// heads, it gives `[T, heads · splits · (C + 2)]`: Σ exp(s_j − m) · cache[j, :C], then m = max s_j and Σ exp(s_j − m), for
/// `MLAValue`. `query: [T, heads · (C + R)]`; all F32. A split's bounds and the order of the sums depend on the position
/// alone, so a token's result is the same in every batch.
/// Source: DeepSeek-V2 report, section 2.1.2; `MLA.forward` ("absorb") in inference/model.py; Milakov and Gimelshein 2018.
public struct MLAAbsorbed: VariedKernel {
    public static let name = "mla_absorbed"
    public static let splitKeyCount = 128
    public static func splitCount(forKeys count: Int) -> Int { ceilDivide(count, splitKeyCount) }

    let shape: MLAShape
    let query: Tensor
    let cache: CacheView
    let entries: Tensor
    let pageTable: Tensor
    let positions: Tensor
    let sequences: Tensor
    let y: Tensor
    /// Nil for the whole.
    let splitCount: Int?
    let scale: Float
    public var variant: Variant?

    public init(shape: MLAShape, query: Tensor, cache: CacheView, splitCount: Int?, y: Tensor, scale: Float) {
        let width = splitCount.map { $0 * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
        precondition(
            query.columns == shape.heads * shape.entryWidth && y.columns == shape.heads * width,
            "mla_absorbed: \(y.shape) from \(query.shape)")
        self.shape = shape
        self.query = query
        self.cache = cache
        entries = cache.entries
        pageTable = cache.pageTable
        positions = cache.positions
        sequences = cache.sequences
        self.y = y
        self.splitCount = splitCount
        self.scale = scale
    }

    public var outputs: [Tensor] { [y] }

    public var choice: String { "\(Self.name) \(entries.type)" }
    public func variants(on profile: DeviceProfile) -> [Variant] { attentionVariants(on: profile) }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let heads = queriesPerWorkgroup(of: shape.heads)
        let shader = MlaAbsorbedShader(
            constants: .init(
                cacheBf16: cache.isBF16, queries: UInt32(heads), pairs: attentionPairs(shape.kvLoraRank),
                subgroup: attentionSubgroup(variant(on: commands.device), commands.device.profile),
                split: splitCount == nil ? 0 : UInt32(Self.splitKeyCount)),
            params: .init(
                headCount: UInt32(shape.heads), latentWidth: UInt32(shape.kvLoraRank),
                ropeWidth: UInt32(shape.qkRopeHeadDim), queryPitch: UInt32(query.pitch),
                maxPages: UInt32(cache.maxPages), splitCount: UInt32(splitCount ?? 1), yPitch: UInt32(y.pitch),
                scale: scale),
            bindings: .init(
                query: query.view, cache: entries.view, positions: positions.view, sequences: sequences.view,
                pageTable: pageTable.view, y: y.view))
        try commands.dispatch(shader, groups: (query.rows, ceilDivide(shape.heads, heads), splitCount ?? 1))
    }

    public func reference() {
        let width = shape.kvLoraRank
        for token in 0..<query.rows {
            let keyCount = Int(positions.words[token]) + 1
            for split in 0..<(splitCount ?? 1) where split * Self.splitKeyCount < keyCount {
                let keys =
                    splitCount == nil
                    ? 0..<keyCount : split * Self.splitKeyCount..<min(keyCount, (split + 1) * Self.splitKeyCount)
                let rows = keys.map { entries.decodedRow(cache.entry(token: token, position: $0)) }
                for head in 0..<shape.heads {
                    let q = query.floats + token * query.pitch + head * shape.entryWidth
                    let scores = rows.map { dotProduct($0, q) * scale }
                    let largest = scores.max()!
                    let weights = scores.map { exponential($0 - largest) }
                    let total = weights.reduce(0, +)
                    var target = y.floats + token * y.pitch
                    target += splitCount.map { (head * $0 + split) * (width + 2) } ?? head * width
                    for c in 0..<width {
                        var sum: Float = 0
                        for j in rows.indices { sum += weights[j] * rows[j][c] }
                        target[c] = splitCount == nil ? sum / total : sum
                    }
                    guard splitCount != nil else { continue }
                    target[width] = largest
                    target[width + 1] = total
                }
            }
        }
    }

    public var summary: String {
        "\(query.rows) × \(shape.heads) heads, \(entries.type)\(splitCount == nil ? ", whole" : "")"
    }

    public var cost: Cost {
        let keys = cache.keyTotal ?? query.rows * cache.maxPages * CacheView.pageTokenCount
        let readers = ceilDivide(shape.heads, queriesPerWorkgroup(of: shape.heads))
        return Cost(
            byteCount: keys * readers * shape.entryWidth * entries.type.byteCount
                + 4 * query.rows * (query.columns + y.columns),
            flopCount: 2 * keys * shape.heads * (shape.entryWidth + shape.kvLoraRank))
    }

    public var tolerance: Tolerance {
        Tolerance(
            1e-4, because: "the device's exponential (2^-20 relative at these scores) and FP32 sums over the positions")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let odd = MLAShape(heads: 11, qkNopeHeadDim: 16, qkRopeHeadDim: 16, vHeadDim: 16, kvLoraRank: 130)
        let positions = [0, 1, 62, 63, 64, 127, 128, 130, 301]
        return (MLAShape.samples + [("11 heads", odd)]).flatMap { name, shape in
            [ElementType.f32, .bf16].flatMap { type in
                [nil, splitCount(forKeys: 302)].flatMap { splitCount in
                    KernelCase.eachVariant(
                        attentionVariants(on: profile), "\(name), \(type)\(splitCount == nil ? "" : ", split")"
                    ) { bench throws(GPUError) in
                        let width = splitCount.map { $0 * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
                        return MLAAbsorbed(
                            shape: shape,
                            query: try bench.tensor("query", [positions.count, shape.heads * shape.entryWidth]),
                            cache: try .sample(&bench, shape, positions: positions, type: type, filled: true),
                            splitCount: splitCount, y: try bench.output("y", [positions.count, shape.heads * width]),
                            scale: 1 / Float(shape.entryWidth).squareRoot())
                    }
                }
            }
        }
    }
}

// MARK: What the attention shaders share: see Shaders/common_attention.glsl.

func attentionVariants(on profile: DeviceProfile) -> [Variant] {
    profile.narrowSubgroup == nil ? [.tiles] : [.lanes, .tiles]
}

/// The shaders' SUBGROUP.
func attentionSubgroup(_ variant: Variant, _ profile: DeviceProfile) -> UInt32 {
    variant.form == .lanes ? UInt32(profile.subgroupSize) : 0
}

/// The shaders' PAIRS: pairs of value columns that each of 64 threads takes.
func attentionPairs(_ valueWidth: Int) -> UInt32 { UInt32(ceilDivide(valueWidth, 128)) }

/// The shaders' QUERIES: the power of two, at most 8, that so many rows fill best.
func queriesPerWorkgroup(of rows: Int) -> Int { rows > 4 ? 8 : rows > 2 ? 4 : rows }
