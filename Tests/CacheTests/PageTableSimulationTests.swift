import Numerics
import Testing

@testable import Cache

/// Random operations on a page table and on a model of it: a sequence is a list of tokens, each of which is a number of its own;
/// memory holds the tokens that were written, and changes by the copies that the table asks for.
private struct Simulation {
    static let pageTokenCount = CacheLayout.pageTokenCount
    static let poison = UInt32.max

    /// A sequence of the model.
    struct Model {
        let id: SequenceID
        var tokens: [UInt32]
    }

    enum Violation: Error { case found(String) }

    let pageCount: Int
    var table: PageTable
    var models: [Model] = []
    var memory: [UInt32]
    var random: SeededRandom
    var nextToken: UInt32 = 0
    /// Pages with an owner before the operation.
    var owned: [Bool]
    // How often each happened: a run that never does one proves nothing about it.
    var (copyCount, undoCount, refusalCount, sharingCount) = (0, 0, 0, 0)

    init(pageCount: Int, seed: UInt64) {
        self.pageCount = pageCount
        table = PageTable(pageCount: pageCount)
        memory = Array(repeating: Self.poison, count: pageCount * Self.pageTokenCount)
        owned = Array(repeating: false, count: pageCount)
        random = SeededRandom(seed: seed)
    }

    // MARK: Operations

    mutating func operate() throws {
        let choice = Int.random(in: 0..<100, using: &random)
        if models.isEmpty || choice < 5, models.count < 12 {
            models.append(Model(id: table.makeSequence(), tokens: []))
        } else if choice < 15, models.count < 12 {
            let parent = models.randomElement(using: &random)!
            let count = Int.random(in: 0...parent.tokens.count, using: &random)
            models.append(Model(id: table.fork(parent.id, at: count), tokens: Array(parent.tokens.prefix(count))))
        } else if choice < 25 {
            let index = models.indices.randomElement(using: &random)!
            // Often by a few tokens, as a rejected draft is.
            let least = Bool.random(using: &random) ? 0 : max(0, models[index].tokens.count - 4)
            let count = Int.random(in: least...models[index].tokens.count, using: &random)
            models[index].tokens.removeLast(models[index].tokens.count - count)
            table.truncate(models[index].id, to: count)
        } else if choice < 30 {
            table.trim(models.randomElement(using: &random)!.id)
        } else if choice < 36 {
            let model = models.remove(at: models.indices.randomElement(using: &random)!)
            table.release(model.id)
            table.trim(model.id)
        } else {
            try append()
        }
        try check()
    }

    /// Reserves room in up to four sequences, and writes all, some or none of the tokens.
    private mutating func append() throws {
        let indices = Array(models.indices.shuffled(using: &random).prefix(Int.random(in: 1...4, using: &random)))
        let most = [2, 64, 150, 400].randomElement(using: &random)!
        let additions = indices.map {
            (sequence: models[$0].id, tokenCount: Int.random(in: 0...most, using: &random))
        }
        let before = models.map { table.pages(of: $0.id) }
        let freeBefore = table.freeTokenCount
        let fits = neededPages(indices, additions.map(\.tokenCount)) <= pageCount - Set(before.joined()).count
        let copies: [PageCopy]
        do throws(CacheError) { copies = try table.reserve(additions) } catch {
            refusalCount += 1
            let needed = additions.reduce(0) { $0 + $1.tokenCount }
            try require(!fits, "refused though there is room")
            try require(error == .full(neededTokens: needed, freeTokens: freeBefore), "\(error)")
            try require(models.map { table.pages(of: $0.id) } == before, "a failed reservation changed pages")
            return
        }
        try require(fits, "reserved without room")
        if !copies.isEmpty, Int.random(in: 0..<4, using: &random) == 0 {
            undoCount += 1
            table.undo(copies)
            for index in indices { table.trim(models[index].id) }
            try require(
                indices.allSatisfy { table.pages(of: models[$0].id).elementsEqual(pagesOfTokens(before[$0], $0)) },
                "undone copies left other pages")
            return
        }
        for copy in copies { try perform(copy, before) }
        for (index, addition) in zip(indices, additions) { try write(addition.tokenCount, to: index) }
    }

    private func pagesOfTokens(_ pages: [Int], _ index: Int) -> ArraySlice<Int> {
        pages.prefix((models[index].tokens.count + Self.pageTokenCount - 1) / Self.pageTokenCount)
    }

    /// Pages that a reservation needs, counted from who has which page.
    private func neededPages(_ indices: [Int], _ counts: [Int]) -> Int {
        var owners = ownerCounts()
        var needed = 0
        for (index, count) in zip(indices, counts) where count > 0 {
            let (pages, held) = (table.pages(of: models[index].id), models[index].tokens.count)
            needed += max(0, (held + count - 1) / Self.pageTokenCount + 1 - pages.count)
            guard held % Self.pageTokenCount != 0 else { continue }
            let page = pages[held / Self.pageTokenCount]
            if owners[page] > 1 {
                owners[page] -= 1
                needed += 1
            }
        }
        return needed
    }

