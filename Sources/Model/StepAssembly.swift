import Cache
import Kernels
import Program

/// One device step, made of items: its shape, its upload, and the item of each result.
struct StepAssembly {
    let input: StepInput
    /// The item that each result row belongs to.
    let owners: [Int]

    /// A run of one item's tokens in one group.
    struct Run {
        var item: Int
        var tokens: Range<Int>
        /// The first token's position.
        var start: Int
        /// Whether its attention is computed in expanded form; prompt rows alone.
        var expands = false
    }

    /// - Parameters:
    ///   - runs: the step's rows; the rows of each item are in the order of their positions.
    ///   - following: for each row the token after it, where the prediction module runs too; of a single group.
    init(_ runs: [Run], of items: [StepItem], on model: borrowing StepSurroundings, following: [UInt32]? = nil) {
        let groups = Self.groups(runs, items)
        let choices = items.compactMap { $0.resultCount > 0 ? $0.kind : nil }
        let choice = Self.choice(choices)
        let readsChosen = runs.contains { run in
            items[run.item].tokens[run.tokens].contains { if case .chosen = $0 { true } else { false } }
        }
        let built = groups.map { GroupInputs($0, items, model) }
        let shape = StepShape(
            built.map(\.shape), choice: choice,
            returnsLogits: choices.contains(.logits), readsChosen: readsChosen, predicts: following != nil)
        owners = built.flatMap(\.owners)

        let layout = InputLayout(shape)
        var words = [UInt32](repeating: 0, count: layout.wordCount)
        func put(_ part: [UInt32], _ range: Range<Int>) {
            precondition(part.count == range.count, "\(part.count) words for \(range)")
            words.replaceSubrange(range, with: part)
        }
        for (group, place) in zip(built, layout.groups) {
            put(group.tokens, place.tokens)
            if readsChosen { put(group.sources, place.sources) }
            put(group.positions, place.positions)
            put(group.sequences, place.sequences)
            put(group.pageTable, place.pageTable)
            put(group.resultRows, place.resultRows)
            put(group.keyRows, place.keyRows)
            put(group.tiles, place.tiles)
        }
        if let following { put(following, layout.groups[0].nextTokens) }
        if choice == .drawn { put(built.flatMap(\.rules), layout.rules) }
        input = StepInput(shape, words: words, attendedCounts: built.map(\.attendedCount))
    }

    private init(input: StepInput, owners: [Int]) {
        self.input = input
        self.owners = owners
    }

    /// The device's row of each result, by items.
    var resultOrder: [Int] { owners.indices.sorted { (owners[$0], $0) < (owners[$1], $1) } }

    /// The same step with all tokens given: `chosen` holds the tokens that its sources refer to; nil if they are not known.
    func resolved(_ chosen: [UInt32]) -> StepAssembly? {
        guard input.shape.readsChosen else { return self }
        guard !chosen.isEmpty else { return nil }
        var words = input.words
        for group in InputLayout(input.shape).groups {
            for (token, source) in zip(group.tokens, group.sources) where words[source] != Gather.noSource {
                words[token] = chosen[Int(words[source])]
                words[source] = Gather.noSource
            }
        }
        return StepAssembly(
            input: StepInput(input.shape, words: words, attendedCounts: input.attendedCounts), owners: owners)
    }

    /// The runs of each group: prompts in expanded form, other prompts, decode rows.
    private static func groups(_ runs: [Run], _ items: [StepItem]) -> [[Run]] {
        let (decode, prompts) = (
            runs.filter { items[$0.item].phase == .decode }, runs.filter { items[$0.item].phase == .prefill }
        )
        return [prompts.filter(\.expands), prompts.filter { !$0.expands }, decode].filter { !$0.isEmpty }
    }

    /// How tokens are chosen; nil if every result is logits.
    private static func choice(_ kinds: [StepItem.ResultKind]) -> StepShape.Choice? {
        let choosing = kinds.filter { $0 != .logits }
        guard case .best(let among)? = choosing.first, kinds.allSatisfy({ $0 == choosing[0] }) else {
            return choosing.isEmpty ? nil : .drawn
        }
        return .best(among: among)
    }
}

/// The values besides its items that determine a step's inputs.
struct StepSurroundings {
    let transformer: Transformer
    let pages: PageTable
    /// The device's row of each token that the last choosing step chose, by that step's items.
    let chosenRows: [Int]
}

