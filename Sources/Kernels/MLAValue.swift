import GPU
import Numerics
import Shaders

/// From the latent back to the heads' values: y[t, h, i] = W_h[nope + i] · latent[t, h].
///
/// `latent: [T, heads · C], F32`; `kvB` = kv_b_proj `[heads · (nope + v), C]`; `y: [T, heads · v], F32`.
/// Source: DeepSeek-V2 report, section 2.1.2; `MLA.forward` in inference/model.py.
public struct MLAValue: Kernel {
    public static let name = "mla_value"
    let shape: MLAShape
    let latent: Tensor
    let kvB: Weight
    let y: Tensor

    public init(shape: MLAShape, latent: Tensor, kvB: Weight, y: Tensor) {
        precondition(
            latent.columns == shape.heads * shape.kvLoraRank && y.columns == shape.heads * shape.vHeadDim,
            "mla_value: \(y.shape)")
        self.shape = shape
        self.latent = latent
        self.kvB = kvB
        self.y = y
    }

    public var outputs: [Tensor] { [y] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = MlaValueShader(
            constants: .init(format: kvB.format),
            params: .init(
                nopeWidth: UInt32(shape.qkNopeHeadDim), valueWidth: UInt32(shape.vHeadDim),
                latentWidth: UInt32(shape.kvLoraRank),
                latentPitch: UInt32(latent.pitch), yPitch: UInt32(y.pitch), chunkPitch: UInt32(kvB.chunkPitch),
                scalePitch: UInt32(kvB.scalePitch)),
            bindings: .init(latent: latent.view, weights: kvB.codes.view, scales: kvB.scalesView, y: y.view))
        try commands.dispatch(shader, groups: (y.rows, shape.heads, 1))
    }

    public func reference() {
        for head in 0..<shape.heads {
            for i in 0..<shape.vHeadDim {
                let row = kvB.decodedRow(head * (shape.qkNopeHeadDim + shape.vHeadDim) + shape.qkNopeHeadDim + i)
                for token in 0..<y.rows {
                    let source = latent.floats + token * latent.pitch + head * shape.kvLoraRank
                    var sum: Float = 0
                    for c in row.indices { sum += row[c] * source[c] }
                    y.floats[token * y.pitch + head * shape.vHeadDim + i] = sum
                }
            }
        }
    }

    public var cost: Cost {
        Cost(
            byteCount: kvB.byteCount / 2 + 4 * y.rows * (latent.columns + y.columns),
            flopCount: 2 * y.rows * shape.heads * shape.vHeadDim * shape.kvLoraRank)
    }

    public var tolerance: Tolerance { .sum(of: shape.kvLoraRank) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.flatMap { name, shape in
            [ElementType.fp8E4M3, .bf16, .f16].map { type in
                KernelCase("\(name), \(type)") { bench throws(GPUError) in
                    MLAValue(
                        shape: shape, latent: try bench.tensor("latent", [3, shape.heads * shape.kvLoraRank]),
                        kvB: try bench.weight(
                            "kv_b", rows: shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim),
                            columns: shape.kvLoraRank, type),
                        y: try bench.output("y", [3, shape.heads * shape.vHeadDim]))
                }
            }
        }
    }
}
