import GPU
import Model
import Numerics
import Program

/// Bytes moved and operations computed per token, summed over the kernels of a model's step.
public struct StepCosts: Sendable {
    public var bytesPerToken, flopsPerToken: Double

    /// Runs a prefill and a decode step and returns their costs; nil for a model without a device.
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
                [StepItem(sequence: sequence, tokens: tokens, rows: .last(1), kind: .best(among: model.vocabularySize))]
            )
            let uses = timeline.take().flatMap(\.uses)
            return StepCosts(
                bytesPerToken: Double(uses.reduce(0) { $0 + $1.cost.byteCount }) / Double(tokens.count),
                flopsPerToken: Double(uses.reduce(0) { $0 + $1.cost.flopCount }) / Double(tokens.count))
        }
        return (try costs(.prefill, prompt), try costs(.decode, [0]))
    }
}

extension Profile.Limits {
    /// Measures the device's limits; the notes say which could not be measured, as sentences.
    public static func measured(on device: Device) throws(ProfilerError) -> (limits: Profile.Limits, notes: [String]) {
        guard device.profile.timestampPeriod > 0 else { throw .noTimestamps(device: device.profile.name) }
        let meter = LimitsMeter(device: device, copyByteCount: 2 * defaultCacheByteCount(of: device.profile))
        let found = try onDevice { () throws(GPUError) in try meter.measure() }
        return (found.limits, found.notes)
    }

    /// The highest of the measured arithmetic rates.
    public var fastestFlopsPerSecond: Double {
        [fp32FlopsPerSecond, fp16FlopsPerSecond, matrixFlopsPerSecond].compactMap { $0 }.max()!
    }
}