/// The inputs of one group of rows.
private struct GroupInputs {
    private(set) var tokens: [UInt32] = [], sources: [UInt32] = [], positions: [UInt32] = [], sequences: [UInt32] = []
    private(set) var pageTable: [UInt32] = [], resultRows: [UInt32] = [], rules: [UInt32] = []
    private(set) var keyRows: [UInt32] = [], tiles: [UInt32] = []
    private(set) var owners: [Int] = []
    /// Keys that the rows attend to, all together.
    private(set) var attendedCount = 0
    let shape: StepShape.Group

    init(_ runs: [StepAssembly.Run], _ items: [StepItem], _ model: borrowing StepSurroundings) {
        for (index, run) in runs.enumerated() {
            let item = items[run.item]
            let firstResult = item.tokens.count - item.resultCount
            for (offset, place) in run.tokens.enumerated() {
                if place >= firstResult {
                    resultRows.append(UInt32(tokens.count))
                    rules += item.kind.rule(place - firstResult)
                    owners.append(run.item)
                }
                switch item.tokens[place] {
                case .given(let token):
                    tokens.append(UInt32(token))
                    sources.append(Gather.noSource)
                case .chosen(_, let row):
                    tokens.append(0)
                    sources.append(UInt32(model.chosenRows[row]))
                }
                positions.append(UInt32(run.start + offset))
                sequences.append(UInt32(index))
                attendedCount += run.start + offset + 1
            }
        }
        let keyCount = Int(positions.max()!) + 1
        // Wide enough for some keys more, so that a decode step's table keeps its width as long as its splits their number.
        let pageWidth = CacheLayout.pageCount(forTokens: AttentionSplits.keyRoom(for: keyCount))
        // A sequence may have pages for more tokens than this step's.
        pageTable = runs.flatMap { run in
            let pages = model.pages.pages(of: items[run.item].sequence).prefix(pageWidth)
            return pages.map { UInt32($0) } + Array(repeating: 0, count: pageWidth - pages.count)
        }
        let attention: StepShape.Group.Attention
        if items[runs[0].item].phase == .decode {
            attention = .splits(
                model.transformer.splits(forKeys: keyCount, isAlone: positions.count == 1))
        } else if runs[0].expands {
            (keyRows, tiles) = Self.expansion(runs, items, model)
            attention = .expanded(keyCount: keyRows.count, tileCount: tiles.count / 4)
        } else {
            attention = .absorbed
        }
        shape = StepShape.Group(
            attention, rowCount: tokens.count, sequenceCount: runs.count, pageWidth: pageWidth,
            resultCount: resultRows.count)
    }

    /// Each sequence's rows of the cache, and the tiles of tokens over them.
    private static func expansion(
        _ runs: [StepAssembly.Run], _ items: [StepItem], _ model: borrowing StepSurroundings
    ) -> (keyRows: [UInt32], tiles: [UInt32]) {
        var keyRows: [UInt32] = []
        var expanded: [MLAExpanded.Run] = []
        var firstToken = 0
        for run in runs {
            expanded.append(
                MLAExpanded.Run(
                    firstToken: firstToken, tokenCount: run.tokens.count, position: run.start, firstKey: keyRows.count))
            firstToken += run.tokens.count
            let pages = model.pages.pages(of: items[run.item].sequence)
            keyRows += (0..<run.start + run.tokens.count).map { position in
                let (page, row) = position.quotientAndRemainder(dividingBy: CacheLayout.pageTokenCount)
                return UInt32(pages[page] * CacheLayout.pageTokenCount + row)
            }
        }
        return (keyRows, MLAExpanded.tiles(of: expanded, by: model.transformer.expandedTileTokenCount))
    }
}

extension StepItem.ResultKind {
    /// The words of `Sample`'s rule for the item's result `index`. Rows whose logits are wanted choose a token too, which
    /// nobody reads.
    fileprivate func rule(_ index: Int) -> [UInt32] {
        switch self {
        case .logits: Sample.words(.best, among: 1)
        case .best(let count): Sample.words(.best, among: count)
        case .drawn(let count, let rules): Sample.words(rules[index], among: count)
        }
    }
}

extension Transformer {
    /// Tokens of a tile of expanded attention.
    var expandedTileTokenCount: Int { MLAExpanded.tileTokenCount(mla, on: device) }

    /// - Parameter isAlone: whether the step has no other decode row.
    func splits(forKeys count: Int, isAlone: Bool = false) -> AttentionSplits {
        AttentionSplits(heads: mla.heads, keyCount: max(count, 1), isAlone: isAlone, on: device?.profile)
    }
}
