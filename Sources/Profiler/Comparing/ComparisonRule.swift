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

    /// How one row's times changed.
    public struct Change: Sendable, Equatable {
        /// Time after over time before: 1.1 is a tenth slower.
        public var ratio: Double
        /// 95% confidence; nil for too few rounds, 3 against 3.
        public var interval: ClosedRange<Double>?
        /// The probability of ranks at least as uneven if nothing changed (Mann and Whitney, two-sided).
        public var p: Double

        /// From the rounds' medians in the order of time; nil where one is not a positive number, of which there is no
        /// ratio.
        init?(from before: [Double], to after: [Double]) {
            guard !before.isEmpty, !after.isEmpty, (before + after).allSatisfy({ $0 > 0 && $0.isFinite }) else {
                return nil
            }
            // Times vary by factors: in logarithms a change is a shift.
            let shift = RankShift(
                from: before.map { log($0) }, to: after.map { log($0) }, spread: serialSpread([before, after]))
            ratio = exp(shift.estimate)
            interval = shift.interval.map { exp($0.lowerBound)...exp($0.upperBound) }
            p = shift.p
        }

        /// Slower or faster where p is below `significance`, the change at least the smallest that counts, and the
        /// interval leaves out half of that; the same where the interval leaves out every change that counts; else the
        /// noise hides the answer. A factor and its inverse count alike: swapping the profiles swaps slower and faster.
        ///
        /// Simulated for 5%: at most 1 row in 100 is called slower or faster when nothing changed, at any noise; a
        /// tenth slower is found in 95 of 100 where rounds' medians vary by at most 2.5% (8 rounds), 4% (12), 5% (20)
        /// or 6% (30), standard deviations in yardsticks; "same" takes half of that noise. What all rounds of one run
        /// share and its yardsticks do not feel, such as where buffers came to lie, looks like a change: let it vary
        /// between runs of one build by at most a quarter of the smallest effect. A row's own smallest effect and a
        /// machine that is not at rest are `Comparison.Row`'s matter. Tools/profile-calibrate counts what becomes of real
        /// pairs.
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
    /// What a comparison takes for independent: the rounds' medians, in yardsticks if asked; of a `.run`, which has no
    /// rounds, the medians of up to 16 consecutive blocks of samples of nearly equal sizes.
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
