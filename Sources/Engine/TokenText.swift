import Text

/// Turns an answer's tokens into text as they come, never cutting a character.
public protocol TokenText {
    /// Ids at or above this have no token (a model's vocabulary may be padded): they are never drawn.
    var knownTokenCount: Int { get }
    /// The text that `token` completes.
    mutating func append(_ token: Int32) throws(TextError) -> String
    /// What is left at the end.
    mutating func finish() -> String
}

/// A tokenizer's text, special tokens left out.
public struct TokenizerText: TokenText {
    public let knownTokenCount: Int
    private var decoder: StreamDecoder

    public init(_ tokenizer: Tokenizer) {
        knownTokenCount = tokenizer.vocabularySize
        decoder = StreamDecoder(tokenizer, skipSpecials: true)
    }

    public mutating func append(_ token: Int32) throws(TextError) -> String { try decoder.feed(token) }
    public mutating func finish() -> String { decoder.flush() }
}

/// No text at all, for a model without a tokenizer: its answers are tokens only.
public struct NoText: TokenText {
    public let knownTokenCount = Int.max
    public init() {}
    public mutating func append(_ token: Int32) throws(TextError) -> String { "" }
    public mutating func finish() -> String { "" }
}
