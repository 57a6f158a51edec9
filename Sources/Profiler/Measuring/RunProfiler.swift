import Cache
import GPU
import Kernels
import Model
import Numerics
import Program

/// Times a model's steps: dispatches on the device by marks (timestamps around them), and the host's activities.
///
/// Marks cost time, on some devices more than a small dispatch. So each step marks only a part of its dispatches,
/// chosen so that the step slows by at most 2%, and successive steps mark different ones. Every step also runs without
/// marks; the difference is reported as overhead. One prefill and one decode step with all dispatches marked are kept
/// for the timelines; their absolute times are not used.
public struct RunProfiler {
    public let promptTokenCount: Int
    public let generatedTokenCount: Int
    private let model: any LanguageModel & TraceableModel
    private let device: Device
    private let onProgress: (_ done: Int, _ total: Int) -> Bool

    /// - Parameter onProgress: called with the number of finished steps and the total; returning false stops the run.
    public init(
        model: any LanguageModel & TraceableModel, promptTokenCount: Int, generatedTokenCount: Int,
        onProgress: @escaping (Int, Int) -> Bool
    ) throws(ProfilerError) {
        device = try timedDevice(of: model)
        self.model = model
        self.promptTokenCount = promptTokenCount
        self.generatedTokenCount = generatedTokenCount
        self.onProgress = onProgress
    }

    /// Measures the limits and the steps. Throws `.interrupted` if `onProgress` returned false.
    public func run(header: Profile.Header) throws(ProfilerError) -> Profile {
        let cache = defaultCacheByteCount(of: device.profile)
        let meter = LimitsMeter(device: device, copyByteCount: 2 * cache)
        let (limits, marks, notes) = try onDevice { () throws(GPUError) in try meter.measure() }
        var profile = Profile(mode: .run, header: header, limits: limits, rows: [])
        profile.notes = notes

        let clocks = ClockAlignment(device)
        let recording = try record()
        let alignment = clocks.finished(recording.shown.map(\.submission), device)
        let inSteps = recording.shown.last.map { marks.matching($0.submission, added: recording.addedByMarks) } ?? marks
        profile.limits.markNanoseconds = inSteps.dispatch
        var collector = Collector(device: device, alignment: alignment, marks: inSteps)
        collector.collect(recording)
        (profile.rows, profile.steps) = (collector.rows, collector.steps)
        profile.overhead = Profile.Overhead(
            markedEvery: recording.markedEvery, markedStep: median(recording.marked),
            plainStep: median(recording.plain),
            attributed: collector.attributed, clockDeviation: alignment.deviation)
        if alignment.deviation == nil {
            profile.notes.append(
                "host and device clocks cannot be read together; times are aligned by the ends of the steps")
        }
        return profile
    }

    /// One submission of a step, with its phase and its number of tokens.
    struct Recorded {
        var phase: StepPhase
        var tokenCount: Int
        var submission: StepTimeline.Submission
    }

    struct Recording {
        /// Steps in which every dispatch is marked, for the timelines.
        var shown: [Recorded] = []
        /// Steps in which some dispatches are marked.
        var sampled: [Recorded] = []
        /// The steps of `sampled` without marks.
        var unmarked: [Recorded] = []
        var markedEvery = 1
        /// Device time that marking all dispatches adds to a decode step.
        var addedByMarks = 0.0
        /// Times of decode steps with marks.
        var marked: [Double] = []
        /// Times of decode steps without marks.
        var plain: [Double] = []
    }

    /// The fraction by which marks may lengthen a step.
    private static let allowedOverhead = 0.02

