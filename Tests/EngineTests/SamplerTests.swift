import FixtureSupport
import Foundation
import Numerics
import Testing

@testable import Engine

/// The same steps the slow way: one full sort, plain loops, the C library's exponential.
private func textbook(_ logits: [Float], _ options: SamplingOptions, seen: Set<Int32>) -> [Int32: Double] {
    var scores = logits
    for id in seen {
        scores[Int(id)] *= scores[Int(id)] < 0 ? Float(options.repetitionPenalty) : 1 / Float(options.repetitionPenalty)
    }
    var order = scores.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
    if options.topK > 0 { order = Array(order.prefix(options.topK)) }
    let best = Double(scores[order[0]])
    func probabilities() -> [Double] {
        let weights = order.map { exp((Double(scores[$0]) - best) / options.temperature) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
    var before = 0.0
    var kept = 0
    for probability in probabilities() where kept == 0 || before < options.topP || options.topP == 1 {
        before += probability
        kept += 1
    }
    order = Array(order.prefix(kept))
    let shares = probabilities()
    order = zip(order, shares).filter { $1 >= options.minP * shares[0] }.map(\.0)
    return Dictionary(uniqueKeysWithValues: zip(order.map { Int32($0) }, probabilities()))
}

private func kept(_ logits: [Float], _ options: SamplingOptions) -> [Int32: Double] {
    var sampler = Sampler(options)
    let candidates = logits.withUnsafeBufferPointer { sampler.distribution($0) }
    let sum = candidates.reduce(0) { $0 + Double($1.weight) }
    return Dictionary(uniqueKeysWithValues: candidates.map { ($0.id, Double($0.weight) / sum) })
}

@Suite struct SamplerTests {
    @Test func keepsAndWeighsAsTheTextbookDoes() {
        var random = SeededRandom(seed: 7)
        for round in 0..<400 {
            let size = 1 + Int.random(in: 0..<600, using: &random)
            // Coarse logits in half of the rounds: many are equal, both zeros among them.
            var logits = random.normals(size, scale: 3)
            if round % 2 == 0 { logits = logits.map { ($0 * 2).rounded() / 2 } }
            let options = SamplingOptions(
                temperature: [0.1, 0.7, 1, 2.5][round % 4],
                topK: [0, 1, 5, 40, 1000][round % 5],
                topP: [1, 0.95, 0.5, 0.1, 0, 0.999, 1][round % 7],
                minP: [0, 0, 0.05, 0.5, 1, 0][round % 6])
            let expected = textbook(logits, options, seen: [])
            let found = kept(logits, options)
            // Another weight in its last digit may place a cut one token further where it falls between two.
            let unequal = Set(expected.keys).symmetricDifference(found.keys)
            #expect(unequal.isEmpty, "round \(round): \(options), \(unequal)")
            for (id, probability) in expected { #expect(abs(probability - (found[id] ?? 0)) < 2e-7) }
        }
    }

    @Test func drawsFollowTheProbabilities() {
        let logits: [Float] = [1, 0.5, -.infinity, 2, -1, 0]
        let options = SamplingOptions(temperature: 0.8, topK: 4, seed: 11)
        let expected = textbook(logits, options, seen: [])
        var sampler = Sampler(options)
        let draws = 200_000
        var counts: [Int32: Int] = [:]
        for _ in 0..<draws { counts[sampler.sample(logits), default: 0] += 1 }
        #expect(Set(counts.keys) == Set(expected.keys))
        // Pearson's statistic with 3 degrees of freedom exceeds 16.3 once in a thousand; the seed is fixed.
        let statistic = expected.reduce(0.0) { sum, entry in
            let wanted = entry.value * Double(draws)
            return sum + pow(Double(counts[entry.key]!) - wanted, 2) / wanted
        }
        #expect(statistic < 16.3)
    }

    @Test func greedyTakesTheLowestOfEqualIDs() {
        var sampler = Sampler(.greedy)
        #expect(sampler.sample([0, 3, -1, 3, 2] as [Float]) == 1)
        #expect(sampler.sample([-.infinity, -.infinity, -5] as [Float]) == 2)
        #expect(sampler.sample([-0.0, 0] as [Float]) == 0)
    }

    @Test(arguments: [
        SamplingOptions(temperature: 1, topP: 0), SamplingOptions(temperature: 1, minP: 1),
        SamplingOptions(temperature: 1, topK: 1), SamplingOptions(temperature: 1e-300),
        SamplingOptions(temperature: 1, topP: 1e-300),
    ])
    func theseLeaveOnlyTheBest(options: SamplingOptions) {
        var sampler = Sampler(options)
        for _ in 0..<100 { #expect(sampler.sample([1, 4, 2, 3.999] as [Float]) == 1) }
    }

    @Test func equalLogitsAtTheCutKeepTheLowestIDs() {
        #expect(kept([1, 2, 2, 2, 2], SamplingOptions(temperature: 1, topK: 2)).keys.sorted() == [1, 2])
        #expect(kept([2, 2, 2, 2], SamplingOptions(temperature: 1, topP: 0.5)).keys.sorted() == [0, 1])
        #expect(kept([2, 2, 2, 2], SamplingOptions(temperature: 1, topP: 0)).keys.sorted() == [0])
        #expect(kept([0, -0.0, 0], SamplingOptions(temperature: 1, topK: 2)).keys.sorted() == [0, 1])
        // Every token of min-p 1 is as likely as the best.
        #expect(kept([2, 1, 2], SamplingOptions(temperature: 1, minP: 1)).keys.sorted() == [0, 2])
    }

    @Test func aTokenOfNoProbabilityIsNeverDrawn() {
        var sampler = Sampler(SamplingOptions(temperature: 5, topK: 3, seed: 3))
        for _ in 0..<1000 { #expect(sampler.sample([-.infinity, -.infinity, -40, -.infinity] as [Float]) == 2) }
    }

    @Test func theRepetitionPenaltyCountsPromptAndAnswerOnce() {
        var sampler = Sampler(SamplingOptions(repetitionPenalty: 2))
        sampler.observe([1, 1, 1, 3])
        // 4 / 2 = 2 for id 1; −1 · 2 for id 3.
        #expect(sampler.sample([1.5, 4, 1.9, -1] as [Float]) == 1)
        #expect(sampler.sample([2.5, 4, 1.9, -1] as [Float]) == 0)
        // Now id 0 counts too: 1.25 against 2.
        #expect(sampler.sample([2.5, 4, 1.9, -1] as [Float]) == 1)
        #expect(sampler.sample([-3, -4, -7, -3.4] as [Float]) == 0)
        let options = SamplingOptions(temperature: 1.3, topK: 3, repetitionPenalty: 1.2)
        #expect(textbook([1, 2, -3], options, seen: [1, 2])[0]! > textbook([1, 2, -3], options, seen: [])[0]!)
    }

    @Test func equalSeedsDrawEqualTokens() {
        var random = SeededRandom(seed: 1)
        let rows = (0..<50).map { _ in random.normals(300) }
        func draws(_ seed: UInt64) -> [Int32] {
            var sampler = Sampler(SamplingOptions(temperature: 1, topP: 0.9, repetitionPenalty: 1.1, seed: seed))
            return rows.map { sampler.sample($0) }
        }
        #expect(draws(5) == draws(5))
        #expect(draws(5) != draws(6))
    }

    /// The fast way to a token and the definition's plain one, for every draw's number.
    @Test func theDrawIsTheRules() {
        var random = SeededRandom(seed: 9)
        for round in 0..<300 {
            var logits = random.normals(1 + Int.random(in: 0..<900, using: &random), scale: 4)
            if round % 3 == 0 { logits = logits.map { $0.rounded() } }
            let options = SamplingOptions(
                temperature: [0, 0.3, 1, 20, 1e-30, 1e30][round % 6], topK: [0, 3, 100][round % 3],
                topP: [1, 0.9, 0.2, 0][round % 4], minP: [0, 0.02, 1][round / 2 % 3], seed: UInt64(round))
            var sampler = Sampler(options)
            let coming = (0..<3).map { sampler.rule(ahead: $0).token(from: logits) }
            #expect((0..<3).map { _ in sampler.sample(logits) } == coming, "round \(round): \(options)")
        }
    }

    @Test func aWholeVocabularyTakesUnderAMillisecond() {
        var random = SeededRandom(seed: 4)
        let logits = random.normals(129_280, scale: 3)
        for options in [
            SamplingOptions.greedy, SamplingOptions(temperature: 0.6, topP: 0.95),
            SamplingOptions(temperature: 0.6, topK: 50, topP: 0.95), SamplingOptions(temperature: 1),
            SamplingOptions(temperature: 2, topP: 0.99, minP: 0.05, repetitionPenalty: 1.1),
        ] {
            var sampler = Sampler(options)
            sampler.observe(0..<500)
            let times = (0..<20).map { _ in processorTime { _ = sampler.sample(logits) } }.sorted()
            print(
                "sampling 129,280 logits, temperature \(options.temperature), top-k \(options.topK), top-p \(options.topP): \(times[10])"
            )
            // Ten times what it takes: caches are shared, but a full sort would show.
            #expect(times[0] < .milliseconds(8))
        }
    }
}
