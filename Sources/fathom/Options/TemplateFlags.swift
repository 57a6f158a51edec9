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
