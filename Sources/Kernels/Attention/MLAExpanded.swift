import GPU
import Numerics
import Shaders

/// Causal attention in expanded form, for many tokens, over some of the heads: key j of head h is
/// (kv[j, h, :nope], entries[j, C:]), its value kv[j, h, nope:]; y[t, h] = Σ_j softmax(scale · q[t, h] · key j) · value j
/// over the keys up to the token's position.
///
/// `q: [T, heads · (nope + R)], F32`, rotated; `kv: [keys, slice heads · (nope + v)], F32`, the product of kv_b_proj with the
/// entries' latents; `entries: [keys, C + R], F32`; `tiles: [n, 4], U32`; `y: [T, heads · v], F32`. A score costs nope + R + v
/// multiplications a head, in the absorbed form 2 C + R; but every key must be expanded once. The order of the sums depends on
/// the position only.
/// Matrix units take keys and values as FP16. A value beyond 65504 becomes infinite there, and the step's error names the
/// layer; the variant `tiles` computes it.
/// Source: DeepSeek-V2 report, equations 37 to 47; `MLA.forward` ("naive") in inference/model.py.
public struct MLAExpanded: VariedKernel, AttendingKernel {
    public static let name = "mla_expanded"
    public static let variants = attentionVariants

    /// Tokens of a tile at most, without matrix units.
    private static let usualTileTokenCount = 8

    /// Consecutive tokens of one sequence in the batch.
    public struct Run: Sendable {
        public var firstToken, tokenCount: Int
        /// The first token's position, and the row of the sequence's first key in `kv` and `entries`.
        public var position, firstKey: Int
        public init(firstToken: Int, tokenCount: Int, position: Int, firstKey: Int) {
            self.firstToken = firstToken
            self.tokenCount = tokenCount
            self.position = position
            self.firstKey = firstKey
        }
    }

    /// Tokens of a tile at most, for the variant that a device runs. Without a device, any number works.
    public static func tileTokenCount(_ shape: MLAShape, on device: (any Target)?) -> Int {
        guard let device else { return usualTileTokenCount }
        let variant = variant(on: device, choice: name) { takes($0, shape, device.profile) }
        return tileTokenCount(variant, device.profile)
    }

    static func tileTokenCount(_ variant: Variant, _ profile: DeviceProfile) -> Int {
        variant == .matrix ? 8 * profile.attentionTiles!.shape.m : usualTileTokenCount
    }

    /// The operand `tiles` for some runs: (first token, tokens, first key, first position) of each tile.
    ///
    /// - Parameter count: tokens of a tile at most.
    public static func tiles(of runs: [Run], by count: Int) -> [UInt32] {
        runs.flatMap { run in
            stride(from: 0, to: run.tokenCount, by: count).flatMap { start in
                [
                    UInt32(run.firstToken + start), UInt32(min(count, run.tokenCount - start)),
                    UInt32(run.firstKey), UInt32(run.position + start),
                ]
            }
        }
    }

    let shape: MLAShape
    let heads: Range<Int>
    let q: Tensor
    let kv: Tensor
    let entries: Tensor
    let tiles: Tensor
    let y: Tensor
    let scale: Float
    /// Scores of one head.
    public var attendedCount: Int?
    public var variant: Variant?

    public init(
        shape: MLAShape, heads: Range<Int>, q: Tensor, kv: Tensor, entries: Tensor, tiles: Tensor, y: Tensor,
        scale: Float, scoreCount: Int? = nil
    ) {
        precondition(
            q.columns == shape.queryWidth && y.columns == shape.heads * shape.vHeadDim && q.rows == y.rows
                && kv.columns == heads.count * (shape.qkNopeHeadDim + shape.vHeadDim) && kv.rows == entries.rows
                && entries.columns == shape.entryWidth && tiles.columns == 4,
            "mla_expanded: \(y.shape) from \(q.shape), \(kv.shape), \(entries.shape)")
        precondition(
            Self.takes(shape) && kv.pitch % 4 == 0 && entries.pitch % 4 == 0 && entries.type == .f32,
            "mla_expanded: \(shape)")
        self.shape = shape
        self.heads = heads
        self.q = q
        self.kv = kv
        self.entries = entries
        self.tiles = tiles
        self.y = y
        self.scale = scale
        attendedCount = scoreCount
    }

    /// Whether the kernel can read the shape's widths in whole loads: eight elements of a key, four of a value.
    public static func takes(_ shape: MLAShape) -> Bool {
        shape.qkNopeHeadDim % 8 == 0 && shape.qkRopeHeadDim % 8 == 0 && shape.kvLoraRank % 4 == 0
            && shape.vHeadDim % 4 == 0
    }

