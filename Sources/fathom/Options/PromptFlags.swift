import ArgumentParser
import Text

/// How a conversation is laid out for the model.
struct TemplateFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How messages are laid out. Without it, the model's own template.", valueName: "name"))
    var template: ChatTemplate.Style?

    @Flag(help: "Let a model that can do both (DeepSeek-V3.1) think before it answers.")
    var thinking = false

    /// The template to use with this tokenizer.
    func choose(for text: ModelText) throws -> ChatTemplate {
        let chosen =
            try template.map { ChatTemplate($0, config: text.config) }
            ?? ChatTemplate.detect(tokenizerConfig: text.config, tokenizer: text.tokenizer)
        guard !thinking || chosen.style.hasThinkingSwitch else {
            let having = ChatTemplate.Style.allCases.filter(\.hasThinkingSwitch).map(\.rawValue)
            throw CommandError(
                "--thinking: expected a model with the chat template \(having.joined(separator: " or ")), found \(chosen.style.rawValue), which has no such switch"
            )
        }
        return chosen
    }
}

extension ChatTemplate.Style: ExpressibleByArgument {}

/// Token ids on the command line: "1,2,3".
enum TokenList {
    static func parse(_ text: String) throws -> [Int32] {
        var ids: [Int32] = []
        if text.trimmed.isEmpty { return ids }
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let word = part.trimmed
            guard let id = Int32(word) else {
                throw ValidationError(
                    "expected token ids separated by commas, as in 1,2,3; number \(index + 1) is \"\(word)\"")
            }
            ids.append(id)
        }
        return ids
    }

    static func text(_ ids: [Int32]) -> String { ids.map(String.init).joined(separator: ",") }
}
