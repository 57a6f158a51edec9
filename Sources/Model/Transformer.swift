import Checkpoint
import Kernels
import Numerics

/// A DeepSeek-V3-family model: the equations' order, and nothing of how a kernel works.
///
/// Source: DeepSeek-V2 report, section 2; DeepSeek-V3 report, section 2; `Transformer` in DeepSeek-V3's inference/model.py.
public final class Transformer {
    public let config: ModelConfig
    public let contextLength: Int
    public let notes: [String]
    let executor: Executor
    let weights: ModelWeights
    let shape: MLAShape
    let gate: GateRule?
    let activations: LoadOptions.ActivationFormat
    /// Each layer's cache, `[pages · 64, kvLoraRank + qkRopeHeadDim]`.
    let cacheEntries: [Tensor]
    var cache: PagedCache
    var scratch = Scratch()
    /// A decode step that was begun before it is asked for.
    var begun: QueuedStep?
    /// Told of values on the way while a trace runs.
    var observer: ((Observation) throws(ModelError) -> Void)?

    /// A value that a trace keeps.
    enum Observation {
        /// The residual stream before layer `layer` (or after the last).
        case hidden(layer: Int, Tensor)
        /// What the head sees: the residual stream after the final norm.
        case final(Tensor, Batch)
        case routing(layer: Int, experts: Tensor, weights: Tensor)
    }

    /// Most tokens of one device step; longer prefills take several.
    static let stepTokenCount = 256
    /// Most sequences of one decode step whose longest has so many keys: partial results take the memory of its splits for all.
    func decodeTokenCount(forKeys count: Int) -> Int {
        min(Self.stepTokenCount, max(1, Self.partialCount / (shape.heads * splits(forKeys: count).count)))
    }
    /// Partial results of one decode step, at most: a V3 latent each, they take 270 MB.
    private static let partialCount = 131_072

    func splits(forKeys count: Int, isAlone: Bool = false) -> AttentionSplits {
        AttentionSplits(heads: shape.heads, keyCount: max(count, 1), isAlone: isAlone, on: executor.target?.profile)
    }

    init(
        config: ModelConfig, notes: [String], weights: ModelWeights, executor: Executor, contextLength: Int,
        kvFormat: LoadOptions.CacheFormat, activations: LoadOptions.ActivationFormat = .f32
    ) throws(ModelError) {
        self.config = config
        self.notes = notes
        self.weights = weights
        self.executor = executor
        self.contextLength = contextLength
        self.activations = activations
        shape = MLAShape(
            heads: config.numAttentionHeads, qkNopeHeadDim: config.qkNopeHeadDim, qkRopeHeadDim: config.qkRopeHeadDim,
            vHeadDim: config.vHeadDim, kvLoraRank: config.kvLoraRank)
        gate =
            config.nRoutedExperts == 0
            ? nil
            : GateRule(
                isSigmoid: config.scoringFunc == .sigmoid, groupCount: config.topkMethod == .greedy ? 1 : config.nGroup,
                keptGroups: config.topkGroup, topK: config.numExpertsPerTok, normalises: config.normTopkProb,
                scale: config.routedScalingFactor)
        let pages = PagedCache.pageCount(forTokens: contextLength)
        cache = PagedCache(pageCount: pages)
        let type = kvFormat.elementType
        var entries: [Tensor] = []
        for layer in 0..<config.numHiddenLayers + (weights.prediction == nil ? 0 : 1) {
            let rows = pages * PagedCache.pageTokenCount
            let storage = try executor.makeStorage(
                "cache of layer \(layer)", byteCount: rows * shape.paddedEntryWidth * type.byteCount)
            entries.append(Tensor(storage, type, [rows, shape.paddedEntryWidth]))
        }
        cacheEntries = entries
    }

    func tensor(_ name: String, _ shape: [Int], words: Bool = false) throws(ModelError) -> Tensor {
        try scratch.tensor(name, shape, words: words, on: executor)
    }

