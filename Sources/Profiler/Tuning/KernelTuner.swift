import GPU
import Kernels
import Model
import Numerics
import Program

/// Finds the fastest variant of every kernel that has several, in a model's own steps on its device.
///
/// Variants that disagree with their reference are left out. With each of the others in turn, a prefill and some decode steps
/// run with a time mark around every dispatch. The variant whose dispatches took the least time is chosen, if it is clearly
/// faster than the one that runs untuned.
public struct KernelTuner {
    /// One choice, and the time of its dispatches with each variant, in nanoseconds a step (the least of the repeats).
    public struct Result: Sendable {
        public var choice: String
        public var best: String
        public var times: [(variant: String, nanoseconds: Double)]
        /// Variants whose results are wrong on this device, and the first wrong result.
        public var wrong: [(variant: String, found: String)]
    }

    /// A variant must save at least this part of the time to be preferred to the one that runs untuned.
    static let leastGain = 0.03
    private static let repeatCount = 3

    private let model: any LanguageModel & TraceableModel
    private let device: Device
    private let promptTokenCount: Int
    private let onProgress: (_ done: Int, _ total: Int) -> Bool

    /// - Parameter onProgress: receives the number of variants that are done and the total; its result false stops the tuner.
    public init(
        model: any LanguageModel & TraceableModel, promptTokenCount: Int, onProgress: @escaping (Int, Int) -> Bool
    ) throws(ProfilerError) {
        device = try timedDevice(of: model)
        self.model = model
        self.promptTokenCount = promptTokenCount
        self.onProgress = onProgress
    }

    /// Measures, and has the device run the variants that were found.
    ///
    /// - Returns: the results, sorted by choice.
    public func run() throws(ProfilerError) -> [Result] {
        device.chosenVariants.setMeasured([:])
        let untuned = try measure()
        var results = untuned.map { choice, use in
            Result(choice: choice, best: use.variant, times: [(use.variant, use.time)], wrong: [])
        }.sorted { $0.choice < $1.choice }
        let names = Set(untuned.values.flatMap(\.variants)).sorted()
        let check = try VariantCheck(
            kernels: Set(untuned.values.map(\.kernel)), wanted: untuned.mapValues { Set($0.variants) }, on: device
        ) { onProgress(0, names.count) }
        for index in results.indices {
            results[index].wrong = untuned[results[index].choice]!.variants.compactMap { variant in
                check.failures[VariantCheck.Key(choice: results[index].choice, variant: variant)].map { (variant, $0) }
            }
        }
        for (done, name) in names.enumerated() {
            guard onProgress(done, names.count) else { throw .interrupted }
            let able = untuned.filter { choice, use in
                use.variants.contains(name) && use.variant != name
                    && check.failures[VariantCheck.Key(choice: choice, variant: name)] == nil
            }
            guard !able.isEmpty else { continue }
            device.chosenVariants.setMeasured(able.mapValues { _ in name })
            let found = try measure()
            for index in results.indices {
                let choice = results[index].choice
                guard able[choice] != nil, let use = found[choice], use.variant == name else { continue }
                results[index].times.append((name, use.time))
            }
        }
        for index in results.indices { results[index].best = Self.best(of: results[index]) }
        device.chosenVariants.setMeasured(Self.choices(results))
        return results
    }

    /// The fastest variant with right results. The first, which runs untuned, is kept unless another is clearly faster.
    static func best(of result: Result) -> String {
        let right = result.times.filter { time in !result.wrong.contains { $0.variant == time.variant } }
        guard let first = right.first, let fastest = right.min(by: { $0.nanoseconds < $1.nanoseconds }) else {
            return result.best
        }
        let isClear = fastest.nanoseconds < (1 - leastGain) * first.nanoseconds
        return isClear || first.variant != result.times[0].variant ? fastest.variant : first.variant
    }

    /// The best variants by choice, for `ChosenVariants`.
    public static func choices(_ results: [Result]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: results.map { ($0.choice, $0.best) })
    }

    private struct Use {
        var kernel: String
        var variant: String
        var variants: [String]
        var time: Double
    }

    /// The time of each choice's dispatches in a prefill and some decode steps.
    private func measure() throws(ProfilerError) -> [String: Use] {
        var random = SeededRandom(seed: 1)
        let prompt = (0..<promptTokenCount).map { _ in
            Int32.random(in: 0..<Int32(model.vocabularySize), using: &random)
        }
        let timeline = StepTimeline()
        try onModel { () throws(ModelError) in try model.record(into: timeline) }
        defer { try? model.record(into: nil) }
        var best: [String: Use] = [:]
        // The first repeat compiles the pipelines and does not count.
        for number in 0...Self.repeatCount {
            var sums: [String: Use] = [:]
            let sequence = try onModel { () throws(ModelError) in try model.makeSequence() }
            defer { model.release(sequence) }
            for (phase, tokens) in [(StepPhase.prefill, prompt)] + Array(repeating: (.decode, [prompt[0]]), count: 4) {
                let item = StepItem(
                    sequence: sequence, tokens: tokens, rows: .last(1), kind: .best(among: model.vocabularySize))
                _ = try onModel { () throws(ModelError) in try model.step(phase, [item]) }
                for use in timeline.take().flatMap(\.uses) {
                    guard let choice = use.choice else { continue }
                    let time = use.dispatches.reduce(0) { $0 + ($1.times.map { $0.end - $0.start } ?? 0) }
                    sums[
                        choice.name,
                        default: Use(kernel: use.kernel, variant: choice.variant, variants: choice.variants, time: 0)
                    ].time +=
                        time
                }
            }
            guard number > 0 else { continue }
            best.merge(sums) { $0.time <= $1.time ? $0 : $1 }
        }
        return best
    }
}
