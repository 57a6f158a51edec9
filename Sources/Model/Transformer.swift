import Checkpoint
import GPU
import Kernels
import Numerics
import Program

/// The inputs of products with FP8 weights: activations in FP32, or rounded to FP8, as in DeepSeek's own inference. (Products
/// with W_kvb keep them in FP32, so that a token does not depend on the form of attention.)
public enum ActivationFormat: String, Sendable { case f32, fp8 }

/// A DeepSeek-V3-family model as wiring: the equations' order, and nothing of how a kernel works or where a step runs.
///
/// Source: DeepSeek-V2 report, section 2; DeepSeek-V3 report, section 2; `Transformer` in DeepSeek-V3's inference/model.py.
package struct Transformer {
    package let config: ModelConfig
    let weights: ModelWeights
    let mla: MLAShape
    let gate: GateRule?
    let activations: ActivationFormat
    /// Each layer's cache, `[pages · 64, kvLoraRank + qkRopeHeadDim and padding]`; the prediction module's last.
    let cache: [Tensor]
    /// The tokens that the last choosing step chose: the first R of `[maximum results · 2]`, U32, as `Argmax` writes them.
    let chosenTokens: Storage
    /// The device whose variants of kernels hold; nil for the reference alone.
    let device: Device?

    init(
        _ config: ModelConfig, _ weights: ModelWeights, cache: [Tensor], chosenTokens: Storage,
        activations: ActivationFormat, on device: Device?
    ) {
        self.config = config
        self.weights = weights
        self.cache = cache
        self.chosenTokens = chosenTokens
        self.activations = activations
        self.device = device
        mla = MLAShape(config)
        gate = GateRule(config)
    }

    /// Rows of one kind on their way through the model.
    struct Rows {
        let group: StepShape.Group
        let tokens, positions, sequences, pageTable: Tensor
        let resultRows, keyRows, tiles, nextTokens: Tensor?
        let chosen: Gather.Chosen?
        /// The residual stream, `[rows, hidden]`, F32.
        let x: Tensor

        var count: Int { group.rowCount }
        var phase: StepPhase { group.isDecode ? .decode : .prefill }
    }

    /// The program of a step: embedding, layers, final norm, head, choice of tokens. Row groups go through a layer one
    /// after another.
    package func forward(_ shape: StepShape) -> Program {
        var p = ProgramBuilder(shape)
        let groups = shape.groups.indices.map { rows(of: $0, &p) }
        for (index, rows) in groups.enumerated() {
            p.group = index
            p.place = .init(.embedding, .embedding)
            p.run(Gather(indices: rows.tokens, chosen: rows.chosen, table: weights.embedding, y: rows.x))
        }
        // By group of rows, the last layer's output, which the next norm adds to x.
        var deltas = [Tensor?](repeating: nil, count: groups.count)
        for (index, layer) in weights.layers.enumerated() {
            for (group, rows) in groups.enumerated() {
                p.group = group
                p.place = .init(.layer(index), .norm)
                let input = normed(
                    rows.x, adding: deltas[group], layer.inputNorm, for: layer.attention.input.weights, rows.phase, &p)
                p.observe(.hidden(layer: index), rows.x)
                deltas[group] = block(layer, index, rows, x: rows.x, input: input, &p)
            }
        }
        let logits =
            shape.resultCount > 0 ? p.floats("logits", [shape.resultCount, config.vocabSize]) : nil
        var firstResult = 0
        for (group, rows) in groups.enumerated() {
            p.group = group
            p.place = .init(.head, .norm)
            let hidden = norm(rows.x, adding: deltas[group], weights.finalNorm, &p)
            p.observe(.hidden(layer: weights.layers.count), rows.x)
            p.place.part = .head
            if let logits, let wanted = rows.resultRows {
                let range = firstResult..<firstResult + wanted.rows
                head(hidden, wanted, rows.phase, into: logits.rows(range), &p)
                firstResult = range.upperBound
            }
            if let module = weights.prediction, let next = rows.nextTokens {
                p.observe(.normed, hidden)
                let predicted = predict(module, hidden: hidden, next: next, rows, &p)
                p.observe(.predictionLogits, predicted)
            }
        }
        let chosen = shape.choice.flatMap { choice in logits.map { choose(choice, from: $0, &p) } }
        return p.finished(logits: shape.returnsLogits ? logits : nil, chosen: chosen)
    }

    private func rows(of index: Int, _ p: inout ProgramBuilder) -> Rows {
        let (group, layout) = (p.shape.groups[index], p.inputLayout.groups[index])
        let count = group.rowCount
        let sources = p.input(layout.sources, [count])
        return Rows(
            group: group, tokens: p.input(layout.tokens, [count])!, positions: p.input(layout.positions, [count])!,
            sequences: p.input(layout.sequences, [count])!,
            pageTable: p.input(layout.pageTable, [group.sequenceCount, group.pageWidth])!,
            resultRows: p.input(layout.resultRows, [layout.resultRows.count]),
            keyRows: p.input(layout.keyRows, [layout.keyRows.count]),
            tiles: p.input(layout.tiles, [layout.tiles.count / 4, 4]),
            nextTokens: p.input(layout.nextTokens, [count]),
            chosen: sources.map {
                Gather.Chosen(sources: $0, tokens: Tensor(chosenTokens, .u32, [chosenTokens.byteCount / 4]))
            },
            x: p.floats("x", [count, config.hiddenSize]))
    }

    /// A layer from its input norm on: x + attention, and the feed-forward part of its norm.
    ///
    /// - Returns: the output that the next norm adds to x; nil for decode rows, where the last product adds it.
    func block(
        _ layer: LayerWeights, _ index: Int, _ rows: Rows, x: Tensor, input: ProductInput, _ p: inout ProgramBuilder
    ) -> Tensor? {
        p.place.part = .attention
        let attended = attention(input, layer.attention, layer: index, rows, &p)
        p.place.part = .norm
        let normed = norm(x, adding: attended, layer.postAttentionNorm, &p)
        let adds = rows.phase == .decode
        let result = adds ? x : p.floats("delta", x.shape)
        switch layer.feedForward {
        case .dense(let weights):
            p.place.part = .feedForward
            feedForward(normed, weights, rows.phase, into: result, adds: adds, &p)
        case .experts(let weights):
            p.place.part = .experts
            experts(normed, weights, layer: index, rows.phase, into: result, adds: adds, &p)
        }
        return adds ? nil : result
    }

    /// RMSNorm(x + delta); x + delta goes to x.
    func norm(_ x: Tensor, adding delta: Tensor?, _ weight: Tensor, _ p: inout ProgramBuilder) -> Tensor {
        let y = p.floats("normed", x.shape)
        p.run(RMSNorm(x: x, adding: delta, weight: weight, y: y, epsilon: config.rmsNormEps))
        return y
    }

    /// Logits of the rows that have results.
    private func head(
        _ hidden: Tensor, _ rows: Tensor, _ phase: StepPhase, into logits: Tensor, _ p: inout ProgramBuilder
    ) {
        let picked = p.floats("picked", [rows.rows, config.hiddenSize])
        p.run(Gather(indices: rows, table: Weight(codes: hidden, scales: nil), y: picked))
        linear(ProductInput(x: picked), weights.head, phase, into: logits, &p)
    }

    private func choose(_ choice: StepShape.Choice, from logits: Tensor, _ p: inout ProgramBuilder) -> Tensor {
        let chosen = Tensor(chosenTokens, .u32, [2, logits.rows])
        switch choice {
        case .best(let among):
            let candidates = Tensor(logits.storage, .f32, [logits.rows, among], pitch: logits.pitch)
            p.run(Argmax(logits: candidates, result: chosen))
        case .drawn:
            let rules = p.input(p.inputLayout.rules, [logits.rows, Sample.ruleWidth])!
            p.run(Sample(logits: logits, rules: rules, result: chosen))
        }
        return chosen
    }
}

