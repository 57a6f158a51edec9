import GPU
import Kernels
import Model
import Numerics

extension ModelShapes {
    func experts(_ phase: StepPhase) -> [Case] {
        guard config.nRoutedExperts > 0 else { return [] }
        let (width, inner, topK) = (config.hiddenSize, config.moeIntermediateSize, config.numExpertsPerTok)
        let (count, bank, type) = (config.nRoutedExperts, bankExpertCount, type)
        let rule = GateRule(
            isSigmoid: config.scoringFunc == .sigmoid, groupCount: config.topkMethod == .greedy ? 1 : config.nGroup,
            keptGroups: config.topkGroup, topK: topK, normalises: config.normTopkProb,
            scale: config.routedScalingFactor)
        let gate: Case = (
            ExpertGate.name, "expert_gate of \(count)",
            { bench, tokens throws(GPUError) in
                ExpertGate(
                    rule: rule, logits: try bench.tensor("logits", .f32, [tokens, count]),
                    bias: rule.isSigmoid ? try bench.tensor("bias", .f32, [1, count], .normal(0.1)) : nil,
                    experts: try bench.output("experts", .u32, [tokens, topK]),
                    weights: try bench.output("weights", .f32, [tokens, topK]))
            }
        )
        @Sendable func sample(
            _ bench: inout Workbench, _ name: String, _ rows: Int, _ columns: Int
        ) throws(GPUError) -> ExpertBank {
            // In parts that a device binds, as the model has them.
            let most = bench.device.map { $0.profile.maxStorageBufferRange } ?? .max
            let partCount = max(1, min(bank, most / (rows * type.pitchByteCount(columns))))
            var parts: [(firstExpert: Int, weight: Weight)] = []
            for first in stride(from: 0, to: bank, by: partCount) {
                let count = min(partCount, bank - first)
                parts.append(
                    (first, try bench.weight(name, rows: rows, columns: columns, type, matrixCount: count)))
            }
            return ExpertBank(parts: parts)
        }
        if phase == .decode {
            return [
                gate,
                (
                    ExpertGateUp.name, "experts' gate and up",
                    { bench, tokens throws(GPUError) in
                        ExpertGateUp(
                            x: try bench.tensor("x", .f32, [tokens, width]),
                            experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: bank),
                            gate: try sample(&bench, "gate", inner, width), up: try sample(&bench, "up", inner, width),
                            h: try bench.output("h", .f32, [tokens * topK, inner]))
                    }
                ),
                (
                    ExpertDown.name, "experts' down",
                    { bench, tokens throws(GPUError) in
                        ExpertDown(
                            h: try bench.tensor("h", .f32, [tokens * topK, inner]),
                            experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: bank),
                            routing: try bench.tensor("routing", .f32, [tokens, topK], .normal(0.1)),
                            down: try sample(&bench, "down", width, inner),
                            y: try bench.output("y", .f32, [tokens, width]))
                    }
                ),
            ]
        }
        @Sendable func grouped(
            _ bench: inout Workbench, _ tokens: Int, _ name: String, from: Int, to: Int, isOwn: Bool
        ) throws(GPUError) -> any Kernel {
            let bank = try sample(&bench, name, to, from)
            return try GroupedLinear.sample(&bench, tokens: tokens, topK: topK, isOwn: isOwn, columns: from, bank: bank)
        }
        return [
            gate,
            (
                ExpertSort.name, "expert_sort of \(count)",
                { bench, tokens throws(GPUError) in
                    let experts = try sampleExperts(&bench, tokens: tokens, topK: topK, of: count)
                    return ExpertSort(
                        experts: experts,
                        groups: try .init(
                            assignments: tokens * topK, experts: count, type, productRows: [inner, width],
                            on: bench.device
                        ) { name, shape throws(GPUError) in try bench.output(name, .u32, shape) })
                }
            ),
            (
                GroupedLinear.name, "experts' gate",
                { bench, tokens throws(GPUError) in
                    try grouped(&bench, tokens, "gate", from: width, to: inner, isOwn: false)
                }
            ),
            (
                GroupedLinear.name, "experts' down",
                { bench, tokens throws(GPUError) in
                    try grouped(&bench, tokens, "down", from: inner, to: width, isOwn: true)
                }
            ),
            (
                ExpertSum.name, "expert_sum",
                { bench, tokens throws(GPUError) in
                    ExpertSum(
                        x: try bench.tensor("x", .f32, [tokens * topK, width]),
                        routing: try bench.tensor("routing", .f32, [tokens, topK], .normal(0.1)),
                        y: try bench.tensor("y", .f32, [tokens, width]))
                }
            ),
        ]
    }
}
