import GPU
import Kernels
import Model
import Numerics
import Program

/// Converts a recording into a profile's rows and steps, and subtracts the cost of the marks.
struct Collector {
    let device: Device
    let alignment: ClockAlignment
    let marks: MarkCosts
    private(set) var rows: [Profile.Row] = []
    private(set) var steps: [Profile.Step] = []
    /// The sum of all rows' times and gaps, divided by the device time of the same steps without marks.
    private(set) var attributed = 0.0
    private var places: [Key: Int] = [:]
    private var gaps: [[Double]] = []

    private struct Key: Hashable { var kernel, variant, shape: String }

    init(device: Device, alignment: ClockAlignment, marks: MarkCosts) {
        self.device = device
        self.alignment = alignment
        self.marks = marks
    }

    mutating func collect(_ recording: RunProfiler.Recording) {
        for item in recording.sampled {
            for use in item.submission.uses where !use.dispatches.isEmpty { sample(use, item.phase) }
        }
        for row in rows.indices {
            rows[row].roundSizes = rows[row].samples.isEmpty ? [] : [rows[row].samples.count]
            rows[row].gap = gaps[row].isEmpty ? nil : gaps[row].reduce(0, +) / Double(gaps[row].count)
        }
        let whole = recording.unmarked.reduce(0.0) { $0 + $1.submission.end - $1.submission.start }
        let found = rows.reduce(0.0) { sum, row in
            sum + row.total + (row.gap ?? 0) * Double((row.useCount ?? 0) * row.dispatchCount)
        }
        attributed = whole > 0 ? found / whole : 0
        guard let origin = recording.shown.first?.submission.host.first?.start else { return }
        for item in recording.shown { show(item, origin) }
    }

    /// Counts a use. Adds a sample if at least one of its dispatches is marked.
    private mutating func sample(_ use: StepTimeline.Use, _ phase: StepPhase) {
        let row = row(of: use, phase)
        rows[row].useCount = (rows[row].useCount ?? 0) + 1
        for dispatch in use.dispatches {
            if let gap = gap(dispatch) { gaps[row].append(gap) }
        }
        let times = use.dispatches.compactMap(time)
        // Usually only one dispatch of a use is marked; the others are assumed to take as long.
        if !times.isEmpty {
            rows[row].samples.append(times.reduce(0, +) / Double(times.count) * Double(use.dispatches.count))
        }
    }

    private mutating func row(of use: StepTimeline.Use, _ phase: StepPhase) -> Int {
        let first = use.dispatches[0]
        let key = Key(
            kernel: use.kernel, variant: variantText(shader: first.shader, constants: first.constants),
            shape: "\(phase.rawValue) \(use.summary)")
        if let known = places[key] { return known }
        places[key] = rows.count
        gaps.append([])
        rows.append(
            Profile.Row(
                kernel: key.kernel, variant: key.variant, shape: key.shape, dispatchCount: use.dispatches.count,
                byteCount: use.cost.byteCount, flopCount: use.cost.flopCount, samples: [], roundSizes: [],
                yardsticks: [], code: compiledCode(shader: first.shader, constants: first.constants, on: device)))
        return rows.count - 1
    }

    /// The dispatch's time without the cost of the mark. If it overlaps the previous dispatch, counts from that one's
    /// end.
    private func time(_ dispatch: StepTimeline.Dispatch) -> Double? {
        dispatch.times.map { max(0, $0.end - max($0.start, $0.before) - marks.dispatch) }
    }

    private func gap(_ dispatch: StepTimeline.Dispatch) -> Double? {
        dispatch.times.map {
            max(0, $0.start - $0.before - (dispatch.hasBarrier ? marks.barrierGap : marks.plainGap))
        }
    }

    /// Adds the timeline of a step in which all dispatches are marked, with the marks' cost removed between dispatches.
    private mutating func show(_ item: RunProfiler.Recorded, _ origin: Double) {
        let submission = item.submission
        var step = Profile.Step(
            phase: item.phase.rawValue, tokenCount: item.tokenCount,
            start: (submission.host.first?.start ?? origin) - origin,
            end: (submission.host.last?.end ?? origin) - origin,
            deviceStart: alignment.host(submission.start) - origin, deviceEnd: 0,
            dispatches: [],
            host: submission.host.map { Profile.Span(name: $0.name, start: $0.start - origin, end: $0.end - origin) })
        var clock = step.deviceStart
        for use in submission.uses where !use.dispatches.isEmpty {
            let row = row(of: use, item.phase)
            for dispatch in use.dispatches {
                guard let gap = gap(dispatch), let time = time(dispatch) else { continue }
                step.dispatches.append(
                    Profile.Dispatch(
                        layer: use.place, operation: use.operation, row: row, start: clock + gap,
                        end: clock + gap + time))
                clock += gap + time
            }
        }
        step.deviceEnd = clock
        steps.append(step)
    }
}
