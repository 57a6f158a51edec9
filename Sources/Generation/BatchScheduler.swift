import Model

/// One prompt of a batch, with its own options, seed and text.
public struct BatchRequest {
    public var prompt: [Int32]
    public var options: GenerationOptions
    public var text: any TokenText

    public init(prompt: [Int32], options: GenerationOptions, text: some TokenText) {
        self.prompt = prompt
        self.options = options
        self.text = text
    }
}

/// Answers many prompts together: each step serves all that are under way, and a new one joins as soon as another is done
/// (continuous batching: Yu et al. 2022, Orca).
///
/// Each answer is the one that its prompt would get alone: it has a sampler of its own, its prompt is cut into the same chunks, and
/// it starts only when the cache has room for all of it, so it never has to be computed again in another way.
public struct BatchScheduler {
    /// Most prompts under way at once.
    public let maximumBatch: Int
    /// Most tokens of a prompt in one step, and most tokens in a step of prompts.
    public let prefillChunk: Int
    /// A sequence takes its cache in pages of this many tokens.
    private static let pageTokenCount = 64

    public init(maximumBatch: Int = 16, prefillChunk: Int = 256) {
        precondition(maximumBatch > 0 && prefillChunk > 0, "a batch of \(maximumBatch), a chunk of \(prefillChunk)")
        self.maximumBatch = maximumBatch
        self.prefillChunk = prefillChunk
    }

    /// Answers all requests.
    ///
    /// All are checked before the first is computed: one that cannot run is an error naming its index.
    ///
    /// - Parameters:
    ///   - isInterrupted: asked before every step. Answers under way then end where they are; those not begun are empty.
    ///   - onResult: called for each request in order, as soon as it and all before it are done.
    public func run(
        _ requests: [BatchRequest], on model: any LanguageModel, isInterrupted: () -> Bool = { false },
        onResult: (Int, Completion) -> Void
    ) throws(GenerationError) {
        let capacity = model.freeTokenCount
        for (index, request) in requests.enumerated() {
            do throws(GenerationError) {
                try validate(prompt: request.prompt, options: request.options, for: model)
                guard request.prompt.count < capacity else {
                    throw .model(.cacheFull(neededTokens: request.prompt.count + 1, freeTokens: capacity))
                }
            } catch {
                throw .request(index: index, error)
            }
        }
        var waiting = requests.indices[...]
        var running: [Running] = []
        defer { for entry in running { model.release(entry.sequence) } }
        var results = OrderedResults()

        while !(waiting.isEmpty && running.isEmpty) {
            if isInterrupted() {
                for entry in running { results.add(entry.index, entry.interrupted()) }
                for index in waiting { results.add(index, Running.notStarted(requests[index])) }
                while let result = results.next() { onResult(result.index, result.completion) }
                return
            }
            while let index = waiting.first, running.count < maximumBatch {
                let need = reservation(for: requests[index], contextLength: model.contextLength)
                // One alone may ask for more than there is; its answer then ends where the cache does.
                guard running.isEmpty || running.reduce(need, { $0 + $1.reservation }) <= capacity else { break }
                let sequence = try callingModel { () throws(ModelError) in try model.makeSequence() }
                running.append(Running(index: index, requests[index], sequence: sequence, reservation: need))
                waiting.removeFirst()
            }
            try prefill(&running, on: model)
            try decode(&running, alone: waiting.isEmpty, on: model)
            for entry in running where entry.answer.isFinished {
                model.release(entry.sequence)
                results.add(entry.index, entry.answer.completion)
            }
            running.removeAll { $0.answer.isFinished }
            while let result = results.next() { onResult(result.index, result.completion) }
        }
    }

    /// The cache that an answer may come to need, in whole pages.
    private func reservation(for request: BatchRequest, contextLength: Int) -> Int {
        let most = min(request.options.maxNewTokens ?? contextLength, contextLength - request.prompt.count)
        let pages = (request.prompt.count + most + Self.pageTokenCount - 1) / Self.pageTokenCount
        return pages * Self.pageTokenCount
    }

