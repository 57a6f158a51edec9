import FixtureSupport
import Numerics
import Testing
import VulkanFaults

@testable import GPU
@testable import Model

/// Steps that are begun before they are asked for show in nothing but the time.
@Suite(.serialized) struct AheadTests {
    private func load() throws -> Transformer { try ParityTests.load(.v3FP8, .vulkan(nil)) }

    private func rule(_ index: Int, _ seed: UInt64 = 1) -> StepItem.Output {
        if seed == 0 { return .best(among: 512) }
        var rule = DrawRule(temperature: 2, topK: 100, topP: 0.95)
        rule.random = UInt32(SeededRandom.value(index, seed: seed) >> 32)
        return .drawn(among: 512, by: rule)
    }

    /// The tokens that sequences go on with; each by draws of its own seed, 0 for the best tokens.
    private func tokens(
        _ model: Transformer, _ prompts: [[Int32]], seeds: [UInt64], count: Int, isForeseen: Bool
    ) throws -> [[Int32]] {
        let sequences = try prompts.map { _ in try model.makeSequence() }
        defer { sequences.forEach(model.release) }
        var next = prompts
        var found: [[Int32]] = prompts.map { _ in [] }
        for index in 0..<count {
            let items = sequences.indices.map {
                StepItem(sequence: sequences[$0], tokens: next[$0], output: rule(index, seeds[$0]))
            }
            let ahead = isForeseen && index < count - 1 ? seeds.map { rule(index + 1, $0) } : []
            let results = try model.step(index == 0 ? .prefill : .decode, items, ahead: ahead)
            #expect((model.begun != nil) == !ahead.isEmpty)
            for (place, result) in results.enumerated() {
                next[place] = [try #require(result.token)]
                found[place] += next[place]
            }
        }
        return found
    }

    /// Across a page's and a split's end.
    @Test(arguments: [[0], [5], [0, 0, 0], [3, 0, 4]] as [[UInt64]])
    func theTokensAreTheSame(seeds: [UInt64]) throws {
        let model = try load()
        let prompts: [[Int32]] = [Array(1...240), [7], [5, 9, 300]]
        let used = Array(prompts.prefix(seeds.count))
        let plain = try tokens(model, used, seeds: seeds, count: 40, isForeseen: false)
        let before = model.executor.recordedCount
        #expect(try tokens(model, used, seeds: seeds, count: 40, isForeseen: true) == plain)
        // The prompt; two under way before the split's end and two after it.
        #expect(model.executor.recordedCount - before <= 5)
        #expect(model.cache.freeTokenCount == 512)
    }

    /// The results of a step that is done stay until they are read, whatever is begun meanwhile.
    @Test func resultsAreKeptUntilTheyAreRead() throws {
        let model = try load()
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2, 3], output: .none)])
        try model.cache.reserve([(sequence, 2)])
        let item = StepItem(sequence: sequence, tokens: [4], output: .best(among: 512))
        let runs = [3, 4].map { [Transformer.Run(item: 0, tokens: 0..<1, start: $0)] }
        let first = try model.queue(runs[0], .decode, [item])
        try model.executor.wait(for: try #require(first.recording))
        let second = try model.queue(runs[0], .decode, [item])
        #expect(first.recording !== second.recording)
        var results = [Logits(rowCount: 0, values: [])]
        try model.read(first, [sequence: 0], &results)
        try model.read(second, [sequence: 0], &results)
        let third = try model.queue(runs[1], .decode, [item])
        #expect(third.recording === first.recording || third.recording === second.recording)
    }

    @Test func whatIsNotAskedForIsGivenUp() throws {
        let model = try load()
        func decode(_ sequences: [SequenceID], _ tokens: [Int32], ahead: Bool) throws -> [[Float]] {
            let foreseen = sequences.map { _ in StepItem.Output.best(among: 512) }
            let chosen = try model.step(
                .decode, zip(sequences, tokens).map { StepItem(sequence: $0, tokens: [$1], output: .best(among: 512)) },
                ahead: ahead ? foreseen : [])
            #expect((model.begun != nil) == ahead)
            return chosen.map { [Float($0.token!)] }
        }
        func journey(ahead: Bool) throws -> [[Float]] {
            let (a, b) = (try model.makeSequence(), try model.makeSequence())
            _ = try model.step(.prefill, [StepItem(sequence: a, tokens: Array(1...63), output: .none)])
            _ = try model.step(.prefill, [StepItem(sequence: b, tokens: [9], output: .none)])
            var found: [[Float]] = []
            // Another token than the chosen one, other sequences, another output, a cut, a prompt.
            found += try decode([a, b], [1, 2], ahead: ahead)
            found += try decode([a, b], [300, 301], ahead: ahead)
            found += try decode([b], [3], ahead: ahead)
            found += try decode([b, a], [4, 5], ahead: ahead)
            found += try model.step(.decode, [StepItem(sequence: a, tokens: [6], output: .last)]).map(\.values)
            found += try decode([a], [7], ahead: ahead)
            model.truncate(a, to: 60)
            #expect(model.begun == nil && model.cache.pages(of: a).count == 1)
            found += try decode([a], [8], ahead: ahead)
            found += try model.step(
                .prefill, [StepItem(sequence: b, tokens: [9, 10], output: .last)]
            ).map(\.values)
            found += try decode([a, b], [11, 12], ahead: ahead)
            model.release(b)
            #expect(model.begun == nil)
            found += try decode([a], [13], ahead: ahead)
            model.release(a)
            #expect(model.freeTokenCount == 512)
            return found
        }
        #expect(try journey(ahead: true) == journey(ahead: false))
    }

    /// Of the sequences that were foreseen some may be left out: the others' results are there.
    @Test func someOfTheSequencesGoOn() throws {
        let model = try load()
        func tokens(ahead: Bool) throws -> [Int32] {
            let sequences = try (0..<3).map { _ in try model.makeSequence() }
            let best = StepItem.Output.best(among: 512)
            var chosen = try model.step(
                .prefill,
                sequences.indices.map { StepItem(sequence: sequences[$0], tokens: [5, Int32($0)], output: best) },
                ahead: ahead ? [best, best, best] : []
            ).map { $0.token! }
            for left in [[0, 1, 2], [2, 0], [0]] {
                let items = left.map { StepItem(sequence: sequences[$0], tokens: [chosen[$0]], output: best) }
                let before = model.executor.recordedCount
                let results = try model.step(.decode, items, ahead: ahead ? left.map { _ in best } : [])
                // The two that go on are found begun.
                if ahead, left.count == 2 { #expect(model.executor.recordedCount == before) }
                for (place, result) in zip(left, results) { chosen[place] = result.token! }
            }
            sequences.forEach(model.release)
            return chosen
        }
        #expect(try tokens(ahead: true) == tokens(ahead: false))
    }

    /// Pages that were taken ahead are there for others, and where the context ends nothing is begun.
    @Test func theEndsOfContextAndCache() throws {
        let model = try load()
        let best = StepItem.Output.best(among: 512)
        let a = try model.makeSequence()
        var last = try model.step(
            .prefill, [StepItem(sequence: a, tokens: Array(repeating: 3, count: 254), output: .none)])
        _ = try model.step(
            .prefill, [StepItem(sequence: a, tokens: [3], output: .none)])
        last = try model.step(.decode, [StepItem(sequence: a, tokens: [4], output: best)], ahead: [best])
        #expect(model.begun != nil && model.tokenCount(of: a) == 256 && model.cache.pages(of: a).count == 5)
        // All other pages, and the one that a has not come to.
        let b = try model.makeSequence()
        _ = try model.step(
            .prefill, [StepItem(sequence: b, tokens: Array(repeating: 1, count: 256), output: .none)])
        #expect(model.freeTokenCount == 0)
        #expect(throws: ModelError.cacheFull(neededTokens: 1, freeTokens: 0)) {
            try model.step(.decode, [StepItem(sequence: a, tokens: [last[0].token!], output: best)], ahead: [best])
        }
        model.release(b)
        last = try model.step(
            .prefill, [StepItem(sequence: a, tokens: Array(repeating: 3, count: 254), output: best)], ahead: [best])
        for count in 511...512 {
            last = try model.step(
                .decode, [StepItem(sequence: a, tokens: [last[0].token!], output: best)], ahead: [best])
            #expect(model.tokenCount(of: a) == count && (model.begun == nil) == (count == 512))
        }
    }

    @Test func aFaultIsNamedAndNothingIsLeft() throws {
        let copy = try TemporaryCheckpoint(.v3FP8)
        try copy.overwrite(
            "lm_head.weight", at: 100 * 512, with: Array(repeating: [0x78, 0x7F], count: 256).flatMap { $0 })
        let model = try ModelLoader.load(
            source: .folder(copy.path), device: .vulkan(nil), options: LoadOptions(contextTokens: 128))
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2], output: .none)])
        let best = StepItem.Output.best(among: 512)
        for output in [best, rule(0)] {
            #expect(throws: ModelError.notFinite(place: "the head")) {
                try model.step(.decode, [StepItem(sequence: sequence, tokens: [3], output: output)], ahead: [best])
            }
            #expect(model.begun == nil && model.tokenCount(of: sequence) == 2)
        }
        // Among the first hundred ids all are in order, in the step that is begun too.
        let good = StepItem.Output.best(among: 100)
        let token = try model.step(
            .decode, [StepItem(sequence: sequence, tokens: [3], output: good)], ahead: [best])[0].token!
        #expect(throws: ModelError.notFinite(place: "the head")) {
            try model.step(.decode, [StepItem(sequence: sequence, tokens: [token], output: best)], ahead: [best])
        }
        #expect(model.begun == nil && model.tokenCount(of: sequence) == 3)
    }

    /// The device is lost when the second of two steps is submitted, or when the first is waited for.
    @Test(arguments: [true, false])
    func aDeviceIsLost(atSubmission: Bool) throws {
        let model = try load()
        let device = try #require(model.executor.device)
        let best = StepItem.Output.best(among: 512)
        let sequence = try model.makeSequence()
        var token = try model.step(
            .prefill, [StepItem(sequence: sequence, tokens: [1, 2, 3], output: best)], ahead: [best])[0].token!
        if atSubmission { faults_lose_at_submit(device.handle) } else { faults_lose_at_wait(device.handle) }
        if atSubmission {
            // Begun before: its results still come.
            token = try model.step(
                .decode, [StepItem(sequence: sequence, tokens: [token], output: best)], ahead: [best])[0].token!
        }
        let count = model.tokenCount(of: sequence)
        for _ in 0..<2 {
            #expect {
                _ = try model.step(
                    .decode, [StepItem(sequence: sequence, tokens: [token], output: best)], ahead: [best])
            } throws: {
                "\($0)".contains("\(device.profile.name): the device was lost")
            }
            #expect(model.tokenCount(of: sequence) == count && model.begun == nil)
        }
    }
}
