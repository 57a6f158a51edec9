import Kernels

extension Transformer: LanguageModel {
    public var vocabularySize: Int { config.vocabSize }
    public var freeTokenCount: Int { cache.freeTokenCount }
    public func makeSequence() throws(ModelError) -> SequenceID { cache.makeSequence() }
    public func tokenCount(of sequence: SequenceID) -> Int { cache.tokenCount(of: sequence) }

    public func truncate(_ sequence: SequenceID, to tokenCount: Int) {
        giveUpBegun(if: sequence)
        cache.truncate(sequence, to: tokenCount)
    }

    public func release(_ sequence: SequenceID) {
        giveUpBegun(if: sequence)
        cache.release(sequence)
    }

    public func step(_ phase: StepPhase, _ items: [StepItem]) throws(ModelError) -> [Logits] {
        try step(phase, items, ahead: [])
    }

    public func step(
        _ phase: StepPhase, _ items: [StepItem], ahead: [StepItem.Output]
    ) throws(ModelError) -> [Logits] {
        for item in items {
            for token in item.tokens where token < 0 || Int(token) >= config.vocabSize {
                throw .tokenOutOfRange(token: token, vocabularySize: config.vocabSize)
            }
            let needed = cache.tokenCount(of: item.sequence) + item.tokens.count
            if needed > contextLength { throw .contextExceeded(needed: needed, limit: contextLength) }
        }
        let before = items.map { cache.tokenCount(of: $0.sequence) }
        do throws(ModelError) {
            var results = items.map { _ in Logits(rowCount: 0, values: []) }
            if let step = takeBegun(phase, items) {
                try finish(step, items, ahead, &results)
            } else {
                try cache.reserve(items.map { ($0.sequence, $0.tokens.count) })
                let parts = parts(of: items, phase)
                for part in parts {
                    executor.openStep()
                    defer { executor.closeStep() }
                    try finish(queue(part, phase, items), items, parts.count == 1 ? ahead : [], &results)
                }
            }
            return results
        } catch {
            giveUpBegun()
            for (item, count) in zip(items, before) { cache.truncate(item.sequence, to: count) }
            throw error
        }
    }

    /// The items' tokens in device steps, in order.
    private func parts(of items: [StepItem], _ phase: StepPhase) -> [[Run]] {
        let starts = items.map { cache.tokenCount(of: $0.sequence) }
        let longest = zip(starts, items).map { $0 + $1.tokens.count }.max() ?? 0
        let size = phase == .prefill ? Self.stepTokenCount : decodeTokenCount(forKeys: longest)
        var parts: [[Run]] = []
        var current: [Run] = []
        var (room, keyRoom) = (size, contextLength)
        for (index, item) in items.enumerated() {
            var first = 0
            while first < item.tokens.count {
                let left = item.tokens.count - first
                let start = starts[index] + first
                let expands = phase == .prefill && expansionRule.expands(start: start, count: min(size, left))
                // Attention has one form in a step, and no more expanded keys than one sequence may have.
                if room == 0 || (current.last.map { $0.expands != expands } ?? false)
                    || (expands && !current.isEmpty && keyRoom < start + left)
                {
                    parts.append(current)
                    current = []
                    (room, keyRoom) = (size, contextLength)
                }
                let count = min(room, left)
                current.append(Run(item: index, tokens: first..<first + count, start: start, expands: expands))
                first += count
                room -= count
                keyRoom -= start + count
            }
        }
        if !current.isEmpty { parts.append(current) }
        return parts
    }

    /// Begins with what comes ahead, and waits for the step's results; its sequences advance.
    private func finish(
        _ step: QueuedStep, _ items: [StepItem], _ ahead: [StepItem.Output], _ results: inout [Logits]
    ) throws(ModelError) {
        if step.items == items { begun = begin(ahead, after: step) }
        let places = Dictionary(uniqueKeysWithValues: items.enumerated().map { ($1.sequence, $0) })
        try read(step, places, &results)
        for run in step.runs where places[step.items[run.item].sequence] != nil {
            cache.advance(step.items[run.item].sequence, by: run.tokens.count)
        }
        // Now it is known what was begun.
        for place in items.indices where begun != nil { begun!.items[place].tokens = [results[place].token!] }
    }

    // MARK: Ahead

    /// Queues the step that is to follow, with the tokens that `step` chooses; nil where that cannot be.
    private func begin(_ outputs: [StepItem.Output], after step: QueuedStep) -> QueuedStep? {
        let items = zip(step.items, outputs).map { StepItem(sequence: $0.sequence, tokens: [0], output: $1) }
        let starts = step.items.map { cache.tokenCount(of: $0.sequence) + $0.tokens.count }
        let needed = (starts.max() ?? 0) + 1
        guard executor.canQueueAhead, observer == nil, step.output.chosen != nil, !outputs.isEmpty,
            outputs.count == step.items.count, step.outputRows.count == step.items.count, needed <= contextLength,
            items.count <= decodeTokenCount(forKeys: needed)
        else { return nil }
        do throws(ModelError) {
            try cache.reserve(step.items.map { ($0.sequence, $0.tokens.count + 1) })
            let runs = items.indices.map { Run(item: $0, tokens: 0..<1, start: starts[$0]) }
            return try queue(runs, .decode, items, follows: true)
        } catch {
            // Whoever asks for the step meets the error again.
            for item in items { cache.trim(item.sequence) }
            return nil
        }
    }

    /// The step that was begun, if these are its items or some of them; any other is given up.
    private func takeBegun(_ phase: StepPhase, _ items: [StepItem]) -> QueuedStep? {
        guard let step = begun, phase == .decode, items.allSatisfy(step.items.contains) else {
            giveUpBegun()
            return nil
        }
        begun = nil
        for item in step.items where !items.contains(item) { cache.trim(item.sequence) }
        return step
    }

    /// What it still writes is behind its sequences' ends, and before whatever is queued from now on.
    func giveUpBegun(if sequence: SequenceID? = nil) {
        guard let step = begun, sequence == nil || step.items.contains(where: { $0.sequence == sequence }) else {
            return
        }
        begun = nil
        step.recording?.isAwaited = false
        for item in step.items { cache.trim(item.sequence) }
    }
}
