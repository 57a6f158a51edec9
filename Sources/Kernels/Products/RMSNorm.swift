import GPU
import Numerics
import Shaders

/// y[t, column + i] = x[t, i] / √(mean(x[t]²) + ε) · weight[i], after x[t] += delta[t] where a delta is given.
///
/// `x, delta: [T, width], F32`; `weight: [1, width], F32`; `y: [T, ≥ column + width], F32`.
/// Source: `RMSNorm` in DeepSeek-V3's inference/model.py.
public struct RMSNorm: Kernel {
    public static let name = "rms_norm"
    let x: Tensor
    let delta: Tensor?
    let weight: Tensor
    let y: Tensor
    /// The column of y where the result begins.
    let column: Int
    let epsilon: Float

    public init(x: Tensor, adding delta: Tensor? = nil, weight: Tensor, y: Tensor, column: Int = 0, epsilon: Float) {
        precondition(
            x.rows == y.rows && column + x.columns <= y.columns && weight.columns == x.columns,
            "rms_norm: \(x.shape), \(weight.shape), \(y.shape)")
        self.x = x
        self.delta = delta
        self.weight = weight
        self.y = y
        self.column = column
        self.epsilon = epsilon
    }

    public var operands: [KernelOperand] {
        let fillsRows = x.columns == y.columns
        return [delta == nil ? .read(x) : .readWrite(x)] + .read(delta, weight) + [
            fillsRows ? .write(y) : .readWrite(y)
        ]
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = RmsNormShader(
            constants: .init(addDelta: delta != nil),
            params: .init(
                width: UInt32(x.columns), xPitch: UInt32(x.pitch), deltaPitch: UInt32(delta?.pitch ?? 0),
                yPitch: UInt32(y.pitch), yColumn: UInt32(column),
                epsilon: epsilon),
            bindings: .init(x: x.view, delta: (delta ?? weight).view, weight: weight.view, y: y.view))
        try commands.dispatch(shader, groups: (x.rows, 1, 1))
    }

    public func reference() {
        for row in 0..<x.rows {
            if let delta {
                for i in 0..<x.columns { x.floats[row * x.pitch + i] += delta.floats[row * delta.pitch + i] }
            }
            let normed = rmsNorm(x.decodedRow(row), weight.floats, epsilon: epsilon)
            for i in 0..<x.columns { y.floats[row * y.pitch + column + i] = normed[i] }
        }
    }

    public var cost: Cost {
        Cost(byteCount: x.rows * x.columns * (delta == nil ? 8 : 16), flopCount: 4 * x.rows * x.columns)
    }
    public var tolerance: Tolerance { .sum(of: x.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Rows, width, whether a delta is added, the column of y where the result begins.
        let shapes = [
            (1, 7168, true, 0), (3, 7168, false, 0), (7, 1536, false, 0), (5, 101, true, 0), (64, 320, true, 0),
            (1, 1, false, 0), (3, 101, false, 101),
        ]
        return shapes.map { rows, width, adds, column in
            let label = "\(rows) rows of \(width)\(adds ? ", adding" : "")\(column > 0 ? ", to column \(column)" : "")"
            return KernelCase(label) { bench throws(GPUError) in
                let shape = [rows, width]
                return RMSNorm(
                    x: try bench.tensor("x", shape), adding: adds ? try bench.tensor("delta", shape) : nil,
                    weight: try bench.tensor("weight", [1, width]),
                    y: try bench.output("y", [rows, column + width]), column: column, epsilon: 1e-6)
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let (width, epsilon) = (model.hiddenSize, model.epsilon)
        return [
            ModelCase("norm") { bench, tokens throws(GPUError) in
                RMSNorm(
                    x: try bench.tensor("x", [tokens, width]), adding: try bench.tensor("delta", [tokens, width]),
                    weight: try bench.tensor("weight", [1, width]), y: try bench.output("y", [tokens, width]),
                    epsilon: epsilon)
            }
        ]
    }
}

/// x[i] / √(mean(x²) + ε) · weight[i].
func rmsNorm(_ x: [Float], _ weight: UnsafePointer<Float>, epsilon: Float) -> [Float] {
    let inverse = 1 / (x.reduce(0) { $0 + $1 * $1 } / Float(x.count) + epsilon).squareRoot()
    return x.indices.map { x[$0] * inverse * weight[$0] }
}
