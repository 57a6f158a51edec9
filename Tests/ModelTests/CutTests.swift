import Cache
import FixtureSupport
import Numerics
import Testing

@testable import Loading
@testable import Model

/// A prompt's logits are the same bits in whatever pieces it comes and whatever else is in its steps.
@Suite(.serialized) struct CutTests {
    private static let promptLength = 1500
    private static let caseCount = 200

    /// One sequence on its way through a prompt.
    private struct Walker {
        let prompt: Int
        let sequence: SequenceID
        let end: Int
        var position = 0
    }

    @Test func logitsDoNotDependOnCutsOrCompany() throws {
        let model = try ModelLoader.load(
            source: .folder(try Oracle.v3Long.folder()), device: .vulkan(nil),
            options: LoadOptions(contextTokens: 2560))
        // Both forms of prompt attention occur, and the change between them.
        #expect(model.limits.expandedEnd > 512)
        model.limits.expandedEnd = 512
        var random = SeededRandom(seed: 17)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        let width = model.vocabularySize
        let prompts = (0..<3).map { _ in (0..<Self.promptLength).map { _ in Int32(number(0...width - 1)) } }
        // The definition: each prompt alone, in one call.
        var expected: [[Float]] = []
        for prompt in prompts {
            let sequence = try model.makeSequence()
            expected.append(
                try model.step(.prefill, [StepItem(sequence: sequence, tokens: prompt, rows: .all)])[0].logits)
            model.release(sequence)
        }

        var walkers: [Walker] = []
        var (finished, compared, mixed) = (0, 0, 0)
        while finished < Self.caseCount {
            // Long prompts are rare, so that the test ends; the cache holds all of them.
            while walkers.count < 3 {
                let room = 2400 - walkers.reduce(0) { $0 + ($1.end + 63) / 64 * 64 }
                let most = min(number(0...9) == 0 ? Self.promptLength : 300, room - 64)
                guard most > 0 else { break }
                walkers.append(
                    Walker(prompt: number(0...2), sequence: try model.makeSequence(), end: number(1...most)))
            }
            // Some of them take their next piece together, some of them another row beside the decode rows.
            var parts: [(walker: Int, count: Int, rows: Int)] = []
            for index in walkers.indices where number(0...3) > 0 {
                let count = min(
                    number(1...[1, 10, 80, 300, 700][number(0...4)]), walkers[index].end - walkers[index].position)
                parts.append((index, count, number(0...min(3, count))))
            }
            guard !parts.isEmpty else { continue }
            let companion = number(0...2) == 0 ? try model.makeSequence() : nil
            var items = parts.map { part in
                let walker = walkers[part.walker]
                return StepItem(
                    sequence: walker.sequence,
                    tokens: Array(prompts[walker.prompt][walker.position..<walker.position + part.count]),
                    rows: .last(part.rows))
            }
            if let companion {
                let item = StepItem(
                    .decode, sequence: companion, tokens: [Int32(number(0...width - 1))], rows: .last(1))
                items.insert(item, at: number(0...items.count))
                mixed += 1
            }
            var results = try model.collect(model.submit(items))
            if let companion {
                results.remove(at: items.firstIndex { $0.sequence == companion }!)
                model.release(companion)
            }
            for (part, result) in zip(parts, results) {
                walkers[part.walker].position += part.count
                let walker = walkers[part.walker]
                let rows = walker.position - part.rows..<walker.position
                let wanted = expected[walker.prompt][rows.lowerBound * width..<rows.upperBound * width]
                #expect(
                    result.logits.elementsEqual(wanted) { $0.bitPattern == $1.bitPattern },
                    "prompt \(walker.prompt), rows \(rows), step of \(items.map(\.tokens.count))")
                compared += rows.count
            }
            for index in walkers.indices.reversed() where walkers[index].position == walkers[index].end {
                // A session that is resumed: cut back, and on from there.
                if number(0...2) == 0, walkers[index].end > 1 {
                    walkers[index].position = number(0...walkers[index].end - 1)
                    model.truncate(walkers[index].sequence, to: walkers[index].position)
                } else {
                    model.release(walkers[index].sequence)
                    walkers.remove(at: index)
                }
                finished += 1
            }
        }
        for walker in walkers { model.release(walker.sequence) }
        #expect(compared > 300 && mixed > 50 && model.freeTokenCount == 2560)
    }

    /// Decode rows too: the same bits alone and beside a prompt and other decode rows.
    @Test func decodeRowsDoNotDependOnCompany() throws {
        let model = try ModelLoader.load(
            source: .folder(try Oracle.v3Long.folder()), device: .vulkan(nil),
            options: LoadOptions(contextTokens: 2560))
        let prompts = [700, 64, 1, 255].map { count in (0..<count).map { Int32($0 * 31 % 128) } }
        func run(together: Bool) throws -> [[Float]] {
            let sequences = try prompts.map { _ in try model.makeSequence() }
            defer { sequences.forEach(model.release) }
            for (sequence, prompt) in zip(sequences, prompts) {
                _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: prompt)])
            }
            var found: [[Float]] = []
            for token in [5, 9, 100] as [Int32] {
                let items = sequences.map { StepItem(.decode, sequence: $0, tokens: [token], rows: .last(1)) }
                guard together else {
                    for item in items { found.append(try model.collect(model.submit([item]))[0].logits) }
                    continue
                }
                let other = try model.makeSequence()
                let prompt = StepItem(sequence: other, tokens: (0..<300).map { Int32($0 % 128) }, rows: .last(1))
                found += try model.collect(model.submit([prompt] + items.reversed())).dropFirst().reversed().map(
                    \.logits)
                model.release(other)
            }
            return found
        }
        #expect(try run(together: true) == run(together: false))
    }
}