    private func record() throws(ProfilerError) -> Recording {
        var random = SeededRandom(seed: 1)
        let prompt = (0..<promptTokenCount).map { _ in Int32.random(in: 0..<Int32(model.vocabularySize), using: &random)
        }
        var recording = Recording()
        let timeline = StepTimeline()
        let sequence = try onModel { () throws(ModelError) in try model.makeSequence() }
        defer { model.release(sequence) }
        // Not measured: compiles the pipelines.
        _ = try step(.prefill, sequence, prompt)
        _ = try step(.decode, sequence, [0])
        try record(into: timeline)
        defer { try? model.record(into: nil) }

        func run(_ phase: StepPhase, _ tokens: [Int32], _ marking: Marking) throws(ProfilerError) -> (
            next: Int32, time: Double, parts: [Recorded]
        ) {
            timeline.marking = marking
            let start = StepTimeline.now()
            let next = try step(phase, sequence, tokens)
            let time = StepTimeline.now() - start
            let parts = timeline.take()
            return (
                next, time,
                parts.enumerated().map { index, part in
                    // A long prompt is split into several submissions of nearly equal numbers of tokens.
                    let count = tokens.count / parts.count + (index < tokens.count % parts.count ? 1 : 0)
                    return Recorded(phase: phase, tokenCount: count, submission: part)
                }
            )
        }
        /// Runs one step `times` times with all marks and without marks; returns the fraction by which marks lengthen it.
        func overhead(_ phase: StepPhase, _ tokens: [Int32], times: Int) throws(ProfilerError) -> Double {
            let length = model.tokenCount(of: sequence)
            var (marked, plain): ([Double], [Double]) = ([], [])
            func deviceTime(_ parts: [Recorded]) -> Double {
                parts.reduce(0) { $0 + $1.submission.end - $1.submission.start }
            }
            for _ in 0..<times {
                model.truncate(sequence, to: length)
                plain.append(deviceTime(try run(phase, tokens, .none).parts))
                model.truncate(sequence, to: length)
                let all = try run(phase, tokens, Marking())
                marked.append(deviceTime(all.parts))
                if marked.count == times { recording.shown += all.parts }
            }
            recording.addedByMarks = median(marked) - median(plain)
            return max(0, median(marked) / median(plain) - 1)
        }

        model.truncate(sequence, to: 0)
        let prefillEvery = every(try overhead(.prefill, prompt, times: 1), most: 8)
        for first in 0..<prefillEvery {
            for isMarked in [true, false] {
                model.truncate(sequence, to: 0)
                let parts = try run(.prefill, prompt, isMarked ? Marking(every: prefillEvery, first: first) : .none)
                    .parts
                if isMarked { recording.sampled += parts } else { recording.unmarked += parts }
            }
        }
        model.truncate(sequence, to: 0)
        var next = try step(.prefill, sequence, prompt)
        _ = timeline.take()
        recording.markedEvery = every(try overhead(.decode, [next], times: 15), most: generatedTokenCount)
        for index in 0..<generatedTokenCount {
            let length = promptTokenCount + index
            let token = next
            let marking = Marking(every: recording.markedEvery, first: index % recording.markedEvery)
            // Alternates the order, so that neither always runs with warm caches.
            for isMarked in index.isMultiple(of: 2) ? [true, false] : [false, true] {
                model.truncate(sequence, to: length)
                let found = try run(.decode, [token], isMarked ? marking : .none)
                next = found.next
                if isMarked { recording.marked.append(found.time) } else { recording.plain.append(found.time) }
                if isMarked { recording.sampled += found.parts } else { recording.unmarked += found.parts }
            }
            if !onProgress(index + 1, generatedTokenCount) { throw .interrupted }
        }
        return recording
    }

    /// One dispatch in this many may be marked, if marking all costs `overhead`.
    private func every(_ overhead: Double, most: Int) -> Int {
        max(1, min(Int((overhead / Self.allowedOverhead).rounded(.up)), most))
    }

    private func record(into timeline: StepTimeline?) throws(ProfilerError) {
        try onModel { () throws(ModelError) in try model.record(into: timeline) }
    }

    /// Runs a step and returns the best next token.
    private func step(_ phase: StepPhase, _ sequence: SequenceID, _ tokens: [Int32]) throws(ProfilerError) -> Int32 {
        let item = StepItem(
            sequence: sequence, tokens: tokens, rows: .last(1), kind: .best(among: model.vocabularySize))
        let results = try onModel { () throws(ModelError) in try model.step(phase, [item]) }
        return results[0].tokens[0]
    }
}

extension Marking {
    /// Marks no dispatch.
    fileprivate static var none: Marking { Marking(every: .max, first: .max) }
}

/// The device that runs the model. Throws `.noTimestamps` if there is none or it has no timestamps.
func timedDevice(of model: any TraceableModel) throws(ProfilerError) -> Device {
    guard let device = model.device, device.profile.timestampPeriod > 0 else {
        throw .noTimestamps(device: model.deviceName)
    }
    return device
}

func onModel<R>(_ body: () throws(ModelError) -> R) throws(ProfilerError) -> R {
    do throws(ModelError) { return try body() } catch { throw .model(error) }
}
