import Foundation
import Numerics

@testable import Profiler

/// Kernels' times as a machine shared with others gives them. The noises are standard deviations of logarithms.
struct SimulatedMachine {
    var samplesPerRound = 7
    /// Of a sample by itself.
    var sampleNoise = 0.03
    /// Of the yardstick's time.
    var yardstickNoise = 0.01
    /// Of what the samples of a round share and the yardstick does not feel.
    var roundNoise: Double
    /// The correlation of that with the next round's.
    var persistence = 0.0
    /// Of what kernel and yardstick share, from one round to the next and for a whole run.
    var drift = 0.03
    var runNoise = 0.02
    /// The share of samples that something else interrupts: they take 2 to 10 times as long.
    var interrupted = 0.02

    /// - Parameter totalNoise: of a round's median in yardsticks.
    init(totalNoise: Double) {
        // The median of 7 normal values varies 1.21 times as much as their mean.
        let ofMedian = 1.21 * sampleNoise / Double(samplesPerRound).squareRoot()
        let rest = totalNoise * totalNoise - ofMedian * ofMedian - yardstickNoise * yardstickNoise
        roundNoise = max(0, rest).squareRoot()
        guard rest < 0 else { return }
        // Less than samples and yardstick make of themselves: all three as small as it takes.
        let factor = totalNoise / (ofMedian * ofMedian + yardstickNoise * yardstickNoise).squareRoot()
        (sampleNoise, yardstickNoise) = (sampleNoise * factor, yardstickNoise * factor)
    }

    /// One run of isolated kernels: so many rows, `slowdown` times as slow as they might be.
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
