import GPU
import Numerics
import Shaders

/// Absorbed causal attention of many tokens over the paged latent cache:
/// s_j = scale · query · cache[j]; latent = Σ softmax(s)_j · cache[j, :C].
///
/// `query: [T, heads · (C + R)], F32`; `latent: [T, heads · C], F32`. Causal: keys 0 … position. A token's heads share what
/// is read of the cache. The order of the sums depends on the position alone, so a token's result is the same in
/// every batch. Source: DeepSeek-V2 report, section 2.1.2; `MLA.forward` ("absorb") in inference/model.py.
public struct MLAPrefill: Kernel {
    public static let name = "mla_prefill"
    /// The shader's WORKGROUP.
    private static let workgroupSize = 64
    let shape: MLAShape
    let query: Tensor
    let cache: CacheView
    let entries: Tensor
    let pageTable: Tensor
    let positions: Tensor
    let sequences: Tensor
    let latent: Tensor
    let scale: Float

    public init(shape: MLAShape, query: Tensor, cache: CacheView, latent: Tensor, scale: Float) {
        precondition(
            query.columns == shape.heads * shape.entryWidth && latent.columns == shape.heads * shape.kvLoraRank,
            "mla_prefill: \(latent.shape) from \(query.shape)")
        self.shape = shape
        self.query = query
        self.cache = cache
        entries = cache.entries
        pageTable = cache.pageTable
        positions = cache.positions
        sequences = cache.sequences
        self.latent = latent
        self.scale = scale
    }

    public var outputs: [Tensor] { [latent] }

    /// Heads that share a workgroup.
    private var headsPerWorkgroup: Int { shape.heads > 4 ? 8 : shape.heads > 2 ? 4 : shape.heads }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = MlaPrefillShader(
            constants: .init(
                cacheBf16: cache.isBF16, heads: UInt32(headsPerWorkgroup),
                pairs: UInt32(ceilDivide(shape.kvLoraRank / 2, Self.workgroupSize))),
            params: .init(
                headCount: UInt32(shape.heads), latentWidth: UInt32(shape.kvLoraRank),
                ropeWidth: UInt32(shape.qkRopeHeadDim), queryPitch: UInt32(query.pitch),
                maxPages: UInt32(cache.maxPages), latentPitch: UInt32(latent.pitch), scale: scale),
            bindings: .init(
                query: query.view, cache: entries.view, positions: positions.view, sequences: sequences.view,
                pageTable: pageTable.view, latent: latent.view))
        try commands.dispatch(shader, groups: (query.rows, ceilDivide(shape.heads, headsPerWorkgroup), 1))
    }

    public func reference() {
        for token in 0..<query.rows {
            let rows = (0...Int(positions.words[token])).map {
                entries.decodedRow(cache.entry(token: token, position: $0))
            }
            for head in 0..<shape.heads {
                let q = query.floats + token * query.pitch + head * shape.entryWidth
                let scores = rows.map { dotProduct($0, q) * scale }
                let largest = scores.max()!
                let weights = scores.map { exponential($0 - largest) }
                let total = weights.reduce(0, +)
                for c in 0..<shape.kvLoraRank {
                    var sum: Float = 0
                    for j in rows.indices { sum += weights[j] * rows[j][c] }
                    latent.floats[token * latent.pitch + head * shape.kvLoraRank + c] = sum / total
                }
            }
        }
    }

    public var summary: String { "\(query.rows) × \(shape.heads) heads, \(entries.type)" }

    public var cost: Cost {
        let keys = cache.keyTotal ?? query.rows * cache.maxPages * CacheView.pageTokenCount
        let readers = ceilDivide(shape.heads, headsPerWorkgroup)
        return Cost(
            byteCount: keys * readers * shape.entryWidth * entries.type.byteCount
                + 4 * query.rows * (query.columns + latent.columns),
            flopCount: 2 * keys * shape.heads * (shape.entryWidth + shape.kvLoraRank))
    }

    public var tolerance: Tolerance {
        Tolerance(
            1e-4, because: "the device's exponential (2^-20 relative at these scores) and FP32 sums over the positions")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let shapes =
            MLAShape.samples + [
                (
                    "11 heads",
                    MLAShape(heads: 11, qkNopeHeadDim: 16, qkRopeHeadDim: 16, vHeadDim: 16, kvLoraRank: 130)
                )
            ]
        return shapes.flatMap { name, shape in
            [ElementType.f32, .bf16].map { type in
                KernelCase("\(name), \(type)") { bench throws(GPUError) in
                    let positions = [0, 1, 62, 63, 64, 130, 301]
                    let cache = try CacheView.sample(&bench, shape, positions: positions, type: type, filled: true)
                    return MLAPrefill(
                        shape: shape,
                        query: try bench.tensor(
                            "query", [positions.count, shape.heads * shape.entryWidth], .normal(1)),
                        cache: cache,
                        latent: try bench.output("latent", [positions.count, shape.heads * shape.kvLoraRank]),
                        scale: 1 / Float(shape.entryWidth).squareRoot())
                }
            }
        }
    }
}
