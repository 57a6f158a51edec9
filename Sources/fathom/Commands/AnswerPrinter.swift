import Engine
import JSON
import Numerics
import Terminal

/// Writes an answer to stdout as it comes: its text, or its ids where there is no tokenizer.
struct AnswerPrinter {
    private let isJSON: Bool
    private let showsIDs: Bool
    private var isEmpty = true
    /// The error of a write to stdout that failed; generation then stops.
    private(set) var failure: TerminalError?

    init(isJSON: Bool, showsIDs: Bool) {
        self.isJSON = isJSON
        self.showsIDs = showsIDs
    }

    mutating func show(_ event: GenerationEvent) {
        guard !isJSON else { return }
        switch event {
        case .prefilled: break
        case .token(let id) where showsIDs: write(isEmpty ? "\(id)" : ",\(id)")
        case .token: break
        case .text(let part): write(shown(part))
        }
    }

    /// Ends the line.
    mutating func finish() throws(TerminalError) {
        if !isJSON { write("\n") }
        if let failure { throw failure }
    }

    private mutating func write(_ text: String) {
        guard failure == nil else { return }
        isEmpty = false
        do throws(TerminalError) { try Output.standard.write(text) } catch { failure = error }
    }
}

/// Text for stdout; without control characters where stdout is a terminal, which would obey them.
func shown(_ text: String) -> String { Surroundings.current().outputIsTerminal ? terminalSafe(text) : text }

extension Engine.Completion {
    /// text (where there is a tokenizer), ids, finish_reason, counts and timings.
    func json(hasText: Bool) -> JSONValue {
        let timings = JSONValue.object([
            JSONMember("prefill_tokens", JSONValue(summary.prefillTokenCount)),
            JSONMember("prefill_seconds", JSONValue(summary.prefillSeconds)),
            JSONMember("prefill_tokens_per_second", summary.prefillRate.map { JSONValue($0) } ?? .null),
            JSONMember("decode_tokens", JSONValue(summary.decodeStepCount)),
            JSONMember("decode_seconds", JSONValue(summary.decodeSeconds)),
            JSONMember("decode_tokens_per_second", summary.decodeRate.map { JSONValue($0) } ?? .null),
        ])
        return .object(
            (hasText ? [JSONMember("text", JSONValue(text))] : []) + [
                JSONMember("ids", .array(tokens.map { JSONValue($0) })),
                JSONMember("finish_reason", JSONValue(summary.finishReason.rawValue)),
                JSONMember("prompt_tokens", JSONValue(summary.promptTokenCount)),
                JSONMember("cached_tokens", JSONValue(summary.cachedTokenCount)),
                JSONMember("timings", timings),
            ])
    }
}

extension GenerationSummary {
    /// "prompt 12 tokens, 340.1/s; answer 57 tokens, 21.4/s"
    var text: String {
        func rate(_ value: Double?) -> String { value.map { ", \(fixed($0, 1))/s" } ?? "" }
        let cached = cachedTokenCount > 0 ? " (\(cachedTokenCount) of them cached)" : ""
        return
            "prompt \(promptTokenCount) tokens\(cached)\(rate(prefillRate)); answer \(generatedTokenCount) tokens\(rate(decodeRate))"
    }
}
