import Numerics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Profile.Comparison {
    public enum Verdict: String, Sendable, CaseIterable {
        case slower, faster, same
        case tooNoisy = "too noisy"
    }

    /// The change of one row's times.
    public struct Change: Sendable, Equatable {
        /// Time after divided by time before: 1.1 is 10% slower.
        public var ratio: Double
        /// The 95% confidence interval of the ratio; nil for too few rounds, such as 3 against 3.
        public var interval: ClosedRange<Double>?
        /// The p-value of the two-sided Mann-Whitney test of no change.
        public var p: Double

        /// Computed from the rounds' medians in chronological order. Nil if one is not positive and finite.
        init?(from before: [Double], to after: [Double]) {
            guard !before.isEmpty, !after.isEmpty, (before + after).allSatisfy({ $0 > 0 && $0.isFinite }) else {
                return nil
            }
            // Changes of times are factors; in logarithms they are shifts.
            let shift = RankShift(
                from: before.map { log($0) }, to: after.map { log($0) }, spread: serialSpread([before, after]))
            ratio = exp(shift.estimate)
            interval = shift.interval.map { exp($0.lowerBound)...exp($0.upperBound) }
            p = shift.p
        }

        /// Let s = 1 + smallestEffect. Slower: p < `significance`, ratio ≥ s and the interval is above √s. Faster: the
        /// same with the inverses, so that swapping the profiles swaps slower and faster. Same: the interval lies
        /// within (1/s, s). Otherwise: too noisy.
        ///
        /// Simulated for 5%: if nothing changed, at most 1 row in 100 is called slower or faster, at any noise. A
        /// slowdown of 10% is found in 95 of 100 rows if the rounds' medians, in yardsticks, have a standard deviation
        /// of at most 2.5% (8 rounds), 4% (12), 5% (20) or 6% (30). "Same" requires half that noise. An effect that all
        /// rounds of a run share but its yardsticks do not, such as the placement of buffers, appears as a change:
        /// between runs of one build it should vary by at most a quarter of the smallest effect. `Comparison.Row`
        /// handles rows dominated by launch time and machines under load. Tools/profile-calibrate measures the rates on
        /// real pairs of profiles.
        func verdict(smallestEffect: Double) -> Verdict {
            guard let interval else { return .tooNoisy }
            let least = 1 + smallestEffect
            let half = least.squareRoot()
            if p < Profile.Comparison.significance {
                if ratio >= least, interval.lowerBound > half { return .slower }
                if ratio <= 1 / least, interval.upperBound < 1 / half { return .faster }
            }
            return interval.lowerBound > 1 / least && interval.upperBound < least ? .same : .tooNoisy
        }
    }
}

extension Profile.Row {
    /// The observations that a comparison treats as independent: the rounds' medians, divided by the yardsticks if
    /// `inYardsticks`. A profile of mode `.run` has no rounds: its observations are the medians of up to 16 consecutive
    /// blocks of samples, of nearly equal sizes.
    func observations(_ mode: Profile.Mode, inYardsticks: Bool) -> [Double] {
        var row = self
        if !inYardsticks { row.yardsticks = [] }
        if mode == .run {
            let count = min(16, samples.count)
            row.roundSizes = (0..<count).map { samples.count * ($0 + 1) / count - samples.count * $0 / count }
        }
        return row.roundMedians
    }
}
