import Cache
import FixtureSupport
import Numerics
import Testing
import VulkanFaults

@testable import GPU
@testable import Loading
@testable import Model

/// Steps that are submitted before the tokens of the last one are known change nothing but the time.
@Suite(.serialized) struct FollowingTests {
    private func load() throws -> LoadedModel { try ParityTests.load(.v3FP8, .vulkan(nil)) }

    private func rule(_ index: Int, _ seed: UInt64 = 1) -> Output {
        if seed == 0 { return .best(among: 512) }
        var rule = DrawRule(temperature: 2, topK: 100, topP: 0.95)
        rule.random = UInt32(SeededRandom.value(index, seed: seed) >> 32)
        return .drawn(among: 512, by: rule)
    }

    private func following(_ sequence: SequenceID, _ ticket: Ticket, _ row: Int, _ output: Output) -> StepItem {
        StepItem(
            .decode, sequence: sequence, tokens: [.chosen(by: ticket, row: row)], rows: output.rows, kind: output.kind)
    }

    /// The tokens that sequences go on with; each by draws of its own seed, 0 for the best tokens.
    ///
    /// - Parameter follows: whether each step is submitted before the last one is collected, its rows in reverse order.
    private func tokens(
        _ model: LoadedModel, _ prompts: [[Int32]], seeds: [UInt64], count: Int, follows: Bool
    ) throws -> [[Int32]] {
        let sequences = try prompts.map { _ in try model.makeSequence() }
        defer { sequences.forEach(model.release) }
        var found: [[Int32]] = prompts.map { _ in [] }
        var order = Array(prompts.indices)
        var ticket = try model.submit(
            order.map { StepItem(.prefill, sequence: sequences[$0], tokens: prompts[$0], output: rule(0, seeds[$0])) })
        for index in 0..<count {
            let (last, lastOrder) = (ticket, order)
            var isSubmitted = false
            if follows, index < count - 1 {
                #expect(model.canFollow(ticket))
                order.reverse()
                ticket = try model.submit(
                    order.map {
                        following(
                            sequences[$0], last, lastOrder.firstIndex(of: $0)!, rule(index + 1, seeds[$0]))
                    })
                isSubmitted = true
            }
            let results = try model.collect(last)
            for (place, result) in zip(lastOrder, results) { found[place].append(try #require(result.token)) }
            if !isSubmitted, index < count - 1 {
                ticket = try model.submit(
                    order.map {
                        StepItem(
                            .decode, sequence: sequences[$0], tokens: [found[$0].last!],
                            output: rule(index + 1, seeds[$0]))
                    })
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
        let plain = try tokens(model, used, seeds: seeds, count: 40, follows: false)
        #expect(try tokens(model, used, seeds: seeds, count: 40, follows: true) == plain)
        #expect(model.freeTokenCount == 512)
    }

    /// A prompt's step, and one that holds prompts beside decode rows, can be followed too.
    @Test func stepsOfAllKindsAreFollowed() throws {
        let model = try load()
        let best = Output.best(among: 512)
        func run(follows: Bool) throws -> [Int32] {
            let (a, b) = (try model.makeSequence(), try model.makeSequence())
            defer { [a, b].forEach(model.release) }
            let first = try model.submit([StepItem(.prefill, sequence: a, tokens: [5, 9, 300], output: best)])
            var found: [Int32] = follows ? [] : [try model.collect(first)[0].token!]
            // a decodes while b's prompt comes in; its row is on the device after the prompt's, and first in the items.
            let decode =
                follows
                ? following(a, first, 0, best) : StepItem(.decode, sequence: a, tokens: [found[0]], output: best)
            let second = try model.submit([
                decode, StepItem(.prefill, sequence: b, tokens: Array(1...100), output: best),
            ])
            if follows { found.append(try model.collect(first)[0].token!) }
            var results: [StepResult] = follows ? [] : try model.collect(second)
            let items =
                follows
                ? [following(b, second, 1, best), following(a, second, 0, best)]
                : [
                    StepItem(.decode, sequence: b, tokens: [results[1].token!], output: best),
                    StepItem(.decode, sequence: a, tokens: [results[0].token!], output: best),
                ]
            let third = try model.submit(items)
            if follows { results = try model.collect(second) }
            return found + (results + (try model.collect(third))).map { $0.token! }
        }
        #expect(try run(follows: true) == run(follows: false))
    }

    /// Results stay until they are collected, whatever is submitted meanwhile.
    @Test func resultsAreKeptUntilTheyAreCollected() throws {
        let model = try load()
        func run(together: Bool) throws -> [[Float]] {
            let sequence = try model.makeSequence()
            defer { model.release(sequence) }
            var tickets: [Ticket] = []
            var found: [[Float]] = []
            for token in 1...12 as ClosedRange<Int32> {
                tickets.append(
                    try model.submit([StepItem(.decode, sequence: sequence, tokens: [token], output: .last)]))
                if !together { found.append(try model.collect(tickets.removeFirst())[0].logits) }
            }
            return try found + tickets.map { try model.collect($0)[0].logits }
        }
        #expect(try run(together: true) == run(together: false))
    }

    /// A step that is given up leaves nothing behind once its sequences are cut back.
    @Test func discardedStepsChangeNothing() throws {
        let model = try load()
        func journey(follows: Bool) throws -> [Int32] {
            let (a, b) = (try model.makeSequence(), try model.makeSequence())
            _ = try model.step(.prefill, [StepItem(sequence: a, tokens: Array(1...63), output: .none)])
            _ = try model.step(.prefill, [StepItem(sequence: b, tokens: [9], output: .none)])
            var found: [Int32] = []
            func decode(_ sequences: [SequenceID], _ tokens: [Int32]) throws {
                let ticket = try model.submit(
                    zip(sequences, tokens).map {
                        StepItem(.decode, sequence: $0, tokens: [$1], output: .best(among: 512))
                    })
                let counts = sequences.map(model.tokenCount)
                let next =
                    follows
                    ? try model.submit(
                        sequences.enumerated().map { following($1, ticket, $0, .best(among: 512)) }) : nil
                found += try model.collect(ticket).map { $0.token! }
                guard let next else { return }
                // Cut back before or after the step is given up.
                if found.count % 2 == 0 { model.discard(next) }
                for (sequence, count) in zip(sequences, counts) { model.truncate(sequence, to: count) }
                if found.count % 2 == 1 { model.discard(next) }
            }
            try decode([a, b], [1, 2])
            try decode([a, b], [300, 301])
            try decode([b], [3])
            try decode([b, a], [4, 5])
            model.truncate(a, to: 60)
            #expect(model.pages.pages(of: a).count == 1)
            try decode([a], [8])
            found += try model.step(
                .prefill, [StepItem(sequence: b, tokens: [9, 10], output: .best(among: 512))]
            ).map { $0.token! }
            try decode([a, b], [11, 12])
            model.release(b)
            try decode([a], [13])
            model.release(a)
            #expect(model.freeTokenCount == 512)
            return found
        }
        #expect(try journey(follows: true) == journey(follows: false))
    }

    /// Pages of a sequence that ended while a step was in flight serve another one.
    @Test func aReleasedSequencesPagesServeAnother() throws {
        let model = try load()
        let best = Output.best(among: 512)
        let alone = try model.makeSequence()
        let expected = try model.step(.prefill, [StepItem(sequence: alone, tokens: Array(1...200), output: .last)])
        model.release(alone)
        let (a, b) = (try model.makeSequence(), try model.makeSequence())
        let ticket = try model.submit(
            [a, b].map { StepItem(.prefill, sequence: $0, tokens: [3, 4, 5], output: best) })
        let next = try model.submit([following(a, ticket, 0, best), following(b, ticket, 1, best)])
        _ = try model.collect(ticket)
        model.release(a)
        let c = try model.makeSequence()
        let prompt = try model.submit([StepItem(.prefill, sequence: c, tokens: Array(1...200), output: .last)])
        _ = try model.collect(next)
        #expect(try model.collect(prompt)[0].logits == expected[0].logits)
    }

    @Test func theEndsOfContextAndCache() throws {
        let model = try load()
        let best = Output.best(among: 512)
        let a = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: a, tokens: Array(repeating: 3, count: 255), output: .none)])
        let ticket = try model.submit([StepItem(.decode, sequence: a, tokens: [4], output: best)])
        let next = try model.submit([following(a, ticket, 0, best)])
        #expect(model.tokenCount(of: a) == 257 && model.pages.pages(of: a).count == 5)
        let token = try model.collect(ticket)[0].token!
        model.discard(next)
        // All other pages, and the one that a no longer needs.
        model.truncate(a, to: 256)
        let b = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: b, tokens: Array(repeating: 1, count: 256), output: .none)])
        #expect(model.freeTokenCount == 0)
        #expect(throws: ModelError.cacheFull(neededTokens: 1, freeTokens: 0)) {
            try model.submit([StepItem(.decode, sequence: a, tokens: [token], output: best)])
        }
        model.release(b)
        let last = try model.submit([
            StepItem(.prefill, sequence: a, tokens: Array(repeating: 3, count: 256), output: best)
        ])
        #expect(throws: ModelError.contextExceeded(needed: 513, limit: 512)) {
            try model.submit([following(a, last, 0, best)])
        }
        #expect(try model.collect(last)[0].tokens.count == 1 && model.tokenCount(of: a) == 512)
    }

    @Test func aFaultIsNamedAndNothingIsLeft() throws {
        let copy = try TemporaryCheckpoint(.v3FP8)
        try copy.overwrite(
            "lm_head.weight", at: 100 * 512, with: Array(repeating: [0x78, 0x7F], count: 256).flatMap { $0 })
        let model = try ModelLoader.load(
            source: .folder(copy.path), device: .vulkan(nil), options: LoadOptions(contextTokens: 128))
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2], output: .none)])
        let best = Output.best(among: 512)
        for output in [best, rule(0)] {
            let ticket = try model.submit([StepItem(.decode, sequence: sequence, tokens: [3], output: output)])
            let next = try model.submit([following(sequence, ticket, 0, best)])
            #expect(throws: ModelError.notFinite(place: "the head")) { try model.collect(ticket) }
            model.discard(next)
            #expect(model.tokenCount(of: sequence) == 2)
        }
        // Among the first hundred ids all are in order: the step that follows is at fault, with the token that it was given.
        let ticket = try model.submit([
            StepItem(.decode, sequence: sequence, tokens: [3], output: .best(among: 100))
        ])
        let next = try model.submit([following(sequence, ticket, 0, best)])
        #expect(try model.collect(ticket)[0].tokens.count == 1)
        #expect(throws: ModelError.notFinite(place: "the head")) { try model.collect(next) }
        #expect(model.tokenCount(of: sequence) == 3)
    }

    /// The device is lost when the second of two steps is submitted, or when the first is waited for.
    @Test(arguments: [true, false])
    func aDeviceIsLost(atSubmission: Bool) throws {
        let model = try load()
        let device = try #require(model.device)
        let best = Output.best(among: 512)
        let sequence = try model.makeSequence()
        let ticket = try model.submit([StepItem(.prefill, sequence: sequence, tokens: [1, 2, 3], output: best)])
        if atSubmission { faults_lose_at_submit(device.handle) } else { faults_lose_at_wait(device.handle) }
        func isLost(_ error: any Error) -> Bool { "\(error)".contains("\(device.profile.name): the device was lost") }
        if atSubmission {
            #expect { try model.submit([following(sequence, ticket, 0, best)]) } throws: { isLost($0) }
            // Submitted before: its results still come.
            #expect(try model.collect(ticket)[0].tokens.count == 1 && model.tokenCount(of: sequence) == 3)
        } else {
            let next = try model.submit([following(sequence, ticket, 0, best)])
            #expect { try model.collect(ticket) } throws: { isLost($0) }
            model.discard(next)
            #expect(model.tokenCount(of: sequence) == 0)
        }
        let count = model.tokenCount(of: sequence)
        for _ in 0..<2 {
            #expect { try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], output: best)]) } throws: {
                isLost($0)
            }
            #expect(model.tokenCount(of: sequence) == count)
        }
    }
}
