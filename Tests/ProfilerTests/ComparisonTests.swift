import Numerics
import Testing

@testable import Profiler

struct ComparisonTests {
    /// A row with rounds of three samples around these medians; by default the yardstick is constant.
    private func row(_ name: String, medians: [Double], yardsticks: [Double]? = nil) -> Profile.Row {
        var row = Profile.Row.named(name)
        row.samples = medians.flatMap { [$0 * 0.99, $0, $0 * 3] }
        row.roundSizes = medians.map { _ in 3 }
        row.yardsticks = yardsticks ?? medians.map { _ in 1000 }
        return row
    }

    private func profile(_ rows: [Profile.Row], _ mode: Profile.Mode = .kernels) -> Profile {
        var profile = Profile.sample()
        (profile.mode, profile.rows, profile.steps) = (mode, rows, [])
        profile.limits.launchNanoseconds = 10
        return profile
    }

    private let steady = (0..<10).map { 5000 + Double($0 * 7 % 10) }

    @Test func verdicts() throws {
        let before = profile(["a", "b", "c", "d", "e", "f"].map { row($0, medians: steady) })
        let after = profile([
            row("a", medians: steady.map { $0 * 1.1 }), row("b", medians: steady.map { $0 / 1.1 }),
            row("c", medians: steady.map { $0 * 1.02 }), row("d", medians: steady.map { $0 * ($0 < 5005 ? 1.4 : 0.7) }),
            // Significant, but slightly too small to count; the interval does not exclude 5%.
            row("e", medians: steady.map { $0 * ($0 < 5005 ? 1.06 : 1.037) }),
            // Its inverse, 0.9515, counts as well, although it is less than 5% faster.
            row("f", medians: steady.map { $0 * 1.051 }),
        ])
        let comparison = try Profile.Comparison(before: before, after: after)
        #expect(comparison.rows.map(\.verdict) == [.slower, .faster, .same, .tooNoisy, .tooNoisy, .slower])
        #expect(comparison.rows.map(\.roundsAfter) == [10, 10, 10, 10, 10, 10])
        #expect(comparison.exitCode == 2)
        let change = try #require(comparison.rows[0].change)
        #expect(abs(change.ratio - 1.1) < 0.002 && change.p < 1e-4)
        #expect(try #require(change.interval).contains(1.1))
        #expect(abs(comparison.rows[0].nanosecondsAfter / comparison.rows[0].nanosecondsBefore - 1.1) < 0.002)
        let back = try Profile.Comparison(before: after, after: before)
        #expect(back.rows.map(\.verdict) == [.faster, .slower, .same, .tooNoisy, .tooNoisy, .faster])
        // With a smallest effect of 2%, it counts.
        let fine = try Profile.Comparison(before: before, after: after, smallestEffect: 0.02)
        #expect(fine.rows[4].verdict == .slower)
    }

    /// On a machine under load, which does not slow all kernels alike, changes are too noisy.
    @Test func anUnsteadyMachineHidesChanges() throws {
        let before = profile([row("a", medians: steady)])
        let slower = steady.map { $0 * 1.3 }
        func verdict(_ yardsticks: [Double]) throws -> Profile.Comparison.Verdict {
            try Profile.Comparison(before: before, after: profile([row("a", medians: slower, yardsticks: yardsticks)]))
                .rows[0].verdict
        }
        #expect(try verdict(steady.map { _ in 1000 }) == .slower)
        #expect(try verdict(steady.map { _ in 1090 }) == .slower)
        #expect(try verdict(steady.map { _ in 700 }) == .tooNoisy)
        #expect(try verdict(steady.indices.map { $0.isMultiple(of: 2) ? 900 : 1100 }) == .tooNoisy)
    }

    /// A row dominated by launch time must change by more than launch time varies.
    @Test func launchTimeIsNoChange() throws {
        var (before, after) = (
            profile([row("a", medians: steady)]), profile([row("a", medians: steady.map { $0 * 1.3 })])
        )
        #expect(try Profile.Comparison(before: before, after: after).rows[0].verdict == .slower)
        before.limits.launchNanoseconds = 1000
        after.limits.launchNanoseconds = 500
        let comparison = try Profile.Comparison(before: before, after: after)
        #expect(comparison.rows[0].verdict == .same && abs(comparison.rows[0].smallestEffect - 0.4) < 0.01)
    }

    /// The machine runs at half its speed in the second run, and at a quarter in some rounds.
    @Test func timesAreInYardsticks() throws {
        let halved = steady.indices.map { $0 % 3 == 0 ? 2.0 : 1.0 }
        let before = profile([row("a", medians: steady)])
        let after = profile([
            row("a", medians: zip(steady, halved).map { $0 * $1 * 2 }, yardsticks: halved.map { $0 * 2000 })
        ])
        let comparison = try Profile.Comparison(before: before, after: after)
        #expect(comparison.rows[0].verdict == .same)
        #expect(comparison.machineRatio == 2)
        #expect(comparison.table.contains("machine +100.0% by the yardsticks"))
    }

