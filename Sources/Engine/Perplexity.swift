import Glibc
import Model

/// How well a model foretells a text: perplexity = exp(mean of −ln p(token | the ones before it)), over every token but the
/// first. 1 is certainty; V is a guess among V tokens.
///
/// A text longer than the model's context goes through it in windows: each token is foretold once, from at least
/// (window − stride) and at most (window − 1) tokens before it, or from all where there are fewer.
/// Source: the sliding windows of Hugging Face's "Perplexity of fixed-length models".
public struct Perplexity: Sendable, Equatable {
    /// Tokens that were foretold.
    public private(set) var tokenCount = 0
    private var sum = 0.0, sumOfSquares = 0.0

    public init() {}

    /// Nats: the mean of −ln p.
    public var nats: Double { sum / Double(tokenCount) }
    public var value: Double { exp(nats) }
    /// One standard deviation of `value`, were the tokens independent of each other; nil of one token.
    public var uncertainty: Double? {
        guard tokenCount > 1 else { return nil }
        let variance = max(0, sumOfSquares / Double(tokenCount) - nats * nats) / Double(tokenCount - 1)
        return value * variance.squareRoot()
    }

    /// Counts one token that the model gave these logits.
    mutating func add(_ token: Int32, logits: ArraySlice<Float>) {
        let largest = Double(logits.max()!)
        let total = logits.reduce(0.0) { $0 + exp(Double($1) - largest) }
        let surprise = largest + log(total) - Double(logits[logits.startIndex + Int(token)])
        tokenCount += 1
        sum += surprise
        sumOfSquares += surprise * surprise
    }

    /// Measures it of at least two tokens.
    ///
    /// - Parameters:
    ///   - window: tokens that the model has at once: from 2 to its context's length.
    ///   - stride: tokens by which the next window begins later: from 1 to window − 1. Fewer give every token more before
    ///     it, for more work.
    ///   - progress: told after every step how many tokens are foretold; false ends it.
    /// - Returns: nil if `progress` ended it.
    public static func measure(
        _ tokens: [Int32], on model: any LanguageModel, window: Int, stride: Int,
        progress: (Perplexity) throws -> Bool = { _ in true }
    ) throws -> Perplexity? {
        precondition(
            tokens.count >= 2 && (2...model.contextLength).contains(window) && (1..<window).contains(stride),
            "perplexity: \(tokens.count) tokens in windows of \(window), \(stride) apart")
        // As many rows of logits at once as take 64 MB.
        let rowCount = max(1, min(256, (16 << 20) / model.vocabularySize))
        var result = Perplexity()
        var foretold = 1
        for begin in Swift.stride(from: 0, to: tokens.count, by: stride) {
            let end = min(begin + window, tokens.count)
            let sequence = try model.makeSequence()
            defer { model.release(sequence) }
            var place = begin
            while place < end - 1 {
                // Up to the token before the first that is still to be foretold, no logits are needed.
                let isKnown = place < foretold - 1
                let next = min(place + rowCount, isKnown ? foretold - 1 : end - 1)
                let item = StepItem(
                    sequence: sequence, tokens: Array(tokens[place..<next]), rows: isKnown ? .none : .all)
                let logits = try model.step(.prefill, [item])[0].logits
                if !isKnown {
                    for row in place..<next {
                        let first = (row - place) * model.vocabularySize
                        result.add(tokens[row + 1], logits: logits[first..<first + model.vocabularySize])
                    }
                }
                place = next
                guard try progress(result) else { return nil }
            }
            foretold = end
            if end == tokens.count { break }
        }
        return result
    }
}
