import GPU
import Numerics
import Shaders

/// The absorbed query: query[t, h] = (q_nope[t, h] · W_h[:nope], rope(q_pe[t, h], position)).
///
/// `q: [T, heads · (nope + R)], F32`; `kvB` = kv_b_proj `[heads · (nope + v), C]`, any format; `frequencies: [1, R/2], F32`;
/// `positions: [T], U32`; `query: [T, heads · P], F32`, where P is C + R rounded up to a multiple of 8, filled with zeros.
/// Source: DeepSeek-V2 report, section 2.1.2 (absorption); `MLA.forward` in inference/model.py.
public struct MLAQuery: Kernel {
    public static let name = "mla_query"
    let shape: MLAShape
    let q: Tensor
    let kvB: Weight
    let frequencies: Tensor
    let positions: Tensor
    let query: Tensor
    let ropeFactor: Float

    public init(
        shape: MLAShape, q: Tensor, kvB: Weight, frequencies: Tensor, positions: Tensor, query: Tensor,
        ropeFactor: Float
    ) {
        precondition(
            q.columns == shape.queryWidth && query.columns == shape.heads * shape.paddedEntryWidth,
            "mla_query: \(q.shape)")
        precondition(
            kvB.rows == shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim) && kvB.columns == shape.kvLoraRank,
            "mla_query: \(kvB.codes.shape)")
        self.shape = shape
        self.q = q
        self.kvB = kvB
        self.frequencies = frequencies
        self.positions = positions
        self.query = query
        self.ropeFactor = ropeFactor
    }

    public var operands: [KernelOperand] { .read(q, kvB, frequencies, positions) + [.write(query)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = MlaQueryShader(
            constants: .init(format: kvB.formatConstant),
            params: .init(
                nopeWidth: UInt32(shape.qkNopeHeadDim), ropeWidth: UInt32(shape.qkRopeHeadDim),
                valueWidth: UInt32(shape.vHeadDim),
                latentWidth: UInt32(shape.kvLoraRank), width: UInt32(shape.paddedEntryWidth), qPitch: UInt32(q.pitch),
                queryPitch: UInt32(query.pitch),
                chunkPitch: UInt32(kvB.chunkPitch), scalePitch: UInt32(kvB.scalePitch), ropeFactor: ropeFactor),
            bindings: .init(
                q: q.view, weights: kvB.codes.view, scales: kvB.scalesView, frequencies: frequencies.view,
                positions: positions.view,
                query: query.view))
        try commands.dispatch(shader, groups: (q.rows, shape.heads, 1))
    }

    public func reference() {
        let qHead = shape.qkNopeHeadDim + shape.qkRopeHeadDim
        for head in 0..<shape.heads {
            let rows = (0..<shape.qkNopeHeadDim).map {
                kvB.decodedRow(head * (shape.qkNopeHeadDim + shape.vHeadDim) + $0)
            }
            for token in 0..<q.rows {
                let source = q.floats + token * q.pitch + head * qHead
                let target = query.floats + token * query.pitch + head * shape.paddedEntryWidth
                for c in 0..<shape.kvLoraRank {
                    var sum: Float = 0
                    for d in rows.indices { sum += source[d] * rows[d][c] }
                    target[c] = sum
                }
                let pe = (0..<shape.qkRopeHeadDim).map { source[shape.qkNopeHeadDim + $0] }
                let turned = rotate(
                    pe, position: Int(positions.words[token]), frequencies: frequencies.floats, factor: ropeFactor)
                for i in turned.indices { target[shape.kvLoraRank + i] = turned[i] }
                for i in shape.entryWidth..<shape.paddedEntryWidth { target[i] = 0 }
            }
        }
    }

    public var cost: Cost {
        let flops = 2 * q.rows * shape.heads * shape.qkNopeHeadDim * shape.kvLoraRank
        return Cost(byteCount: kvB.byteCount / 2 + 4 * q.rows * (q.columns + query.columns), flopCount: flops)
    }

    public var tolerance: Tolerance {
        Tolerance(2e-3, because: "the device's sine and cosine, to an absolute 2^-11 over large angles")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.flatMap { name, shape in
            [WeightFormat.fp8E4M3, .bf16, .f32, .int8(32), .int4(32)].map { format in
                KernelCase("\(name), \(format)") { bench throws(GPUError) in
                    let positions: [UInt32] = [0, 7, 150]
                    return MLAQuery(
                        shape: shape, q: try bench.tensor("q", [3, shape.queryWidth]),
                        kvB: try bench.weight(
                            "kv_b", rows: shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim),
                            columns: shape.kvLoraRank, format),
                        frequencies: try bench.frequencies(shape.qkRopeHeadDim),
                        positions: try bench.tensor("positions", .u32, [3], .words(positions)),
                        query: try bench.output("query", [3, shape.heads * shape.paddedEntryWidth]), ropeFactor: 1)
                }
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let shape = model.attention
        return [
            ModelCase { bench, tokens throws(GPUError) in
                MLAQuery(
                    shape: shape, q: try bench.tensor("q", [tokens, shape.queryWidth]),
                    kvB: try bench.expansionWeight(shape, model.format),
                    frequencies: try bench.frequencies(shape.qkRopeHeadDim),
                    positions: try bench.positions(model.positions(phase, tokens: tokens)),
                    query: try bench.output("query", [tokens, shape.heads * shape.paddedEntryWidth]), ropeFactor: 1)
            }
        ]
    }

    public static let codeRules = [CodeRule("mla_query", wideLoads: 1, subgroups: 4)]
}
