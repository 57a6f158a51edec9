import GPU
import Numerics
import Shaders

/// h[a] = silu(x[t] · G_eᵀ) · (x[t] · U_eᵀ) for each assignment a = t · k + slot with its chosen expert e = experts[t, slot],
/// and the same for the shared experts. For few tokens; reads the chosen experts' weights only.
///
/// `x: [T, H], F32`; `experts: [T, k], U32`; G, U: banks of `[I, H]`, any format; the shared experts' of `[S, H]`, the same
/// format; `h: [T · k, I]` and `sharedH: [T, S], F32`.
/// Source: DeepSeek-V3 report, section 2.1.2; `Expert.forward` in inference/model.py.
public struct ExpertGateUp: VariedKernel {
    public static let name = "expert_gate_up"
    public static let variants = Product.fewRows

    let x: Tensor
    let experts: Tensor
    let gates: [Weight]
    let ups: [Weight]
    let firstExperts: [Int]
    let h: Tensor
    let sharedGate: Weight?
    let sharedUp: Weight?
    let sharedH: Tensor?
    public var variant: Variant?

    public init(
        x: Tensor, experts: Tensor, gate: ExpertBank, up: ExpertBank, h: Tensor,
        shared: (gate: Weight, up: Weight, h: Tensor)? = nil
    ) {
        precondition(
            gate.columns == x.columns && gate.rows == h.columns && h.rows == x.rows * experts.columns
                && experts.rows == x.rows, "expert_gate_up: \(h.shape) from \(x.shape), \(experts.shape)")
        precondition(
            gate.rows == up.rows && gate.columns == up.columns && gate.firstExperts == up.firstExperts
                && gate.expertCount == up.expertCount && gate.format == up.format,
            "expert_gate_up: gate and up differ")
        if let shared {
            precondition(
                shared.gate.rows == shared.up.rows && shared.gate.columns == x.columns
                    && shared.up.columns == x.columns
                    && shared.gate.format == gate.format && shared.up.format == gate.format
                    && shared.h.shape == [x.rows, shared.gate.rows],
                "expert_gate_up: shared \(shared.h.shape) from \(shared.gate.codes.shape)")
        }
        precondition(experts.pitch == experts.columns && x.pitch % 4 == 0, "expert_gate_up: pitches")
        self.x = x
        self.experts = experts
        gates = gate.weights
        ups = up.weights
        firstExperts = gate.firstExperts
        self.h = h
        sharedGate = shared?.gate
        sharedUp = shared?.up
        sharedH = shared?.h
    }

    public var operands: [KernelOperand] {
        .read(x, experts, gates, ups, sharedGate, sharedUp) + [.write(h)] + sharedH.tensors.map { .write($0) }
    }

