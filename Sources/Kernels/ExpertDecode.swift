import GPU
import Numerics
import Shaders

/// One projection of all experts, in parts that each fit one binding: part i holds the experts from `firstExpert` on.
public struct ExpertBank: Sendable {
    public let parts: [(firstExpert: Int, weight: Weight)]

    public init(parts: [(firstExpert: Int, weight: Weight)]) {
        var next = 0
        for part in parts {
            precondition(part.firstExpert == next, "experts: a part from \(part.firstExpert), not \(next)")
            let first = parts[0].weight
            precondition(
                part.weight.rows == first.rows && part.weight.columns == first.columns
                    && part.weight.format == first.format,
                "experts: \(part.weight.codes.label) differs from the first part")
            next += part.weight.matrixCount
        }
        precondition(next > 0, "experts: an empty bank")
        self.parts = parts
    }

    public var weights: [Weight] { parts.map(\.weight) }
    public var firstExperts: [Int] { parts.map(\.firstExpert) }
    public var expertCount: Int { parts[parts.count - 1].firstExpert + parts[parts.count - 1].weight.matrixCount }
    public var rows: Int { parts[0].weight.rows }
    public var columns: Int { parts[0].weight.columns }

    /// A bank of random experts in two parts (one, where there is one expert).
    static func sample(
        _ bench: inout Workbench, _ label: String, experts: Int, rows: Int, columns: Int, _ type: ElementType
    ) throws(GPUError) -> ExpertBank {
        let first = max(1, experts / 3)
        var parts = [(0, try bench.weight(label, rows: rows, columns: columns, type, matrixCount: first))]
        if experts > first {
            let rest = try bench.weight(
                label + " 2", rows: rows, columns: columns, type, matrixCount: experts - first)
            parts.append((first, rest))
        }
        return ExpertBank(parts: parts)
    }
}

/// The weight of `expert` among the parts and its place there.
func locate(_ expert: Int, _ weights: [Weight], _ firstExperts: [Int]) -> (weight: Weight, matrix: Int) {
    let part = firstExperts.lastIndex { $0 <= expert }!
    return (weights[part], expert - firstExperts[part])
}

/// `tokens` choices of `topK` different experts each.
public func sampleExperts(_ bench: inout Workbench, tokens: Int, topK: Int, of count: Int) throws(GPUError) -> Tensor {
    var ids: [UInt32] = []
    for _ in 0..<tokens { ids += (0..<UInt32(count)).shuffled(using: &bench.random).prefix(topK) }
    return try bench.tensor("experts", .u32, [tokens, topK], .words(ids))
}

/// Bytes of the weights that `assignments` of `weights`' experts read at most.
func chosenByteCount(_ weights: [Weight], assignments: Int) -> Int {
    min(assignments, weights.reduce(0) { $0 + $1.matrixCount }) * weights[0].byteCount
}

/// h[a] = silu(x[t] · G_eᵀ) · (x[t] · U_eᵀ) for each assignment a = t · k + slot with its chosen expert e = experts[t, slot];
/// for few tokens: reads the chosen experts only.
///
/// `x: [T, H], F32`; `experts: [T, k], U32`; G, U: banks of `[I, H]`, any format; `h: [T · k, I], F32`.
/// Source: DeepSeek-V3 report, section 2.1.2; `Expert.forward` in inference/model.py.
public struct ExpertGateUp: Kernel {
    public static let name = "expert_gate_up"
    let x: Tensor
    let experts: Tensor
    let gates: [Weight]
    let ups: [Weight]
    let firstExperts: [Int]
    let h: Tensor

    public init(x: Tensor, experts: Tensor, gate: ExpertBank, up: ExpertBank, h: Tensor) {
        precondition(
            gate.columns == x.columns && gate.rows == h.columns && h.rows == x.rows * experts.columns
                && experts.rows == x.rows, "expert_gate_up: \(h.shape) from \(x.shape), \(experts.shape)")
        precondition(
            gate.rows == up.rows && gate.columns == up.columns && gate.firstExperts == up.firstExperts
                && gate.expertCount == up.expertCount && gate.weights[0].format == up.weights[0].format,
            "expert_gate_up: gate and up differ")
        precondition(experts.pitch == experts.columns && x.pitch % 4 == 0, "expert_gate_up: pitches")
        self.x = x
        self.experts = experts
        gates = gate.weights
        ups = up.weights
        firstExperts = gate.firstExperts
        self.h = h
    }

