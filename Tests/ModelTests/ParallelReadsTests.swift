import Foundation
import Synchronization
import Testing

@testable import Loading
@testable import Model

/// Parts are read side by side, each once, and what goes wrong is told as if they were read in order.
struct ParallelReadsTests {
    @Test(arguments: [0, 1, 2, 7, 8, 9, 1000]) func everyPartIsReadOnce(partCount: Int) throws {
        let counts = Mutex([Int](repeating: 0, count: partCount))
        var told = 0
        let caller = pthread_self()
        try ParallelReads.run(partCount: partCount, scratchByteCount: 16) { (part, scratch) throws(ModelError) in
            #expect(scratch.count == 16)
            counts.withLock { $0[part] += 1 }
            return part + 1
        } advance: { (byteCount) throws(ModelError) in
            #expect(byteCount > 0 && pthread_equal(pthread_self(), caller) != 0)
            told += byteCount
        }
        #expect(counts.withLock { $0.allSatisfy { $0 == 1 } })
        #expect(told == partCount * (partCount + 1) / 2)
    }

    /// None of the first eight returns before all of them are under way.
    @Test func eightAreUnderWayAtOnce() throws {
        let under = Mutex((now: 0, most: 0))
        let isFull = DispatchSemaphore(value: 0)
        try ParallelReads.run(partCount: 16, scratchByteCount: 1) { (part, _) throws(ModelError) in
            let now = under.withLock { under in
                under.now += 1
                under.most = max(under.most, under.now)
                return under.now
            }
            if now == 8 { for _ in 0..<8 { isFull.signal() } }
            if part < 8 { #expect(isFull.wait(timeout: .now() + 60) == .success) }
            under.withLock { $0.now -= 1 }
            return 1
        } advance: { (_) throws(ModelError) in
        }
        #expect(under.withLock { $0.most } == ParallelReads.mostThreads)
    }

    /// Of several parts that fail, in whatever order they do, the first is told; what comes after is left.
    @Test func theFirstFailureIsTold() throws {
        for round in 0..<50 {
            let begun = Mutex(0)
            #expect(throws: ModelError.notFinite(place: "part 13")) {
                try ParallelReads.run(partCount: 100_000, scratchByteCount: 1) { (part, _) throws(ModelError) in
                    begun.withLock { $0 += 1 }
                    // The later ones sooner than the first, in some rounds.
                    if part == 13 { usleep(UInt32(round % 5) * 1000) }
                    if [13, 14, 17, 19].contains(part) { throw .notFinite(place: "part \(part)") }
                    if part > 19 { usleep(1000) }
                    return 1
                } advance: { (_) throws(ModelError) in
                }
            }
            #expect(begun.withLock { $0 } < 100_000)
        }
    }

    /// Ctrl-C: `advance` says no, and all that is under way is the last.
    @Test func nothingBeginsOnceItIsToldToStop() throws {
        let begun = Mutex(0)
        #expect(throws: ModelError.interrupted) {
            try ParallelReads.run(partCount: 100_000, scratchByteCount: 1) { (_, _) throws(ModelError) in
                begun.withLock { $0 += 1 }
                usleep(1000)
                return 1
            } advance: { (_) throws(ModelError) in
                throw .interrupted
            }
        }
        #expect(begun.withLock { $0 } < 100_000)
    }
}
