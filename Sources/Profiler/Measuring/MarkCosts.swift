import GPU
import Kernels
import Model
import Numerics

/// What marks add to what they measure: on some devices ending a dispatch's work early costs more than a small dispatch.
///
/// Found from rows of dispatches that do nothing: without marks, a dispatch takes `launch` behind a barrier and less
/// without one; with marks, what the marks show is more by what they cost.
struct MarkCosts {
    /// A dispatch that does nothing, behind a barrier, in a row of such.
    let launch: Double
    /// What marks add to a dispatch between them.
    private(set) var dispatch: Double
    /// What marks add to the gap before a dispatch, where there is a barrier, and where there is none.
    private(set) var barrierGap: Double
    let plainGap: Double

    private static let count = 64

    init(measuredOn device: Device) throws(GPUError) {
        var bench = Workbench(on: device, seed: 1)
        let nothing = LimitFMA(y: try bench.output("y", .f32, [1, 64]), rounds: 0, isHalf: false)
        func row(_ marking: Marking?, separate: Bool) throws(GPUError) -> (whole: Double, dispatch: Double, gap: Double)
        {
            var best: (whole: Double, dispatch: Double, gap: Double)?
            var commands = try Commands(on: device, timestampCapacity: 4 * Self.count)
            // Dispatches that write the same place wait for each other; these write one place each.
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
        // Few are marked, as in a step.
        let markedBarriers = try row(Marking(every: 8, first: 4), separate: true)
        let markedPlain = try row(Marking(every: 8, first: 4), separate: false)
        launch = barriers.whole
        dispatch = max(0, markedBarriers.dispatch - plain.whole)
        barrierGap = max(0, markedBarriers.gap - max(0, barriers.whole - plain.whole))
        plainGap = max(0, markedPlain.gap)
    }

    /// The same proportions at the size that a model's own steps show: with all dispatches marked, `submission` took
    /// `added` longer than without.
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
