import Numerics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The interval between two order statistics that holds the median of what the values were drawn from with at least
/// this confidence, whatever their distribution; nil for too few values, fewer than 6 for 95%.
///
/// Of n independent values, those below the median are Binomial(n, ½), so that x₍ₖ₎ … x₍ₙ₊₁₋ₖ₎ misses it with
/// probability 2·P(Binomial(n, ½) ≤ k − 1): k is the largest for which that is at most 1 − confidence (W. J. Conover,
/// Practical Nonparametric Statistics, 3rd edition, section 3.2). Values that resemble their neighbours in time, such
/// as the samples of one round, make it too narrow.
func medianInterval(_ values: [Double], confidence: Double = 0.95) -> ClosedRange<Double>? {
    let count = values.count
    guard count > 1 else { return nil }
    // Binomial coefficients from the largest down, in units of that: they vanish at the ends where 2ⁿ would overflow.
    let middle = count / 2
    var weights = [Double](repeating: 1, count: middle + 1)
    for below in stride(from: middle, to: 0, by: -1) {
        weights[below - 1] = weights[below] * Double(below) / Double(count - below + 1)
    }
    let lower = weights.reduce(0, +)
    let total = 2 * lower - (count % 2 == 0 ? 1 : 0)
    var tail = 0.0
    var rank = 0
    while rank < middle {
        tail += weights[rank]
        guard 2 * tail / total <= 1 - confidence else { break }
        rank += 1
    }
    guard rank > 0 else { return nil }
    let sorted = values.sorted()
    return sorted[rank - 1]...sorted[count - rank]
}

/// Half the width of `medianInterval`, as a part of the median; nil where there is no interval or the median is not
/// positive.
func medianUncertainty(_ values: [Double], confidence: Double = 0.95) -> Double? {
    guard let interval = medianInterval(values, confidence: confidence) else { return nil }
    let middle = median(values)
    return middle > 0 ? (interval.upperBound - interval.lowerBound) / 2 / middle : nil
}

/// How far one set of values lies above another, by ranks alone: no assumption on their distribution but that it is the
/// same up to the shift, and no value, however far out, counts for more than its rank.
struct RankShift {
    /// Hodges and Lehmann's estimate (1963): the median of all differences yⱼ − xᵢ.
    let estimate: Double
    /// The shifts that the test below would not reject at 1 − confidence: with c the largest U that it rejects, the
    /// (c + 1)-th smallest difference to the (c + 1)-th largest. Nil where it rejects none: 3 values against 3, at 95%.
    let interval: ClosedRange<Double>?
    /// Mann and Whitney's U (1947): the pairs with yⱼ > xᵢ, and half of those with yⱼ = xᵢ.
    let u: Double
    /// The probability, where x and y come from one distribution, of a U at least as far from its mean m·n/2, either
    /// way.
    ///
    /// Exact without ties up to `exactCount` values in all; else by the normal distribution with the variance m·n/12 ·
    /// (N + 1 − Σ(t³ − t) / (N(N − 1))), N = m + n, over the groups of t equal values, and ½ taken off for continuity
    /// (E. L. Lehmann, Nonparametrics, chapters 1 and 2).
    let p: Double

    /// Counts of rank orders up to here stay below 2⁵³: doubles hold them exactly.
    static let exactCount = 60

    /// Both have at least one value, all finite.
    ///
    /// - Parameter spread: how many times as far U spreads as for independent values; test and interval allow for it.
    init(from x: [Double], to y: [Double], confidence: Double = 0.95, spread: Double = 1) {
        precondition(!x.isEmpty && !y.isEmpty, "comparing \(x.count) values with \(y.count)")
        let differences = y.flatMap { y in x.map { y - $0 } }.sorted()
        let pairs = differences.count
        estimate = (differences[(pairs - 1) / 2] + differences[pairs / 2]) / 2
        u = y.reduce(0) { sum, y in x.reduce(sum) { $0 + (y > $1 ? 1 : y == $1 ? 0.5 : 0) } }

        let independent = Self.probability(x, y)
        let probability = { spread == 1 ? independent($0) : twoSided(deviations(independent($0)) / spread) }
        p = probability(min(u, Double(pairs) - u))
        // The rejected values of U are 0 ..< count.
        var (count, beyond) = (0, pairs / 2 + 1)
        while count < beyond {
            let middle = (count + beyond) / 2
            if probability(Double(middle)) <= 1 - confidence { count = middle + 1 } else { beyond = middle }
        }
        interval = count > 0 ? differences[count - 1]...differences[pairs - count] : nil
    }

