import Cache
import Model

/// A conversation with a model. It keeps the cache of the last prompt and answer, so that a prompt with the same
/// beginning, such as the next turn of a chat, costs only its new tokens.
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
    /// The session remains usable after an error or an interrupt: it keeps the tokens that the model has computed.
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
        var ticket = try prefill(prompt, &answer, isInterrupted, onEvent)
        var firstToken: ContinuousClock.Instant?
        defer { keepComputed() }
        while let current = ticket {
            // The device goes on while the host looks at the token.
            let next = submitAhead(of: current, answer)
            let result: StepResult
            do throws(ModelError) { result = try model.collect(current)[0] } catch {
                if let next { model.discard(next) }
                throw .model(error)
            }
            if firstToken == nil {
                firstToken = .now
                answer.summary.prefillSeconds = (firstToken! - start).seconds
            } else {
                answer.summary.decodeStepCount += 1
            }
            ticket = try advance(&answer, result, next, isInterrupted, onEvent)
        }
        if let firstToken {
            answer.summary.decodeSeconds = (ContinuousClock.now - firstToken).seconds
        } else {
            answer.summary.prefillSeconds = (ContinuousClock.now - start).seconds
            answer.finish(.interrupted, onEvent)
        }
        return answer.completion
    }

    /// Takes a step's result. Returns the step that follows: `next` or one made now; nil if the answer has ended.
    private func advance(
        _ answer: inout Answer, _ result: StepResult, _ next: Ticket?, _ isInterrupted: () -> Bool,
        _ onEvent: (GenerationEvent) -> Void
    ) throws(GenerationError) -> Ticket? {
        var isUsed = false
        defer { if let next, !isUsed { model.discard(next) } }
        guard let token = try answer.take(result, contextLength: model.contextLength, onEvent) else { return nil }
        if isInterrupted() {
            answer.finish(.interrupted, onEvent)
            return nil
        }
        if let next {
            isUsed = true
            cachedTokens.append(token)
            return next
        }
        do throws(ModelError) {
            return try submit(.decode, [token], answer)
        } catch {
            guard case .cacheFull = error else { throw .model(error) }
            answer.finish(.contextFull, onEvent)
            return nil
        }
    }

    /// Computes the prompt's tokens that are not cached. Returns the step of the last token; nil if interrupted.
    private func prefill(
        _ prompt: [Int32], _ answer: inout Answer, _ isInterrupted: () -> Bool, _ onEvent: (GenerationEvent) -> Void
    ) throws(GenerationError) -> Ticket? {
        let shared = zip(cachedTokens, prompt).prefix { $0 == $1 }.count
        // The last token is computed again even if it is cached, because its logits are needed and not kept.
        keep(min(shared, prompt.count - 1))
        answer.summary.cachedTokenCount = cachedTokens.count
        onEvent(.prefilled(cachedTokens.count, of: prompt.count))
        while true {
            if isInterrupted() { return nil }
            let end = min(cachedTokens.count + prefillChunk, prompt.count)
            let chunk = Array(prompt[cachedTokens.count..<end])
            let isLast = end == prompt.count
            let ticket = try callingModel { () throws(ModelError) in
                try submit(.prefill, chunk, isLast ? answer : nil)
            }
            answer.summary.prefillTokenCount += chunk.count
            if !isLast { _ = try callingModel { () throws(ModelError) in try model.collect(ticket) } }
            onEvent(.prefilled(end, of: prompt.count))
            if isLast { return ticket }
        }
    }

    /// - Parameter answer: takes the last token's result; nil where none is wanted.
    private func submit(_ phase: StepPhase, _ tokens: [Int32], _ answer: Answer?) throws(ModelError) -> Ticket {
        let ticket = try model.submit([
            StepItem(
                phase, sequence: sequence, tokens: tokens, rows: answer == nil ? .none : .last(1),
                kind: answer?.resultKind(vocabularySize: model.vocabularySize) ?? .logits)
        ])
        cachedTokens += tokens
        return ticket
    }

    /// Submits the step after `ticket`'s with the token that it chooses; nil where that cannot be.
    private func submitAhead(of ticket: Ticket, _ answer: Answer) -> Ticket? {
        guard model.canFollow(ticket), answer.canRunAhead(contextLength: model.contextLength) else { return nil }
        let item = StepItem(
            .decode, sequence: sequence, tokens: [.chosen(by: ticket, row: 0)], rows: .last(1),
            kind: answer.resultKind(vocabularySize: model.vocabularySize, ahead: 1))
        // The step is submitted again when its token is known, and meets the error then.
        do throws(ModelError) { return try model.submit([item]) } catch { return nil }
    }

    /// Makes the sequence and `cachedTokens` equally long: drops the tokens at the end that only one of them has.
    private func keepComputed() {
        let count = model.tokenCount(of: sequence)
        if count > cachedTokens.count { model.truncate(sequence, to: cachedTokens.count) }
        if count < cachedTokens.count { cachedTokens.removeLast(cachedTokens.count - count) }
    }

    private func keep(_ count: Int) {
        guard count < cachedTokens.count else { return }
        model.truncate(sequence, to: count)
        cachedTokens.removeLast(cachedTokens.count - count)
    }
}
