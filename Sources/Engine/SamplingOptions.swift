/// How a token is drawn from logits.
///
/// The steps, in this order (Hugging Face's): repetition penalty, temperature, top-k, top-p, min-p, draw.
/// At the defaults none of them changes anything but the temperature of 0, which takes the best token.
public struct SamplingOptions: Sendable, Equatable {
    /// Divides the logits; 0 takes the token with the highest logit, the lowest id of equal ones.
    public var temperature: Double
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    public var topK: Int
    /// Keeps the likeliest tokens until their probabilities add up to at least this; always one, 1 keeps all.
    public var topP: Double
    /// Drops tokens less likely than this share of the likeliest one's probability; 0 drops none.
    public var minP: Double
    /// Divides the positive logits of tokens in prompt and answer, and multiplies their negative ones; 1 changes none
    /// (Keskar et al. 2019, CTRL, section 4.1, with the sign rule that Hugging Face added).
    public var repetitionPenalty: Double
    /// Equal seeds draw equal tokens from equal logits.
    public var seed: UInt64

    public init(
        temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
        seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
    }

    public static let greedy = SamplingOptions()

    /// What is drawn depends on more than a step's logits and the draw's number: the step cannot draw it itself.
    var needsLogits: Bool { repetitionPenalty != 1 }

    /// Throws `.option` for the first value outside its range.
    public func validate() throws(GenerationError) {
        try require(
            temperature >= 0 && temperature.isFinite, "temperature", "0 (the likeliest token) or more", temperature)
        try require(topK >= 0, "top-k", "0 (off) or more", topK)
        try require((0...1).contains(topP), "top-p", "a number from 0 to 1 (off)", topP)
        try require((0...1).contains(minP), "min-p", "a number from 0 (off) to 1", minP)
        try require(
            repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition-penalty", "a number above 0 (1 is off)",
            repetitionPenalty)
    }
}

/// Throws `.option` unless `isValid`.
func require(_ isValid: Bool, _ name: String, _ expected: String, _ found: some Any) throws(GenerationError) {
    if !isValid { throw .option(name: name, expected: expected, found: "\(found)") }
}
