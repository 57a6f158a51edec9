import Model

/// One answer on its way: draws each token, turns it into text and knows when to end. Session and batch share it, so that an
/// answer comes out the same in both.
struct Answer {
    private let promptTokenCount: Int
    private let options: GenerationOptions
    private var sampler: Sampler
    private var tokenText: any TokenText
    private var stops: StopMatcher
    private var tokens: [Int32] = []
    private var text = ""
    /// What the steps took; counted by who makes them.
    var summary = GenerationSummary(finishReason: .interrupted)
    private(set) var isFinished = false

    init(prompt: [Int32], options: GenerationOptions, text tokenText: some TokenText) {
        promptTokenCount = prompt.count
        self.options = options
        sampler = Sampler(options.sampling)
        sampler.observe(prompt)
        self.tokenText = tokenText
        stops = StopMatcher(options.stopStrings)
    }

    var completion: Completion {
        var summary = summary
        summary.promptTokenCount = promptTokenCount
        summary.generatedTokenCount = tokens.count
        return Completion(tokens: tokens, text: text, summary: summary)
    }

    /// The kind of result that its next draw takes, or the draw `ahead` draws later.
    func resultKind(vocabularySize: Int, ahead: Int = 0) -> StepItem.ResultKind {
        if options.sampling.needsLogits { return .logits }
        let count = min(tokenText.knownTokenCount, vocabularySize)
        return options.sampling.temperature == 0
            ? .best(among: count) : .drawn(among: count, by: [sampler.rule(ahead: ahead)])
    }

    /// Whether the answer may go on after its next token, and its draws need no logits: the step after the next can then be
    /// submitted before the next one's token is known.
    func canRunAhead(contextLength: Int) -> Bool {
        let count = tokens.count + 1
        return !options.sampling.needsLogits && count != options.maxNewTokens
            && promptTokenCount + count < contextLength
    }

    /// Takes the token that the step chose, or draws the next one from its logits.
    ///
    /// - Returns: the token to append to the sequence next; nil if the answer ended with it.
    mutating func take(
        _ result: StepResult, contextLength: Int, _ onEvent: (GenerationEvent) -> Void
    ) throws(GenerationError) -> Int32? {
        let token: Int32
        if let chosen = result.tokens.last {
            token = chosen
            sampler.skip()
        } else {
            token = sampler.sample(result.logits.prefix(tokenText.knownTokenCount))
        }
        if options.stopTokens.contains(token) {
            finish(.stop, onEvent)
            return nil
        }
        tokens.append(token)
        onEvent(.token(token))
        do { show(stops.feed(try tokenText.append(token)), onEvent) } catch { throw .text(error) }
        if stops.isStopped {
            finish(.stopString, onEvent)
        } else if tokens.count == options.maxNewTokens {
            finish(.length, onEvent)
        } else if promptTokenCount + tokens.count >= contextLength {
            finish(.contextFull, onEvent)
        }
        return isFinished ? nil : token
    }

    /// Ends the answer, with the text that was held back unless it is a stop string.
    mutating func finish(_ reason: FinishReason, _ onEvent: (GenerationEvent) -> Void) {
        show(stops.feed(tokenText.finish()), onEvent)
        if !stops.isStopped { show(stops.finish(), onEvent) }
        summary.finishReason = stops.isStopped ? .stopString : reason
        isFinished = true
    }

    private mutating func show(_ part: String, _ onEvent: (GenerationEvent) -> Void) {
        guard !part.isEmpty else { return }
        text += part
        onEvent(.text(part))
    }
}

/// Checks what needs no device: the prompt's length and its ids, and the options.
func validate(
    prompt: [Int32], options: GenerationOptions, for model: any LanguageModel
) throws(GenerationError) {
    try options.validate()
    guard !prompt.isEmpty else { throw .emptyPrompt }
    guard prompt.count < model.contextLength else {
        throw .promptTooLong(tokenCount: prompt.count, contextLength: model.contextLength)
    }
    for token in prompt where token < 0 || token >= model.vocabularySize {
        throw .model(.tokenOutOfRange(token: token, vocabularySize: model.vocabularySize))
    }
}