    public var outputs: [Tensor] { [h] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        for (index, gate) in gates.enumerated() {
            let up = ups[index]
            let shader = ExpertGateUpShader(
                constants: .init(format: gate.format),
                params: .init(
                    columns: UInt32(x.columns), rows: UInt32(gate.rows), topK: UInt32(experts.columns),
                    firstExpert: UInt32(firstExperts[index]), expertCount: UInt32(gate.matrixCount),
                    chunkPitch: UInt32(gate.chunkPitch), scaleRows: UInt32(gate.scaleRows),
                    scalePitch: UInt32(gate.scalePitch), xPitch: UInt32(x.pitch), hPitch: UInt32(h.pitch)),
                bindings: .init(
                    x: x.view, experts: experts.view, gateWeights: gate.codes.view, gateScales: gate.scalesView,
                    upWeights: up.codes.view, upScales: up.scalesView, h: h.view))
            try commands.dispatch(shader, groups: (ceilDivide(gate.rows, 16), h.rows, 1))
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
    }

    public var summary: String { "\(h.rows) × \(x.columns) to \(h.columns), \(gates[0].codes.type)" }

    public var cost: Cost {
        Cost(
            byteCount: 2 * chosenByteCount(gates, assignments: h.rows) + 4 * (x.rows * x.columns + h.rows * h.columns),
            flopCount: 4 * h.rows * h.columns * x.columns)
    }

    public var tolerance: Tolerance { .sum(of: 4 * x.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, H, I.
        let shapes = [
            (1, 3, 8, 100, 72), (7, 3, 9, 131, 37), (2, 8, 16, 256, 64), (1, 2, 3, 7168, 17), (1, 1, 1, 64, 2048),
        ]
        return shapes.flatMap { tokens, topK, count, width, inner in
            [ElementType.f32, .bf16, .f16, .fp8E4M3].map { type in
                KernelCase("\(tokens) × \(width) to \(topK) of \(count) × \(inner), \(type)") {
                    bench throws(GPUError) in
                    ExpertGateUp(
                        x: try bench.tensor("x", [tokens, width]),
                        experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: count),
                        gate: try .sample(&bench, "gate", experts: count, rows: inner, columns: width, type),
                        up: try .sample(&bench, "up", experts: count, rows: inner, columns: width, type),
                        h: try bench.output("h", [tokens * topK, inner]))
                }
            }
        }
    }
}

/// y[t] += Σ_slot routing[t, slot] · (h[t · k + slot] · D_eᵀ), e = experts[t, slot], in the slots' order; for few tokens.
///
/// `h: [T · k, I], F32`; `experts: [T, k], U32`; `routing: [T, k], F32`; D: a bank of `[H, I]`, any format;
/// `y: [T, H], F32`, which holds the base (the shared experts' output) before.
/// Source: DeepSeek-V3 report, equation 12; `MoE.forward` in inference/model.py.
public struct ExpertDown: Kernel {
    public static let name = "expert_down"
    let h: Tensor
    let experts: Tensor
    let routing: Tensor
    let weights: [Weight]
    let firstExperts: [Int]
    let y: Tensor

    public init(h: Tensor, experts: Tensor, routing: Tensor, down: ExpertBank, y: Tensor) {
        precondition(
            down.columns == h.columns && down.rows == y.columns && h.rows == y.rows * experts.columns
                && experts.shape == routing.shape && experts.rows == y.rows,
            "expert_down: \(y.shape) from \(h.shape), \(experts.shape)")
        precondition(experts.pitch == experts.columns && h.pitch % 4 == 0, "expert_down: pitches")
        self.h = h
        self.experts = experts
        self.routing = routing
        weights = down.weights
        firstExperts = down.firstExperts
        self.y = y
    }

    public var outputs: [Tensor] { [y] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        for (index, weight) in weights.enumerated() {
            let shader = ExpertDownShader(
                constants: .init(format: weight.format),
                params: .init(
                    columns: UInt32(h.columns), rows: UInt32(weight.rows), topK: UInt32(experts.columns),
                    firstExpert: UInt32(firstExperts[index]), expertCount: UInt32(weight.matrixCount),
                    chunkPitch: UInt32(weight.chunkPitch), scaleRows: UInt32(weight.scaleRows),
                    scalePitch: UInt32(weight.scalePitch), xPitch: UInt32(h.pitch),
                    routingPitch: UInt32(routing.pitch), yPitch: UInt32(y.pitch)),
                bindings: .init(
                    x: h.view, experts: experts.view, routing: routing.view, weights: weight.codes.view,
                    scales: weight.scalesView, y: y.view))
            try commands.dispatch(shader, groups: (ceilDivide(weight.rows, 16), y.rows, 1))
        }
    }

    public func reference() {
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

    public var summary: String { "\(h.rows) × \(h.columns) to \(y.columns), \(weights[0].codes.type)" }

    public var cost: Cost {
        Cost(
            byteCount: chosenByteCount(weights, assignments: h.rows) + 4
                * (h.rows * h.columns + 2 * y.rows * y.columns),
            flopCount: 2 * h.rows * h.columns * y.columns)
    }

    public var tolerance: Tolerance { .sum(of: h.columns * experts.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, I, H.
        let shapes = [
            (1, 3, 8, 100, 72), (7, 3, 9, 131, 37), (2, 8, 16, 256, 64), (1, 2, 3, 2048, 60), (1, 1, 1, 20, 7168),
        ]
        return shapes.flatMap { tokens, topK, count, inner, width in
            [ElementType.f32, .bf16, .f16, .fp8E4M3].map { type in
                KernelCase("\(tokens) × \(topK) of \(count) × \(inner) to \(width), \(type)") {
                    bench throws(GPUError) in
                    ExpertDown(
                        h: try bench.tensor("h", [tokens * topK, inner]),
                        experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: count),
                        routing: try bench.tensor("routing", [tokens, topK]),
                        down: try .sample(&bench, "down", experts: count, rows: width, columns: inner, type),
                        y: try bench.tensor("y", [tokens, width]))
                }
            }
        }
    }
}
