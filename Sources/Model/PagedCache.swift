import Kernels
import Numerics

/// Which pages of the latent cache belong to which sequence. A page holds 64 tokens of every layer.
struct PagedCache {
    let pageCount: Int
    private var free: [Int]
    private(set) var sequences: [SequenceID: (pages: [Int], tokenCount: Int)] = [:]
    private var nextID = 0

    init(pageCount: Int) {
        self.pageCount = pageCount
        // Taken from the end: the first page first.
        free = (0..<pageCount).reversed()
    }

    static let pageTokenCount = CacheView.pageTokenCount
    static func pageCount(forTokens count: Int) -> Int { (count + pageTokenCount - 1) / pageTokenCount }

    mutating func makeSequence() -> SequenceID {
        defer { nextID += 1 }
        sequences[SequenceID(nextID)] = ([], 0)
        return SequenceID(nextID)
    }

    var freeTokenCount: Int {
        free.count * Self.pageTokenCount
            + sequences.values.reduce(0) { $0 + $1.pages.count * Self.pageTokenCount - $1.tokenCount }
    }

    func tokenCount(of sequence: SequenceID) -> Int { known(sequence).tokenCount }
    func pages(of sequence: SequenceID) -> [Int] { known(sequence).pages }

    private func known(_ sequence: SequenceID) -> (pages: [Int], tokenCount: Int) {
        guard let entry = sequences[sequence] else { preconditionFailure("sequence \(sequence.value) was released") }
        return entry
    }

    /// Gives every sequence the pages that its new tokens need; nothing changes where they do not suffice.
    mutating func reserve(_ additions: [(SequenceID, Int)]) throws(ModelError) {
        var needed = 0
        for (sequence, count) in additions {
            let entry = known(sequence)
            needed += max(
                0, (entry.tokenCount + count + Self.pageTokenCount - 1) / Self.pageTokenCount - entry.pages.count)
        }
        guard needed <= free.count else {
            throw .cacheFull(neededTokens: additions.reduce(0) { $0 + $1.1 }, freeTokens: freeTokenCount)
        }
        for (sequence, count) in additions {
            var entry = known(sequence)
            while entry.pages.count * Self.pageTokenCount < entry.tokenCount + count {
                entry.pages.append(free.removeLast())
            }
            sequences[sequence] = entry
        }
    }

    mutating func advance(_ sequence: SequenceID, by count: Int) { sequences[sequence]!.tokenCount += count }

    mutating func truncate(_ sequence: SequenceID, to tokenCount: Int) {
        var entry = known(sequence)
        precondition(
            tokenCount >= 0 && tokenCount <= entry.tokenCount, "truncate to \(tokenCount) of \(entry.tokenCount) tokens"
        )
        entry.tokenCount = tokenCount
        while (entry.pages.count - 1) * Self.pageTokenCount >= tokenCount, let page = entry.pages.popLast() {
            free.append(page)
        }
        sequences[sequence] = entry
    }

    /// Takes back the pages that were reserved for tokens which did not come; nothing where the sequence is gone.
    mutating func trim(_ sequence: SequenceID) {
        if let entry = sequences[sequence] { truncate(sequence, to: entry.tokenCount) }
    }

    mutating func release(_ sequence: SequenceID) {
        truncate(sequence, to: 0)
        sequences[sequence] = nil
    }
}
