import Testing

@testable import Cache

extension PageTable {
    /// Reserves room for one sequence's tokens and counts them as written.
    fileprivate mutating func append(_ count: Int, to sequence: SequenceID) throws -> [PageCopy] {
        let copies = try reserve([(sequence, count)])
        advance(sequence, by: count)
        return copies
    }
}

struct PageTableTests {
    @Test func pagesAreTakenAndGivenBack() throws {
        var table = PageTable(pageCount: 3)
        let a = table.makeSequence()
        let b = table.makeSequence()
        #expect(try table.append(65, to: a).isEmpty && table.pages(of: a).count == 2)
        #expect(try table.append(64, to: b).isEmpty && table.freeTokenCount == 63)
        #expect(throws: CacheError.full(neededTokens: 64, freeTokens: 63)) { try table.append(64, to: a) }
        table.truncate(a, to: 64)
        #expect(table.pages(of: a).count == 1 && table.freeTokenCount == 64)
        table.release(b)
        #expect(table.freeTokenCount == 128)
    }

    /// Page 0 first; of pages given back, the last one first.
    @Test func pagesAreTakenInAFixedOrder() throws {
        var table = PageTable(pageCount: 6)
        let (a, b) = (table.makeSequence(), table.makeSequence())
        _ = try table.reserve([(a, 130), (b, 64)])
        #expect(table.pages(of: a) == [0, 1, 2] && table.pages(of: b) == [3])
        table.advance(a, by: 70)
        table.trim(a)
        #expect(table.pages(of: a) == [0, 1])
        table.release(a)
        _ = try table.reserve([(b, 300)])
        #expect(table.pages(of: b) == [3, 0, 1, 2, 4])
    }

    /// A reservation covers the tokens after the end once: repeated, it takes nothing more.
    @Test func aRepeatedReservationTakesNothing() throws {
        var table = PageTable(pageCount: 4)
        let a = table.makeSequence()
        for count in [1, 64, 65, 65, 2, 0] { _ = try table.reserve([(a, count)]) }
        #expect(table.pages(of: a) == [0, 1] && table.freeTokenCount == 4 * 64)
        table.trim(a)
        #expect(table.pages(of: a).isEmpty && table.freePageCount == 4)
        table.release(a)
        table.trim(a)
        #expect(table.freePageCount == 4)
    }

    /// All sequences or none, whichever of them does not fit.
    @Test(arguments: [[64, 129], [129, 64], [193, 0]]) func aFailedReservationChangesNothing(_ counts: [Int]) throws {
        var table = PageTable(pageCount: 3)
        let (a, b) = (table.makeSequence(), table.makeSequence())
        let needed = counts[0] + counts[1]
        #expect(throws: CacheError.full(neededTokens: needed, freeTokens: 192)) {
            try table.reserve([(a, counts[0]), (b, counts[1])])
        }
        #expect(table.pages(of: a).isEmpty && table.pages(of: b).isEmpty && table.freePageCount == 3)
    }

    // MARK: Sharing

    @Test func aForkSharesPagesUntilItWrites() throws {
        var table = PageTable(pageCount: 5)
        let a = table.makeSequence()
        _ = try table.append(150, to: a)
        let b = table.fork(a, at: 140)
        #expect(table.pages(of: b) == [0, 1, 2] && table.tokenCount(of: b) == 140)
        #expect((0..<3).allSatisfy { table.ownerCount(ofPage: $0) == 2 })
        // Two free pages; the room behind the ends is in a shared page.
        #expect(table.freeTokenCount == 128)
        #expect(try table.append(1, to: b) == [PageCopy(sequence: b, source: 2, destination: 3)])
        #expect(table.pages(of: b) == [0, 1, 3] && table.pages(of: a) == [0, 1, 2])
        #expect(table.freeTokenCount == 64 + 42 + 51)
        // Each has its own last page now.
        #expect(try table.append(1, to: a).isEmpty && table.append(1, to: b).isEmpty)
    }

    /// The one that writes first copies, whether it is the fork or not; the last owner writes in place.
    @Test func theLastOwnerWritesInPlace() throws {
        var table = PageTable(pageCount: 4)
        let a = table.makeSequence()
        _ = try table.append(10, to: a)
        let b = table.fork(a, at: 10)
        let c = table.fork(b, at: 5)
        #expect(
            try table.reserve([(a, 1), (c, 1), (b, 1)]) == [
                PageCopy(sequence: a, source: 0, destination: 1), PageCopy(sequence: c, source: 0, destination: 2),
            ])
        #expect(table.pages(of: b) == [0] && table.freePageCount == 1)
    }

    @Test func fullPagesAreNotCopied() throws {
        var table = PageTable(pageCount: 4)
        let a = table.makeSequence()
        _ = try table.append(128, to: a)
        let b = table.fork(a, at: 128)
        #expect(try table.append(1, to: b).isEmpty && table.append(1, to: a).isEmpty)
        #expect(table.pages(of: a) == [0, 1, 3] && table.pages(of: b) == [0, 1, 2])
    }

    /// A sequence that is cut within a page that it shares leaves that page's other tokens to the others.
    @Test func truncatingIntoASharedPageCopiesBeforeWriting() throws {
        var table = PageTable(pageCount: 5)
        let a = table.makeSequence()
        _ = try table.append(128, to: a)
        let b = table.fork(a, at: 128)
        table.truncate(a, to: 70)
        #expect(table.ownerCount(ofPage: 1) == 2)
        #expect(try table.append(3, to: a) == [PageCopy(sequence: a, source: 1, destination: 2)])
        table.truncate(b, to: 64)
        #expect(table.ownerCount(ofPage: 1) == 0 && table.pages(of: b) == [0])
        #expect(try table.append(1, to: b).isEmpty && table.pages(of: b) == [0, 1])
    }

    @Test func sharedPagesBecomeFreeWithTheirLastOwner() throws {
        var table = PageTable(pageCount: 4)
        let a = table.makeSequence()
        _ = try table.append(200, to: a)
        let b = table.fork(a, at: 100)
        table.release(a)
        #expect(table.freePageCount == 2 && table.tokenCount(of: b) == 100)
        #expect(try table.append(1, to: b).isEmpty)
        table.release(b)
        #expect(table.freePageCount == 4)
    }

    /// A copy takes a page: a reservation that has none for it fails, and shares as before.
    @Test func aCopyNeedsAPage() throws {
        var table = PageTable(pageCount: 1)
        let a = table.makeSequence()
        _ = try table.append(10, to: a)
        let b = table.fork(a, at: 10)
        #expect(throws: CacheError.full(neededTokens: 1, freeTokens: 0)) { try table.append(1, to: b) }
        #expect(table.pages(of: a) == [0] && table.pages(of: b) == [0] && table.ownerCount(ofPage: 0) == 2)
        #expect(try table.reserve([(b, 0)]).isEmpty)
        table.release(a)
        #expect(try table.append(54, to: b).isEmpty)
    }

    @Test func copiesThatWereNotPerformedAreUndone() throws {
        var table = PageTable(pageCount: 6)
        let a = table.makeSequence()
        _ = try table.append(70, to: a)
        let (b, c) = (table.fork(a, at: 70), table.fork(a, at: 65))
        let copies = try table.reserve([(b, 100), (a, 1), (c, 1)])
        #expect(copies.count == 2)
        table.undo(copies)
        for sequence in [a, b, c] { table.trim(sequence) }
        #expect([a, b, c].allSatisfy { table.pages(of: $0) == [0, 1] } && table.ownerCount(ofPage: 1) == 3)
        #expect(table.freePageCount == 4)
    }
}
