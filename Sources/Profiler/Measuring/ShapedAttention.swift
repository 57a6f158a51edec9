import GPU
import Kernels
import Model
import Numerics

extension ModelShapes {
    /// Decode: a query of each sequence over its whole context. Prefill: the context's last tokens.
    func attention(_ phase: StepPhase) -> [Case] {
        let (shape, type) = (shape, type)
        let keys = max(contextLength, phase == .decode ? 1 : prefillTokenCount)
        let scale = 1 / Float(config.qkHeadDim).squareRoot()
        let epsilon = config.rmsNormEps
        @Sendable func positions(_ tokens: Int) -> [Int] {
            phase == .decode ? Array(repeating: keys - 1, count: tokens) : Array(keys - tokens..<keys)
        }
        @Sendable func ids(_ bench: inout Workbench, _ tokens: Int) throws(GPUError) -> Tensor {
            try bench.tensor("positions", .u32, [tokens], .words(positions(tokens).map { UInt32($0) }))
        }
        @Sendable func cache(_ bench: inout Workbench, _ tokens: Int) throws(GPUError) -> CacheView {
            try .sample(
                &bench, shape, positions: positions(tokens), sequences: phase == .decode ? tokens : 2, type: .f32,
                filled: true)
        }
        @Sendable func kvB(_ bench: inout Workbench) throws(GPUError) -> Weight {
            try bench.weight(
                "kv_b_proj", rows: shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim), columns: shape.kvLoraRank,
                type)
        }
        @Sendable func query(_ bench: inout Workbench, _ tokens: Int) throws(GPUError) -> Tensor {
            try bench.absorbedQuery(shape, tokens: tokens)
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
                    query: try bench.output("query", .f32, [tokens, shape.heads * shape.paddedEntryWidth]),
                    ropeFactor: 1)
            }
        )
        @Sendable func splits(_ bench: Workbench, _ tokens: Int) -> AttentionSplits {
            AttentionSplits(heads: shape.heads, keyCount: keys, isAlone: tokens == 1, on: bench.device?.profile)
        }
        @Sendable func value(inSplits: Bool) -> Case {
            (
                MLAValue.name, "mla_value",
                { bench, tokens throws(GPUError) in
                    let splits = inSplits ? splits(bench, tokens) : nil
                    return try MLAValue.sample(
                        &bench, shape, positions: positions(tokens).map { UInt32($0) }, splits: splits,
                        kvB: try kvB(&bench))
                }
            )
        }
        if phase == .prefill {
            let attend: Case = (
                MLAAbsorbed.name, "mla_absorbed, \(keys) keys",
                { bench, tokens throws(GPUError) in
                    MLAAbsorbed(
                        shape: shape, query: try query(&bench, tokens), cache: try cache(&bench, tokens),
                        splits: nil,
                        y: try bench.output("latent", .f32, [tokens, shape.heads * shape.kvLoraRank]), scale: scale)
                }
            )
            return [append, absorb, attend, value(inSplits: false)] + expanded(keys: keys)
        }
        let attend: Case = (
            MLAAbsorbed.name, "mla_absorbed in splits, \(keys) keys",
            { bench, tokens throws(GPUError) in
                let splits = splits(bench, tokens)
                let width = shape.heads * splits.count * (shape.kvLoraRank + 2)
                return MLAAbsorbed(
                    shape: shape, query: try query(&bench, tokens), cache: try cache(&bench, tokens),
                    splits: splits,
                    y: try bench.output("partials", .f32, [tokens, width]), scale: scale)
            }
        )
        return [append, absorb, attend, value(inSplits: true)]
    }

    /// The expanded form of a prefill, over as many heads as are expanded at once.
    private func expanded(keys: Int) -> [Case] {
        guard let slice = ExpansionRule(shape: shape).slice(keyCount: keys), MLAExpanded.takes(shape) else { return [] }
        let shape = shape
        let width = shape.qkNopeHeadDim + shape.vHeadDim
        let (type, heads) = (type, 0..<slice)
        return [
            (
                MLARope.name, "mla_rope",
                { bench, tokens throws(GPUError) in
                    MLARope(
                        shape: shape, q: try bench.tensor("q", .f32, [tokens, shape.queryWidth]),
                        frequencies: try bench.frequencies(shape.qkRopeHeadDim),
                        positions: try bench.tensor(
                            "positions", .u32, [tokens], .words((0..<tokens).map { UInt32(keys - tokens + $0) })),
                        ropeFactor: 1)
                }
            ),
            (
                Linear.name, "kv_b_proj, \(keys) keys",
                { bench, tokens throws(GPUError) in
                    // As many keys as tokens where the kernel is checked: the reference takes its time.
                    try Linear(
                        phase: .prefill,
                        x: try bench.tensor("latents", .f32, [min(keys, 8 * tokens), shape.kvLoraRank]),
                        weight: try bench.weight(
                            "kv_b_proj", rows: heads.count * width, columns: shape.kvLoraRank, type),
                        y: try bench.output("kv", .f32, [min(keys, 8 * tokens), heads.count * width])
                    ).ready(in: &bench)
                }
            ),
            (
                MLAExpanded.name, "mla_expanded, \(keys) keys",
                { bench, tokens throws(GPUError) in
                    let run = MLAExpanded.Run(
                        firstToken: 0, tokenCount: tokens, position: keys - tokens, firstKey: 0)
                    let words = MLAExpanded.tiles(
                        of: [run], by: MLAExpanded.tileTokenCount(shape, on: bench.device))
                    return MLAExpanded(
                        shape: shape, heads: heads, q: try bench.tensor("q", .f32, [tokens, shape.queryWidth]),
                        kv: try bench.tensor("kv", .f32, [keys, heads.count * width]),
                        entries: try bench.tensor("entries", .f32, [keys, shape.entryWidth]),
                        tiles: try bench.tensor("tiles", .u32, [words.count / 4, 4], .words(words)),
                        y: try bench.tensor(
                            "y", .f32, [tokens, shape.heads * shape.vHeadDim],
                            heads.count == shape.heads ? .poison : .normal(1)),
                        scale: 1 / Float(shape.qkNopeHeadDim + shape.qkRopeHeadDim).squareRoot(),
                        scoreCount: tokens * keys - tokens * (tokens - 1) / 2)
                }
            ),
        ]
    }
}
