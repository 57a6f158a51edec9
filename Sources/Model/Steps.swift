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
        /// Whether its attention is computed in expanded form.
        var expands = false
    }

    /// The items' tokens in device steps, in order.
    private func parts(of items: [StepItem], _ phase: StepPhase) -> [[Run]] {
        let longest = items.map { cache.tokenCount(of: $0.sequence) + $0.tokens.count }.max() ?? 0
        let size =
            phase == .prefill
            ? Self.stepTokenCount : Self.decodeTokenCount(forSplits: max(1, MLAAbsorbed.splitCount(forKeys: longest)))
        var parts: [[Run]] = []
        var current: [Run] = []
        var (room, keyRoom) = (size, contextLength)
        for (index, item) in items.enumerated() {
            let cached = cache.tokenCount(of: item.sequence)
            var start = 0
            while start < item.tokens.count {
                let left = item.tokens.count - start
                let expands = phase == .prefill && expansionRule.expands(start: cached + start, count: min(size, left))
                // Attention has one form in a step, and no more expanded keys than one sequence may have.
                if room == 0 || (current.last.map { $0.expands != expands } ?? false)
                    || (expands && !current.isEmpty && keyRoom < cached + item.tokens.count)
                {
                    parts.append(current)
                    current = []
                    (room, keyRoom) = (size, contextLength)
                }
                let count = min(room, left)
                current.append(Run(item: index, tokens: start..<start + count, expands: expands))
                start += count
                room -= count
                keyRoom -= cached + start
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
        let batch = try makeBatch(runs, phase, items)
        try executor.begin()
        let logits = try forward(batch)
        var best: Tensor?
        if let logits { best = try self.best(of: logits, batch) }
        try executor.finish()
        if let best {
            let words = try executor.words(best)
            for (row, owner) in batch.outputRows.map({ owner(of: $0, runs) }).enumerated() {
                guard words[2 * row + 1] == 0 else { throw .notFinite(place: try firstFault(batch)) }
                results[owner] = Logits(rowCount: 1, values: [], best: Int32(words[2 * row]))
            }
        } else if let logits {
            let values = try executor.floats(logits)
            guard FiniteScan.areFinite(values) else { throw .notFinite(place: try firstFault(batch)) }
            for (row, owner) in batch.outputRows.map({ owner(of: $0, runs) }).enumerated() {
                results[owner].rowCount += 1
                results[owner].values += values[row * config.vocabSize..<(row + 1) * config.vocabSize]
            }
        }
        for run in runs { cache.advance(items[run.item].sequence, by: run.tokens.count) }
    }

    /// Records the choice of the best next tokens, where the batch asks for them: `[rows, 2]`, as `Argmax` says.
    private func best(of logits: Tensor, _ batch: Batch) throws(ModelError) -> Tensor? {
        guard let count = batch.bestAmong else { return nil }
        let result = try tensor("best tokens", [logits.rows, 2], words: true)
        let candidates = Tensor(logits.storage, .f32, [logits.rows, count], pitch: logits.pitch)
        try executor.run(Argmax(logits: candidates, result: result))
        return result
    }

    private func owner(of row: Int, _ runs: [Run]) -> Int {
        var row = row
        for run in runs {
            if row < run.tokens.count { return run.item }
            row -= run.tokens.count
        }
        preconditionFailure("row \(row) beyond the batch")
    }

    private func makeBatch(_ runs: [Run], _ phase: StepPhase, _ items: [StepItem]) throws(ModelError) -> Batch {
        var tokens: [UInt32] = []
        var positions: [UInt32] = []
        var sequences: [UInt32] = []
        var outputRows: [Int] = []
        let pageLists = runs.map { cache.pages(of: items[$0.item].sequence) }
        let maxPages = pageLists.map(\.count).max() ?? 1
        var table: [UInt32] = []
        var expanded: [MLAExpanded.Run] = []
        var keyRows: [UInt32] = []
        for (index, run) in runs.enumerated() {
            let item = items[run.item]
            let start = cache.tokenCount(of: item.sequence)
            if run.expands {
                expanded.append(
                    MLAExpanded.Run(
                        firstToken: tokens.count, tokenCount: run.tokens.count, position: start, firstKey: keyRows.count
                    ))
                keyRows += (0..<start + run.tokens.count).map { position in
                    let (page, row) = position.quotientAndRemainder(dividingBy: PagedCache.pageTokenCount)
                    return UInt32(pageLists[index][page] * PagedCache.pageTokenCount + row)
                }
            }
            for (offset, tokenIndex) in run.tokens.enumerated() {
                let isLast = tokenIndex == item.tokens.count - 1
                if item.output == .all || (item.output != .none && isLast) { outputRows.append(tokens.count) }
                tokens.append(UInt32(item.tokens[tokenIndex]))
                positions.append(UInt32(start + offset))
                sequences.append(UInt32(index))
            }
            table += pageLists[index].map { UInt32($0) } + Array(repeating: 0, count: maxPages - pageLists[index].count)
        }
        let count = tokens.count
        var batch = Batch(
            phase: phase, tokens: try tensor("tokens", [count], words: true),
            positions: try tensor("positions", [count], words: true),
            sequences: try tensor("sequences", [count], words: true),
            pageTable: try tensor("page table", [runs.count, maxPages], words: true),
            firstPosition: Int(positions.first ?? 0), keyCount: Int(positions.max() ?? 0) + 1,
            keyTotal: positions.reduce(0) { $0 + Int($1) + 1 }, outputRows: outputRows)
        if !expanded.isEmpty { batch.expansion = try makeExpansion(expanded, keyRows: keyRows) }
        if case .best(let among)? = items.lazy.map(\.output).first(where: { $0 != .none }) {
            precondition(
                items.allSatisfy { $0.output == .none || $0.output == .best(among: among) }
                    && 1...config.vocabSize ~= among, "a step's outputs: \(items.map(\.output))")
            batch.bestAmong = among
        }
        try executor.set(batch.tokens, to: tokens)
        try executor.set(batch.positions, to: positions)
        try executor.set(batch.sequences, to: sequences)
        try executor.set(batch.pageTable, to: table)
        return batch
    }

    /// Runs the batch again, looking at the residual stream before each layer: where it is first not finite.
    private func firstFault(_ batch: Batch) throws(ModelError) -> String {
        var place: String?
        let outer = observer
        observer = { [self] (observation) throws(ModelError) in
            guard place == nil, case .hidden(let layer, let x) = observation else { return }
            let values = try flushed { () throws(ModelError) in try executor.floats(x) }
            guard values.contains(where: { !$0.isFinite }) else { return }
            place = layer == 0 ? "the embedding" : "layer \(layer - 1)"
        }
        defer { observer = outer }
        try executor.begin()
        _ = try forward(batch)
        try executor.finish()
        return place ?? "the head"
    }

    /// Runs what is recorded so far, so that `body` can read its results, and goes on recording.
    func flushed<R>(_ body: () throws(ModelError) -> R) throws(ModelError) -> R {
        try executor.finish()
        let result = try body()
        try executor.begin()
        return result
    }
}