    /// One step of prompts: the next chunk of each that is not through, in order, as many as fit.
    private func prefill(_ running: inout [Running], on model: any LanguageModel) throws(GenerationError) {
        let outputs = outputs(of: running, on: model)
        var items: [StepItem] = []
        var places: [Int] = []
        var room = prefillChunk
        for place in running.indices where running[place].isPrefilling {
            let chunk = running[place].chunk(prefillChunk, outputs[place])
            guard chunk.tokens.count <= room else { break }
            room -= chunk.tokens.count
            items.append(chunk)
            places.append(place)
        }
        guard !items.isEmpty else { return }
        let start = ContinuousClock.now
        let logits = try callingModel { () throws(ModelError) in try model.step(.prefill, items) }
        let seconds = (ContinuousClock.now - start).seconds
        for (row, place) in places.enumerated() {
            running[place].prefilledCount += items[row].tokens.count
            running[place].answer.summary.prefillTokenCount += items[row].tokens.count
            running[place].answer.summary.prefillSeconds += seconds
            if !running[place].isPrefilling {
                try running[place].take(logits[row], contextLength: model.contextLength)
            }
        }
    }

    /// What each answer under way draws from: logits for all if one needs them.
    private func outputs(of running: [Running], on model: any LanguageModel) -> [StepItem.Output] {
        let outputs = running.map { $0.answer.output(vocabularySize: model.vocabularySize) }
        return outputs.contains(.last) ? outputs.map { _ in .last } : outputs
    }

    /// What each answer draws from after the next step, as far as one goes on.
    private func outputsAhead(of running: [Running], on model: any LanguageModel) -> [StepItem.Output] {
        let goesOn = running.contains {
            !$0.answer.outputsAhead(vocabularySize: model.vocabularySize, contextLength: model.contextLength).isEmpty
        }
        return goesOn ? running.map { $0.answer.output(vocabularySize: model.vocabularySize, ahead: 1) } : []
    }

    /// One step of all answers under way.
    ///
    /// - Parameter alone: whether no other prompt can join them.
    private func decode(
        _ running: inout [Running], alone: Bool, on model: any LanguageModel
    ) throws(GenerationError) {
        let places = running.indices.filter { running[$0].next != nil }
        guard !places.isEmpty else { return }
        let outputs = outputs(of: running, on: model)
        let items = places.map { place in
            StepItem(sequence: running[place].sequence, tokens: [running[place].next!], output: outputs[place])
        }
        let start = ContinuousClock.now
        let logits: [Logits]
        do throws(ModelError) {
            logits = try model.step(
                .decode, items,
                ahead: alone && places.count == running.count ? outputsAhead(of: running, on: model) : [])
        } catch {
            guard case .cacheFull = error, running.count == 1 else { throw .model(error) }
            running[0].answer.finish(.contextFull) { _ in }
            return
        }
        let seconds = (ContinuousClock.now - start).seconds
        for (row, place) in places.enumerated() {
            running[place].answer.summary.decodeStepCount += 1
            running[place].answer.summary.decodeSeconds += seconds
            try running[place].take(logits[row], contextLength: model.contextLength)
        }
    }
}

/// A request under way.
private struct Running {
    let index: Int
    let prompt: [Int32]
    let sequence: SequenceID
    let reservation: Int
    var answer: Answer
    var prefilledCount = 0
    /// The token to append next; nil while the prompt is not through.
    private(set) var next: Int32?

    init(index: Int, _ request: BatchRequest, sequence: SequenceID, reservation: Int) {
        self.index = index
        prompt = request.prompt
        self.sequence = sequence
        self.reservation = reservation
        answer = Answer(prompt: request.prompt, options: request.options, text: request.text)
    }

    var isPrefilling: Bool { prefilledCount < prompt.count }

    func chunk(_ most: Int, _ output: StepItem.Output) -> StepItem {
        let end = min(prefilledCount + most, prompt.count)
        return StepItem(
            sequence: sequence, tokens: Array(prompt[prefilledCount..<end]),
            output: end == prompt.count ? output : .none)
    }

    mutating func take(_ logits: Logits, contextLength: Int) throws(GenerationError) {
        do throws(GenerationError) {
            next = try answer.take(logits, contextLength: contextLength) { _ in }
        } catch {
            throw .request(index: index, error)
        }
    }

    func interrupted() -> Completion {
        var answer = answer
        answer.finish(.interrupted) { _ in }
        return answer.completion
    }

    static func notStarted(_ request: BatchRequest) -> Completion {
        Answer(prompt: request.prompt, options: request.options, text: request.text).completion
    }
}

/// Puts results in order, however they come.
private struct OrderedResults {
    private var early: [Int: Completion] = [:]
    private var nextIndex = 0

    mutating func add(_ index: Int, _ completion: Completion) { early[index] = completion }

    /// The next result, if it is there.
    mutating func next() -> (index: Int, completion: Completion)? {
        guard let completion = early.removeValue(forKey: nextIndex) else { return nil }
        defer { nextIndex += 1 }
        return (nextIndex, completion)
    }
}