    private mutating func perform(_ copy: PageCopy, _ before: [[Int]]) throws {
        copyCount += 1
        try require(!before.joined().contains(copy.destination), "page \(copy.destination) had an owner")
        let index = models.firstIndex { $0.id == copy.sequence }!
        try require(models[index].tokens.count % Self.pageTokenCount != 0, "a full page is copied")
        try require(before.count { $0.contains(copy.source) } > 1, "page \(copy.source) was not shared")
        let (source, destination) = (copy.source * Self.pageTokenCount, copy.destination * Self.pageTokenCount)
        for row in 0..<Self.pageTokenCount { memory[destination + row] = memory[source + row] }
    }

    private mutating func write(_ count: Int, to index: Int) throws {
        let (pages, owners) = (table.pages(of: models[index].id), ownerCounts())
        let written = Bool.random(using: &random) ? count : Int.random(in: 0...count, using: &random)
        for _ in 0..<written {
            let (place, row) = models[index].tokens.count.quotientAndRemainder(dividingBy: Self.pageTokenCount)
            try require(place < pages.count, "no page for a token that was reserved")
            try require(owners[pages[place]] == 1, "page \(pages[place]) has \(owners[pages[place]]) owners")
            memory[pages[place] * Self.pageTokenCount + row] = nextToken
            models[index].tokens.append(nextToken)
            nextToken += 1
        }
        table.advance(models[index].id, by: written)
    }

    // MARK: Checks

    private func ownerCounts() -> [Int] {
        var counts = Array(repeating: 0, count: pageCount)
        for model in models { for page in table.pages(of: model.id) { counts[page] += 1 } }
        return counts
    }

    /// Every sequence reads back its tokens; the table counts owners and free pages as they are.
    private mutating func check() throws {
        let owners = ownerCounts()
        for page in 0..<pageCount {
            try require(table.ownerCount(ofPage: page) == owners[page], "page \(page) has \(owners[page]) owners")
            // A page that lost its last owner keeps nothing.
            if owned[page], owners[page] == 0 {
                for row in 0..<Self.pageTokenCount { memory[page * Self.pageTokenCount + row] = Self.poison }
            }
            owned[page] = owners[page] > 0
        }
        if owners.contains(where: { $0 > 1 }) { sharingCount += 1 }
        var free = owners.count { $0 == 0 }
        try require(table.freePageCount == free, "\(free) pages have no owner, \(table.freePageCount) are free")
        free *= Self.pageTokenCount
        var holder = Array(repeating: -1, count: pageCount)
        for (index, model) in models.enumerated() {
            let pages = table.pages(of: model.id)
            try require(table.tokenCount(of: model.id) == model.tokens.count, "token count of \(model.id)")
            try require(reads(model.tokens, pages), "\(model.id) does not read back its tokens")
            for (place, page) in pages.enumerated() {
                try require(holder[page] != index, "page \(page) twice in \(model.id)")
                holder[page] = index
                guard owners[page] == 1 else { continue }
                let filled = max(0, min(model.tokens.count - place * Self.pageTokenCount, Self.pageTokenCount))
                free += Self.pageTokenCount - filled
            }
        }
        try require(table.freeTokenCount == free, "room for \(free) tokens, found \(table.freeTokenCount)")
    }

    private func reads(_ tokens: [UInt32], _ pages: [Int]) -> Bool {
        guard pages.count * Self.pageTokenCount >= tokens.count else { return false }
        return memory.withUnsafeBufferPointer { memory in
            tokens.withUnsafeBufferPointer { tokens in
                var differences: UInt32 = 0
                for (place, page) in pages.enumerated() {
                    let first = place * Self.pageTokenCount
                    for row in 0..<max(0, min(Self.pageTokenCount, tokens.count - first)) {
                        differences |= memory[page * Self.pageTokenCount + row] ^ tokens[first + row]
                    }
                }
                return differences == 0
            }
        }
    }

    private func require(_ holds: Bool, _ message: @autoclosure () -> String) throws {
        if !holds { throw Violation.found(message()) }
    }
}

struct PageTableSimulationTests {
    /// 100,000 operations a run, with few pages, so that reservations often fail, and with many.
    @Test(arguments: [(7, 1), (7, 2), (20, 3), (50, 4)] as [(Int, UInt64)])
    func sequencesReadBackTheirOwnTokens(_ pageCount: Int, _ seed: UInt64) throws {
        var simulation = Simulation(pageCount: pageCount, seed: seed)
        for step in 0..<100_000 {
            do { try simulation.operate() } catch {
                Issue.record("operation \(step), \(pageCount) pages, seed \(seed): \(error)")
                return
            }
        }
        #expect(simulation.copyCount > 500 && simulation.undoCount > 100)
        #expect(simulation.refusalCount > 500 && simulation.sharingCount > 10_000)
        for model in simulation.models { simulation.table.release(model.id) }
        #expect(simulation.table.freePageCount == pageCount)
    }
}
