import GPU
import Numerics
import Shaders

/// The heads' values from their latents: y[t, h, i] = W_h[nope + i] · latent[t, h].
///
/// `latents: [T, heads · C], F32`; or, with splits, the partial sums p_s, maxima m_s and sums of weights l_s of `MLAAbsorbed`,
/// which are joined first: latent = Σ_s e^(m_s − M) · p_s / Σ_s e^(m_s − M) · l_s, M = max m_s.
/// `kvB` = kv_b_proj `[heads · (nope + v), C]`, any format;
/// `positions: [T], U32`; `y: [T, heads · v], F32`.
/// Source: DeepSeek-V2 report, section 2.1.2; `MLA.forward` in inference/model.py.
public struct MLAValue: VariedKernel {
    public static let name = "mla_value"
    public static let variants = Product.fewRows
    /// Values of one latent that the shader has room for.
    public static let maxLatentWidth = 1024
    let shape: MLAShape
    let latents: Tensor
    let kvB: Weight
    let positions: Tensor
    let y: Tensor
    /// Nil where the latents are whole.
    let splits: AttentionSplits?
    public var variant: Variant?

    public init(shape: MLAShape, latents: Tensor, splits: AttentionSplits?, kvB: Weight, positions: Tensor, y: Tensor) {
        let width = splits.map { $0.count * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
        precondition(
            latents.columns == shape.heads * width && y.columns == shape.heads * shape.vHeadDim
                && shape.kvLoraRank <= Self.maxLatentWidth, "mla_value: \(y.shape) from \(latents.shape)")
        self.shape = shape
        self.latents = latents
        self.splits = splits
        self.kvB = kvB
        self.positions = positions
        self.y = y
    }

    public var operands: [KernelOperand] { .read(latents, kvB, positions) + [.write(y)] }

    public var choice: String { "\(Self.name) \(kvB.format)" }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let profile = commands.profile
        let variant = variant(on: commands.target)
        // Each workgroup joins the head's splits itself, which is worth it for 32 rows or more.
        let groupRows = max(variant.groupRows(on: profile), 32)
        let shader = MlaValueShader(
            constants: kvB.formConstants(variant, on: profile),
            params: .init(
                nopeWidth: UInt32(shape.qkNopeHeadDim), valueWidth: UInt32(shape.vHeadDim),
                latentWidth: UInt32(shape.kvLoraRank),
                mostSplits: UInt32(splits?.most ?? 0), splitCount: UInt32(splits?.count ?? 1),
                latentPitch: UInt32(latents.pitch), yPitch: UInt32(y.pitch),
                chunkPitch: UInt32(kvB.chunkPitch), scalePitch: UInt32(kvB.scalePitch), groupRows: UInt32(groupRows)),
            bindings: .init(
                latents: latents.view, weights: kvB.codes.view, scales: kvB.scalesView, positions: positions.view,
                y: y.view))
        try commands.dispatch(shader, groups: (ceilDivide(shape.vHeadDim, groupRows), shape.heads, y.rows))
    }

    public func reference() {
        for head in 0..<shape.heads {
            let joined = (0..<y.rows).map { latent(of: $0, head) }
            for i in 0..<shape.vHeadDim {
                let row = kvB.decodedRow(head * (shape.qkNopeHeadDim + shape.vHeadDim) + shape.qkNopeHeadDim + i)
                for token in 0..<y.rows {
                    y.floats[token * y.pitch + head * shape.vHeadDim + i] = dotProduct(row, joined[token])
                }
            }
        }
    }

    /// The latent of a token and a head, its splits joined.
    private func latent(of token: Int, _ head: Int) -> [Float] {
        let width = shape.kvLoraRank
        let source = latents.floats + token * latents.pitch
        guard let splits else { return (0..<width).map { source[head * width + $0] } }
        let used = splits.ranges(of: Int(positions.words[token]) + 1).count
        let parts = (0..<used).map { source + (head * splits.count + $0) * (width + 2) }
        let largest = parts.map { $0[width] }.max()!
        let factors = parts.map { exponential($0[width] - largest) }
        let total = zip(parts, factors).reduce(Float(0)) { $0 + $1.0[width + 1] * $1.1 }
        return (0..<width).map { c in zip(parts, factors).reduce(Float(0)) { $0 + $1.0[c] * $1.1 } / total }
    }

    public var summary: String {
        "\(y.rows) × \(shape.heads) heads, \(splits.map { "\($0.count) splits" } ?? "whole"), \(kvB.format)"
    }

    public var cost: Cost {
        Cost(
            byteCount: kvB.byteCount / 2 + 4 * y.rows * (latents.columns + y.columns),
            flopCount: 2 * y.rows * (shape.heads * shape.vHeadDim * shape.kvLoraRank + latents.columns))
    }

    public var tolerance: Tolerance {
        Tolerance(
            Tolerance.sum(of: shape.kvLoraRank).relative + 1e-5,
            because: "FP32 sums of \(shape.kvLoraRank) terms in another order, and the device's exponential")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.flatMap { name, shape in
            [WeightFormat.fp8E4M3, .bf16, .f32, .int8(32), .int4(32)].flatMap { format in
                [nil, AttentionSplits(most: 64, keyCount: 4096)].flatMap { splits in
                    KernelCase.eachVariant(
                        variants(on: profile), "\(name), \(format)\(splits == nil ? "" : ", in splits")"
                    ) { bench throws(GPUError) in
                        try sample(
                            &bench, shape, positions: [0, 127, 128, 4095], splits: splits,
                            kvB: try bench.weight(
                                "kv_b", rows: shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim),
                                columns: shape.kvLoraRank, format))
                    }
                }
            }
        }
    }

    /// The kernel over random latents, whole or in splits.
    private static func sample(
        _ bench: inout Workbench, _ shape: MLAShape, positions: [UInt32], splits: AttentionSplits?, kvB: Weight
    ) throws(GPUError) -> MLAValue {
        let width = shape.kvLoraRank + 2
        let columns = shape.heads * (splits.map { $0.count * width } ?? shape.kvLoraRank)
        // Sums of exponentials are at least 1: the largest term is exp(0).
        let values = (0..<positions.count * columns).map { index in
            splits != nil && index % width == width - 1
                ? 1 + Float(bench.random.nextUnit()) * 200 : bench.random.nextNormal()
        }
        return MLAValue(
            shape: shape, latents: try bench.tensor("latents", [positions.count, columns], .floats(values)),
            splits: splits, kvB: kvB,
            positions: try bench.tensor("positions", .u32, [positions.count], .words(positions)),
            y: try bench.output("y", [positions.count, shape.heads * shape.vHeadDim]))
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let shape = model.attention
        return [
            ModelCase { bench, tokens throws(GPUError) in
                let splits = phase == .decode ? model.splits(tokens: tokens, on: bench.target) : nil
                return try sample(
                    &bench, shape, positions: model.positions(phase, tokens: tokens).map { UInt32($0) }, splits: splits,
                    kvB: try bench.expansionWeight(shape, model.format))
            }
        ]
    }

    public static let codeRules = [CodeRule("mla_value", wideLoads: 4, subgroups: 4)]
}
