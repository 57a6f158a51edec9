import ArgumentParser
import Engine
import Numerics

/// A text that models predict, read and checked before any model is loaded.
struct PredictedText {
    /// How well a model predicted it, and how that was measured.
    struct Measure {
        let perplexity: Perplexity
        /// Of the whole text; the first token is not predicted.
        let tokenCount: Int
        let window, stride: Int

        /// "7.1234 ± 0.0567"
        var value: String {
            fixed(perplexity.value, 4) + (perplexity.uncertainty.map { " ± \(fixed($0, 4))" } ?? "")
        }

        /// "81 predicted, each from all before it"
        var tokens: String {
            let windows =
                tokenCount > window
                ? ", in windows of \(window) that begin \(stride) apart" : ", each from all before it"
            return "\(perplexity.tokenCount) predicted\(windows)"
        }
    }

    let name: String
    private let bytes: [UInt8]

    init(path: String) throws(CommandError) {
        name = path
        bytes = try Input.file(path)
        guard !bytes.isEmpty else { throw Self.tooShort(path, found: "an empty file") }
        _ = try Input.text(bytes, name: path)  // UTF-8
    }

    /// Measures how well a model with a tokenizer predicts it, and shows the progress. Ctrl-C (see `Interrupt`) ends it with
    /// an error.
    ///
    /// - Parameter stride: tokens between the beginnings of two windows; nil for half the context.
    func measure(on opened: OpenedModel, stride: Int? = nil) throws -> Measure {
        let tokens = try opened.text!.encode(raw: bytes)
        guard tokens.count > 1 else { throw Self.tooShort(name, found: "\(tokens.count)") }
        let window = opened.model.contextLength
        let stride = stride ?? max(1, window / 2)
        guard stride < window else {
            throw CommandError("--stride: expected less than the context's \(window), found \(stride)")
        }
        let line = ProgressLine()
        defer { line.clear() }
        let measured = try Perplexity.measure(tokens, on: opened.model, window: window, stride: stride) { part in
            if part.tokenCount > 0 {
                line.show("\(part.tokenCount) of \(tokens.count - 1) tokens, perplexity \(fixed(part.value, 4))")
            }
            return !Interrupt.isRequested
        }
        guard let measured, !Interrupt.isRequested else { throw ExitCode.interrupted }
        return Measure(perplexity: measured, tokenCount: tokens.count, window: window, stride: stride)
    }

    private static func tooShort(_ name: String, found: String) -> CommandError {
        CommandError("\(name): expected a text of two tokens or more, found \(found)")
    }
}
