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
    private var bankExpertCount: Int { min(config.nRoutedExperts, max(16, 2 * config.numExpertsPerTok)) }
    private var type: ElementType { config.isFP8 ? .fp8E4M3 : .bf16 }

    private var shape: MLAShape {
        MLAShape(
            heads: config.numAttentionHeads, qkNopeHeadDim: config.qkNopeHeadDim, qkRopeHeadDim: config.qkRopeHeadDim,
            vHeadDim: config.vHeadDim, kvLoraRank: config.kvLoraRank)
    }

    /// Every kernel of a step in the model's order: decode with one token, prefill with `prefillTokenCount`.
    func cases() -> [ShapedCase] {
        [StepPhase.decode, .prefill].flatMap { phase in
            let tokens = phase == .decode ? 1 : prefillTokenCount
            return (rows(phase) + products(phase) + attention(phase) + experts(phase)).map { kernel, name, make in
                ShapedCase(kernel: kernel, phase: phase, name: name, tokenCount: tokens, make: make)
            }
        }
    }

    private typealias Case = (
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
                SwiGLU.name, "swiglu",
                { bench, tokens throws(GPUError) in
                    SwiGLU(
                        gate: try bench.tensor("gate", .f32, [tokens, inner]),
                        up: try bench.tensor("up", .f32, [tokens, inner]),
                        h: try bench.output("h", .f32, [tokens, inner]))
                }
            ),
        ]
        if phase == .decode {
            cases.append(
                (
                    Argmax.name, "argmax",
                    { bench, tokens throws(GPUError) in
                        Argmax(
                            logits: try bench.tensor("logits", .f32, [tokens, vocabulary]),
                            result: try bench.output("result", .u32, [tokens, 2]))
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
        var shapes: [(name: String, from: Int, to: Int, type: ElementType)] = []
        if let rank = config.qLoraRank {
            shapes += [("q_a_proj", width, rank, type), ("q_b_proj", rank, shape.queryWidth, type)]
        } else {
            shapes.append(("q_proj", width, shape.queryWidth, type))
        }
        shapes += [
            ("kv_a_proj_with_mqa", width, shape.entryWidth, type),
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
                    Linear(
                        phase: phase == .decode ? .decode : .prefill, x: try bench.tensor("x", .f32, [tokens, from]),
                        weight: try bench.weight(name, rows: to, columns: from, type),
                        y: try bench.output("y", .f32, [tokens, to]))
                }
            )
        }
    }

    /// Decode: one query over the whole context. Prefill: the context's last tokens.
    private func attention(_ phase: StepPhase) -> [Case] {
        let (shape, type) = (shape, type)
        let keys = max(contextLength, phase == .decode ? 1 : prefillTokenCount)
        let scale = 1 / Float(config.qkHeadDim).squareRoot()
        let epsilon = config.rmsNormEps
        @Sendable func positions(_ tokens: Int) -> [Int] { Array(keys - tokens..<keys) }
        @Sendable func ids(_ bench: inout Workbench, _ tokens: Int) throws(GPUError) -> Tensor {
            try bench.tensor("positions", .u32, [tokens], .words(positions(tokens).map { UInt32($0) }))
        }
        @Sendable func cache(_ bench: inout Workbench, _ tokens: Int) throws(GPUError) -> CacheView {
            try .sample(&bench, shape, positions: positions(tokens), type: .f32, filled: true)
        }
        @Sendable func kvB(_ bench: inout Workbench) throws(GPUError) -> Weight {
            try bench.weight(
                "kv_b_proj", rows: shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim), columns: shape.kvLoraRank,
                type)
        }
        @Sendable func query(_ bench: inout Workbench, _ tokens: Int) throws(GPUError) -> Tensor {
            try bench.tensor("query", .f32, [tokens, shape.heads * shape.entryWidth])
        }
        let append: Case = (
            KVCacheAppend.name, "kv_cache_append",
            { bench, tokens throws(GPUError) in
                KVCacheAppend(
                    shape: shape, kv: try bench.tensor("kv", .f32, [tokens, shape.entryWidth]),
                    weight: try bench.tensor("weight", .f32, [1, shape.kvLoraRank]),
                    frequencies: try bench.frequencies(shape.qkRopeHeadDim), cache: try cache(&bench, tokens),
                    epsilon: epsilon, ropeFactor: 1)
            }
        )
        let absorb: Case = (
            MLAQuery.name, "mla_query",
            { bench, tokens throws(GPUError) in
                MLAQuery(
                    shape: shape, q: try bench.tensor("q", .f32, [tokens, shape.queryWidth]), kvB: try kvB(&bench),
                    frequencies: try bench.frequencies(shape.qkRopeHeadDim), positions: try ids(&bench, tokens),
                    query: try bench.output("query", .f32, [tokens, shape.heads * shape.entryWidth]), ropeFactor: 1)
            }
        )
        let value: Case = (
            MLAValue.name, "mla_value",
            { bench, tokens throws(GPUError) in
                MLAValue(
                    shape: shape, latent: try bench.tensor("latent", .f32, [tokens, shape.heads * shape.kvLoraRank]),
                    kvB: try kvB(&bench), y: try bench.output("y", .f32, [tokens, shape.heads * shape.vHeadDim]))
            }
        )
        if phase == .prefill {
            let attend: Case = (
                MLAPrefill.name, "mla_prefill, \(keys) keys",
                { bench, tokens throws(GPUError) in
                    MLAPrefill(
                        shape: shape, query: try query(&bench, tokens), cache: try cache(&bench, tokens),
                        latent: try bench.output("latent", .f32, [tokens, shape.heads * shape.kvLoraRank]),
                        scale: scale)
                }
            )
            return [append, absorb, attend, value]
        }
        let splits = MLADecode.splitCount(forKeys: keys)
        let width = shape.heads * splits * (shape.kvLoraRank + 2)
        let attend: Case = (
            MLADecode.name, "mla_decode, \(keys) keys",
            { bench, tokens throws(GPUError) in
                MLADecode(
                    shape: shape, query: try query(&bench, tokens), cache: try cache(&bench, tokens),
                    partials: try bench.output("partials", .f32, [tokens, width]), splitCount: splits, scale: scale)
            }
        )
        let combine: Case = (
            MLACombine.name, "mla_combine, \(keys) keys",
            { bench, tokens throws(GPUError) in
                // The last value of a split is a sum of exponentials, whose largest is 1.
                let values = (0..<tokens * width).map { index in
                    index % (shape.kvLoraRank + 2) == shape.kvLoraRank + 1 ? 2 : bench.random.nextNormal()
                }
                return MLACombine(
                    shape: shape, partials: try bench.tensor("partials", .f32, [tokens, width], .floats(values)),
                    positions: try ids(&bench, tokens),
                    latent: try bench.output("latent", .f32, [tokens, shape.heads * shape.kvLoraRank]),
                    splitCount: splits)
            }
        )
        return [append, absorb, attend, combine, value]
    }

    private func experts(_ phase: StepPhase) -> [Case] {
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
            let partCount = max(1, min(bank, most / (rows * columns * type.byteCount)))
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
                            y: try bench.tensor("y", .f32, [tokens, width]))
                    }
                ),
            ]
        }
        @Sendable func grouped(
            _ bench: inout Workbench, _ tokens: Int, _ name: String, from: Int, to: Int, isOwn: Bool
        ) throws(GPUError) -> any Kernel {
            let ids = (0..<tokens).flatMap { _ in (0..<bank).shuffled(using: &bench.random).prefix(topK) }
            let sorted = ids.indices.sorted { (ids[$0], $0) < (ids[$1], $1) }.map { UInt32($0) }
            let offsets = (0...bank).map { expert in UInt32(ids.count { $0 < expert }) }
            return GroupedLinear(
                x: try bench.tensor("x", .f32, [isOwn ? tokens * topK : tokens, from]),
                offsets: try bench.tensor("offsets", .u32, [bank + 1], .words(offsets)),
                assignments: try bench.tensor("assignments", .u32, [tokens * topK], .words(sorted)),
                bank: try sample(&bench, name, to, from), y: try bench.output("y", .f32, [tokens * topK, to]))
        }
        return [
            gate,
            (
                ExpertSort.name, "expert_sort of \(count)",
                { bench, tokens throws(GPUError) in
                    ExpertSort(
                        experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: count),
                        offsets: try bench.output("offsets", .u32, [count + 1]),
                        assignments: try bench.output("assignments", .u32, [tokens * topK]))
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
