import GPU
import Kernels
import Model
import Numerics
import Program

/// The time that marks (timestamps around a dispatch) add to the measured times. On some devices draining the pipeline
/// for a timestamp costs more than a small dispatch.
///
/// Measured on series of empty dispatches, with barriers between them and without, marked and unmarked. The cost of
/// marks is the difference between the marked and the unmarked times.
struct MarkCosts {
    /// Time per empty dispatch in a series with barriers.
    let launch: Double
    /// Time that marks add to a dispatch.
    private(set) var dispatch: Double
    /// Time that marks add to the gap before a dispatch that has a barrier.
    private(set) var barrierGap: Double
    /// Time that marks add to the gap before a dispatch without a barrier.
    let plainGap: Double

    private static let count = 64

    init(measuredOn device: Device) throws(GPUError) {
        var bench = Workbench(on: device, seed: 1)
        let nothing = LimitFMA(y: try bench.output("y", .f32, [1, 64]), rounds: 0, isHalf: false)
        func row(_ marking: Marking?, separate: Bool) throws(GPUError) -> (whole: Double, dispatch: Double, gap: Double)
        {
            var best: (whole: Double, dispatch: Double, gap: Double)?
            var commands = try Commands(on: device, timestampCapacity: 4 * Self.count)
            // Dispatches that write the same buffer get a barrier; for a series without barriers each has its own
            // buffer.
            var places: [LimitFMA] = []
            for _ in 0..<(separate ? 1 : Self.count) {
                places.append(LimitFMA(y: try bench.output("y", .f32, [1, 64]), rounds: 0, isHalf: false))
            }
            for _ in 0..<12 {
                try commands.begin()
                try nothing.encode(into: &commands)
                commands.separate()
                commands.marking = marking
                let first = commands.timestamp(.start)!
                for index in 0..<Self.count { try places[separate ? 0 : index].encode(into: &commands) }
                let last = commands.timestamp(.end)!
                try commands.submit()
                try commands.wait()
                let times = try commands.timestamps()
                let marks = commands.marked.compactMap(\.marks)
                commands.marking = nil
                let found = (
                    (times[last] - times[first]) / Double(Self.count),
                    marks.isEmpty ? 0 : median(marks.map { times[$0.end] - times[$0.start] }),
                    marks.isEmpty ? 0 : median(marks.map { times[$0.start] - times[$0.before] })
                )
                if found.0 < best?.whole ?? .infinity { best = found }
            }
            return best!
        }
        let barriers = try row(nil, separate: true)
        let plain = try row(nil, separate: false)
        // One dispatch in eight is marked, because profiled steps mark only a small part of their dispatches.
        let markedBarriers = try row(Marking(every: 8, first: 4), separate: true)
        let markedPlain = try row(Marking(every: 8, first: 4), separate: false)
        launch = barriers.whole
        dispatch = max(0, markedBarriers.dispatch - plain.whole)
        barrierGap = max(0, markedBarriers.gap - max(0, barriers.whole - plain.whole))
        plainGap = max(0, markedPlain.gap)
    }

    /// Scales the costs so that they add up to `added`, the time by which marking all dispatches lengthened
    /// `submission`.
    func matching(_ submission: StepTimeline.Submission, added: Double) -> MarkCosts {
        let dispatches = submission.uses.flatMap(\.dispatches)
        let barriers = dispatches.count { $0.hasBarrier }
        let expected =
            dispatch * Double(dispatches.count) + barrierGap * Double(barriers)
            + plainGap * Double(dispatches.count - barriers)
        guard expected > 0 else { return self }
        var result = self
        result.dispatch *= max(0, added) / expected
        result.barrierGap *= max(0, added) / expected
        return result
    }
}
