import Cache
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
        /// The decode step that was submitted before its tokens were known.
        var ahead: DecodeStep?
        defer {
            if let ahead { model.discard(ahead.ticket) }
            for entry in running { model.release(entry.sequence) }
        }
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
            ahead = try decode(&running, ahead.take(), alone: waiting.isEmpty, on: model)
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
        let kinds = kinds(of: running, on: model)
        var items: [StepItem] = []
        var places: [Int] = []
        var room = prefillChunk
        for place in running.indices where running[place].isPrefilling {
            let chunk = running[place].chunk(prefillChunk, kinds[place])
            guard chunk.tokens.count <= room else { break }
            room -= chunk.tokens.count
            items.append(chunk)
            places.append(place)
        }
        guard !items.isEmpty else { return }
        let start = ContinuousClock.now
        let results = try callingModel { () throws(ModelError) in try model.step(.prefill, items) }
        let seconds = (ContinuousClock.now - start).seconds
        for (row, place) in places.enumerated() {
            running[place].prefilledCount += items[row].tokens.count
            running[place].answer.summary.prefillTokenCount += items[row].tokens.count
            running[place].answer.summary.prefillSeconds += seconds
            if !running[place].isPrefilling {
                try running[place].take(results[row], contextLength: model.contextLength)
            }
        }
    }

    /// What each answer under way draws from: logits for all if one needs them.
    ///
    /// - Parameter ahead: draws after the next.
    private func kinds(
        of running: [Running], ahead: Int = 0, on model: any LanguageModel
    ) -> [StepItem.ResultKind] {
        let kinds = running.map { $0.answer.resultKind(vocabularySize: model.vocabularySize, ahead: ahead) }
        return kinds.contains(.logits) ? kinds.map { _ in .logits } : kinds
    }

    /// One step of all answers under way.
    ///
    /// - Parameters:
    ///   - submitted: the step, if it was submitted before.
    ///   - alone: whether no other prompt can join them.
    /// - Returns: the step after it, if that was submitted already.
    private func decode(
        _ running: inout [Running], _ submitted: DecodeStep?, alone: Bool, on model: any LanguageModel
    ) throws(GenerationError) -> DecodeStep? {
        let places = running.indices.filter { running[$0].next != nil }
        guard !places.isEmpty else {
            if let submitted { model.discard(submitted.ticket) }
            return nil
        }
        let start = ContinuousClock.now
        let step: DecodeStep
        do throws(ModelError) {
            step = if let submitted { submitted } else { try submit(running, places, on: model) }
        } catch {
            guard case .cacheFull = error, running.count == 1 else { throw .model(error) }
            running[0].answer.finish(.contextFull) { _ in }
            return nil
        }
        let next = alone && places.count == running.count ? submitAhead(of: step, running, on: model) : nil
        let results: [StepResult]
        do throws(ModelError) { results = try model.collect(step.ticket) } catch {
            if let next { model.discard(next.ticket) }
            throw .model(error)
        }
        let seconds = (ContinuousClock.now - start).seconds
        for place in places {
            running[place].answer.summary.decodeStepCount += 1
            running[place].answer.summary.decodeSeconds += seconds
            do throws(GenerationError) {
                try running[place].take(
                    results[step.requests.firstIndex(of: running[place].index)!], contextLength: model.contextLength)
            } catch {
                if let next { model.discard(next.ticket) }
                throw error
            }
        }
        return next
    }

    private func submit(
        _ running: [Running], _ places: [Int], on model: any LanguageModel
    ) throws(ModelError) -> DecodeStep {
        let kinds = kinds(of: running, on: model)
        let items = places.map { place in
            StepItem(
                .decode, sequence: running[place].sequence, tokens: [running[place].next!], rows: .last(1),
                kind: kinds[place])
        }
        return DecodeStep(ticket: try model.submit(items), requests: places.map { running[$0].index })
    }

    /// Submits the step after `step` with the tokens that it chooses, for all answers under way; nil where that cannot be.
    private func submitAhead(
        of step: DecodeStep, _ running: [Running], on model: any LanguageModel
    ) -> DecodeStep? {
        guard model.canFollow(step.ticket),
            running.contains(where: { $0.answer.canRunAhead(contextLength: model.contextLength) })
        else { return nil }
        let kinds = kinds(of: running, ahead: 1, on: model)
        guard !kinds.contains(.logits) else { return nil }
        let items = zip(running, kinds).map { entry, kind in
            StepItem(
                .decode, sequence: entry.sequence,
                tokens: [.chosen(by: step.ticket, row: step.requests.firstIndex(of: entry.index)!)], rows: .last(1),
                kind: kind)
        }
        // The step is submitted again when its tokens are known, and meets the error then.
        do throws(ModelError) {
            return DecodeStep(ticket: try model.submit(items), requests: running.map(\.index))
        } catch { return nil }
    }
}

/// A submitted decode step.
private struct DecodeStep {
    let ticket: Ticket
    /// The request of each item.
    let requests: [Int]
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

    func chunk(_ most: Int, _ kind: StepItem.ResultKind) -> StepItem {
        let end = min(prefilledCount + most, prompt.count)
        return StepItem(
            sequence: sequence, tokens: Array(prompt[prefilledCount..<end]),
            rows: end == prompt.count ? .last(1) : .none, kind: kind)
    }

    mutating func take(_ result: StepResult, contextLength: Int) throws(GenerationError) {
        do throws(GenerationError) {
            next = try answer.take(result, contextLength: contextLength) { _ in }
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
