import Kernels

/// The shape of one step: how many rows of each kind it has, and the kinds of its results.
///
/// A step's program depends on the model, the device and this value alone, so recorded commands are kept under it.
public struct StepShape: Hashable, Sendable {
    /// Rows that are computed by the same kernels.
    public struct Group: Hashable, Sendable {
        public enum Attention: Hashable, Sendable {
            /// Decode rows: each row's keys in splits that run side by side.
            case splits(AttentionSplits)
            /// Prompt rows over the latent cache.
            case absorbed
            /// Prompt rows over keys and values that are expanded first. `tileCount`: see `MLAExpanded.tiles`.
            case expanded(keyCount: Int, tileCount: Int)
        }

        public var attention: Attention
        public var rowCount, sequenceCount: Int
        /// Pages of the longest sequence: columns of the page table.
        public var pageWidth: Int
        /// Rows that have results.
        public var resultCount: Int

        public init(_ attention: Attention, rowCount: Int, sequenceCount: Int, pageWidth: Int, resultCount: Int) {
            self.attention = attention
            self.rowCount = rowCount
            self.sequenceCount = sequenceCount
            self.pageWidth = pageWidth
            self.resultCount = resultCount
        }

        /// Whether these are decode rows; they are prompt rows otherwise.
        public var isDecode: Bool { if case .splits = attention { true } else { false } }
    }

    /// How tokens are chosen from the logits of the rows with results.
    public enum Choice: Hashable, Sendable {
        /// The most probable id below `among`, in every row.
        case best(among: Int)
        /// By each row's own rule, an input.
        case drawn
    }

    public var groups: [Group]
    /// Nil: no tokens are chosen.
    public var choice: Choice?
    /// Whether logits leave the device.
    public var returnsLogits: Bool
    /// Whether some rows' tokens were chosen by the last step that chose tokens.
    public var readsChosen: Bool
    /// Whether the multi-token prediction module runs over the step's rows too.
    public var predicts: Bool

    public init(
        _ groups: [Group], choice: Choice? = nil, returnsLogits: Bool = false, readsChosen: Bool = false,
        predicts: Bool = false
    ) {
        self.groups = groups
        self.choice = choice
        self.returnsLogits = returnsLogits
        self.readsChosen = readsChosen
        self.predicts = predicts
    }

    public var resultCount: Int { groups.reduce(0) { $0 + $1.resultCount } }
}

/// The place of each input of a step in its single upload, a buffer of 32-bit words.
public struct InputLayout: Sendable {
    /// Words of one group's inputs; empty ranges for inputs that its shape does not have.
    public struct Group: Sendable {
        /// `[rows]`: token ids, positions, and each row's index in the page table.
        public let tokens, positions, sequences: Range<Int>
        /// `[rows]`: for each row the index of the chosen token that it reads, or `Gather.noSource`.
        public let sources: Range<Int>
        /// `[sequences, pageWidth]`
        public let pageTable: Range<Int>
        /// `[results]`: the group's rows that have results.
        public let resultRows: Range<Int>
        /// `[keys]`: the cache's rows of each sequence's entries; `[tiles, 4]`: see `MLAExpanded.tiles`.
        public let keyRows, tiles: Range<Int>
        /// `[rows]`: the token that follows each row's own, for the multi-token prediction.
        public let nextTokens: Range<Int>
    }

    public let groups: [Group]
    /// `[results, Sample.ruleWidth]`
    public let rules: Range<Int>
    public let wordCount: Int

    public init(_ shape: StepShape) {
        var next = 0
        func part(_ count: Int) -> Range<Int> {
            defer { next = ceilDivide(next + count, Self.alignment) * Self.alignment }
            return next..<next + count
        }
        groups = shape.groups.map { group in
            var (keyCount, tileCount) = (0, 0)
            if case .expanded(let keys, let tiles) = group.attention { (keyCount, tileCount) = (keys, tiles) }
            return Group(
                tokens: part(group.rowCount), positions: part(group.rowCount), sequences: part(group.rowCount),
                sources: part(shape.readsChosen ? group.rowCount : 0),
                pageTable: part(group.sequenceCount * group.pageWidth), resultRows: part(group.resultCount),
                keyRows: part(keyCount), tiles: part(4 * tileCount),
                nextTokens: part(shape.predicts ? group.rowCount : 0))
        }
        rules = part(shape.choice == .drawn ? shape.resultCount * Sample.ruleWidth : 0)
        wordCount = max(next, Self.alignment)
    }

    /// The alignment of each input, in words, as kernels' operands need it.
    private static let alignment = 64
}

private func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
