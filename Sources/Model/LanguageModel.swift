import Numerics

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

    /// The same, with word of what will be asked for next: a decode step of the same sequences, each with the token that this
    /// step chooses for it, and with these outputs.
    ///
    /// A model may begin with that before it has told the tokens, so that its device does not wait for the caller. It
    /// shows in nothing but the time: what was begun is used if the next step asks for it, for all of the sequences or some,
    /// and else given up.
    func step(
        _ phase: StepPhase, _ items: [StepItem], ahead: [StepItem.Output]
    ) throws(ModelError) -> [Logits]
}

extension LanguageModel {
    public func step(
        _ phase: StepPhase, _ items: [StepItem], ahead: [StepItem.Output]
    ) throws(ModelError) -> [Logits] { try step(phase, items) }
}

/// A sequence in a model's cache.
public struct SequenceID: Hashable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
}

/// Prefill processes many tokens of a sequence (matrix kernels); decode one new token of each sequence (vector kernels).
public enum StepPhase: String, Sendable { case prefill, decode }

/// One sequence's share of a step.
public struct StepItem: Sendable, Equatable {
    public enum Output: Sendable, Equatable {
        case none
        case last, all
        /// For the last token, the most probable next one among the ids below `among` (the lowest of equals), and no logits:
        /// one number instead of a vocabulary leaves the device. All of a step's outputs choose tokens, or none does.
        case best(among: Int)
        /// The same, drawn by a rule.
        case drawn(among: Int, by: DrawRule)
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

/// Logits of one item: `values: [rows, vocabularySize]`, FP32; or, where that was asked for, the next token alone.
public struct Logits: Sendable {
    public var rowCount: Int
    public var values: [Float]
    public var token: Int32?
    public init(rowCount: Int, values: [Float], token: Int32? = nil) {
        self.rowCount = rowCount
        self.values = values
        self.token = token
    }
}
