import Kernels

extension Transformer {
    /// y = W_down · (silu(W_gate · x) · (W_up · x))
    ///
    /// - Parameter adds: to what is in y; in decode alone.
    func feedForward(
        _ x: Tensor, _ weights: FeedForwardWeights, _ phase: StepPhase, _ y: Tensor, adds: Bool = false
    ) throws(ModelError) {
        let x = try operand(x, of: weights.gate, weights.up, in: phase)
        let gate = try linear(x, weights.gate, phase, "ffn gate")
        let up = try linear(x, weights.up, phase, "ffn up")
        let h = try tensor("ffn hidden", gate.shape)
        try executor.run(SwiGLU(gate: gate, up: up, h: h))
        try linear(operand(h, of: weights.down, in: phase), weights.down, phase, into: y, adds: adds)
    }

    /// Mixture of experts (DeepSeek-V3 report, equations 12 to 16): the shared expert and each token's routed ones.
    ///
    /// Decode reads the chosen experts' weights alone; prefill sorts the tokens by expert and multiplies group by group.
    /// Routing stays where the kernels run.
    ///
    /// - Parameter adds: to what is in y; in decode alone.
    func experts(
        _ x: Tensor, _ weights: ExpertWeights, layer: Int, _ phase: StepPhase, _ y: Tensor, adds: Bool
    ) throws(ModelError) {
        guard let rule = gate else { preconditionFailure("layer \(layer): experts without a gate rule") }
        let tokens = x.rows
        let logits = try linear(x, weights.router, phase, "router logits")
        let chosen = try tensor("experts", [tokens, rule.topK], words: true)
        let shares = try tensor("expert weights", [tokens, rule.topK])
        try executor.run(ExpertGate(rule: rule, logits: logits, bias: weights.bias, experts: chosen, weights: shares))
        try observer?(.routing(layer: layer, experts: chosen, weights: shares))

        switch phase {
        case .decode: try decodeExperts(x, weights, chosen, shares, y, adds: adds)
        case .prefill:
            if let shared = weights.shared {
                try feedForward(x, shared, phase, y)
            } else {
                try executor.clear(y)
            }
            let groups = try ExpertGroups(
                assignments: tokens * rule.topK, experts: config.nRoutedExperts, weights.gate.format,
                isRounded: [weights.gate, weights.up, weights.down].allSatisfy { rounds(for: $0.weights[0]) },
                productRows: [weights.gate.rows, weights.down.rows],
                on: executor.target
            ) { name, shape throws(ModelError) in try tensor(name, shape, words: true) }
            try executor.run(ExpertSort(experts: chosen, groups: groups))
            let x = try operand(x, of: weights.gate, in: groups)
            let gate = try grouped(x, weights.gate, groups, .into, "expert gate")
            let up = try grouped(x, weights.up, groups, .into, "expert up")
            let h = try tensor("expert hidden", gate.shape)
            try executor.run(SwiGLU(gate: gate, up: up, h: h))
            let down = try grouped(
                operand(h, of: weights.down, in: groups), weights.down, groups, .outOf, "expert down")
            try executor.run(ExpertSum(x: down, routing: shares, y: y))
        }
    }

    /// The chosen experts and the shared ones together, in two dispatches.
    private func decodeExperts(
        _ x: Tensor, _ weights: ExpertWeights, _ chosen: Tensor, _ shares: Tensor, _ y: Tensor, adds: Bool
    ) throws(ModelError) {
        let h = try tensor("expert hidden", [chosen.rows * chosen.columns, weights.gate.rows])
        guard let shared = weights.shared, shared.hasFormat(of: weights.gate) else {
            // Shared experts in another format go by themselves, before.
            if let shared = weights.shared { try feedForward(x, shared, .decode, y, adds: adds) }
            let x = try operand(x, of: weights.gate)
            try executor.run(ExpertGateUp(x: x, experts: chosen, gate: weights.gate, up: weights.up, h: h))
            let rounded = try operand(h, of: weights.down)
            return try executor.run(
                ExpertDown(
                    h: rounded, experts: chosen, routing: shares, down: weights.down, y: y,
                    adds: adds || weights.shared != nil))
        }
        let sharedHidden = try tensor("shared hidden", [x.rows, shared.gate.rows])
        let x = try operand(x, of: weights.gate)
        try executor.run(
            ExpertGateUp(
                x: x, experts: chosen, gate: weights.gate, up: weights.up, h: h,
                shared: (shared.gate, shared.up, sharedHidden)))
        let rounded = try operand(h, of: weights.down)
        let sharedRounded = try operand(sharedHidden, of: shared.down, in: .decode).x
        try executor.run(
            ExpertDown(
                h: rounded, experts: chosen, routing: shares, down: weights.down, y: y,
                shared: (sharedRounded, shared.down), adds: adds))
    }

    /// Each expert's product with its own rows: `[T · k, rows]`, in the order of the assignments' indices.
    private func grouped(
        _ x: Operand, _ bank: ExpertBank, _ groups: ExpertGroups, _ direction: GroupedLinear.Direction, _ name: String
    ) throws(ModelError) -> Tensor {
        let y = try tensor(name, [groups.assignments.rows, bank.rows])
        try executor.run(
            GroupedLinear(
                x: x.x, rounding: x.rounding, halves: x.halves, groups: groups, direction, bank: bank, y: y))
        return y
    }
}