    public var operands: [KernelOperand] {
        .read(q, kv, entries, tiles) + [heads.count == shape.heads ? .write(y) : .readWrite(y)]
    }

    public var choice: String { Self.name }
    public func takes(_ variant: Variant, on profile: DeviceProfile) -> Bool { Self.takes(variant, shape, profile) }

    private static func takes(_ variant: Variant, _ shape: MLAShape, _ profile: DeviceProfile) -> Bool {
        variant != .matrix || fitsMatrix(shape, profile)
    }

    /// Whether matrix units can take the shape.
    private static func fitsMatrix(_ shape: MLAShape, _ profile: DeviceProfile) -> Bool {
        guard let tiles = profile.attentionTiles, takes(shape) else { return false }
        return MlaExpandedMatrixShader.sharedByteCount(matrixConstants(shape, tiles)) <= profile.maxSharedByteCount
    }

    private static func matrixConstants(
        _ shape: MLAShape, _ tiles: DeviceProfile.MatrixTiles
    ) -> MlaExpandedMatrixShader.Constants {
        .init(
            m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n), k: UInt32(tiles.shape.k),
            requiredSubgroup: UInt32(tiles.subgroup), threads: UInt32(8 * tiles.subgroup),
            nope: UInt32(shape.qkNopeHeadDim), rope: UInt32(shape.qkRopeHeadDim), value: UInt32(shape.vHeadDim))
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let variant = variant(on: commands.target)
        if variant == .matrix { return try encodeMatrix(into: &commands) }
        let shader = MlaExpandedShader(
            constants: .init(
                queries: UInt32(Self.usualTileTokenCount), pairs: UInt32(ceilDivide(shape.vHeadDim, 2 * 64)),
                subgroup: variant.subgroup(on: commands.profile)),
            params: .init(
                firstHead: UInt32(heads.lowerBound), nopeWidth: UInt32(shape.qkNopeHeadDim),
                ropeWidth: UInt32(shape.qkRopeHeadDim), valueWidth: UInt32(shape.vHeadDim),
                latentWidth: UInt32(shape.kvLoraRank), qPitch: UInt32(q.pitch), kvPitch: UInt32(kv.pitch),
                entryPitch: UInt32(entries.pitch), yPitch: UInt32(y.pitch), scale: scale),
            bindings: .init(
                q: q.view, keys: kv.view, values: kv.view, entries: entries.view, tiles: tiles.view, y: y.view))
        try commands.dispatch(shader, groups: (tiles.rows, heads.count, 1))
    }

    private func encodeMatrix(into commands: inout Commands) throws(GPUError) {
        guard let units = commands.profile.attentionTiles else {
            preconditionFailure("mla_expanded: the form matrix on \(commands.profile.name)")
        }
        let shader = MlaExpandedMatrixShader(
            constants: Self.matrixConstants(shape, units),
            params: .init(
                firstHead: UInt32(heads.lowerBound), latentWidth: UInt32(shape.kvLoraRank), qPitch: UInt32(q.pitch),
                kvPitch: UInt32(kv.pitch), entryPitch: UInt32(entries.pitch), yPitch: UInt32(y.pitch), scale: scale),
            bindings: .init(q: q.view, kv: kv.view, entries: entries.view, tiles: tiles.view, y: y.view))
        try commands.dispatch(shader, groups: (tiles.rows, heads.count, 1))
    }

    public func reference() {
        let (nope, rope, v) = (shape.qkNopeHeadDim, shape.qkRopeHeadDim, shape.vHeadDim)
        for tile in 0..<tiles.rows {
            let words = (0..<4).map { Int(tiles.words[tile * tiles.pitch + $0]) }
            for offset in 0..<words[1] {
                let keys = words[2]..<words[2] + words[3] + offset + 1
                for (slot, head) in heads.enumerated() {
                    let query = q.floats + (words[0] + offset) * q.pitch + head * (nope + rope)
                    let scores = keys.map { key in
                        let own = kv.floats + key * kv.pitch + slot * (nope + v)
                        let shared = entries.floats + key * entries.pitch + shape.kvLoraRank
                        var sum: Float = 0
                        for i in 0..<nope { sum += query[i] * own[i] }
                        for i in 0..<rope { sum += query[nope + i] * shared[i] }
                        return sum * scale
                    }
                    let largest = scores.max()!
                    let weights = scores.map { exponential($0 - largest) }
                    let total = weights.reduce(0, +)
                    let target = y.floats + (words[0] + offset) * y.pitch + head * v
                    for i in 0..<v {
                        var sum: Float = 0
                        for (weight, key) in zip(weights, keys) {
                            sum += weight * kv.floats[key * kv.pitch + slot * (nope + v) + nope + i]
                        }
                        target[i] = sum / total
                    }
                }
            }
        }
    }

    public var summary: String { "\(q.rows) × \(heads.count) heads, \(kv.rows) keys" }

    public var cost: Cost {
        let width = shape.qkNopeHeadDim + shape.qkRopeHeadDim
        return Cost(
            byteCount: 4
                * (heads.count * (q.rows * (width + shape.vHeadDim)) + kv.rows * kv.columns
                    + kv.rows * shape.qkRopeHeadDim),
            flopCount: 2 * (attendedCount ?? q.rows * kv.rows) * heads.count * (width + shape.vHeadDim))
    }

    public var tolerance: Tolerance {
        if variant == .matrix {
            return Tolerance(0x1p-7, because: "queries, keys, weights and values rounded to FP16")
        }
        return Tolerance(
            1e-4, because: "the device's exponential (2^-20 relative at these scores) and FP32 sums over the positions")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let ragged = MLAShape(heads: 3, qkNopeHeadDim: 24, qkRopeHeadDim: 8, vHeadDim: 36, kvLoraRank: 84)
        // A sequence from its start, the next tokens of a longer one, one token alone.
        let runs = [
            Run(firstToken: 0, tokenCount: 21, position: 0, firstKey: 0),
            Run(firstToken: 21, tokenCount: 9, position: 128, firstKey: 21),
            Run(firstToken: 30, tokenCount: 1, position: 300, firstKey: 158),
        ]
        let shapes = [MLAShape.samples[0], MLAShape.samples[1], ("ragged, odd rests", ragged)].flatMap { name, shape in
            [0..<shape.heads, 1..<3].map { (name, shape, $0) }
        }
        return shapes.flatMap { name, shape, heads in
            variants(on: profile) { takes($0, shape, profile) }.flatMap { variant in
                KernelCase.eachVariant([variant], "\(name), heads \(heads), \(variant.name)") {
                    bench throws(GPUError) in
                    let words = tiles(of: runs, by: tileTokenCount(variant, profile))
                    let keys = 158 + 301
                    return MLAExpanded(
                        shape: shape, heads: heads, q: try bench.tensor("q", [31, shape.queryWidth]),
                        kv: try bench.tensor("kv", [keys, heads.count * (shape.qkNopeHeadDim + shape.vHeadDim)]),
                        entries: try bench.tensor("entries", [keys, shape.entryWidth]),
                        tiles: try bench.tensor("tiles", .u32, [words.count / 4, 4], .words(words)),
                        // The other heads' values stay.
                        y: try bench.tensor(
                            "y", [31, shape.heads * shape.vHeadDim],
                            heads.count == shape.heads ? .poison : .normal(1)),
                        scale: 1 / Float(shape.qkNopeHeadDim + shape.qkRopeHeadDim).squareRoot(), scoreCount: 0)
                }
            }
        }
    }

    /// Two cases: the product that expands the keys and values of one slice of heads, and attention over this slice.
    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let shape = model.attention
        guard phase == .prefill, let slice = model.expandedHeads, takes(shape) else { return [] }
        let (keys, width) = (model.keyCount(phase), slice * (shape.qkNopeHeadDim + shape.vHeadDim))
        // With few tokens, for the check, there are fewer keys too: the reference takes its time.
        let expansion = Linear.modelCase(
            "kv_b_proj, \(keys) keys", phase, .init("kv_b_proj", from: shape.kvLoraRank, to: width, model.format)
        ) { min(keys, 8 * $0) }
        let attention = ModelCase("mla_expanded, \(keys) keys") { bench, tokens throws(GPUError) in
            let run = Run(firstToken: 0, tokenCount: tokens, position: keys - tokens, firstKey: 0)
            let words = tiles(of: [run], by: tileTokenCount(shape, on: bench.target))
            return MLAExpanded(
                shape: shape, heads: 0..<slice, q: try bench.tensor("q", [tokens, shape.queryWidth]),
                kv: try bench.tensor("kv", [keys, width]),
                entries: try bench.tensor("entries", [keys, shape.entryWidth]),
                tiles: try bench.tensor("tiles", .u32, [words.count / 4, 4], .words(words)),
                y: try bench.tensor(
                    "y", [tokens, shape.heads * shape.vHeadDim], slice == shape.heads ? .poison : .normal(1)),
                scale: shape.plainScale, scoreCount: tokens * keys - tokens * (tokens - 1) / 2)
        }
        return [expansion, attention]
    }

    public static let codeRules = [
        // As in mla_absorbed, shared memory leaves room for one subgroup.
        CodeRule("mla_expanded", subgroups: 1),
        // The query, the keys, their rotated part, the values.
        CodeRule("mla_expanded_matrix", wideLoads: 4, units: .matrix),
    ]
}
