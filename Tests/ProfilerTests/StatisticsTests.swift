import Foundation
import Numerics
import Testing

@testable import Profiler

struct StatisticsTests {
    /// The ranks k of the 95% interval for a median, from published tables of the sign test.
    @Test(arguments: [
        (6, 1), (8, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18), (100, 40),
    ])
    func medianIntervalsHaveTheTablesRanks(count: Int, rank: Int) {
        let values = (1...count).map { Double($0) }.shuffled(by: 5)
        #expect(medianInterval(values) == Double(rank)...Double(count + 1 - rank))
        #expect(
            medianUncertainty(values) == Double(count + 1 - 2 * rank) / 2 / (Double(count + 1) / 2))
    }

    @Test func fewValuesHaveNoInterval() {
        for count in 0..<6 { #expect(medianInterval([Double](repeating: 1, count: count)) == nil) }
        #expect(medianUncertainty([-1, -1, 0, 0, 0, 0, 0, 1]) == nil)
        // 2³⁰⁰⁰ overflows a double.
        let many = (0..<3000).map { Double($0) }
        let interval = medianInterval(many)
        // ½n ± 1.96·½√n = 1500 ± 53.7, counted from one.
        #expect(interval == 1445...1554)
    }

    /// For a skewed distribution with a known median, the interval has the coverage of the binomial distribution.
    @Test func medianIntervalsCover() throws {
        var random = SeededRandom(seed: 11)
        var covered = 0
        for _ in 0..<20_000 {
            let values = (0..<15).map { _ in -log(1 - random.nextUnit()) }
            if try #require(medianInterval(values)).contains(log(2)) { covered += 1 }
        }
        // 1 − 2·P(Binomial(15, ½) ≤ 3) = 0.96484; the tolerance is four standard deviations.
        #expect(abs(Double(covered) / 20_000 - 0.96484) < 0.0052)
    }

    /// The largest significant U, two-sided, at 5% and at 1%, from the tables of Mann and Whitney and of Milton.
    @Test(arguments: [
        (4, 4, 0, -1), (5, 5, 2, 0), (6, 6, 5, 2), (8, 8, 13, 7), (7, 9, 12, 7), (10, 10, 23, 16), (12, 15, 49, 37),
        (20, 20, 127, 105),
    ])
    func criticalValuesAreTheTables(m: Int, n: Int, five: Int, one: Int) {
        let tails = RankShift.lowerTails(m, n)
        #expect(tails.lastIndex { 2 * $0 <= 0.05 } == five)
        #expect((tails.lastIndex { 2 * $0 <= 0.01 } ?? -1) == one)
    }

    /// Compares with an enumeration of all divisions of the ranks.
    @Test(arguments: [(1, 1), (1, 6), (2, 5), (3, 3), (4, 6), (5, 5), (7, 4)])
    func exactProbabilitiesAreCounts(m: Int, n: Int) {
        var counts = [Double](repeating: 0, count: m * n + 1)
        for chosen in 0..<(1 << (m + n)) where chosen.nonzeroBitCount == n {
            let y = (0..<m + n).filter { chosen >> $0 & 1 == 1 }
            let x = (0..<m + n).filter { chosen >> $0 & 1 == 0 }
            counts[y.reduce(0) { sum, y in sum + x.count { $0 < y } }] += 1
        }
        let total = counts.reduce(0, +)
        var sum = 0.0
        for (u, tail) in RankShift.lowerTails(m, n).enumerated() {
            sum += counts[u]
            #expect(abs(tail - sum / total) < 1e-15)
        }
    }

    /// Exact up to 30 against 30 values, then the normal approximation, which agrees within 5% at this size.
    @Test(arguments: [(30, 3.0), (30, 9.0), (31, 3.0), (31, 9.0)])
    func largeSamplesContinueSmallOnes(count: Int, shift: Double) {
        let x = (0..<count).map { Double($0 * 2) }
        let found = RankShift(from: x, to: x.map { $0 + shift })
        let pairs = Double(count * count)
        let deviation = (pairs * Double(2 * count + 1) / 12).squareRoot()
        let normal = erfc((found.u - pairs / 2 - 0.5) / deviation / 2.0.squareRoot())
        #expect(abs(found.p / normal - 1) < 0.05)
        #expect((found.p == normal) == (count > 30))
    }

    /// Computed by hand; the groups of equal values have sizes 3, 2 and 2.
    @Test func tiesCountHalfAndNarrowTheVariance() {
        let shift = RankShift(from: [1, 2, 2, 3], to: [2, 3, 4, 4])
        // 2 beats 1 and ties twice: 2. 3 beats three and ties once: 3½. Both 4 beat all: 8.
        #expect(shift.u == 13.5)
        let variance = 16.0 / 12 * (9 - 36.0 / 56)
        #expect(abs(shift.p - erfc((5.5 - 0.5) / variance.squareRoot() / 2.0.squareRoot())) < 1e-12)
        #expect(shift.estimate == 1)
        #expect(RankShift(from: [2, 2], to: [2, 2, 2]).p == 1)
    }

    /// Published data with a known result: the permeability of membranes (Hollander and Wolfe, table 4.1), y − x.
    @Test func publishedExample() throws {
        let x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
        let y = [1.15, 0.88, 0.90, 0.74, 1.21]
        let shift = RankShift(from: x, to: y)
        #expect(shift.u == 15)
        #expect(abs(shift.p - 0.2544) < 0.0001)
        #expect(abs(shift.estimate - -0.305) < 1e-9)
        let interval = try #require(shift.interval)
        #expect(abs(interval.lowerBound - -0.76) < 1e-9 && abs(interval.upperBound - 0.15) < 1e-9)
    }

    /// Swapping the samples negates the estimate; adding a constant to y adds it to estimate and interval; the interval
    /// excludes 0 exactly if p ≤ 0.05.
    @Test(arguments: [(4, 4), (8, 8), (12, 9), (30, 30), (40, 35)])
    func intervalsAgreeWithTheTest(m: Int, n: Int) throws {
        var random = SeededRandom(seed: UInt64(m * 100 + n))
        var rejected = 0
        for trial in 0..<300 {
            let x = (0..<m).map { _ in Double(random.nextNormal()) }
            let y = (0..<n).map { _ in Double(random.nextNormal()) + Double(trial % 3) * 0.5 }
            let spread = trial % 2 == 0 ? 1 : 1.2
            let (shift, back) = (RankShift(from: x, to: y, spread: spread), RankShift(from: y, to: x, spread: spread))
            #expect(abs(shift.p - back.p) < 1e-12 && abs(shift.estimate + back.estimate) < 1e-12)
            guard let interval = shift.interval else {
                // For 4 against 4 values with a spread above 1, no order of the ranks is significant.
                #expect(m == 4 && spread > 1)
                continue
            }
            #expect(interval.contains(shift.estimate))
            #expect(!interval.contains(0) == (shift.p <= 0.05))
            rejected += shift.p <= 0.05 ? 1 : 0
            let moved = RankShift(from: x, to: y.map { $0 + 4 }, spread: spread)
            #expect(abs(moved.estimate - shift.estimate - 4) < 1e-12)
            #expect(abs(try #require(moved.interval).lowerBound - interval.lowerBound - 4) < 1e-12)
        }
        #expect((10...270).contains(rejected))
    }

    @Test func intervalsCoverTheShift() throws {
        var random = SeededRandom(seed: 3)
        var (covered, rejected) = (0, 0)
        for _ in 0..<10_000 {
            let x = (0..<8).map { _ in -log(1 - random.nextUnit()) }
            let y = (0..<10).map { _ in 3 - log(1 - random.nextUnit()) }
            let shift = RankShift(from: x, to: y)
            if try #require(shift.interval).contains(3) { covered += 1 }
            if RankShift(from: x, to: y.map { $0 - 3 }).p < 0.01 { rejected += 1 }
        }
        // The critical values are U ≤ 17 and U ≤ 11: 1 − 0.04288 and 0.00863. Tolerances are four standard deviations.
        let tails = RankShift.lowerTails(8, 10)
        #expect(abs(Double(covered) / 10_000 - (1 - 2 * tails[17])) < 0.0083)
        #expect(abs(Double(rejected) / 10_000 - 2 * tails[11]) < 0.0038)
    }

    @Test func serialCorrelationIncreasesTheSpread() {
        let rising = (0..<20).map { Double($0) }
        let turns = (0..<20).map { Double($0 % 2) }
        #expect(abs(serialSpread([rising, rising]) - 3) < 1e-12)
        #expect(serialSpread([turns, turns]) == 1)
        #expect(serialSpread([[1], [1]]) == 1)
        // In blocks of two equal values, half of the neighbours are equal, so that r is about ½.
        let pairs = [0, 7, 2, 9, 4, 1, 8, 3, 6, 5].flatMap { [Double($0), Double($0)] }
        let spread = serialSpread([pairs])
        #expect(spread > 1.2 && spread < 2)
        let plain = RankShift(from: rising, to: rising.map { $0 + 6.5 })
        let spreadOut = RankShift(from: rising, to: rising.map { $0 + 6.5 }, spread: 3)
        #expect(plain.p < 0.05 && spreadOut.p > 0.3)
    }
}

extension Array {
    fileprivate func shuffled(by seed: UInt64) -> [Element] {
        var random = SeededRandom(seed: seed)
        return shuffled(using: &random)
    }
}
