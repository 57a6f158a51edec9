import Cache
import Numerics

/// The operations of a model for generation: sequences that remember their tokens, and steps over rows of many sequences.
///
/// `LoadedModel` is the real one; tests of the scheduler and the chat use small scripted ones.
public protocol LanguageModel: AnyObject {
    /// Number of logits in a row; every token id is in `0 ..< vocabularySize`.
    var vocabularySize: Int { get }
    /// The longest sequence, prompt and answer together, in tokens.
    var contextLength: Int { get }
    /// Tokens that can still be appended over all sequences before the cache is full.
    var freeTokenCount: Int { get }

    /// A new, empty sequence.
    func makeSequence() throws(ModelError) -> SequenceID
    /// Drops all but the first `tokenCount` tokens of the sequence (for a new turn, a regenerated answer, a rejected draft).
    /// A step in flight may still write behind the sequence's new end; steps that are submitted later overwrite that.
    func truncate(_ sequence: SequenceID, to tokenCount: Int)
    /// Returns the sequence's cache pages.
    func release(_ sequence: SequenceID)
    /// Number of the sequence's tokens in the cache, including the tokens of submitted steps.
    func tokenCount(of sequence: SequenceID) -> Int

    /// Queues a step: appends each item's tokens to its sequence and computes its results. Steps run in the order of
    /// submission. Items that exceed one device step run in several; all but the last are then done when this returns.
    ///
    /// - Throws: `ModelError` for a token id out of range, a sequence beyond `contextLength`, a full cache or a device error.
    ///   After a throw the sequences are as they were before the step.
    func submit(_ items: [StepItem]) throws(ModelError) -> Ticket
    /// Waits for a step. Each ticket is collected or discarded, once; tickets are collected in the order of submission.
    ///
    /// - Returns: a result for each item, in order.
    /// - Throws: a device error, or `.notFinite`. The step's sequences are then as they were before it.
    func collect(_ ticket: Ticket) throws(ModelError) -> [StepResult]
    /// Whether it pays to submit the next step before this one is collected, and rows of it may take the tokens that this one
    /// chooses: the step runs beside the caller, and is the last one that chose tokens.
    func canFollow(_ ticket: Ticket) -> Bool
    /// Gives up a step's results. Its tokens stay in the sequences; call `truncate` to remove them.
    func discard(_ ticket: Ticket)
}

extension LanguageModel {
    /// Runs a step of one kind of rows and waits for it.
    public func step(_ phase: StepPhase, _ items: [StepItem]) throws(ModelError) -> [StepResult] {
        try collect(
            submit(
                items.map { item in
                    var item = item
                    item.phase = phase
                    return item
                }))
    }
}

/// A submitted step.
public struct Ticket: Hashable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
}

/// The kind of a row. Prefill rows are many tokens of a prompt (matrix kernels); decode rows are one or a few new tokens
/// of each sequence (vector kernels). A row's result depends on its kind and its sequence alone.
public enum StepPhase: String, Sendable { case prefill, decode }

/// One sequence's share of a step.
public struct StepItem: Sendable, Equatable {
    public enum Token: Sendable, Equatable {
        case given(Int32)
        /// The one that a step chose in result row `row`, counted over the step's items in order; see `canFollow`.
        case chosen(by: Ticket, row: Int)
    }

    /// Which of the item's rows have results.
    public enum ResultRows: Sendable, Equatable {
        case none
        /// The last rows, at most as many as there are tokens.
        case last(Int)
        case all
    }

    /// The kind of a result.
    public enum ResultKind: Sendable, Equatable {
        /// The row's logits.
        case logits
        /// The most probable next token among the ids below `among`, the lowest of equal ones: one number instead of a
        /// vocabulary leaves the device.
        case best(among: Int)
        /// A token drawn by a rule; one rule for each row with a result.
        case drawn(among: Int, by: [DrawRule])
    }

    public var sequence: SequenceID
    public var phase: StepPhase
    public var tokens: [Token]
    public var rows: ResultRows
    public var kind: ResultKind

    public init(
        _ phase: StepPhase = .prefill, sequence: SequenceID, tokens: [Token], rows: ResultRows = .none,
        kind: ResultKind = .logits
    ) {
        self.sequence = sequence
        self.phase = phase
        self.tokens = tokens
        self.rows = rows
        self.kind = kind
    }

    public init(
        _ phase: StepPhase = .prefill, sequence: SequenceID, tokens: [Int32], rows: ResultRows = .none,
        kind: ResultKind = .logits
    ) {
        self.init(phase, sequence: sequence, tokens: tokens.map { .given($0) }, rows: rows, kind: kind)
    }

    /// The number of rows with results: the item's last tokens.
    public var resultCount: Int {
        switch rows {
        case .none: 0
        case .last(let count): min(count, tokens.count)
        case .all: tokens.count
        }
    }
}

/// Results of one item: logits or tokens, according to the item's `kind`.
public struct StepResult: Sendable {
    /// `[rows, vocabularySize]`, FP32, row by row.
    public var logits: [Float]
    /// A token a row.
    public var tokens: [Int32]

    public init(logits: [Float] = [], tokens: [Int32] = []) {
        self.logits = logits
        self.tokens = tokens
    }
}
