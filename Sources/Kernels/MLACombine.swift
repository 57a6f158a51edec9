import GPU
import Numerics
import Shaders

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
                splitKeys: UInt32(MLAAbsorbed.splitKeyCount),
                partialPitch: UInt32(partials.pitch),
                latentPitch: UInt32(latent.pitch)),
            bindings: .init(partials: partials.view, positions: positions.view, latent: latent.view))
        try commands.dispatch(shader, groups: (latent.rows, shape.heads, 1))
    }

    public func reference() {
        let width = shape.kvLoraRank
        for token in 0..<latent.rows {
            let used = Int(positions.words[token]) / MLAAbsorbed.splitKeyCount + 1
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
                let positions: [UInt32] = [0, 127, 128, 350]
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
