import GPU
import Numerics
import Shaders

/// Absorbed attention over the paged latent cache, in splits of 256 keys:
/// s_j = scale · query · cache[j]; m = max s_j; p_j = exp(s_j − m); partial = (Σ p_j · cache[j, :C], m, Σ p_j).
///
/// `query: [T, heads · (C + R)], F32`; `partials: [T, heads · splits · (C + 2)], F32`. Causal: keys 0 … position.
/// A split's bounds depend on positions alone, so a token's result is the same in every batch.
public struct MLADecode: Kernel {
    public static let name = "mla_decode"
    public static let splitKeyCount = 256
    public static func splitCount(forKeys count: Int) -> Int { ceilDivide(count, splitKeyCount) }
    let shape: MLAShape
    let query: Tensor
    let cache: CacheView
    let entries: Tensor
    let pageTable: Tensor
    let positions: Tensor
    let sequences: Tensor
    let partials: Tensor
    let splitCount: Int
    let scale: Float

    public init(shape: MLAShape, query: Tensor, cache: CacheView, partials: Tensor, splitCount: Int, scale: Float) {
        precondition(query.columns == shape.heads * shape.entryWidth, "mla_decode: \(query.shape)")
        precondition(
            partials.columns == shape.heads * splitCount * (shape.kvLoraRank + 2), "mla_decode: \(partials.shape)")
        self.shape = shape
        self.query = query
        self.cache = cache
        entries = cache.entries
        pageTable = cache.pageTable
        positions = cache.positions
        sequences = cache.sequences
        self.partials = partials
        self.splitCount = splitCount
        self.scale = scale
    }

    public var outputs: [Tensor] { [partials] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = MlaDecodeShader(
            constants: .init(cacheBf16: cache.isBF16),
            params: .init(
                latentWidth: UInt32(shape.kvLoraRank), ropeWidth: UInt32(shape.qkRopeHeadDim),
                queryPitch: UInt32(query.pitch),
                maxPages: UInt32(cache.maxPages), splitCount: UInt32(splitCount), partialPitch: UInt32(partials.pitch),
                scale: scale),
            bindings: .init(
                query: query.view, cache: entries.view, positions: positions.view, sequences: sequences.view,
                pageTable: pageTable.view, partials: partials.view))
        try commands.dispatch(shader, groups: (query.rows, shape.heads, splitCount))
    }

    public func reference() {
        for token in 0..<query.rows {
            let position = Int(positions.words[token])
            for split in 0..<splitCount where split * Self.splitKeyCount <= position {
                let keys = split * Self.splitKeyCount..<min(position + 1, (split + 1) * Self.splitKeyCount)
                let rows = keys.map { entries.decodedRow(cache.entry(token: token, position: $0)) }
                for head in 0..<shape.heads {
                    let q = query.floats + token * query.pitch + head * shape.entryWidth
                    let target =
                        partials.floats + token * partials.pitch + (head * splitCount + split) * (shape.kvLoraRank + 2)
                    let scores = rows.map { row in
                        var sum: Float = 0
                        for i in row.indices { sum += q[i] * row[i] }
                        return sum * scale
                    }
                    let largest = scores.max()!
                    let weights = scores.map { exponential($0 - largest) }
                    for c in 0..<shape.kvLoraRank {
                        var sum: Float = 0
                        for j in rows.indices { sum += weights[j] * rows[j][c] }
                        target[c] = sum
                    }
                    target[shape.kvLoraRank] = largest
                    target[shape.kvLoraRank + 1] = weights.reduce(0, +)
                }
            }
        }
    }

    public var summary: String { "\(query.rows) × \(shape.heads) heads, \(entries.type)" }

    public var cost: Cost {
        let keys = cache.keyTotal ?? query.rows * splitCount * Self.splitKeyCount
        let flops = 2 * keys * shape.heads * (shape.entryWidth + shape.kvLoraRank)
        return Cost(
            byteCount: keys * shape.entryWidth * entries.type.byteCount + 4 * query.rows * query.columns,
            flopCount: flops)
    }

