/// A sequence in a model's cache.
public struct SequenceID: Hashable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
}

/// A page whose 64 entries are to be copied, in every layer.
public struct PageCopy: Hashable, Sendable {
    /// The sequence whose page `destination` now is, in place of `source`.
    public let sequence: SequenceID
    public let source, destination: Int
}

/// Which pages of the cache belong to which sequence. Sequences may share pages.
///
/// A step reserves room for its tokens, performs the copies that `reserve` names, writes the tokens' entries and then advances
/// the sequences. Only a page that has one owner is written: the last page of a sequence, where it is partly filled and other
/// sequences have it too, is copied first. A shared page is therefore never changed below any owner's end.
public struct PageTable: Sendable {
    public let pageCount: Int
    /// Pages without an owner; taken from the end, where the page that was given back last is.
    private var free: [Int]
    /// Each page's number of owners.
    private var ownerCounts: [Int]
    private var sequences: [SequenceID: Entry] = [:]
    private var nextID = 0

    private struct Entry {
        var pages: [Int]
        var tokenCount: Int

        /// The place in `pages` of the partly filled page; nil if the tokens end with a page.
        var partlyFilledPlace: Int? {
            tokenCount % CacheLayout.pageTokenCount == 0 ? nil : tokenCount / CacheLayout.pageTokenCount
        }
    }

    public init(pageCount: Int) {
        self.pageCount = pageCount
        // Page 0 is taken first.
        free = (0..<pageCount).reversed()
        ownerCounts = Array(repeating: 0, count: pageCount)
    }

    // MARK: Sequences

    /// A new sequence without tokens.
    public mutating func makeSequence() -> SequenceID { insert(Entry(pages: [], tokenCount: 0)) }

    /// A new sequence of the first `tokenCount` tokens of another one, in the same pages.
    ///
    /// The fork does not see tokens that are still being written after these.
    public mutating func fork(_ sequence: SequenceID, at tokenCount: Int) -> SequenceID {
        let entry = known(sequence)
        precondition(
            tokenCount >= 0 && tokenCount <= entry.tokenCount, "fork at \(tokenCount) of \(entry.tokenCount) tokens")
        let pages = Array(entry.pages.prefix(CacheLayout.pageCount(forTokens: tokenCount)))
        for page in pages { ownerCounts[page] += 1 }
        return insert(Entry(pages: pages, tokenCount: tokenCount))
    }

    /// Removes the sequence; pages that no other sequence has become free.
    public mutating func release(_ sequence: SequenceID) {
        truncate(sequence, to: 0)
        sequences[sequence] = nil
    }

    /// Whether the sequence has not been released.
    public func contains(_ sequence: SequenceID) -> Bool { sequences[sequence] != nil }
    public func tokenCount(of sequence: SequenceID) -> Int { known(sequence).tokenCount }
    /// The sequence's pages in the order of its tokens, including pages that are reserved for later tokens.
    public func pages(of sequence: SequenceID) -> [Int] { known(sequence).pages }

    // MARK: Room

    /// Tokens that fit into the free pages and behind the sequences' ends in pages that they do not share.
    public var freeTokenCount: Int {
        sequences.values.reduce(free.count * CacheLayout.pageTokenCount) { sum, entry in
            let place = sharedPlace(of: entry)
            let used = place.map { ($0 + 1) * CacheLayout.pageTokenCount } ?? entry.tokenCount
            return sum + entry.pages.count * CacheLayout.pageTokenCount - used
        }
    }

    var freePageCount: Int { free.count }

    /// How many sequences have the page.
    func ownerCount(ofPage page: Int) -> Int { ownerCounts[page] }

    /// Gives every sequence the pages that so many tokens after its end need.
    ///
    /// - Parameter additions: each sequence at most once.
    /// - Returns: the copies to perform before any of the new tokens is written, in any order. If they cannot be performed:
    ///   `undo`.
    /// - Throws: `full` if the free pages do not suffice; the table is then unchanged.
    public mutating func reserve(
        _ additions: [(sequence: SequenceID, tokenCount: Int)]
    ) throws(CacheError) -> [PageCopy] {
        guard neededPageCount(additions) <= free.count else {
            throw .full(neededTokens: additions.reduce(0) { $0 + $1.tokenCount }, freeTokens: freeTokenCount)
        }
        var copies: [PageCopy] = []
        for (sequence, tokenCount) in additions where tokenCount > 0 {
            if let place = sharedPlace(of: known(sequence)) {
                let copy = PageCopy(
                    sequence: sequence, source: known(sequence).pages[place], destination: takePage())
                ownerCounts[copy.source] -= 1
                sequences[sequence]!.pages[place] = copy.destination
                copies.append(copy)
            }
            for _ in 0..<missingPageCount(known(sequence), tokenCount) {
                sequences[sequence]!.pages.append(takePage())
            }
        }
        return copies
    }

