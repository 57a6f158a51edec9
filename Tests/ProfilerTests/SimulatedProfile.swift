import Foundation
import Numerics

@testable import Profiler

/// Simulates kernel times on a shared machine. Noises are standard deviations of logarithms.
struct SimulatedMachine {
    var samplesPerRound = 7
    /// Independent noise of each sample.
    var sampleNoise = 0.03
    /// Independent noise of each yardstick.
    var yardstickNoise = 0.01
    /// Noise shared by the samples of a round, but not by its yardstick.
    var roundNoise: Double
    /// Correlation of that noise between consecutive rounds.
    var persistence = 0.0
    /// Noise shared by a round's samples and its yardstick.
    var drift = 0.03
    /// Noise shared by all samples and yardsticks of a run.
    var runNoise = 0.02
    /// The fraction of samples that are interrupted, which take 2 to 10 times as long.
    var interrupted = 0.02

    /// - Parameter totalNoise: the noise of a round's median in yardsticks.
    init(totalNoise: Double) {
        // The standard deviation of the median of 7 normal values is 1.21 times that of their mean.
        let ofMedian = 1.21 * sampleNoise / Double(samplesPerRound).squareRoot()
        let rest = totalNoise * totalNoise - ofMedian * ofMedian - yardstickNoise * yardstickNoise
        roundNoise = max(0, rest).squareRoot()
        guard rest < 0 else { return }
        // The total is less than the noise of samples and yardstick alone: scales both down.
        let factor = totalNoise / (ofMedian * ofMedian + yardstickNoise * yardstickNoise).squareRoot()
        (sampleNoise, yardstickNoise) = (sampleNoise * factor, yardstickNoise * factor)
    }

    /// Simulates one run of isolated kernels, whose times are multiplied by `slowdown`.
    func profile(rows: Int, rounds: Int, slowdown: Double = 1, random: inout SeededRandom) -> Profile {
        var profile = Profile.sample()
        profile.mode = .kernels
        profile.steps = []
        profile.overhead = nil
        profile.limits.launchNanoseconds = 10
        let run = runNoise * Double(random.nextNormal())
        profile.rows = (0..<rows).map { index in
            var row = Profile.Row.named("kernel \(index)")
            var (drifted, own) = (0.0, Double(random.nextNormal()))
            for _ in 0..<rounds {
                drifted = 0.8 * drifted + 0.6 * drift * Double(random.nextNormal())
                own = persistence * own + (1 - persistence * persistence).squareRoot() * Double(random.nextNormal())
                let speed = 200_000 * slowdown * exp(run + drifted + roundNoise * own)
                for _ in 0..<samplesPerRound {
                    let spike = random.nextUnit() < interrupted ? 2 + 8 * random.nextUnit() : 1
                    row.samples.append(speed * spike * exp(sampleNoise * Double(random.nextNormal())))
                }
                row.roundSizes.append(samplesPerRound)
                row.yardsticks.append(90_000 * exp(run + drifted + yardstickNoise * Double(random.nextNormal())))
            }
            return row
        }
        return profile
    }
}

extension Profile.Row {
    /// A row without samples.
    static func named(_ kernel: String, variant: String = "v", shape: String = "1 × 64") -> Profile.Row {
        Profile.Row(
            kernel: kernel, variant: variant, shape: shape, dispatchCount: 1, byteCount: 1 << 20, flopCount: 1 << 20,
            samples: [], roundSizes: [], yardsticks: [])
    }
}
