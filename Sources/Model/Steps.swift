import Kernels
import Numerics

extension Transformer: LanguageModel {
    public var vocabularySize: Int { config.vocabSize }
    public var freeTokenCount: Int { cache.freeTokenCount }
    public func makeSequence() throws(ModelError) -> SequenceID { cache.makeSequence() }
    public func truncate(_ sequence: SequenceID, to tokenCount: Int) { cache.truncate(sequence, to: tokenCount) }
    public func release(_ sequence: SequenceID) { cache.release(sequence) }
    public func tokenCount(of sequence: SequenceID) -> Int { cache.tokenCount(of: sequence) }

    public func step(_ phase: StepPhase, _ items: [StepItem]) throws(ModelError) -> [Logits] {
        for item in items {
            for token in item.tokens where token < 0 || Int(token) >= config.vocabSize {
                throw .tokenOutOfRange(token: token, vocabularySize: config.vocabSize)
            }
            let needed = cache.tokenCount(of: item.sequence) + item.tokens.count
            if needed > contextLength { throw .contextExceeded(needed: needed, limit: contextLength) }
        }
        let before = items.map { cache.tokenCount(of: $0.sequence) }
        do throws(ModelError) {
            try cache.reserve(items.map { ($0.sequence, $0.tokens.count) })
            var results = items.map { _ in Logits(rowCount: 0, values: []) }
            for part in parts(of: items, phase) { try run(part, phase, items, &results) }
            return results
        } catch {
            for (item, count) in zip(items, before) { cache.truncate(item.sequence, to: count) }
            throw error
        }
    }

    /// A run of one item's tokens.
    struct Run {
        var item: Int
        var tokens: Range<Int>
    }

    /// The items' tokens in device steps, in order.
    private func parts(of items: [StepItem], _ phase: StepPhase) -> [[Run]] {
        let longest = items.map { cache.tokenCount(of: $0.sequence) + $0.tokens.count }.max() ?? 0
        let size =
            phase == .prefill
            ? Self.stepTokenCount : Self.decodeTokenCount(forSplits: max(1, MLADecode.splitCount(forKeys: longest)))
        var parts: [[Run]] = []
        var current: [Run] = []
        var room = size
        for (index, item) in items.enumerated() {
            var start = 0
            while start < item.tokens.count {
                if room == 0 {
                    parts.append(current)
                    current = []
                    room = size
                }
                let count = min(room, item.tokens.count - start)
                current.append(Run(item: index, tokens: start..<start + count))
                start += count
                room -= count
            }
        }
        if !current.isEmpty { parts.append(current) }
        return parts
    }

    /// One device step over the runs; their sequences advance.
    private func run(_ runs: [Run], _ phase: StepPhase, _ items: [StepItem], _ results: inout [Logits])
        throws(ModelError)
    {
        executor.openStep()
        defer { executor.closeStep() }
        let step = try queue(runs, phase, items)
        try read(step, items, &results)
        for run in runs { cache.advance(items[run.item].sequence, by: run.tokens.count) }
    }

    /// A step on its way.
    struct QueuedStep {
        var runs: [Run]
        var phase: StepPhase
        var outputRows: [Int]
        var output: StepOutput
        /// Nil without a device: it is done then.
        var recording: Recording?
    }

    private func queue(_ runs: [Run], _ phase: StepPhase, _ items: [StepItem]) throws(ModelError) -> QueuedStep {
        let (batch, inputs) = try makeBatch(runs, phase, items)
        let (recording, output) = try executor.queue(
            phase == .decode && observer == nil ? batch.key : nil, inputs: inputs, in: batch.inputs
        ) { () throws(ModelError) in try compute(batch) }
        return QueuedStep(
            runs: runs, phase: phase, outputRows: batch.outputRows, output: output, recording: recording)
    }

    /// Waits for the step and gives its results to the items they belong to.
    private func read(_ step: QueuedStep, _ items: [StepItem], _ results: inout [Logits]) throws(ModelError) {
        if let recording = step.recording { try executor.wait(for: recording) }
        let owners = step.outputRows.map { owner(of: $0, step.runs) }
        if let chosen = step.output.chosen {
            let words =
                if let recording = step.recording { recording.results(2 * chosen.columns) } else {
                    try executor.words(chosen)
                }
            guard !words.suffix(chosen.columns).contains(where: { $0 > 0 }) else { throw try fault(in: step, items) }
            for (row, owner) in owners.enumerated() {
                results[owner] = Logits(rowCount: 1, values: [], best: Int32(words[row]))
            }
        } else if let logits = step.output.logits {
            let values = try executor.floats(logits)
            guard FiniteScan.areFinite(values) else { throw try fault(in: step, items) }
            for (row, owner) in owners.enumerated() {
                results[owner].rowCount += 1
                results[owner].values += values[row * config.vocabSize..<(row + 1) * config.vocabSize]
            }
        }
    }

