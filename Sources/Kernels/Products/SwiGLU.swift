import GPU
import Numerics
import Shaders

/// silu(v) = v · sigmoid(v).
func silu(_ v: Float) -> Float { v / (1 + exponential(-v)) }

/// h[t, i] = silu(gate[t, i]) · up[t, i].
///
/// `gate, up, h: [T, I], F32`. Source: `MLP.forward` and `Expert.forward` in DeepSeek-V3's inference/model.py.
public struct SwiGLU: Kernel {
    public static let name = "swiglu"
    let gate: Tensor
    let up: Tensor
    let h: Tensor

    public init(gate: Tensor, up: Tensor, h: Tensor) {
        precondition(gate.shape == h.shape && up.shape == h.shape, "swiglu: \(h.shape) from \(gate.shape), \(up.shape)")
        self.gate = gate
        self.up = up
        self.h = h
    }

    public var operands: [KernelOperand] { [.read(gate), .read(up), .write(h)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = SwigluShader(
            params: .init(
                width: UInt32(h.columns), gatePitch: UInt32(gate.pitch), upPitch: UInt32(up.pitch),
                hPitch: UInt32(h.pitch)),
            bindings: .init(gate: gate.view, up: up.view, h: h.view))
        try commands.dispatch(shader, groups: (ceilDivide(h.columns, 256), h.rows, 1))
    }

    public func reference() {
        for t in 0..<h.rows {
            for i in 0..<h.columns {
                h.floats[t * h.pitch + i] = silu(gate.floats[t * gate.pitch + i]) * up.floats[t * up.pitch + i]
            }
        }
    }

    public var cost: Cost { Cost(byteCount: 12 * h.rows * h.columns, flopCount: 5 * h.rows * h.columns) }
    public var tolerance: Tolerance { Tolerance(1e-5, because: "the device's exponential") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 2048), (7, 72), (5, 131), (3, 18432), (64, 256)].map { rows, width in
            KernelCase("\(rows) × \(width)") { bench throws(GPUError) in
                SwiGLU(
                    gate: try bench.tensor("gate", [rows, width], .normal(4)),
                    up: try bench.tensor("up", [rows, width]),
                    h: try bench.output("h", [rows, width]))
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let inner = model.intermediateSize
        return [
            ModelCase { bench, tokens throws(GPUError) in
                SwiGLU(
                    gate: try bench.tensor("gate", [tokens, inner]), up: try bench.tensor("up", [tokens, inner]),
                    h: try bench.output("h", [tokens, inner]))
            }
        ]
    }
}