    @Test func rowsArePaired() throws {
        func named(_ kernel: String, _ variant: String, _ shape: String) -> Profile.Row {
            var row = row(kernel, medians: steady)
            (row.variant, row.shape) = (variant, shape)
            return row
        }
        let before = profile([
            named("linear", "gemv", "1 × 8"), named("linear", "gemm", "1 × 8"), named("linear", "gemv", "1 × 9"),
            named("norm", "n", "64"), named("old", "o", "64"), named("norm", "p", "66"), named("norm", "q", "66"),
        ])
        let after = profile([
            named("new", "n", "64"), named("norm", "n", "65"), named("linear", "gemm", "1 × 8"),
            named("linear", "matrix", "1 × 8"), named("linear", "gemm", "1 × 9"),
            named("norm", "r", "66"), named("norm", "s", "66"),
        ])
        let comparison = try Profile.Comparison(before: before, after: after)
        let found = comparison.rows.map { "\($0.variantBefore) to \($0.variantAfter), \($0.shape)" }
        #expect(
            found == [
                "gemm to gemm, 1 × 8", "gemv to matrix, 1 × 8", "gemv to gemm, 1 × 9", "p to r, 66", "q to s, 66",
            ])
        #expect(comparison.removed.map(\.kernel) == ["norm", "old"])
        #expect(comparison.added.map(\.kernel) == ["new", "norm"])
    }

    @Test func otherDevicesAreAnErrorUnlessForced() throws {
        let before = profile([row("a", medians: steady)])
        var after = before
        after.header.device = "Other GPU"
        #expect {
            try Profile.Comparison(before: before, after: after)
        } throws: {
            "\($0)" == "device: expected Example GPU, as in the first profile, found Other GPU"
        }
        let forced = try Profile.Comparison(before: before, after: after, force: true)
        #expect(forced.warnings == ["device: Example GPU before, Other GPU after"])
    }

    @Test func otherCircumstancesAreNamed() throws {
        let before = profile([row("a", medians: steady)])
        #expect(try Profile.Comparison(before: before, after: before).warnings == [])
        var after = profile([row("a", medians: steady, yardsticks: [])], .run)
        after.rows[0].samples = steady
        after.rows[0].roundSizes = [10]
        after.header.driver = "example 2"
        after.header.vulkan = "1.4"
        after.header.model = "other"
        after.header.shaders[1].hash = "1"
        after.header.shaders.append(.init(name: "new", hash: "2"))
        let comparison = try Profile.Comparison(before: before, after: after)
        let names = comparison.warnings.map { $0.prefix { $0 != ":" } }
        #expect(names == ["driver", "Vulkan", "model", "mode", "steps of a model have no yardsticks"])
        #expect(comparison.changedShaders == ["rms_norm"])
        // One row of a step and one of an isolated kernel: both stay in nanoseconds.
        #expect(comparison.machineRatio == nil)
        #expect(comparison.rows[0].verdict == .same)
    }

    /// 100 consecutive samples become 16 blocks of 6 or 7; the observations are the blocks' medians.
    @Test func stepsCountInBlocks() throws {
        var row = Profile.Row.named("a")
        row.samples = (0..<100).map { Double($0 + 1) }
        row.roundSizes = [100]
        let medians = row.observations(.run, inYardsticks: false)
        #expect(medians.count == 16)
        #expect(medians.prefix(3) == [3.5, 9.5, 15.5] && medians.last == 97)
        #expect(row.observations(.kernels, inYardsticks: false) == [50.5])
        row.samples = [3, 1, 2]
        #expect(row.observations(.run, inYardsticks: false) == [3, 1, 2])
        row.samples = []
        row.roundSizes = []
        #expect(row.observations(.run, inYardsticks: false) == [])
    }

    /// No rounds, too few rounds, and a time that is not above 0.
    @Test func tooFewObservationsAreTooNoisy() throws {
        let few = [5000.0, 5001, 5002]
        let before = profile([row("a", medians: few), row("b", medians: steady), row("c", medians: [])])
        let after = profile([
            row("a", medians: few.map { $0 * 2 }), row("b", medians: [-1] + steady), row("c", medians: []),
        ])
        let comparison = try Profile.Comparison(before: before, after: after)
        #expect(comparison.rows.map(\.verdict) == [.tooNoisy, .tooNoisy, .tooNoisy])
        #expect(comparison.rows[0].change != nil && comparison.rows[0].change?.interval == nil)
        #expect(comparison.rows[1].change == nil && comparison.rows[2].change == nil)
    }

    @Test func exitCodes() throws {
        func code(_ before: [Profile.Row], _ after: [Profile.Row]) throws -> Int32 {
            try Profile.Comparison(before: profile(before), after: profile(after)).exitCode
        }
        let (a, b) = (row("a", medians: steady), row("b", medians: steady))
        let slower = row("a", medians: steady.map { $0 * 1.2 })
        let noisy = row("b", medians: steady.map { $0 * ($0 < 5005 ? 1.4 : 0.7) })
        #expect(try code([a], [a]) == 0)
        #expect(try code([a], [a, b]) == 0)
        #expect(try code([slower], [a]) == 0)
        #expect(try code([a, b], [slower]) == 2)
        #expect(try code([a, b], [a]) == 3)
        #expect(try code([a, b], [a, noisy]) == 3)
        #expect(try code([a], [b]) == 3)
        #expect(try code([], []) == 3)
    }
}
