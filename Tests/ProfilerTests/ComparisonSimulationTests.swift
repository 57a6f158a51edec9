import Numerics
import Testing

@testable import Profiler

/// Tests the error rates that `Change.verdict` documents, on pairs of simulated runs.
struct ComparisonSimulationTests {
    /// The fraction of each verdict, over pairs of runs in which all rows of the second run are slower by `slowdown`.
    private func shares(
        _ machine: SimulatedMachine, rounds: Int, slowdown: Double = 1, pairs: Int = 100, rows: Int = 20, seed: UInt64
    ) throws -> [Profile.Comparison.Verdict: Double] {
        var random = SeededRandom(seed: seed)
        var counts: [Profile.Comparison.Verdict: Double] = [:]
        for _ in 0..<pairs {
            let before = machine.profile(rows: rows, rounds: rounds, random: &random)
            let after = machine.profile(rows: rows, rounds: rounds, slowdown: slowdown, random: &random)
            for row in try Profile.Comparison(before: before, after: after).rows {
                counts[row.verdict, default: 0] += 1 / Double(pairs * rows)
            }
        }
        return counts
    }

    /// Numbers of rounds with the noise that `Change.verdict` documents for them.
    @Test(arguments: [(8, 0.025), (12, 0.04), (20, 0.05), (30, 0.06)])
    func aTenthSlowerIsFoundAndNothingElse(rounds: Int, noise: Double) throws {
        let machine = SimulatedMachine(totalNoise: noise)
        let nothing = try shares(machine, rounds: rounds, seed: 1)
        #expect(nothing[.slower, default: 0] + nothing[.faster, default: 0] <= 0.01)
        let slower = try shares(machine, rounds: rounds, slowdown: 1.1, seed: 2)
        #expect(slower[.slower, default: 0] >= 0.95)
        #expect(slower[.faster, default: 0] + slower[.same, default: 0] == 0)
        let faster = try shares(machine, rounds: rounds, slowdown: 1 / 1.1, seed: 3)
        #expect(faster[.faster, default: 0] >= 0.95)
        #expect(faster[.slower, default: 0] + faster[.same, default: 0] == 0)
    }

    /// At half that noise, unchanged rows are called the same.
    @Test(arguments: [(8, 0.0125), (12, 0.02), (20, 0.025), (30, 0.03)])
    func unchangedRowsAreTheSame(rounds: Int, noise: Double) throws {
        let shares = try shares(SimulatedMachine(totalNoise: noise), rounds: rounds, seed: 4)
        #expect(shares[.same, default: 0] >= 0.95)
    }

    /// With more noise, rows are too noisy.
    @Test(arguments: [(8, 0.15), (8, 0.4), (30, 0.25), (30, 0.6)])
    func noiseHidesChangesAndInventsNone(rounds: Int, noise: Double) throws {
        let machine = SimulatedMachine(totalNoise: noise)
        let nothing = try shares(machine, rounds: rounds, seed: 5)
        #expect(nothing[.slower, default: 0] + nothing[.faster, default: 0] <= 0.01)
        #expect(nothing[.same, default: 0] <= 0.02)
        let slower = try shares(machine, rounds: rounds, slowdown: 1.1, seed: 6)
        #expect(slower[.faster, default: 0] + slower[.same, default: 0] <= 0.01)
        #expect(slower[.tooNoisy, default: 0] >= 0.8)
    }

    /// A change of 2%, below the smallest effect, is seldom called a change.
    @Test func twoPercentIsNoChange() throws {
        for (rounds, noise) in [(8, 0.025), (20, 0.04), (30, 0.05)] {
            let shares = try shares(SimulatedMachine(totalNoise: noise), rounds: rounds, slowdown: 1.02, seed: 7)
            #expect(shares[.slower, default: 0] + shares[.faster, default: 0] <= 0.02)
        }
    }

    /// The yardsticks compensate for a machine that runs at a different speed in one of the runs.
    @Test func aSlowerMachineIsNoSlowerKernel() throws {
        var machine = SimulatedMachine(totalNoise: 0.02)
        machine.runNoise = 0.7
        let shares = try shares(machine, rounds: 12, seed: 8)
        #expect(shares[.slower, default: 0] + shares[.faster, default: 0] <= 0.01)
        #expect(shares[.same, default: 0] >= 0.95)
    }

    /// Disturbances that last several rounds and do not affect the yardstick. Without `serialSpread`, 7% of rows would
    /// be called changed.
    @Test func lastingDisturbancesInventFewChanges() throws {
        var machine = SimulatedMachine(totalNoise: 0.05)
        machine.persistence = 0.6
        let shares = try shares(machine, rounds: 20, seed: 9)
        #expect(shares[.slower, default: 0] + shares[.faster, default: 0] <= 0.03)
    }
}
