import Numerics

/// Draws one sequence's tokens from logits: the same options and the same logits give the same tokens.
public struct Sampler: Sendable {
    private let options: SamplingOptions
    /// Of every draw, but for the random number.
    private let rule: DrawRule
    private var drawCount = 0
    /// What the repetition penalty counts: each token of prompt and answer once.
    private var seen: Set<Int32> = []
    /// Kept between draws for its memory alone: two megabytes of fresh pages take as long as the draw.
    private var candidates = Candidates()

    public init(_ options: SamplingOptions) {
        self.options = options
        rule =
            options.temperature == 0
            ? .best
            : DrawRule(
                temperature: options.temperature, topK: options.topK, topP: options.topP, minP: options.minP)
    }

    /// How the next token is drawn from its logits, or the one `ahead` draws later: anyone who keeps to it draws as `sample`
    /// does. Not with a repetition penalty, which changes the logits.
    func rule(ahead: Int = 0) -> DrawRule {
        var rule = rule
        rule.random = UInt32(SeededRandom.value(drawCount + ahead, seed: options.seed) >> 32)
        return rule
    }

    /// A token was drawn elsewhere, by `rule`.
    mutating func skip() { drawCount += 1 }

    /// Counts tokens for the repetition penalty: the prompt's. Those drawn count by themselves.
    public mutating func observe(_ tokens: some Sequence<Int32>) {
        if options.repetitionPenalty != 1 { seen.formUnion(tokens) }
    }

    /// Draws a token from `logits: [vocabulary]`, FP32, of which at least one is finite and none is NaN or +∞; −∞ is never drawn.
    public mutating func sample(_ logits: some Collection<Float>) -> Int32 {
        precondition(!logits.isEmpty, "sampling from no logits")
        let token: Int32
        if options.repetitionPenalty == 1, let direct = logits.withContiguousStorageIfAvailable({ draw($0) }) {
            token = direct
        } else {
            let penalised = penalise(Array(logits))
            token = penalised.withUnsafeBufferPointer { draw($0) }
        }
        observe(CollectionOfOne(token))
        drawCount += 1
        return token
    }

    private func penalise(_ logits: [Float]) -> [Float] {
        guard options.repetitionPenalty != 1 else { return logits }
        var logits = logits
        let penalty = Float(options.repetitionPenalty)
        for token in seen where logits.indices.contains(Int(token)) {
            let logit = logits[Int(token)]
            logits[Int(token)] = logit < 0 ? logit * penalty : logit / penalty
        }
        return logits
    }

    private mutating func draw(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        if options.temperature == 0 { return Self.best(logits) }
        select(logits)
        return candidates.draw(by: rule())
    }

    /// What may be drawn from these logits, with weights that are in proportion to the probabilities.
    mutating func distribution(_ logits: UnsafeBufferPointer<Float>) -> [(id: Int32, weight: UInt32)] {
        select(logits)
        return candidates.distribution
    }

    /// Leaves in `candidates` what may be drawn from these logits, with its weights.
    private mutating func select(_ logits: UnsafeBufferPointer<Float>) {
        candidates.fill(logits)
        if rule.topK < .max { candidates.keepTop(Int(rule.topK)) }
        candidates.weigh(by: rule)
        if rule.topP < .max { candidates.keepNucleus(of: rule) }
        if rule.leastWeight > 0 { candidates.keepWeights(from: rule.leastWeight) }
    }

    /// The lowest id among those with the highest logit.
    private static func best(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        var best = 0
        for id in 1..<logits.count where logits[id] > logits[best] { best = id }
        return Int32(best)
    }
}
