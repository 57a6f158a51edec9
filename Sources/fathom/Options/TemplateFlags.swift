import ArgumentParser
import Text

/// How a conversation is laid out for the model.
struct TemplateFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Chat template: \(ChatTemplate.Style.allCases.map(\.rawValue).joined(separator: ", ")). Without it, the model's own.",
            valueName: "name"))
    var template: ChatTemplate.Style?

    @Flag(help: "Let a model that can do both (DeepSeek-V3.1) think before it answers.")
    var thinking = false

    /// The template to use with this tokenizer.
    func choose(for text: ModelText) throws -> ChatTemplate {
        if let template { return ChatTemplate(template, config: text.config) }
        return try ChatTemplate.detect(tokenizerConfig: text.config, tokenizer: text.tokenizer)
    }
}

extension ChatTemplate.Style: ExpressibleByArgument {}
