import Engine
import Text

/// What the chat needs of a model. `SessionBackend` is the real one; tests use a scripted one.
protocol ChatBackend: AnyObject {
    var modelName: String { get }
    var deviceName: String { get }
    /// Tokens that the conversation and its answer may have together.
    var contextLength: Int { get }
    /// Whether prompts end with `<think>`: answers then begin inside the reasoning, without the mark.
    var beginsInReasoning: Bool { get }

    /// Tokens that the conversation takes, to check it against the context before anything runs.
    func promptTokenCount(_ messages: [Message]) throws -> Int

    /// Answers the conversation.
    ///
    /// - Parameters:
    ///   - shouldStop: asked between tokens.
    ///   - onEvent: called as the answer comes.
    /// - Returns: the answer's text, reasoning included, and what it took.
    func answer(
        _ messages: [Message], options: GenerationOptions, shouldStop: () -> Bool, onEvent: (GenerationEvent) -> Void
    ) throws -> (text: String, summary: GenerationSummary)
}

/// A loaded model that keeps the conversation's cache between answers.
final class SessionBackend: ChatBackend {
    private let opened: OpenedModel
    private let tokenizer: Tokenizer
    private let template: ChatTemplate
    private let thinking: Bool
    private let session: Session

    init(_ opened: OpenedModel, text: ModelText, template: ChatTemplate, thinking: Bool) throws {
        self.opened = opened
        self.template = template
        self.thinking = thinking
        tokenizer = text.tokenizer
        session = try Session(model: opened.model)
    }

    var modelName: String { opened.name }
    var deviceName: String { opened.model.deviceName }
    var contextLength: Int { opened.model.contextLength }
    var beginsInReasoning: Bool { template.style == .r1 || (template.style.hasThinkingSwitch && thinking) }

    func promptTokenCount(_ messages: [Message]) throws -> Int { try encode(messages).count }

    func answer(
        _ messages: [Message], options: GenerationOptions, shouldStop: () -> Bool, onEvent: (GenerationEvent) -> Void
    ) throws -> (text: String, summary: GenerationSummary) {
        let completion = try session.generate(
            try encode(messages), options: options, text: opened.tokenText, isInterrupted: shouldStop, onEvent: onEvent)
        return (completion.text, completion.summary)
    }

    private func encode(_ messages: [Message]) throws -> [Int32] {
        try template.encode(
            messages: messages, addGenerationPrompt: true, thinking: thinking, tokenizer: tokenizer)
    }
}
