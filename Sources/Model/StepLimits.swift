import Cache
import Kernels
import Program

/// The limits of one device step.
package struct StepLimits {
    let contextLength: Int
    /// Positions below this are attended to in expanded form by prompt rows.
    package internal(set) var expandedEnd: Int
    /// Maximum rows with results: their logits are one binding.
    let resultCount: Int
    private let heads: Int
    private let splitCount: (Int) -> Int

    /// Maximum rows.
    package static let rowCount = 256
    /// Maximum partial results of decode attention: at a V3 latent each, they take 270 MB.
    private static let partialCount = 131_072

    package init(_ transformer: Transformer, contextLength: Int) {
        self.contextLength = contextLength
        expandedEnd = ExpansionRule(shape: transformer.mla).end(upTo: contextLength)
        resultCount = min(
            Self.rowCount,
            max(
                1, (transformer.device?.profile.maxStorageBufferRange ?? .max) / (4 * transformer.config.vocabSize + 12)
            ))
        heads = transformer.mla.heads
        splitCount = { transformer.splits(forKeys: $0).count }
    }

    /// Maximum decode rows of a step whose longest decoding sequence has so many keys: partial results take the memory of its
    /// splits for all rows.
    func decodeRowCount(forKeys count: Int) -> Int {
        min(Self.rowCount, max(1, Self.partialCount / (heads * splitCount(count))))
    }

    /// The items' tokens in device steps, in order. A run ends where the form of attention changes.
    ///
    /// - Parameter starts: the position of each item's first token.
    func cut(_ items: [StepItem], starts: [Int]) -> [[StepAssembly.Run]] {
        let longest = zip(starts, items).map { $1.phase == .decode ? $0 + $1.tokens.count : 0 }.max() ?? 0
        let decodeRows = decodeRowCount(forKeys: longest)
        var steps: [[StepAssembly.Run]] = []
        var current: [StepAssembly.Run] = []
        // No more expanded keys than one sequence may have.
        var (room, decodeRoom, keyRoom, resultRoom) = (Self.rowCount, decodeRows, expandedEnd, resultCount)
        func close() {
            if !current.isEmpty { steps.append(current) }
            current = []
            (room, decodeRoom, keyRoom, resultRoom) = (Self.rowCount, decodeRows, expandedEnd, resultCount)
        }
        for (index, item) in items.enumerated() {
            let firstResult = item.tokens.count - item.resultCount
            var first = 0
            while first < item.tokens.count {
                let start = starts[index] + first
                let isDecode = item.phase == .decode
                let expands = !isDecode && start < expandedEnd
                if room == 0 || isDecode && decodeRoom == 0 || expands && keyRoom <= start
                    || first >= firstResult && resultRoom == 0
                {
                    close()
                }
                let beforeResults = max(0, firstResult - first)
                var count = min(item.tokens.count - first, room, beforeResults + resultRoom)
                if isDecode { count = min(count, decodeRoom) }
                if expands { count = min(count, keyRoom - start) }
                current.append(
                    StepAssembly.Run(item: index, tokens: first..<first + count, start: start, expands: expands))
                room -= count
                resultRoom -= max(0, count - beforeResults)
                if isDecode { decodeRoom -= count }
                if expands { keyRoom -= start + count }
                first += count
            }
        }
        close()
        return steps
    }
}

extension StepLimits {
    /// The shapes of the steps that take the most memory.
    package func largestShapes(of transformer: Transformer) -> [StepShape] {
        let all = min(Self.rowCount, contextLength)
        var shapes: [StepShape] = []
        func add(_ groups: StepShape.Group...) {
            var groups = groups
            var room = resultCount
            for index in groups.indices.reversed() {
                groups[index].resultCount = min(groups[index].resultCount, room)
                room -= groups[index].resultCount
            }
            shapes.append(StepShape(groups, choice: .drawn, returnsLogits: true, readsChosen: true))
        }
        /// Prompt rows over as many keys as there can be, in both forms.
        func prompts(_ rows: Int) -> [StepShape.Group] {
            var groups: [StepShape.Group] = []
            if expandedEnd > 0 { groups.append(transformer.expandedPrompts(rows, keyCount: expandedEnd)) }
            if expandedEnd < contextLength {
                groups.append(transformer.absorbedPrompts(rows, keyCount: contextLength))
            }
            return groups
        }
        let sequences = min(all, decodeRowCount(forKeys: contextLength))
        for rows in Set([1, sequences]) {
            add(transformer.decodeRows(rows, keyCount: contextLength))
            if rows < all {
                for group in prompts(all - rows) { add(group, transformer.decodeRows(rows, keyCount: contextLength)) }
            }
        }
        // Many short sequences at once need the most of everything else.
        add(transformer.decodeRows(all, keyCount: min(AttentionSplits.unit, contextLength)))
        for group in prompts(all) { add(group) }
        return shapes
    }
}

extension Transformer {
    /// Groups whose rows all have results, each row of a sequence of its own.
    package func decodeRows(_ count: Int, keyCount: Int) -> StepShape.Group {
        group(.splits(splits(forKeys: keyCount, isAlone: count == 1)), count, keyCount)
    }

    package func absorbedPrompts(_ count: Int, keyCount: Int) -> StepShape.Group { group(.absorbed, count, keyCount) }

    package func expandedPrompts(_ count: Int, keyCount: Int) -> StepShape.Group {
        // Each tile holds tokens of one sequence.
        group(.expanded(keyCount: keyCount, tileCount: count), count, keyCount)
    }

    private func group(_ attention: StepShape.Group.Attention, _ count: Int, _ keyCount: Int) -> StepShape.Group {
        StepShape.Group(
            attention, rowCount: count, sequenceCount: count,
            pageWidth: CacheLayout.pageCount(forTokens: AttentionSplits.keyRoom(for: max(keyCount, 1))),
            resultCount: count)
    }
}
