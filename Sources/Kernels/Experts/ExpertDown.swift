import GPU
import Numerics
import Shaders

/// y[t] = [y[t] +] sharedH[t] · Sᵀ + Σ_slot routing[t, slot] · (h[t · k + slot] · D_eᵀ), e = experts[t, slot], in the slots'
/// order; for few tokens. y's old values are added with `adds`.
///
/// `h: [T · k, I], F32`; `experts: [T, k], U32`; `routing: [T, k], F32`; D: a bank of `[H, I]`, any format; S, the weight of
/// the shared experts: `[H, S]`, the same format; `sharedH: [T, S], F32`; `y: [T, H], F32`.
/// Source: DeepSeek-V3 report, equation 12; `MoE.forward` in inference/model.py.
public struct ExpertDown: VariedKernel {
    public static let name = "expert_down"
    public static let variants = Product.fewRows

    let h: Tensor
    let experts: Tensor
    let routing: Tensor
    let weights: [Weight]
    let firstExperts: [Int]
    let sharedH: Tensor?
    let sharedDown: Weight?
    let y: Tensor
    let adds: Bool
    public var variant: Variant?

    /// - Parameter adds: add to y.
    public init(
        h: Tensor, experts: Tensor, routing: Tensor, down: ExpertBank, y: Tensor,
        shared: (h: Tensor, down: Weight)? = nil, adds: Bool = false
    ) {
        precondition(
            down.columns == h.columns && down.rows == y.columns && h.rows == y.rows * experts.columns
                && experts.shape == routing.shape && experts.rows == y.rows,
            "expert_down: \(y.shape) from \(h.shape), \(experts.shape)")
        precondition(experts.pitch == experts.columns && h.pitch % 4 == 0, "expert_down: pitches")
        if let shared {
            precondition(
                shared.down.format == down.format && shared.down.rows == y.columns
                    && shared.h.shape == [y.rows, shared.down.columns] && shared.h.pitch % 4 == 0,
                "expert_down: shared \(shared.h.shape), \(shared.down.codes.shape)")
        }
        self.h = h
        self.experts = experts
        self.routing = routing
        weights = down.weights
        firstExperts = down.firstExperts
        sharedH = shared?.h
        sharedDown = shared?.down
        self.y = y
        self.adds = adds
    }

    public var operands: [KernelOperand] {
        .read(h, experts, routing, weights, sharedH, sharedDown) + [adds ? .readWrite(y) : .write(y)]
    }

