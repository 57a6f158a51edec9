import Model
import Text

/// An error during generation. Errors of the model and of the text keep their type.
public enum GenerationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An option outside its range; `name` as on the command line, without the dashes.
    case option(name: String, expected: String, found: String)
    /// A prompt without tokens: there is nothing to continue.
    case emptyPrompt
    /// A prompt that leaves no room for an answer.
    case promptTooLong(tokenCount: Int, contextLength: Int)
    case model(ModelError)
    case text(TextError)
    /// One prompt of a batch, counted from 0.
    indirect case request(index: Int, GenerationError)

    public var description: String {
        switch self {
        case .option(let name, let expected, let found):
            "\(name): expected \(expected), found \(found)"
        case .emptyPrompt:
            "the prompt is empty: expected at least one token to continue from"
        case .promptTooLong(let tokenCount, let contextLength):
            "the prompt has \(tokenCount) tokens, but the context holds \(contextLength), of which the answer needs at least one"
        case .model(let error): error.description
        case .text(let error): error.description
        case .request(let index, let error): "prompt \(index + 1): \(error)"
        }
    }
}

/// Runs a model's call within this module's errors.
func callingModel<Result: ~Copyable>(_ body: () throws(ModelError) -> Result) throws(GenerationError) -> Result {
    do throws(ModelError) { return try body() } catch { throw .model(error) }
}
