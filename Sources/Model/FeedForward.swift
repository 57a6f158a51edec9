import Kernels
import Program

extension Transformer {
    /// y = W_down · (silu(W_gate · x) · (W_up · x))
    ///
    /// - Parameter adds: adds to the values in y instead of replacing them; for decode rows only.
    func feedForward(
        _ x: Tensor, _ weights: FeedForwardWeights, _ phase: StepPhase, into y: Tensor, adds: Bool = false,
        _ p: inout ProgramBuilder
    ) {
        let x = input(x, of: [weights.gate, weights.up], phase, &p)
        let gate = linear(x, weights.gate, phase, "ffn gate", &p)
        let up = linear(x, weights.up, phase, "ffn up", &p)
        let h = p.floats("ffn hidden", gate.shape)
        p.run(SwiGLU(gate: gate, up: up, h: h))
        linear(input(h, of: [weights.down], phase, &p), weights.down, phase, into: y, adds: adds, &p)
    }

    /// Mixture of experts (DeepSeek-V3 report, equations 12 to 16): the shared expert and each token's routed ones.
    ///
    /// Decode rows read the chosen experts' weights alone; prefill rows are sorted by expert and multiplied group by group.
    /// Routing stays where the kernels run.
    ///
    /// - Parameter adds: adds to the values in y instead of replacing them; for decode rows only.
    func experts(
        _ x: Tensor, _ weights: ExpertWeights, layer: Int, _ phase: StepPhase, into y: Tensor, adds: Bool,
        _ p: inout ProgramBuilder
    ) {
        guard let rule = gate else { preconditionFailure("layer \(layer): experts without a gate rule") }
        let logits = linear(ProductInput(x: x), weights.router, phase, "router logits", &p)
        let chosen = p.words("experts", [x.rows, rule.topK])
        let shares = p.floats("expert weights", [x.rows, rule.topK])
        p.run(ExpertGate(rule: rule, logits: logits, bias: weights.bias, experts: chosen, weights: shares))
        p.observe(.experts(layer: layer), chosen)
        p.observe(.expertWeights(layer: layer), shares)
        switch phase {
        case .decode: decodeExperts(x, weights, chosen, shares, into: y, adds: adds, &p)
        case .prefill: prefillExperts(x, weights, chosen, shares, into: y, &p)
        }
    }

    /// The chosen experts and the shared ones together, in two dispatches.
    private func decodeExperts(
        _ x: Tensor, _ weights: ExpertWeights, _ chosen: Tensor, _ shares: Tensor, into y: Tensor, adds: Bool,
        _ p: inout ProgramBuilder
    ) {
        let h = p.floats("expert hidden", [chosen.rows * chosen.columns, weights.gate.rows])
        guard let shared = weights.shared, shared.hasFormat(of: weights.gate) else {
            // Shared experts in another format go by themselves, before.
            if let shared = weights.shared { feedForward(x, shared, .decode, into: y, adds: adds, &p) }
            p.run(
                ExpertGateUp(
                    x: input(x, of: weights.gate, &p), experts: chosen, gate: weights.gate, up: weights.up, h: h))
            p.run(
                ExpertDown(
                    h: input(h, of: weights.down, &p), experts: chosen, routing: shares, down: weights.down, y: y,
                    adds: adds || weights.shared != nil))
            return
        }
        let sharedHidden = p.floats("shared hidden", [x.rows, shared.gate.rows])
        p.run(
            ExpertGateUp(
                x: input(x, of: weights.gate, &p), experts: chosen, gate: weights.gate, up: weights.up, h: h,
                shared: (shared.gate, shared.up, sharedHidden)))
        let rounded = input(h, of: weights.down, &p)
        let sharedRounded = input(sharedHidden, of: [shared.down], .decode, &p).x
        p.run(
            ExpertDown(
                h: rounded, experts: chosen, routing: shares, down: weights.down, y: y,
                shared: (sharedRounded, shared.down), adds: adds))
    }

    /// The shared experts, then each routed expert's product with its own rows.
    private func prefillExperts(
        _ x: Tensor, _ weights: ExpertWeights, _ chosen: Tensor, _ shares: Tensor, into y: Tensor,
        _ p: inout ProgramBuilder
    ) {
        if let shared = weights.shared { feedForward(x, shared, .prefill, into: y, &p) } else { p.run(Clear(y)) }
        let groups = ExpertGroups(
            assignments: chosen.rows * chosen.columns, experts: config.nRoutedExperts, weights.gate.format,
            isRounded: [weights.gate, weights.up, weights.down].allSatisfy { rounds(for: $0.weights[0]) },
            productRows: [weights.gate.rows, weights.down.rows], on: device
        ) { p.words($0, $1) }
        p.run(ExpertSort(experts: chosen, groups: groups))
        let x = input(x, of: weights.gate, in: groups, &p)
        let gate = grouped(x, weights.gate, groups, .into, "expert gate", &p)
        let up = grouped(x, weights.up, groups, .into, "expert up", &p)
        let h = p.floats("expert hidden", gate.shape)
        p.run(SwiGLU(gate: gate, up: up, h: h))
        let down = grouped(
            input(h, of: weights.down, in: groups, &p), weights.down, groups, .outOf, "expert down", &p)
        p.run(ExpertSum(x: down, routing: shares, y: y))
    }

    /// Each expert's product with its own rows: `[T · k, rows]`, in the order of the assignments' indices.
    private func grouped(
        _ x: ProductInput, _ bank: ExpertBank, _ groups: ExpertGroups, _ direction: GroupedLinear.Direction,
        _ label: String, _ p: inout ProgramBuilder
    ) -> Tensor {
        let y = p.floats(label, [groups.assignments.rows, bank.rows])
        p.run(
            GroupedLinear(
                x: x.x, rounding: x.rounding, halves: x.halves, groups: groups, direction, bank: bank, y: y))
        return y
    }
}
