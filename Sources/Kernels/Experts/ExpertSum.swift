import GPU
import Numerics
import Shaders

/// y[t] += Σ_slot routing[t, slot] · x[t · k + slot], in the slots' order.
///
/// `x: [T · k, H], F32`, the experts' outputs; `routing: [T, k], F32`; `y: [T, H], F32`.
/// Source: DeepSeek-V3 report, equation 12; `MoE.forward` in inference/model.py.
public struct ExpertSum: Kernel {
    public static let name = "expert_sum"
    let x: Tensor
    let routing: Tensor
    let y: Tensor

    public init(x: Tensor, routing: Tensor, y: Tensor) {
        precondition(
            x.rows == y.rows * routing.columns && routing.rows == y.rows && x.columns == y.columns,
            "expert_sum: \(y.shape) from \(x.shape), \(routing.shape)")
        self.x = x
        self.routing = routing
        self.y = y
    }

    public var operands: [KernelOperand] { [.read(x), .read(routing), .readWrite(y)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = ExpertSumShader(
            params: .init(
                width: UInt32(y.columns), topK: UInt32(routing.columns), xPitch: UInt32(x.pitch),
                routingPitch: UInt32(routing.pitch), yPitch: UInt32(y.pitch)),
            bindings: .init(x: x.view, routing: routing.view, y: y.view))
        try commands.dispatch(shader, groups: (ceilDivide(y.columns, 256), y.rows, 1))
    }

    public func reference() {
        for t in 0..<y.rows {
            for i in 0..<y.columns {
                var sum: Float = 0
                for slot in 0..<routing.columns {
                    sum +=
                        routing.floats[t * routing.pitch + slot] * x.floats[(t * routing.columns + slot) * x.pitch + i]
                }
                y.floats[t * y.pitch + i] += sum
            }
        }
    }

    public var cost: Cost {
        Cost(byteCount: 4 * (x.rows + 2 * y.rows) * y.columns, flopCount: 2 * x.rows * y.columns)
    }

    public var tolerance: Tolerance { .sum(of: routing.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 8, 7168), (7, 3, 72), (5, 6, 131), (64, 4, 256)].map { tokens, topK, width in
            KernelCase("\(tokens) × \(topK) × \(width)") { bench throws(GPUError) in
                ExpertSum(
                    x: try bench.tensor("x", [tokens * topK, width]),
                    routing: try bench.tensor("routing", [tokens, topK]),
                    y: try bench.tensor("y", [tokens, width]))
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard let topK = model.experts?.rule.topK, phase == .prefill else { return [] }
        let width = model.hiddenSize
        return [
            ModelCase { bench, tokens throws(GPUError) in
                ExpertSum(
                    x: try bench.tensor("x", [tokens * topK, width]),
                    routing: try bench.tensor("routing", [tokens, topK], .normal(0.1)),
                    y: try bench.tensor("y", [tokens, width]))
            }
        ]
    }
}
