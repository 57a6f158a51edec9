/// What generation needs of a model: sequences that remember their tokens, and steps over a batch of them.
///
/// `Transformer` is the real one; tests of the scheduler and the chat use small scripted ones.
public protocol LanguageModel: AnyObject {
    /// Number of logits in a row; every token id is in `0 ..< vocabularySize`.
    var vocabularySize: Int { get }
    /// The longest sequence, prompt and answer together, in tokens.
    var contextLength: Int { get }
    /// Tokens that can still be appended over all sequences before the cache is full.
    var freeTokenCount: Int { get }

    /// A new, empty sequence.
    func makeSequence() throws(ModelError) -> SequenceID
    /// Forgets all but the first `tokenCount` tokens of the sequence (for a new turn, a regenerated answer, a rejected draft).
    func truncate(_ sequence: SequenceID, to tokenCount: Int)
    /// Gives the sequence's cache pages back.
    func release(_ sequence: SequenceID)
    /// Number of tokens the sequence holds in the cache.
    func tokenCount(of sequence: SequenceID) -> Int

    /// Appends each item's tokens to its sequence in one step of the device.
    ///
    /// - Returns: for each item, in order, the logits that it asked for: `[rows, vocabularySize]`, row by row.
    /// - Throws: `ModelError` for a token id out of range, a sequence beyond `contextLength`, a full cache, a device
    ///   error, or logits that are not finite (named with the layer where the first such value appeared).
    ///   After a throw the sequences are as they were before the step.
    func step(_ phase: StepPhase, _ items: [StepItem]) throws(ModelError) -> [Logits]
}

/// A sequence in a model's cache.
public struct SequenceID: Hashable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
}

/// Prefill processes many tokens of a sequence (matrix kernels); decode one new token of each sequence (vector kernels).
public enum StepPhase: String, Sendable { case prefill, decode }

/// One sequence's share of a step.
public struct StepItem: Sendable {
    public enum Output: Sendable, Equatable {
        case none
        case last, all
        /// For the last token, the most probable next one among the ids below `among` (the lowest of equals), and no logits:
        /// one number instead of a vocabulary leaves the device. All of a step's outputs are such, or none is.
        case best(among: Int)
    }
    public var sequence: SequenceID
    public var tokens: [Int32]
    /// Which tokens' logits are wanted.
    public var output: Output
    public init(sequence: SequenceID, tokens: [Int32], output: Output) {
        self.sequence = sequence
        self.tokens = tokens
        self.output = output
    }
}

/// Logits of one item: `values: [rows, vocabularySize]`, FP32; or, where that was asked for, the best next token alone.
public struct Logits: Sendable {
    public var rowCount: Int
    public var values: [Float]
    public var best: Int32?
    public init(rowCount: Int, values: [Float], best: Int32? = nil) {
        self.rowCount = rowCount
        self.values = values
        self.best = best
    }
}