    /// Takes back a reservation's copies, none of which was performed: the sequences share the pages again. Nothing else may
    /// change the table between `reserve` and this.
    public mutating func undo(_ copies: [PageCopy]) {
        for copy in copies.reversed() {
            let place = known(copy.sequence).partlyFilledPlace
            guard let place, known(copy.sequence).pages[place] == copy.destination, ownerCounts[copy.source] > 0 else {
                preconditionFailure("the table has changed since page \(copy.source) was to be copied")
            }
            sequences[copy.sequence]!.pages[place] = copy.source
            ownerCounts[copy.source] += 1
            giveUp(copy.destination)
        }
    }

    /// Counts the next `count` tokens as written; their pages were reserved.
    public mutating func advance(_ sequence: SequenceID, by count: Int) {
        let entry = known(sequence)
        precondition(
            entry.tokenCount + count <= entry.pages.count * CacheLayout.pageTokenCount,
            "\(count) tokens after \(entry.tokenCount) in \(entry.pages.count) pages")
        sequences[sequence]!.tokenCount += count
    }

    /// Forgets all but the first `tokenCount` tokens, and gives back the pages behind them.
    public mutating func truncate(_ sequence: SequenceID, to tokenCount: Int) {
        let before = known(sequence).tokenCount
        precondition(tokenCount >= 0 && tokenCount <= before, "truncate to \(tokenCount) of \(before) tokens")
        sequences[sequence]!.tokenCount = tokenCount
        for _ in CacheLayout.pageCount(forTokens: tokenCount)..<known(sequence).pages.count {
            giveUp(sequences[sequence]!.pages.removeLast())
        }
    }

    /// Gives back the pages that were reserved for tokens which did not come. A sequence that was released has none.
    public mutating func trim(_ sequence: SequenceID) {
        if let entry = sequences[sequence] { truncate(sequence, to: entry.tokenCount) }
    }

    // MARK: Parts

    private mutating func insert(_ entry: Entry) -> SequenceID {
        defer { nextID += 1 }
        sequences[SequenceID(nextID)] = entry
        return SequenceID(nextID)
    }

    private func known(_ sequence: SequenceID) -> Entry {
        guard let entry = sequences[sequence] else { preconditionFailure("sequence \(sequence.value) was released") }
        return entry
    }

    /// The place of the page that must be copied before the next token is written; nil if there is none.
    private func sharedPlace(of entry: Entry) -> Int? {
        guard let place = entry.partlyFilledPlace, ownerCounts[entry.pages[place]] > 1 else { return nil }
        return place
    }

    /// Pages that a reservation takes from the free ones.
    private func neededPageCount(_ additions: [(sequence: SequenceID, tokenCount: Int)]) -> Int {
        var needed = 0
        var writerCounts: [Int: Int] = [:]
        for (sequence, tokenCount) in additions where tokenCount > 0 {
            let entry = known(sequence)
            needed += missingPageCount(entry, tokenCount)
            if let place = sharedPlace(of: entry) { writerCounts[entry.pages[place], default: 0] += 1 }
        }
        // The last of a page's owners writes it in place.
        for (page, count) in writerCounts { needed += min(count, ownerCounts[page] - 1) }
        return needed
    }

    /// Pages that `tokenCount` more tokens take beyond the entry's.
    private func missingPageCount(_ entry: Entry, _ tokenCount: Int) -> Int {
        max(0, CacheLayout.pageCount(forTokens: entry.tokenCount + tokenCount) - entry.pages.count)
    }

    private mutating func takePage() -> Int {
        let page = free.removeLast()
        ownerCounts[page] = 1
        return page
    }

    private mutating func giveUp(_ page: Int) {
        ownerCounts[page] -= 1
        if ownerCounts[page] == 0 { free.append(page) }
    }
}
