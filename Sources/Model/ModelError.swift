/// What can go wrong while a model is loaded or run. The message names the thing, what was expected, what was found
/// and what to do.
public enum ModelError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A token id outside the vocabulary.
    case tokenOutOfRange(token: Int32, vocabularySize: Int)
    /// A sequence would exceed the context: `needed` tokens where `limit` fit.
    case contextExceeded(needed: Int, limit: Int)
    /// The cache has too few free pages for the step.
    case cacheFull(neededTokens: Int, freeTokens: Int)
    /// Logits with Inf or NaN; `place` names the layer where the first such value appeared.
    case notFinite(place: String)
    /// The model does not fit, or the device or a file failed.
    case failed(String)

    public var description: String {
        switch self {
        case .tokenOutOfRange(let token, let vocabularySize):
            "token id \(token): expected 0 to \(vocabularySize - 1), the ids of this model's vocabulary"
        case .contextExceeded(let needed, let limit):
            "the sequence needs \(needed) tokens, but the context holds \(limit): shorten it, or raise --context"
        case .cacheFull(let needed, let free):
            "the cache has room for \(free) more tokens, but this step needs \(needed): raise --context or run fewer prompts at once"
        case .notFinite(let place):
            "the model's values are no longer finite (Inf or NaN), first in \(place): the weights are faulty, or, if --device cpu goes well, the device (see fathom selftest)"
        case .failed(let message):
            message
        }
    }
}