    private func owner(of row: Int, _ runs: [Run]) -> Int {
        var row = row
        for run in runs {
            if row < run.tokens.count { return run.item }
            row -= run.tokens.count
        }
        preconditionFailure("row \(row) beyond the batch")
    }

    /// Records the logits of the rows that are wanted, or tokens chosen from them.
    func compute(_ batch: Batch) throws(ModelError) -> StepOutput {
        let logits = try forward(batch)
        guard let logits, let choice = batch.choice else { return StepOutput(logits: logits) }
        let chosen = try tensor("chosen tokens", [2, logits.rows], words: true)
        switch choice {
        case .best(let among):
            let candidates = Tensor(logits.storage, .f32, [logits.rows, among], pitch: logits.pitch)
            try executor.run(Argmax(logits: candidates, result: chosen))
        }
        return StepOutput(chosen: chosen)
    }

    /// The batch, and the words of its inputs.
    private func makeBatch(
        _ runs: [Run], _ phase: StepPhase, _ items: [StepItem]
    ) throws(ModelError) -> (batch: Batch, inputs: [UInt32]) {
        var tokens: [UInt32] = []
        var positions: [UInt32] = []
        var sequences: [UInt32] = []
        var outputRows: [Int] = []
        for (index, run) in runs.enumerated() {
            let item = items[run.item]
            let start = cache.tokenCount(of: item.sequence)
            for (offset, tokenIndex) in run.tokens.enumerated() {
                let isLast = tokenIndex == item.tokens.count - 1
                if item.output == .all || (item.output != .none && isLast) { outputRows.append(tokens.count) }
                tokens.append(UInt32(item.tokens[tokenIndex]))
                positions.append(UInt32(start + offset))
                sequences.append(UInt32(index))
            }
        }
        let batch = try layOut(
            BatchShape(
                phase: phase, tokenCount: tokens.count, sequenceCount: runs.count,
                firstPosition: Int(positions.first ?? 0), keyCount: Int(positions.max() ?? 0) + 1,
                keyTotal: positions.reduce(0) { $0 + Int($1) + 1 }, outputRows: outputRows, choice: choice(items)))
        // A sequence may have pages for more tokens than this step's.
        let width = batch.pageTable.columns
        let pages = runs.flatMap { run in
            let pages = cache.pages(of: items[run.item].sequence).prefix(width)
            return pages.map { UInt32($0) } + Array(repeating: 0, count: width - pages.count)
        }
        var parts = [
            (batch.tokens, tokens), (batch.positions, positions), (batch.sequences, sequences),
            (batch.pageTable, pages),
        ]
        if let outputs = batch.outputs { parts.append((outputs, outputRows.map { UInt32($0) })) }
        return (batch, batch.words(parts))
    }

    private func choice(_ items: [StepItem]) -> Choice? {
        guard case .best(let among)? = items.lazy.map(\.output).first(where: { $0 != .none }) else { return nil }
        precondition(
            items.allSatisfy { $0.output == .none || $0.output == .best(among: among) }
                && 1...config.vocabSize ~= among, "a step's outputs: \(items.map(\.output))")
        return .best(among: among)
    }

    /// Runs the step again, looking at the residual stream before each layer: where it is first not finite.
    private func fault(in step: QueuedStep, _ items: [StepItem]) throws(ModelError) -> ModelError {
        var place: String?
        let outer = observer
        observer = { [self] (observation) throws(ModelError) in
            guard place == nil, case .hidden(let layer, let x) = observation else { return }
            let values = try executor.flushed { () throws(ModelError) in try executor.floats(x) }
            guard values.contains(where: { !$0.isFinite }) else { return }
            place = layer == 0 ? "the embedding" : "layer \(layer - 1)"
        }
        defer { observer = outer }
        let again = try queue(step.runs, step.phase, items)
        if let recording = again.recording { try executor.wait(for: recording) }
        return .notFinite(place: place ?? "the head")
    }
}
