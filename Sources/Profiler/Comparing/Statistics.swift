import Numerics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A distribution-free confidence interval of the median, between two order statistics of the values; nil for too few
/// values (fewer than 6 for 95%).
///
/// The number of n independent values below the median has the distribution Binomial(n, ½), so that x₍ₖ₎ … x₍ₙ₊₁₋ₖ₎
/// misses the median with probability 2·P(Binomial(n, ½) ≤ k − 1). The interval uses the largest k for which that is at
/// most 1 − confidence (W. J. Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2). It is too narrow
/// for values that correlate with their neighbours in time, such as the samples of one round.
func medianInterval(_ values: [Double], confidence: Double = 0.95) -> ClosedRange<Double>? {
    let count = values.count
    guard count > 1 else { return nil }
    // Binomial coefficients divided by the largest one: the outer ones underflow to 0 where 2ⁿ would overflow.
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

/// Half the width of `medianInterval`, divided by the median; nil if there is no interval or the median is not
/// positive.
func medianUncertainty(_ values: [Double], confidence: Double = 0.95) -> Double? {
    guard let interval = medianInterval(values, confidence: confidence) else { return nil }
    let middle = median(values)
    return middle > 0 ? (interval.upperBound - interval.lowerBound) / 2 / middle : nil
}

/// The shift between two samples, by a rank test. Assumes only that both distributions are equal up to a shift;
/// outliers have no more influence than their ranks.
struct RankShift {
    /// The Hodges-Lehmann estimate (1963): the median of all differences yⱼ − xᵢ.
    let estimate: Double
    /// The shifts that the test does not reject at level 1 − confidence: with c the largest U that it rejects, from the
    /// (c + 1)-th smallest difference to the (c + 1)-th largest. Nil if it rejects no U, as for 3 values against 3 at
    /// 95%.
    let interval: ClosedRange<Double>?
    /// The Mann-Whitney statistic U (1947): the number of pairs with yⱼ > xᵢ plus half the number with yⱼ = xᵢ.
    let u: Double
    /// The two-sided p-value: the probability, if x and y have the same distribution, of a U at least as far from its
    /// mean m·n/2.
    ///
    /// Exact for up to `exactCount` values in total without ties. Otherwise a normal approximation with variance m·n/12
    /// · (N + 1 − Σ(t³ − t) / (N(N − 1))), where N = m + n and the sum runs over groups of t equal values, and with a
    /// continuity correction of ½ (E. L. Lehmann, Nonparametrics, chapters 1 and 2).
    let p: Double

    /// Up to this total, the numbers of rank orders are below 2⁵³, which doubles represent exactly.
    static let exactCount = 60

    /// Both samples have at least one value; all values are finite.
    ///
    /// - Parameter spread: the standard deviation of U relative to that of independent values, for which the test and
    ///   the interval correct; see `serialSpread`.
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

    /// Returns a function that gives the two-sided p-value of a U of at most half the number of pairs.
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

    /// P(U ≤ u) for u = 0 … ⌊m·n/2⌋, if every order of the `m` + `n` distinct values is equally likely.
    ///
    /// The number of orders with U = u is the coefficient of qᵘ in the Gaussian binomial ∏ᵢ₌₁..ₘ (1 − qⁿ⁺ⁱ) / (1 − qⁱ).
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

/// The factor by which serial correlation within runs increases the standard deviation of U: √((1 + r)/(1 − r)), where
/// r, clamped to 0 … 0.8, is the correlation of consecutive values' ranks within a run.
///
/// This is the factor of a first-order autoregression for means and for ranks (R. J. Serfling, The Wilcoxon two-sample
/// statistic on strongly mixing processes, 1968). With only 10 values r is underestimated: false alarms are reduced,
/// but not eliminated.
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

/// The probability that a normally distributed value is at least `deviations` standard deviations from its mean.
private func twoSided(_ deviations: Double) -> Double { erfc(deviations / 2.0.squareRoot()) }

/// The inverse of `twoSided`, at most 40, beyond which the probability underflows.
private func deviations(_ probability: Double) -> Double {
    var (below, above) = (0.0, 40.0)
    for _ in 0..<60 {
        let middle = (below + above) / 2
        if twoSided(middle) > probability { below = middle } else { above = middle }
    }
    return (below + above) / 2
}
