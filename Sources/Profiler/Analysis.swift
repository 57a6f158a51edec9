import Numerics

extension Profile.Row {
    /// What a use cannot be faster than, by the measured limits.
    public enum Bound: String, Sendable { case memory, arithmetic, launch }

    /// Of all uses, those without samples as long as the mean of the others.
    public var total: Double { mean * Double(useCount ?? samples.count) }
    public var mean: Double { samples.isEmpty ? 0 : samples.reduce(0, +) / Double(samples.count) }
    public var p50: Double { percentile(samples, 0.5) }
    public var p99: Double { percentile(samples, 0.99) }
    public var least: Double { samples.min() ?? 0 }

    public var bytesPerSecond: Double { rate(byteCount) }
    public var flopsPerSecond: Double { rate(flopCount) }

    private func rate(_ count: Int) -> Double { p50 > 0 ? Double(count) / (p50 * 1e-9) : 0 }

    /// The times that memory, arithmetic and launching take at least: the largest bounds the kernel, which could overlap
    /// the others with it.
    public func floor(_ limits: Profile.Limits) -> (bound: Bound, nanoseconds: Double) {
        let memory = Double(byteCount) / limits.copyBytesPerSecond * 1e9
        let arithmetic = Double(flopCount) / limits.arithmetic * 1e9
        let launch = limits.launchNanoseconds * Double(dispatchCount)
        if launch >= max(memory, arithmetic) { return (.launch, launch) }
        return memory >= arithmetic ? (.memory, memory) : (.arithmetic, arithmetic)
    }

    /// The part of its limit that the kernel reaches: the least time over the median.
    public func share(of limits: Profile.Limits) -> Double { p50 > 0 ? floor(limits).nanoseconds / p50 : 0 }

    /// The medians of the rounds; with yardsticks, in units of the round's own yardstick.
    public var roundMedians: [Double] {
        var start = 0
        return roundSizes.enumerated().map { round, size in
            defer { start += size }
            let value = median(Array(samples[start..<start + size]))
            return yardsticks.isEmpty ? value : value / yardsticks[round]
        }
    }
}

extension Profile.Limits {
    /// The kernels compute in FP32 unless they use matrix units, of which none does yet.
    public var arithmetic: Double { fp32FlopsPerSecond }
}

extension Profile {
    /// What would help most: the row whose limit, if reached, would save the largest part of all time.
    public var nextLimit: (row: Row, saved: Double)? {
        let total = rows.reduce(0) { $0 + time(of: $1) }
        guard total > 0 else { return nil }
        func saved(_ row: Row) -> Double { time(of: row) * max(0, 1 - row.share(of: limits)) / total }
        return rows.max { saved($0) < saved($1) }.map { ($0, saved($0)) }
    }
}

/// The value below which the fraction `p` of the values lies, between neighbours in proportion; 0 of none.
func percentile(_ values: [Double], _ p: Double) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let place = p * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
}
