import Model

/// A conversation with a model. It keeps what the model has computed, so that a prompt which begins like the last one, as the next
/// turn of a chat does, costs only its new tokens.
///
/// ```swift
/// let session = try Session(model: model)
/// let answer = try session.generate(prompt, options: options, text: TokenizerText(tokenizer)) { event in … }
/// ```
public final class Session {
    public let model: any LanguageModel
    /// Most tokens of a prompt in one step: bounds the memory of a step and how long an interrupt waits.
    public let prefillChunk: Int
    /// The tokens in the model's cache.
    public private(set) var cachedTokens: [Int32] = []
    private let sequence: SequenceID

    public init(model: any LanguageModel, prefillChunk: Int = 256) throws(GenerationError) {
        precondition(prefillChunk > 0, "a prefill chunk of \(prefillChunk) tokens")
        self.model = model
        self.prefillChunk = prefillChunk
        sequence = try callingModel { () throws(ModelError) in try model.makeSequence() }
    }

    deinit { model.release(sequence) }

    /// Forgets the conversation.
    public func reset() { keep(0) }

    /// Continues `prompt` until the model ends its answer, a stop string, the limit, a full context or an interrupt.
    ///
    /// After an error or an interrupt the session goes on: it keeps what the model has computed until then.
    ///
    /// - Parameters:
    ///   - prompt: the whole conversation's tokens, not only the new ones.
    ///   - text: turns the answer's tokens into text.
    ///   - isInterrupted: asked before every step.
    ///   - onEvent: called as the answer comes.
    public func generate(
        _ prompt: [Int32], options: GenerationOptions, text: some TokenText,
        isInterrupted: () -> Bool = { false }, onEvent: (GenerationEvent) -> Void
    ) throws(GenerationError) -> Completion {
        try validate(prompt: prompt, options: options, for: model)
        var answer = Answer(prompt: prompt, options: options, text: text)
        let start = ContinuousClock.now
        let logits = try prefill(prompt, &answer, isInterrupted, onEvent)
        let firstToken = ContinuousClock.now
        answer.summary.prefillSeconds = (firstToken - start).seconds
        guard let logits else {
            answer.finish(.interrupted, onEvent)
            return answer.completion
        }
        var next = try answer.take(logits, contextLength: model.contextLength, onEvent)
        while let token = next {
            if isInterrupted() {
                answer.finish(.interrupted, onEvent)
                break
            }
            guard let logits = try decode(token, answer) else {
                answer.finish(.contextFull, onEvent)
                break
            }
            answer.summary.decodeStepCount += 1
            next = try answer.take(logits, contextLength: model.contextLength, onEvent)
        }
        answer.summary.decodeSeconds = (ContinuousClock.now - firstToken).seconds
        return answer.completion
    }

    /// Brings the cache to the whole prompt and returns its last token's output; nil if interrupted.
    private func prefill(
        _ prompt: [Int32], _ answer: inout Answer, _ isInterrupted: () -> Bool, _ onEvent: (GenerationEvent) -> Void
    ) throws(GenerationError) -> Logits? {
        let shared = zip(cachedTokens, prompt).prefix { $0 == $1 }.count
        // The last token is computed again if it is cached: its logits are not.
        keep(min(shared, prompt.count - 1))
        answer.summary.cachedTokenCount = cachedTokens.count
        onEvent(.prefilled(cachedTokens.count, of: prompt.count))
        var logits: Logits?
        while cachedTokens.count < prompt.count {
            if isInterrupted() { return nil }
            let end = min(cachedTokens.count + prefillChunk, prompt.count)
            let chunk = Array(prompt[cachedTokens.count..<end])
            logits = try callingModel { () throws(ModelError) in
                try step(.prefill, chunk, end == prompt.count ? answer : nil)
            }
            answer.summary.prefillTokenCount += chunk.count
            onEvent(.prefilled(end, of: prompt.count))
        }
        return logits
    }

    /// The output after one more token; nil if the cache has no room for it.
    private func decode(_ token: Int32, _ answer: Answer) throws(GenerationError) -> Logits? {
        do throws(ModelError) {
            return try step(.decode, [token], answer)
        } catch {
            guard case .cacheFull = error else { throw .model(error) }
            return nil
        }
    }

    /// - Returns: what the answer draws from; nil without one.
    private func step(_ phase: StepPhase, _ tokens: [Int32], _ answer: Answer?) throws(ModelError) -> Logits? {
        let output = answer?.output(vocabularySize: model.vocabularySize) ?? .none
        let ahead = answer?.outputsAhead(
            vocabularySize: model.vocabularySize, contextLength: model.contextLength)
        let logits = try model.step(
            phase, [StepItem(sequence: sequence, tokens: tokens, output: output)], ahead: ahead ?? [])
        cachedTokens += tokens
        return answer == nil ? nil : logits[0]
    }

    private func keep(_ count: Int) {
        guard count < cachedTokens.count else { return }
        model.truncate(sequence, to: count)
        cachedTokens.removeLast(cachedTokens.count - count)
    }
}
