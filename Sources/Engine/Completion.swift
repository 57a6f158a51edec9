/// Why an answer ended.
public enum FinishReason: String, Sendable {
    /// The model's end token.
    case stop
    /// A stop string.
    case stopString = "stop_string"
    /// `maxNewTokens` is reached.
    case length
    /// The caller asked for it.
    case interrupted
    /// Prompt and answer fill the context, or the cache has no room left.
    case contextFull = "context_full"
}

/// What one answer took.
public struct GenerationSummary: Sendable, Equatable {
    public var finishReason: FinishReason
    public var promptTokenCount = 0
    /// Tokens of the prompt that were still in the cache from before.
    public var cachedTokenCount = 0
    /// Tokens of the prompt that were computed.
    public var prefillTokenCount = 0
    /// From the start to the first token's logits.
    public var prefillSeconds = 0.0
    /// Tokens of the answer, end token not counted.
    public var generatedTokenCount = 0
    /// Steps after the first token, each of which gave one more, and what they took.
    public var decodeStepCount = 0
    public var decodeSeconds = 0.0

    public init(finishReason: FinishReason) { self.finishReason = finishReason }

    /// Tokens of the prompt computed a second; nil where none was.
    public var prefillRate: Double? { prefillTokenCount > 0 ? Double(prefillTokenCount) / prefillSeconds : nil }
    /// Tokens decoded a second; nil where none was.
    public var decodeRate: Double? { decodeStepCount > 0 ? Double(decodeStepCount) / decodeSeconds : nil }
}

/// An answer.
public struct Completion: Sendable, Equatable {
    /// Without the end token; with the tokens whose text a stop string cut off.
    public var tokens: [Int32]
    public var text: String
    public var summary: GenerationSummary

    public init(tokens: [Int32], text: String, summary: GenerationSummary) {
        self.tokens = tokens
        self.text = text
        self.summary = summary
    }
}

/// What a caller learns while an answer comes.
public enum GenerationEvent: Sendable, Equatable {
    /// So many of the prompt's tokens are in the cache.
    case prefilled(Int, of: Int)
    case token(Int32)
    /// More of the answer's text: whole characters, none of which can still become part of a stop string.
    case text(String)
}

extension Duration {
    /// Seconds as a number.
    package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
