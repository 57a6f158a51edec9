import Cache
import FixtureSupport
import Numerics
import Program
import Testing

@testable import Model

/// A step's commands are recorded once and queued again: the same bits as when each step is recorded.
@Suite(.serialized) struct ReplayTests {
    private func load() throws -> LoadedModel { try ParityTests.load(.v3FP8, .vulkan(nil)) }

    /// Every step recorded anew, as steps that are timed are.
    private func recordingAll(_ model: LoadedModel, _ body: () throws -> [[Float]]) throws -> [[Float]] {
        try model.record(into: StepTimeline())
        defer { try? model.record(into: nil) }
        return try body()
    }

    private func recordedCount(_ model: LoadedModel) throws -> Int {
        try #require(model.interpreter as? DeviceInterpreter).recordedCount
    }

    /// A published model's layer takes at most twelve dispatches in decode: with a compressed query, then without.
    @Test(arguments: [(Oracle.v2BF16, 12), (.v2LiteBF16, 11)])
    func aDecodedLayerIsFewDispatches(_ oracle: Oracle, _ count: Int) throws {
        let model = try ParityTests.load(oracle, .vulkan(nil))
        let timeline = StepTimeline()
        try model.record(into: timeline)
        defer { try? model.record(into: nil) }
        let sequence = try model.makeSequence()
        _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [3], rows: .last(1))])
        let layers = Dictionary(grouping: timeline.take().flatMap(\.uses), by: \.place)
        for layer in 0..<model.config.numHiddenLayers {
            let uses = try #require(layers["layer \(layer)"])
            // A dense network takes as many as the experts with their routing.
            #expect(uses.reduce(0) { $0 + $1.dispatches.count } == count, "layer \(layer): \(uses.map(\.kernel))")
        }
    }

    /// Sequences of several lengths, one at a time and together, across a split's and a page's end, cut back, released.
    private func journey(_ model: LoadedModel) throws -> [[Float]] {
        var random = SeededRandom(seed: 5)
        func tokens(_ count: Int) -> [Int32] { (0..<count).map { _ in Int32.random(in: 0..<512, using: &random) } }
        var found: [[Float]] = []
        func decode(_ sequences: [SequenceID], _ output: Output) throws {
            let items = zip(sequences, tokens(sequences.count)).map {
                StepItem(sequence: $0, tokens: [$1], output: output)
            }
            found += try model.step(.decode, items).map { $0.logits + ($0.token.map { [Float($0)] } ?? []) }
        }
        let drawn = Output.drawn(among: 500, by: DrawRule(temperature: 3, topP: 0.9))
        let (a, b, c) = (try model.makeSequence(), try model.makeSequence(), try model.makeSequence())
        defer { [a, c].forEach(model.release) }
        for (sequence, count) in [(a, 250), (b, 60), (c, 3)] {
            _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: tokens(count), rows: .none)])
        }
        for _ in 0..<10 { try decode([a], .last) }
        for _ in 0..<6 { try decode([b, c], .last) }
        for output in [Output.best(among: 512), .best(among: 9), drawn, .none, .all] {
            for _ in 0..<3 { try decode([c, a, b], output) }
        }
        model.truncate(a, to: 100)
        for _ in 0..<3 { try decode([a], .last) }
        model.release(b)
        let d = try model.makeSequence()
        defer { model.release(d) }
        for _ in 0..<3 { try decode([d], .last) }
        for _ in 0..<3 { try decode([d, c], .best(among: 512)) }
        return found
    }

    @Test func aReplayedStepGivesTheSameBits() throws {
        let model = try load()
        let replayed = try journey(model)
        let recorded = try recordingAll(model) { try journey(model) }
        #expect(replayed == recorded && replayed.count == 79)
        // And once more, with all that the first journey left behind.
        #expect(try journey(model) == recorded)
    }

    /// Steps that differ in their inputs alone take the kept commands, and only those.
    @Test func commandsAreRecordedOnceAKind() throws {
        let model = try load()
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2, 3], rows: .none)])
        func recordings(_ count: Int, _ output: Output) throws -> Int {
            let before = try recordedCount(model)
            for _ in 0..<count {
                _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], output: output)])
            }
            return try recordedCount(model) - before
        }
        #expect(try recordings(200, .best(among: 512)) <= 2)
        #expect(try recordings(20, .best(among: 512)) == 0)
        #expect(try recordings(5, .last) == 1)
        #expect(try recordings(20, .best(among: 512)) == 0)
        // Beyond 256 keys, with one more split.
        #expect(try recordings(50, .best(among: 512)) == 1)
        // Kept beside a prompt's.
        _ = try model.step(
            .prefill, [StepItem(sequence: try model.makeSequence(), tokens: [1, 2, 3, 4, 5], rows: .all)])
        #expect(try recordings(5, .best(among: 512)) == 0)
    }
}
