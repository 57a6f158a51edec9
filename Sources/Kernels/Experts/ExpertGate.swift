import GPU
import Numerics
import Shaders

/// How the router's logits become chosen experts and their weights, as the checkpoint's config says.
public struct GateRule: Sendable {
    /// Whether scores are sigmoids of the logits (V3), else their softmax (V2).
    public var isSigmoid: Bool
    public var groupCount, keptGroups, topK: Int
    public var normalises: Bool
    public var scale: Float

    public init(isSigmoid: Bool, groupCount: Int, keptGroups: Int, topK: Int, normalises: Bool, scale: Float) {
        self.isSigmoid = isSigmoid
        self.groupCount = groupCount
        self.keptGroups = keptGroups
        self.topK = topK
        self.normalises = normalises
        self.scale = scale
    }
}

/// Chooses k experts for each token and computes their weights.
///
/// score = sigmoid or softmax of the logits; selection = score + bias. The experts with the k largest selections in the best
/// groups are chosen; of equal ones, the lower index. A group's rank is the sum of its two largest selections with a bias, else
/// its largest. weight = score, divided by the sum of the chosen scores where the rule normalises, times the rule's scale.
/// `logits: [T, E], F32`; `bias: [1, E], F32` or none; `experts: [T, k], U32` and `weights: [T, k], F32`, the best first.
/// Source: DeepSeek-V3 report, equations 13–16; `Gate.forward` in inference/model.py.
public struct ExpertGate: Kernel {
    public static let name = "expert_gate"
    let rule: GateRule
    let logits: Tensor
    let bias: Tensor?
    let experts: Tensor
    let weights: Tensor

    public init(rule: GateRule, logits: Tensor, bias: Tensor?, experts: Tensor, weights: Tensor) {
        precondition(
            logits.columns <= 512 && rule.topK <= 64, "expert_gate: \(logits.columns) experts, top \(rule.topK)")
        precondition(
            experts.pitch == rule.topK && experts.columns == rule.topK && weights.columns == rule.topK,
            "expert_gate: \(experts.shape)")
        precondition(
            logits.columns % rule.groupCount == 0, "expert_gate: \(logits.columns) experts in \(rule.groupCount) groups"
        )
        self.rule = rule
        self.logits = logits
        self.bias = bias
        self.experts = experts
        self.weights = weights
    }

    public var operands: [KernelOperand] { .read(logits, bias) + [.write(experts), .write(weights)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = ExpertGateShader(
            constants: .init(sigmoid: rule.isSigmoid, hasBias: bias != nil, normalise: rule.normalises),
            params: .init(
                expertCount: UInt32(logits.columns), groupCount: UInt32(rule.groupCount),
                keptGroups: UInt32(rule.keptGroups),
                topK: UInt32(rule.topK), logitsPitch: UInt32(logits.pitch), weightsPitch: UInt32(weights.pitch),
                scale: rule.scale),
            bindings: .init(
                logits: logits.view, bias: (bias ?? logits).view, experts: experts.view, weights: weights.view))
        try commands.dispatch(shader, groups: (logits.rows, 1, 1))
    }

    public func reference() {
        let count = logits.columns
        let size = count / rule.groupCount
        for token in 0..<logits.rows {
            let row = logits.decodedRow(token)
            let scores: [Float]
            if rule.isSigmoid {
                scores = row.map { 1 / (1 + exponential(-$0)) }
            } else {
                let largest = row.max()!
                let terms = row.map { exponential($0 - largest) }
                let total = terms.reduce(0, +)
                scores = terms.map { $0 / total }
            }
            var selection = scores
            if let bias { for e in 0..<count { selection[e] += bias.floats[e] } }
            if rule.groupCount > 1 {
                let groupScores = (0..<rule.groupCount).map { group in
                    let best = selection[group * size..<(group + 1) * size].sorted(by: >)
                    return bias != nil && size > 1 ? best[0] + best[1] : best[0]
                }
                let kept = groupScores.indices.sorted { (groupScores[$0], $1) > (groupScores[$1], $0) }.prefix(
                    rule.keptGroups)
                for e in 0..<count where !kept.contains(e / size) { selection[e] = -.infinity }
            }
            let chosen = selection.indices.sorted { (selection[$0], $1) > (selection[$1], $0) }.prefix(rule.topK)
            let total = chosen.reduce(Float(0)) { $0 + scores[$1] }
            for (slot, expert) in chosen.enumerated() {
                experts.words[token * experts.pitch + slot] = UInt32(expert)
                let weight = rule.normalises ? scores[expert] / (total + 1e-20) : scores[expert]
                weights.floats[token * weights.pitch + slot] = weight * rule.scale
            }
        }
    }

    public var cost: Cost {
        Cost(byteCount: 4 * logits.rows * (logits.columns + 2 * rule.topK), flopCount: 4 * logits.rows * logits.columns)
    }
    public var tolerance: Tolerance {
        Tolerance(1e-5, because: "the device's exponential; the choice itself must be equal")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let v3 = GateRule(isSigmoid: true, groupCount: 8, keptGroups: 4, topK: 8, normalises: true, scale: 2.5)
        let rules: [(String, Int, Bool, GateRule)] = [
            ("V3", 256, true, v3),
            (
                "Kimi-K2", 384, true,
                GateRule(isSigmoid: true, groupCount: 1, keptGroups: 1, topK: 8, normalises: true, scale: 2.827)
            ),
            (
                "V2", 160, false,
                GateRule(isSigmoid: false, groupCount: 8, keptGroups: 3, topK: 6, normalises: false, scale: 16)
            ),
            (
                "V2-Lite", 64, false,
                GateRule(isSigmoid: false, groupCount: 1, keptGroups: 1, topK: 6, normalises: false, scale: 1)
            ),
            (
                "9 experts in 3 groups", 9, true,
                GateRule(isSigmoid: true, groupCount: 3, keptGroups: 2, topK: 3, normalises: true, scale: 1)
            ),
        ]
        let random = rules.map { name, count, hasBias, rule in
            KernelCase(name) { bench throws(GPUError) in
                ExpertGate(
                    rule: rule, logits: try bench.tensor("logits", [7, count]),
                    bias: hasBias ? try bench.tensor("bias", [1, count], .normal(0.1)) : nil,
                    experts: try bench.output("experts", .u32, [7, rule.topK]),
                    weights: try bench.output("weights", [7, rule.topK]))
            }
        }
        let special: [(String, Float, Float)] = [
            ("all equal: ties to the lower index", 0, 0), ("negative selections stay above masked ones", 0, -2),
        ]
        return random
            + special.map { name, logit, bias in
                KernelCase("V3, \(name)") { bench throws(GPUError) in
                    ExpertGate(
                        rule: v3,
                        logits: try bench.tensor("logits", [2, 256], .floats(Array(repeating: logit, count: 512))),
                        bias: try bench.tensor("bias", [1, 256], .floats(Array(repeating: bias, count: 256))),
                        experts: try bench.output("experts", .u32, [2, 8]),
                        weights: try bench.output("weights", [2, 8]))
                }
            }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard let experts = model.experts else { return [] }
        let (rule, count) = (experts.rule, experts.count)
        return [
            ModelCase("expert_gate of \(count)") { bench, tokens throws(GPUError) in
                ExpertGate(
                    rule: rule, logits: try bench.tensor("logits", [tokens, count]),
                    bias: rule.isSigmoid ? try bench.tensor("bias", [1, count], .normal(0.1)) : nil,
                    experts: try bench.output("experts", .u32, [tokens, rule.topK]),
                    weights: try bench.output("weights", [tokens, rule.topK]))
            }
        ]
    }
}
