import GPU
import Numerics
import Shaders

/// q[t, h, nope:] = rope(q[t, h, nope:], position), in place.
///
/// `q: [T, heads · (nope + R)], F32`; `frequencies: [1, R/2], F32`; `positions: [T], U32`.
/// Source: `apply_rotary_emb` in DeepSeek-V3's inference/model.py.
public struct MLARope: Kernel {
    public static let name = "mla_rope"
    let shape: MLAShape
    let q: Tensor
    let frequencies: Tensor
    let positions: Tensor
    let ropeFactor: Float

    public init(shape: MLAShape, q: Tensor, frequencies: Tensor, positions: Tensor, ropeFactor: Float) {
        precondition(q.columns == shape.queryWidth && positions.rows >= q.rows, "mla_rope: \(q.shape)")
        self.shape = shape
        self.q = q
        self.frequencies = frequencies
        self.positions = positions
        self.ropeFactor = ropeFactor
    }

    public var operands: [KernelOperand] { [.read(frequencies), .read(positions), .readWrite(q)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = MlaRopeShader(
            params: .init(
                headCount: UInt32(shape.heads), nopeWidth: UInt32(shape.qkNopeHeadDim),
                ropeWidth: UInt32(shape.qkRopeHeadDim), qPitch: UInt32(q.pitch), ropeFactor: ropeFactor),
            bindings: .init(frequencies: frequencies.view, positions: positions.view, q: q.view))
        try commands.dispatch(shader, groups: (q.rows, 1, 1))
    }

    public func reference() {
        let width = shape.qkNopeHeadDim + shape.qkRopeHeadDim
        for token in 0..<q.rows {
            for head in 0..<shape.heads {
                let target = q.floats + token * q.pitch + head * width + shape.qkNopeHeadDim
                let turned = rotate(
                    (0..<shape.qkRopeHeadDim).map { target[$0] }, position: Int(positions.words[token]),
                    frequencies: frequencies.floats, factor: ropeFactor)
                for i in turned.indices { target[i] = turned[i] }
            }
        }
    }

    public var cost: Cost {
        let values = q.rows * shape.heads * shape.qkRopeHeadDim
        return Cost(byteCount: 8 * values, flopCount: 3 * values)
    }

    public var tolerance: Tolerance {
        Tolerance(2e-3, because: "the device's sine and cosine, to an absolute 2^-11 over large angles")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.map { name, shape in
            KernelCase(name) { bench throws(GPUError) in
                MLARope(
                    shape: shape, q: try bench.tensor("q", [3, shape.queryWidth]),
                    frequencies: try bench.frequencies(shape.qkRopeHeadDim),
                    positions: try bench.tensor("positions", .u32, [3], .words([0, 7, 150])), ropeFactor: 1)
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard phase == .prefill, model.expandedHeads != nil, MLAExpanded.takes(model.attention) else { return [] }
        let shape = model.attention
        return [
            ModelCase { bench, tokens throws(GPUError) in
                MLARope(
                    shape: shape, q: try bench.tensor("q", [tokens, shape.queryWidth]),
                    frequencies: try bench.frequencies(shape.qkRopeHeadDim),
                    positions: try bench.positions(model.positions(phase, tokens: tokens)), ropeFactor: 1)
            }
        ]
    }
}