extension Transformer {
    /// The wiring with at most three of the layers in a row that take the same kernels. Its programs need the pipelines of the
    /// whole model's, and as much memory: slots live no longer than two layers.
    package var withoutRepeatedLayers: Transformer {
        var layers: [LayerWeights] = []
        var run = 0
        for layer in weights.layers {
            run = layers.last.map { $0.kind == layer.kind } ?? false ? run + 1 : 1
            if run <= 3 { layers.append(layer) }
        }
        return Transformer(
            config,
            ModelWeights(
                embedding: weights.embedding, head: weights.head, finalNorm: weights.finalNorm, layers: layers,
                prediction: weights.prediction, frequencies: weights.frequencies),
            cache: cache, chosenTokens: chosenTokens, activations: activations, on: device)
    }
}

extension MLAShape {
    package init(_ config: ModelConfig) {
        self.init(
            heads: config.numAttentionHeads, qkNopeHeadDim: config.qkNopeHeadDim, qkRopeHeadDim: config.qkRopeHeadDim,
            vHeadDim: config.vHeadDim, kvLoraRank: config.kvLoraRank)
    }
}

extension GateRule {
    /// Nil for a model without experts.
    package init?(_ config: ModelConfig) {
        guard config.nRoutedExperts > 0 else { return nil }
        self.init(
            isSigmoid: config.scoringFunc == .sigmoid, groupCount: config.topkMethod == .greedy ? 1 : config.nGroup,
            keptGroups: config.topkGroup, topK: config.numExpertsPerTok, normalises: config.normTopkProb,
            scale: config.routedScalingFactor)
    }
}
