import Checkpoint
import GPU
import Kernels
import Model
import Numerics

/// One use of a kernel at a model's shapes, for some number of tokens: the same kernel is checked with few and timed with
/// many.
struct ShapedCase: Sendable {
    let kernel: String
    let phase: StepPhase
    /// "q_b_proj"
    let name: String
    /// Of a step.
    let tokenCount: Int
    let make: @Sendable (inout Workbench, _ tokenCount: Int) throws(GPUError) -> any Kernel

    var label: String { "\(phase) \(name)" }
}

extension ModelShapes {
    /// Experts of a bank that a measurement makes: a choice's bytes do not depend on the others, which would only take memory.
    var bankExpertCount: Int { min(config.nRoutedExperts, max(16, 2 * config.numExpertsPerTok)) }
    var type: WeightFormat {
        config.integers.map { .integers($0) } ?? (config.isFP8 ? .fp8E4M3 : .bf16)
    }

    var shape: MLAShape {
        MLAShape(
            heads: config.numAttentionHeads, qkNopeHeadDim: config.qkNopeHeadDim, qkRopeHeadDim: config.qkRopeHeadDim,
            vHeadDim: config.vHeadDim, kvLoraRank: config.kvLoraRank)
    }

    /// Every kernel of a step in the model's order: decode with a token of `batchCount` sequences, prefill with
    /// `prefillTokenCount` of one.
    func cases() -> [ShapedCase] {
        [StepPhase.decode, .prefill].flatMap { phase in
            let tokens = phase == .decode ? batchCount : prefillTokenCount
            return (rows(phase) + products(phase) + attention(phase) + experts(phase)).map { kernel, name, make in
                ShapedCase(kernel: kernel, phase: phase, name: name, tokenCount: tokens, make: make)
            }
        }
    }

    typealias Case = (
        kernel: String, name: String, make: @Sendable (inout Workbench, Int) throws(GPUError) -> any Kernel
    )

    /// What works on rows of activations alone.
    private func rows(_ phase: StepPhase) -> [Case] {
        let (width, inner) = (config.hiddenSize, config.intermediateSize)
        let vocabulary = config.vocabSize
        let epsilon = config.rmsNormEps
        var cases: [Case] = [
            (
                RMSNorm.name, "norm",
                { bench, tokens throws(GPUError) in
                    RMSNorm(
                        x: try bench.tensor("x", .f32, [tokens, width]),
                        adding: try bench.tensor("delta", .f32, [tokens, width]),
                        weight: try bench.tensor("weight", .f32, [1, width]),
                        y: try bench.output("y", .f32, [tokens, width]), epsilon: epsilon)
                }
            ),
            (
                QuantiseRows.name, "quantise_rows",
                { bench, tokens throws(GPUError) in
                    QuantiseRows(
                        x: try bench.tensor("x", .f32, [tokens, width]),
                        y: try bench.output("y", .f32, [tokens, width]), hasPowerOfTwoScales: false)
                }
            ),
            (
                SwiGLU.name, "swiglu",
                { bench, tokens throws(GPUError) in
                    SwiGLU(
                        gate: try bench.tensor("gate", .f32, [tokens, inner]),
                        up: try bench.tensor("up", .f32, [tokens, inner]),
                        h: try bench.output("h", .f32, [tokens, inner]))
                }
            ),
        ]
        if phase == .prefill {
            cases.append(
                (
                    HalfRows.name, "half_rows",
                    { bench, tokens throws(GPUError) in
                        try HalfRows.sample(&bench, x: try bench.tensor("x", .f32, [tokens, width]))
                    }
                ))
        }
        if phase == .decode {
            cases.append(
                (
                    Argmax.name, "argmax",
                    { bench, tokens throws(GPUError) in
                        Argmax(
                            logits: try bench.tensor("logits", .f32, [tokens, vocabulary]),
                            result: try bench.output("result", .u32, [2, tokens]))
                    }
                ))
            cases.append(
                (
                    Sample.name, "sample",
                    { bench, tokens throws(GPUError) in
                        var rule = DrawRule(temperature: 0.6, topP: 0.95)
                        rule.random = 1 << 31
                        let words = (0..<tokens).flatMap { _ in Sample.words(rule, among: vocabulary) }
                        return Sample(
                            logits: try bench.tensor("logits", .f32, [tokens, vocabulary], .normal(3)),
                            rules: try bench.tensor("rules", .u32, [tokens, Sample.ruleWidth], .words(words)),
                            result: try bench.output("result", .u32, [2, tokens]))
                    }
                ))
        }
        cases.append(
            (
                Embedding.name, "embedding",
                { bench, tokens throws(GPUError) in
                    // Rows far apart are like any others: a table as large as a model's takes long to fill.
                    let rows = min(vocabulary, 8192)
                    let ids = (0..<tokens).map { _ in UInt32(bench.random.next() % UInt64(rows)) }
                    return Embedding(
                        tokens: try bench.tensor("tokens", .u32, [tokens], .words(ids)),
                        table: try bench.weight("table", rows: rows, columns: width, .bf16),
                        y: try bench.output("y", .f32, [tokens, width]))
                }
            ))
        return cases
    }

    /// The projections: name, from, to, format.
    private func products(_ phase: StepPhase) -> [Case] {
        let width = config.hiddenSize
        var shapes: [(name: String, from: Int, to: Int, type: WeightFormat)] = []
        // kv_a_proj goes with what else takes the layer's input.
        if let rank = config.qLoraRank {
            shapes += [
                ("q_a_proj+kv_a_proj_with_mqa", width, rank + shape.entryWidth, type),
                ("q_b_proj", rank, shape.queryWidth, type),
            ]
        } else {
            shapes.append(("q_proj+kv_a_proj_with_mqa", width, shape.queryWidth + shape.entryWidth, type))
        }
        shapes += [
            ("o_proj", shape.heads * shape.vHeadDim, width, type),
            ("gate_proj", width, config.intermediateSize, type), ("down_proj", config.intermediateSize, width, type),
        ]
        if config.nRoutedExperts > 0 {
            let shared = config.moeIntermediateSize * config.nSharedExperts
            shapes.append(("router", width, config.nRoutedExperts, .bf16))
            if shared > 0 {
                shapes += [("shared_gate_proj", width, shared, type), ("shared_down_proj", shared, width, type)]
            }
        }
        // A prefill computes the last token's logits alone, as decode does.
        if phase == .decode { shapes.append(("lm_head", width, config.vocabSize, .bf16)) }
        return shapes.map { name, from, to, type in
            (
                Linear.name, name,
                { bench, tokens throws(GPUError) in
                    try Linear(
                        phase: phase == .decode ? .decode : .prefill, x: try bench.tensor("x", .f32, [tokens, from]),
                        weight: try bench.weight(name, rows: to, columns: from, type),
                        y: try bench.output("y", .f32, [tokens, to])
                    ).ready(in: &bench)
                }
            )
        }
    }
}