    public var tolerance: Tolerance {
        Tolerance(
            1e-4,
            because:
                "the device's exponential (2^-20 relative at these scores) and FP32 sums of \(Self.splitKeyCount) terms"
        )
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.flatMap { name, shape in
            [ElementType.f32, .bf16].map { type in
                KernelCase("\(name), \(type)") { bench throws(GPUError) in
                    let positions = [0, 5, 255, 256, 301]
                    let cache = try CacheView.sample(&bench, shape, positions: positions, type: type, filled: true)
                    return MLADecode(
                        shape: shape,
                        query: try bench.tensor(
                            "query", [positions.count, shape.heads * shape.entryWidth], .normal(1)),
                        cache: cache,
                        partials: try bench.output(
                            "partials", [positions.count, shape.heads * 2 * (shape.kvLoraRank + 2)]),
                        splitCount: 2, scale: 1 / Float(shape.entryWidth).squareRoot())
                }
            }
        }
    }
}

/// Joins a head's splits: latent = Σ_s e^(m_s − M) · partial_s / Σ_s e^(m_s − M) · l_s, with M = max m_s.
///
/// `partials: [T, heads · splits · (C + 2)], F32`; `latent: [T, heads · C], F32`.
public struct MLACombine: Kernel {
    public static let name = "mla_combine"
    let shape: MLAShape
    let partials: Tensor
    let positions: Tensor
    let latent: Tensor
    let splitCount: Int

    public init(shape: MLAShape, partials: Tensor, positions: Tensor, latent: Tensor, splitCount: Int) {
        precondition(latent.columns == shape.heads * shape.kvLoraRank, "mla_combine: \(latent.shape)")
        self.shape = shape
        self.partials = partials
        self.positions = positions
        self.latent = latent
        self.splitCount = splitCount
    }

    public var outputs: [Tensor] { [latent] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = MlaCombineShader(
            params: .init(
                latentWidth: UInt32(shape.kvLoraRank), splitCount: UInt32(splitCount),
                partialPitch: UInt32(partials.pitch),
                latentPitch: UInt32(latent.pitch)),
            bindings: .init(partials: partials.view, positions: positions.view, latent: latent.view))
        try commands.dispatch(shader, groups: (latent.rows, shape.heads, 1))
    }

    public func reference() {
        let width = shape.kvLoraRank
        for token in 0..<latent.rows {
            let used = Int(positions.words[token]) / MLADecode.splitKeyCount + 1
            for head in 0..<shape.heads {
                let splits = (0..<used).map {
                    partials.floats + token * partials.pitch + (head * splitCount + $0) * (width + 2)
                }
                let largest = splits.map { $0[width] }.max()!
                let factors = splits.map { exponential($0[width] - largest) }
                let total = zip(splits, factors).reduce(Float(0)) { $0 + $1.0[width + 1] * $1.1 }
                for c in 0..<width {
                    let sum = zip(splits, factors).reduce(Float(0)) { $0 + $1.0[c] * $1.1 }
                    latent.floats[token * latent.pitch + head * width + c] = sum / total
                }
            }
        }
    }

    public var cost: Cost {
        Cost(
            byteCount: 4 * latent.rows * (partials.columns + latent.columns),
            flopCount: 2 * latent.rows * partials.columns)
    }
    public var tolerance: Tolerance { Tolerance(1e-5, because: "the device's exponential and a handful of FP32 sums") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.map { name, shape in
            KernelCase(name) { bench throws(GPUError) in
                let positions: [UInt32] = [0, 255, 256, 700]
                let width = shape.kvLoraRank + 2
                // Sums of exponentials are at least 1: the largest term is exp(0).
                let values = (0..<4 * shape.heads * 3 * width).map { index in
                    index % width == width - 1 ? 1 + Float(bench.random.nextUnit()) * 200 : bench.random.nextNormal()
                }
                return MLACombine(
                    shape: shape,
                    partials: try bench.tensor("partials", [4, shape.heads * 3 * width], .floats(values)),
                    positions: try bench.tensor("positions", .u32, [4], .words(positions)),
                    latent: try bench.output("latent", [4, shape.heads * shape.kvLoraRank]), splitCount: 3)
            }
        }
    }
}
