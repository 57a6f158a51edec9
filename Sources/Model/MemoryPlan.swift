import Checkpoint
import GPU
import Kernels
import Numerics

/// What a model allocates, in bytes, known before anything is allocated.
struct MemoryPlan: Equatable {
    /// Those of the multi-token prediction included.
    var weights: Int
    var cache: Int
    /// Intermediate values of the largest step.
    var scratch: Int
    /// Tokens of prompt and answer together.
    var contextLength: Int

    var total: Int { weights + cache + scratch }

    /// Memory that a model could go to.
    struct Place: Equatable {
        /// As `--device` takes it.
        var choice: String
        var name: String
        /// Bytes that can still be allocated.
        var budget: Int
    }

    /// What is wrong with loading the model at a place where it does not fit, and what would fit.
    ///
    /// - Parameter largestContext: the longest context that fits there; 0 if none does.
    func refusal(at place: Place, others: [Place], largestContext: Int) -> String {
        var advice: [String] = []
        if largestContext > 0 { advice.append("--context \(largestContext) fits") }
        for other in others where other.budget >= total {
            advice.append("--device \(other.choice) (\(other.name)) has \(byteText(other.budget))")
        }
        if advice.isEmpty {
            let room = max(0, place.budget - scratch - cache)
            advice.append("a checkpoint of at most \(byteText(room)) of weights would fit")
        }
        return
            "the model does not fit on \(place.name): expected at most \(byteText(place.budget)), found "
            + "\(byteText(total)) (weights \(byteText(weights)), cache for \(contextLength) tokens \(byteText(cache)), "
            + "intermediate values \(byteText(scratch))); " + advice.joined(separator: "; ")
    }
}

/// Makes plans by the model's own wiring over an executor that only counts, so that plan and model cannot disagree.
struct MemoryPlanner {
    let config: ModelConfig
    var kvFormat: LoadOptions.CacheFormat
    let activations: LoadOptions.ActivationFormat
    private let executor: Executor
    private let weights: ModelWeights
    let weightByteCount: Int
    /// What loading reads of the source.
    let readByteCount: Int

    /// - Parameter device: whose variants of kernels are to be counted; nil for the reference's.
    init(
        _ source: any WeightSource, kvFormat: LoadOptions.CacheFormat, activations: LoadOptions.ActivationFormat = .f32,
        predicts: Bool, on device: Device? = nil
    ) throws(ModelError) {
        config = source.config
        self.kvFormat = kvFormat
        self.activations = activations
        executor = try Executor.counting(for: device)
        var loader = try WeightLoader(source: source, memory: executor.memory, profile: device?.profile)
        weights = try loader.model(predicts: predicts)
        weightByteCount = executor.byteCount
        readByteCount = loader.sourceByteCount
    }

    func plan(contextLength: Int) throws(ModelError) -> MemoryPlan {
        let start = executor.byteCount
        let model = try Transformer(
            config: config, notes: [], weights: weights, executor: executor, contextLength: contextLength,
            kvFormat: kvFormat, activations: activations)
        let cache = executor.byteCount - start
        try model.rehearseSteps()
        return MemoryPlan(
            weights: weightByteCount, cache: cache, scratch: executor.byteCount - start - cache,
            contextLength: contextLength)
    }

    /// The longest context that fits in `budget` bytes: `limit`, or less in whole pages; 0 if none does.
    func largestContext(within budget: Int, upTo limit: Int) throws(ModelError) -> Int {
        if weightByteCount > budget { return 0 }
        return try plan(contextLength: limit).total <= budget ? limit : largestContext(within: budget, below: limit)
    }

    /// The longest context, in whole pages and below `limit`, that fits in `budget` bytes; 0 if none does.
    func largestContext(within budget: Int, below limit: Int) throws(ModelError) -> Int {
        var fitting = 0
        var tooLong = (limit - 1) / PagedCache.pageTokenCount + 1
        while tooLong - fitting > 1 {
            let middle = (fitting + tooLong) / 2
            if try plan(contextLength: middle * PagedCache.pageTokenCount).total <= budget {
                fitting = middle
            } else {
                tooLong = middle
            }
        }
        return fitting * PagedCache.pageTokenCount
    }
}

extension Transformer {
    /// Goes through the largest steps without computing anything, so that the executor counts their memory.
    func rehearseSteps() throws(ModelError) {
        let full = min(Self.stepTokenCount, contextLength)
        try rehearse(.prefill, tokenCount: full, keyCount: contextLength, outputCount: 1)
        // The most keys that a step expands: its tokens' own, or those of the longest sequence that gains by it.
        if let start = expansionRule.lastStart(upTo: contextLength - full, count: full) {
            try rehearse(.prefill, tokenCount: full, keyCount: start + full, outputCount: 1, expands: true)
        }
        try rehearse(.decode, tokenCount: 1, keyCount: contextLength, outputCount: 1)
        let sequences = min(full, decodeTokenCount(forKeys: contextLength))
        try rehearse(.decode, tokenCount: sequences, keyCount: contextLength, outputCount: sequences)
        // Many short sequences at once need the most of everything else.
        let short = AttentionSplits.unit
        try rehearse(.decode, tokenCount: full, keyCount: min(short, contextLength), outputCount: full)
    }

    /// One step of that many tokens, with the cache's keys and values expanded or not, and the choice of the next ones.
    func rehearse(
        _ phase: StepPhase, tokenCount: Int, keyCount: Int, outputCount: Int, expands: Bool = false,
        choice: Choice? = nil
    ) throws(ModelError) {
        var batch = try layOut(
            BatchShape(
                phase: phase, tokenCount: tokenCount, sequenceCount: tokenCount, keyCount: max(keyCount, 1),
                keyTotal: tokenCount * keyCount, outputRows: Array(0..<outputCount),
                choice: choice ?? .best(among: config.vocabSize)))
        if expands {
            let run = MLAExpanded.Run(
                firstToken: 0, tokenCount: tokenCount, position: keyCount - tokenCount, firstKey: 0)
            batch.expansion = try makeExpansion([run], keyRows: Array(repeating: 0, count: keyCount))
        }
        _ = try compute(batch)
    }
}
