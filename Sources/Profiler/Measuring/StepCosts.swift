import GPU
import Model
import Numerics

/// What a model's steps have to move and to compute for a token, by the costs of their kernels.
public struct StepCosts: Sendable {
    public var bytesPerToken, flopsPerToken: Double

    /// Of a prompt's tokens and of the one that follows them; nil where no device records them.
    ///
    /// - Parameter prompt: token ids of the prompt.
    public static func recorded(
        _ model: any LanguageModel & TraceableModel, prompt: [Int32]
    ) throws(ModelError) -> (prefill: StepCosts, decode: StepCosts)? {
        guard model.device != nil else { return nil }
        let timeline = StepTimeline()
        try model.record(into: timeline)
        defer { try? model.record(into: nil) }
        let sequence = try model.makeSequence()
        defer { model.release(sequence) }
        func costs(_ phase: StepPhase, _ tokens: [Int32]) throws(ModelError) -> StepCosts {
            _ = try model.step(
                phase,
                [StepItem(sequence: sequence, tokens: tokens, output: .best(among: model.vocabularySize))])
            let uses = timeline.take().flatMap(\.uses)
            return StepCosts(
                bytesPerToken: Double(uses.reduce(0) { $0 + $1.cost.byteCount }) / Double(tokens.count),
                flopsPerToken: Double(uses.reduce(0) { $0 + $1.cost.flopCount }) / Double(tokens.count))
        }
        return (try costs(.prefill, prompt), try costs(.decode, [0]))
    }
}

extension Profile.Limits {
    /// The device's limits now, and what could not be measured, in sentences.
    public static func measured(on device: Device) throws(ProfilerError) -> (limits: Profile.Limits, notes: [String]) {
        guard device.profile.timestampPeriod > 0 else { throw .noTimestamps(device: device.profile.name) }
        let meter = LimitsMeter(device: device, copyByteCount: 2 * defaultCacheByteCount(of: device.profile))
        let found = try onDevice { () throws(GPUError) in try meter.measure() }
        return (found.limits, found.notes)
    }

    /// The fastest arithmetic that the device was seen to do.
    public var fastestFlopsPerSecond: Double {
        [fp32FlopsPerSecond, fp16FlopsPerSecond, matrixFlopsPerSecond].compactMap { $0 }.max()!
    }
}
