import GPU
import Kernels
import Model
import Numerics

/// Times a model's real steps: every dispatch between two marks, the host beside it.
///
/// A prompt is read, then tokens are decoded greedily, each step once with marks and once without, in turns: what the
/// marks cost is measured and not guessed.
public struct RunProfiler {
    public let promptTokenCount: Int
    public let generatedTokenCount: Int
    private let model: any LanguageModel & TraceableModel
    private let device: Device
    private let onProgress: (_ done: Int, _ total: Int) -> Bool

    /// - Parameter onProgress: told how many steps are done, and of how many; false stops.
    public init(
        model: any LanguageModel & TraceableModel, promptTokenCount: Int, generatedTokenCount: Int,
        onProgress: @escaping (Int, Int) -> Bool
    ) throws(ProfilerError) {
        guard let device = model.device, device.profile.timestampPeriod > 0 else {
            throw .noTimestamps(device: model.deviceName)
        }
        self.model = model
        self.device = device
        self.promptTokenCount = promptTokenCount
        self.generatedTokenCount = generatedTokenCount
        self.onProgress = onProgress
    }

    public func run(header: Profile.Header) throws(ProfilerError) -> Profile {
        let cache = defaultCacheByteCount(of: device.profile)
        let meter = LimitsMeter(device: device, copyByteCount: 2 * cache)
        let (limits, notes) = try onDevice { () throws(GPUError) in try meter.measure() }
        var profile = Profile(mode: .run, header: header, limits: limits, rows: [])
        profile.notes = notes

        let clocks = ClockAlignment(device)
        let recording = try record()
        let alignment = clocks.finished(recording.submissions.map(\.submission), device)
        Collector(device: device, alignment: alignment, limits: limits).collect(recording.submissions, into: &profile)
        profile.overhead = Profile.Overhead(
            markedStep: median(recording.marked), plainStep: median(recording.plain),
            attributed: profile.attributedShare, clockDeviation: alignment.deviation)
        if !recording.submissions.allSatisfy(\.submission.isComplete) {
            profile.notes.append("some commands have no times: the steps have more dispatches than there are marks")
        }
        if alignment.deviation == nil {
            profile.notes.append("the device's clock cannot be read beside the host's: aligned by the steps' ends")
        }
        return profile
    }

    /// One step's submission, and what it computed.
    struct Recorded {
        var phase: StepPhase
        var tokenCount: Int
        var submission: StepTimeline.Submission
    }

    private struct Recording {
        var submissions: [Recorded] = []
        /// How long decode steps took, with marks and without.
        var marked: [Double] = []
        var plain: [Double] = []
    }

    private func record() throws(ProfilerError) -> Recording {
        var random = SeededRandom(seed: 1)
        let prompt = (0..<promptTokenCount).map { _ in Int32.random(in: 0..<Int32(model.vocabularySize), using: &random)
        }
        var recording = Recording()
        // Compiles the pipelines: a prompt and a token, not counted.
        let rehearsal = try onModel { () throws(ModelError) in try model.makeSequence() }
        _ = try step(.prefill, rehearsal, prompt)
        _ = try step(.decode, rehearsal, [0])
        model.release(rehearsal)

        let timeline = StepTimeline()
        let sequence = try onModel { () throws(ModelError) in try model.makeSequence() }
        defer { model.release(sequence) }
        try record(into: timeline)
        var next = try step(.prefill, sequence, prompt)
        // A long prompt takes several submissions, of as many tokens as a step takes at once.
        let parts = timeline.take()
        for (index, part) in parts.enumerated() {
            let count = promptTokenCount / parts.count + (index < promptTokenCount % parts.count ? 1 : 0)
            recording.submissions.append(Recorded(phase: .prefill, tokenCount: count, submission: part))
        }
        for index in 0..<generatedTokenCount {
            let length = model.tokenCount(of: sequence)
            let token = next
            // First with marks in even steps, last in odd ones: neither always finds the caches warm.
            for isMarked in index.isMultiple(of: 2) ? [true, false] : [false, true] {
                try record(into: isMarked ? timeline : nil)
                model.truncate(sequence, to: length)
                let start = StepTimeline.now()
                next = try step(.decode, sequence, [token])
                let time = StepTimeline.now() - start
                if isMarked { recording.marked.append(time) } else { recording.plain.append(time) }
            }
            recording.submissions += timeline.take().map { Recorded(phase: .decode, tokenCount: 1, submission: $0) }
            if !onProgress(index + 1, generatedTokenCount) { throw .interrupted }
        }
        try record(into: nil)
        return recording
    }

    private func record(into timeline: StepTimeline?) throws(ProfilerError) {
        try onModel { () throws(ModelError) in try model.record(into: timeline) }
    }

    /// The best next token after these.
    private func step(_ phase: StepPhase, _ sequence: SequenceID, _ tokens: [Int32]) throws(ProfilerError) -> Int32 {
        let item = StepItem(sequence: sequence, tokens: tokens, output: .best(among: model.vocabularySize))
        let results = try onModel { () throws(ModelError) in try model.step(phase, [item]) }
        return results[0].best ?? 0
    }
}

private func onModel<R>(_ body: () throws(ModelError) -> R) throws(ProfilerError) -> R {
    do throws(ModelError) { return try body() } catch { throw .model(error) }
}