    /// Records one step: embedding, layers, final norm, head. Returns the logits of the batch's output rows, if any.
    func forward(_ batch: Batch) throws(ModelError) -> Tensor? {
        let rows = [batch.tokenCount, config.hiddenSize]
        let x = try tensor("x", rows)
        let normed = try tensor("normed", rows)
        // What the last layer left to be added.
        var delta: Tensor?
        executor.enter("the embedding", "embedding")
        try executor.run(Gather(indices: batch.tokens, table: weights.embedding, y: x))
        for (index, layer) in weights.layers.enumerated() {
            executor.enter("layer \(index)", "norm")
            let input = try self.normed(
                x, adding: delta, layer.inputNorm, for: layer.attention.input.weights, batch.phase, into: normed)
            try observer?(.hidden(layer: index, x))
            delta = try block(layer, index, batch, x: x, input: input, normed: normed)
        }
        executor.enter("the head", "norm")
        try norm(x, adding: delta, weights.finalNorm, normed)
        try observer?(.hidden(layer: weights.layers.count, x))
        executor.enter("the head", "head")
        let outputs = try logits(normed, batch)
        try observer?(.final(normed, batch))
        return outputs
    }

    /// A layer from its input norm on: x + attention, and the feed-forward part of its norm.
    ///
    /// - Parameter normed: where the second norm goes.
    /// - Returns: what is yet to be added to x, for the next norm to do; nil in decode, where the last product adds.
    func block(
        _ layer: LayerWeights, _ index: Int, _ batch: Batch, x: Tensor, input: Operand, normed: Tensor
    ) throws(ModelError) -> Tensor? {
        let delta = try tensor("delta", x.shape)
        executor.enter(operation: "attention")
        try attention(input, layer.attention, layer: index, batch, delta)
        executor.enter(operation: "norm")
        try norm(x, adding: delta, layer.postAttentionNorm, normed)
        let adds = batch.phase == .decode
        let result = adds ? x : delta
        switch layer.feedForward {
        case .dense(let weights):
            executor.enter(operation: "feed-forward")
            try feedForward(normed, weights, batch.phase, result, adds: adds)
        case .experts(let weights):
            executor.enter(operation: "experts")
            try experts(normed, weights, layer: index, batch.phase, result, adds: adds)
        }
        return adds ? nil : delta
    }

    func norm(_ x: Tensor, adding delta: Tensor?, _ weight: Tensor, _ y: Tensor) throws(ModelError) {
        try executor.run(RMSNorm(x: x, adding: delta, weight: weight, y: y, epsilon: config.rmsNormEps))
    }

    func linear(_ x: Tensor, _ weight: Weight, _ phase: StepPhase, _ name: String) throws(ModelError) -> Tensor {
        try linear(Operand(x: x), weight, phase, name)
    }

    func linear(_ x: Operand, _ weight: Weight, _ phase: StepPhase, _ name: String) throws(ModelError) -> Tensor {
        let y = try tensor(name, [x.x.rows, weight.rows])
        try linear(x, weight, phase, into: y)
        return y
    }

    /// - Parameters:
    ///   - rows: of the weight; nil for all.
    ///   - adds: to what is in y; in decode alone.
    func linear(
        _ x: Operand, _ weight: Weight, rows: Range<Int>? = nil, _ phase: StepPhase, into y: Tensor, adds: Bool = false
    ) throws(ModelError) {
        var kernel = Linear(
            phase: KernelPhase(phase), x: x.x, norm: x.norm, rounding: x.rounding, weight: weight, rows: rows, y: y,
            adds: adds)
        if let device = executor.target, kernel.takesHalves(on: device) { kernel.setHalves(try halves(of: x.x)) }
        try executor.run(kernel)
    }

    /// Head over the rows whose logits are wanted.
    private func logits(_ normed: Tensor, _ batch: Batch) throws(ModelError) -> Tensor? {
        guard let rows = batch.outputs else { return nil }
        let picked = try tensor("picked", [rows.rows, config.hiddenSize])
        try executor.run(Gather(indices: rows, table: Weight(codes: normed, scales: nil), y: picked))
        return try linear(picked, weights.head, batch.phase, "logits")
    }
}