    public var choice: String { "\(Self.name) \(gates[0].format)" }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let profile = commands.profile
        let variant = variant(on: commands.target)
        // A row of the gate and a row of the up projection make one value of h, so half as many of each.
        let groupRows = variant.groupRows(on: profile) / 2
        for (index, gate) in gates.enumerated() {
            let up = ups[index]
            // The dispatch of the first part computes the shared experts too.
            let sharedRows = index == 0 ? sharedGate?.rows ?? 0 : 0
            let shader = ExpertGateUpShader(
                constants: gate.formConstants(variant, on: profile),
                params: .init(
                    columns: UInt32(x.columns), rows: UInt32(gate.rows), sharedRows: UInt32(sharedRows),
                    topK: UInt32(experts.columns), firstExpert: UInt32(firstExperts[index]),
                    expertCount: UInt32(gate.matrixCount), chunkPitch: UInt32(gate.chunkPitch),
                    scaleRows: UInt32(gate.scaleRows), scalePitch: UInt32(gate.scalePitch), xPitch: UInt32(x.pitch),
                    hPitch: UInt32(h.pitch), sharedHPitch: UInt32(sharedH?.pitch ?? 0), groupRows: UInt32(groupRows)),
                bindings: .init(
                    x: x.view, experts: experts.view, gateWeights: gate.codes.view, gateScales: gate.scalesView,
                    upWeights: up.codes.view, upScales: up.scalesView,
                    sharedGateWeights: (sharedGate ?? gate).codes.view,
                    sharedGateScales: (sharedGate ?? gate).scalesView,
                    sharedUpWeights: (sharedUp ?? up).codes.view, sharedUpScales: (sharedUp ?? up).scalesView,
                    h: h.view, sharedH: (sharedH ?? h).view))
            let slots = experts.columns + ceilDivide(sharedRows, gate.rows)
            try commands.dispatch(shader, groups: (ceilDivide(gate.rows, groupRows), slots, x.rows))
        }
    }

    public func reference() {
        for a in 0..<h.rows {
            let expert = Int(experts.words[a])
            let (gate, matrix) = locate(expert, gates, firstExperts)
            let (up, _) = locate(expert, ups, firstExperts)
            let input = x.floats + a / experts.columns * x.pitch
            for i in 0..<h.columns {
                let g = dotProduct(gate.decodedRow(i, matrix: matrix), input)
                h.floats[a * h.pitch + i] = silu(g) * dotProduct(up.decodedRow(i, matrix: matrix), input)
            }
        }
        guard let sharedGate, let sharedUp, let sharedH else { return }
        for i in 0..<sharedH.columns {
            let (gate, up) = (sharedGate.decodedRow(i), sharedUp.decodedRow(i))
            for t in 0..<x.rows {
                let input = x.floats + t * x.pitch
                sharedH.floats[t * sharedH.pitch + i] = silu(dotProduct(gate, input)) * dotProduct(up, input)
            }
        }
    }

    public var summary: String {
        let shared = sharedH.map { " and \($0.columns) shared" } ?? ""
        return "\(h.rows) × \(x.columns) to \(h.columns)\(shared), \(gates[0].format)"
    }

    public var cost: Cost {
        let shared = sharedH.map { $0.rows * $0.columns } ?? 0
        let rows = h.rows * h.columns + shared
        return Cost(
            byteCount: 2 * (chosenByteCount(gates, assignments: h.rows) + (sharedGate?.byteCount ?? 0)) + 4
                * (x.rows * x.columns + rows), flopCount: 4 * rows * x.columns)
    }

    public var tolerance: Tolerance { .sum(of: 4 * x.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, H, I, shared rows.
        let shapes = [
            (1, 3, 8, 100, 72, 72), (7, 3, 9, 131, 37, 0), (2, 8, 16, 256, 64, 100), (1, 2, 3, 7168, 17, 34),
            (1, 1, 1, 64, 2048, 130),
        ]
        return shapes.flatMap { tokens, topK, count, width, inner, shared in
            WeightFormat.tested.flatMap { format in
                KernelCase.eachVariant(
                    variants(on: profile),
                    "\(tokens) × \(width) to \(topK) of \(count) × \(inner) + \(shared), \(format)"
                ) { bench throws(GPUError) in
                    ExpertGateUp(
                        x: try bench.tensor("x", [tokens, width]),
                        experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: count),
                        gate: try .sample(&bench, "gate", experts: count, rows: inner, columns: width, format),
                        up: try .sample(&bench, "up", experts: count, rows: inner, columns: width, format),
                        h: try bench.output("h", [tokens * topK, inner]),
                        shared: shared == 0
                            ? nil
                            : (
                                try bench.weight("shared gate", rows: shared, columns: width, format),
                                try bench.weight("shared up", rows: shared, columns: width, format),
                                try bench.output("shared h", [tokens, shared])
                            ))
                }
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard let experts = model.experts, phase == .decode else { return [] }
        let (width, inner) = (model.hiddenSize, experts.intermediateSize)
        return [
            ModelCase("experts' gate and up") { bench, tokens throws(GPUError) in
                ExpertGateUp(
                    x: try bench.tensor("x", [tokens, width]),
                    experts: try sampleExperts(
                        &bench, tokens: tokens, topK: experts.rule.topK, of: experts.sampledCount),
                    gate: try .sample(&bench, "gate", of: experts, rows: inner, columns: width, model.format),
                    up: try .sample(&bench, "up", of: experts, rows: inner, columns: width, model.format),
                    h: try bench.output("h", [tokens * experts.rule.topK, inner]))
            }
        ]
    }

    public static let codeRules = [CodeRule("expert_gate_up", wideLoads: 10, subgroups: 4)]
}