    /// The two-sided probability of a U no larger than half the pairs.
    private static func probability(_ x: [Double], _ y: [Double]) -> (Double) -> Double {
        let all = (x + y).sorted()
        var (tied, start) = (0.0, 0)
        for index in 1...all.count where index == all.count || all[index] != all[start] {
            let group = Double(index - start)
            tied += group * group * group - group
            start = index
        }
        let (pairs, count) = (Double(x.count * y.count), Double(all.count))
        if tied == 0, all.count <= exactCount {
            let tails = lowerTails(x.count, y.count)
            return { min(1, 2 * tails[Int($0)]) }
        }
        let deviation = (pairs / 12 * (count + 1 - tied / (count * (count - 1)))).squareRoot()
        return { u in
            let distance = max(0, pairs / 2 - u - 0.5)
            return deviation > 0 ? twoSided(distance / deviation) : 1
        }
    }

    /// P(U ≤ u) for u up to half the pairs, where every order of `m` and `n` distinct values is as likely.
    ///
    /// The orders with a given U are the coefficients of the Gaussian binomial ∏ᵢ₌₁..ₘ (1 − qⁿ⁺ⁱ) / (1 − qⁱ).
    static func lowerTails(_ m: Int, _ n: Int) -> [Double] {
        let half = m * n / 2
        var orders = [Double](repeating: 0, count: half + 1)
        orders[0] = 1
        var total = 1.0
        for i in 1...m {
            for u in stride(from: half, through: n + i, by: -1) { orders[u] -= orders[u - n - i] }
            for u in stride(from: i, through: half, by: 1) { orders[u] += orders[u - i] }
            total *= Double(n + i) / Double(i)
        }
        var sum = 0.0
        return orders.map {
            sum += $0
            return sum / total
        }
    }
}

/// How far two runs' values spread their rank test beyond what independent values would: √((1 + r)/(1 − r)), r the
/// correlation of a value's rank in its run with the next one's, 0 if negative and at most 0.8.
///
/// That is a first-order autoregression's factor for means and for ranks (R. J. Serfling, The Wilcoxon two-sample
/// statistic on strongly mixing processes, 1968). From 10 values r comes out too small: it softens false alarms there
/// and does not end them.
func serialSpread(_ runs: [[Double]]) -> Double {
    var (products, squares) = (0.0, 0.0)
    for run in runs {
        let ranks = run.map { value in run.reduce(0.5) { $0 + ($1 < value ? 1 : $1 == value ? 0.5 : 0) } }
        let distances = ranks.map { $0 - Double(run.count + 1) / 2 }
        products += zip(distances, distances.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
        squares += distances.reduce(0) { $0 + $1 * $1 }
    }
    guard squares > 0 else { return 1 }
    let correlation = min(max(products / squares, 0), 0.8)
    return ((1 + correlation) / (1 - correlation)).squareRoot()
}

/// The probability that a normal value lies at least so many standard deviations from its mean.
private func twoSided(_ deviations: Double) -> Double { erfc(deviations / 2.0.squareRoot()) }

/// The inverse of `twoSided`, for probabilities a double holds: to 40 deviations.
private func deviations(_ probability: Double) -> Double {
    var (below, above) = (0.0, 40.0)
    for _ in 0..<60 {
        let middle = (below + above) / 2
        if twoSided(middle) > probability { below = middle } else { above = middle }
    }
    return (below + above) / 2
}