    public var choice: String { "\(Self.name) \(weights[0].format)" }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let profile = commands.profile
        let variant = variant(on: commands.target)
        let groupRows = variant.groupRows(on: profile)
        for (index, weight) in weights.enumerated() {
            // The dispatch of the first part computes the shared experts too.
            let shared = index == 0 ? sharedDown : nil
            let shader = ExpertDownShader(
                constants: weight.formConstants(variant, on: profile),
                params: .init(
                    columns: UInt32(h.columns), sharedColumns: UInt32(shared?.columns ?? 0), rows: UInt32(weight.rows),
                    topK: UInt32(experts.columns), firstExpert: UInt32(firstExperts[index]),
                    expertCount: UInt32(weight.matrixCount), chunkPitch: UInt32(weight.chunkPitch),
                    scaleRows: UInt32(weight.scaleRows), scalePitch: UInt32(weight.scalePitch),
                    sharedChunkPitch: UInt32(shared?.chunkPitch ?? 0),
                    sharedScalePitch: UInt32(shared?.scalePitch ?? 0),
                    xPitch: UInt32(h.pitch), sharedHPitch: UInt32(sharedH?.pitch ?? 0),
                    routingPitch: UInt32(routing.pitch), yPitch: UInt32(y.pitch), groupRows: UInt32(groupRows),
                    adds: adds || index > 0 ? 1 : 0),
                bindings: .init(
                    x: h.view, sharedH: (sharedH ?? h).view, experts: experts.view, routing: routing.view,
                    weights: weight.codes.view, scales: weight.scalesView,
                    sharedWeights: (shared ?? weight).codes.view, sharedScales: (shared ?? weight).scalesView, y: y.view
                ))
            try commands.dispatch(shader, groups: (ceilDivide(weight.rows, groupRows), y.rows, 1))
        }
    }

    public func reference() {
        for t in 0..<y.rows {
            for n in 0..<y.columns {
                var base = adds ? y.floats[t * y.pitch + n] : 0
                if let sharedDown, let sharedH {
                    base += dotProduct(sharedDown.decodedRow(n), sharedH.floats + t * sharedH.pitch)
                }
                y.floats[t * y.pitch + n] = base
            }
        }
        for a in 0..<h.rows {
            let (t, slot) = (a / experts.columns, a % experts.columns)
            let (weight, matrix) = locate(Int(experts.words[a]), weights, firstExperts)
            let scale = routing.floats[t * routing.pitch + slot]
            for n in 0..<y.columns {
                y.floats[t * y.pitch + n] +=
                    scale * dotProduct(weight.decodedRow(n, matrix: matrix), h.floats + a * h.pitch)
            }
        }
    }

    public var summary: String {
        let shared = sharedH.map { " and \($0.columns) shared" } ?? ""
        return "\(h.rows) × \(h.columns)\(shared) to \(y.columns), \(weights[0].format)"
    }

    public var cost: Cost {
        let inputs = h.rows * h.columns + (sharedH.map { $0.rows * $0.columns } ?? 0)
        return Cost(
            byteCount: chosenByteCount(weights, assignments: h.rows) + (sharedDown?.byteCount ?? 0) + 4
                * (inputs + 2 * y.rows * y.columns),
            flopCount: 2 * inputs * y.columns)
    }

    public var tolerance: Tolerance { .sum(of: h.columns * experts.columns + (sharedH?.columns ?? 0)) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, I, H, shared columns, whether it adds to y.
        let shapes = [
            (1, 3, 8, 100, 72, 72, true), (7, 3, 9, 131, 37, 0, true), (2, 8, 16, 256, 64, 100, false),
            (1, 2, 3, 2048, 60, 0, false), (1, 1, 1, 20, 7168, 33, false),
        ]
        return shapes.flatMap { tokens, topK, count, inner, width, shared, adds in
            WeightFormat.tested.flatMap { format in
                KernelCase.eachVariant(
                    variants(on: profile),
                    "\(tokens) × \(topK) of \(count) × \(inner) + \(shared) to \(width), \(format)\(adds ? ", added" : "")"
                ) { bench throws(GPUError) in
                    ExpertDown(
                        h: try bench.tensor("h", [tokens * topK, inner]),
                        experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: count),
                        routing: try bench.tensor("routing", [tokens, topK]),
                        down: try .sample(&bench, "down", experts: count, rows: width, columns: inner, format),
                        y: try bench.tensor("y", [tokens, width], adds ? .normal(1) : .poison),
                        shared: shared == 0
                            ? nil
                            : (
                                try bench.tensor("shared h", [tokens, shared]),
                                try bench.weight("shared down", rows: width, columns: shared, format)
                            ), adds: adds)
                }
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard let experts = model.experts, phase == .decode else { return [] }
        let (width, inner, topK) = (model.hiddenSize, experts.intermediateSize, experts.rule.topK)
        return [
            ModelCase("experts' down") { bench, tokens throws(GPUError) in
                ExpertDown(
                    h: try bench.tensor("h", [tokens * topK, inner]),
                    experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: experts.sampledCount),
                    routing: try bench.tensor("routing", [tokens, topK], .normal(0.1)),
                    down: try .sample(&bench, "down", of: experts, rows: width, columns: inner, model.format),
                    y: try bench.output("y", [tokens, width]))
            }
        ]
    }

    public static let codeRules = [CodeRule("expert_down", wideLoads: 10, subgroups: 4)]
}
