import Numerics

extension Profile.Row {
    /// The measured limit that determines a use's least time.
    public enum Bound: String, Sendable { case memory, arithmetic, launch }

    /// Estimated time of all uses: the mean sample times the number of uses.
    public var total: Double { mean * Double(useCount ?? samples.count) }
    public var mean: Double { samples.isEmpty ? 0 : samples.reduce(0, +) / Double(samples.count) }
    /// The median.
    public var p50: Double { percentile(samples, 0.5) }
    public var p99: Double { percentile(samples, 0.99) }
    public var least: Double { samples.min() ?? 0 }

    /// byteCount divided by the median time.
    public var bytesPerSecond: Double { rate(byteCount) }
    /// flopCount divided by the median time.
    public var flopsPerSecond: Double { rate(flopCount) }

    private func rate(_ count: Int) -> Double { p50 > 0 ? Double(count) / (p50 * 1e-9) : 0 }

    /// The least time of a use under the measured limits: the maximum of byteCount / copy rate, flopCount / arithmetic
    /// rate and dispatchCount · launch time, assuming that a kernel can overlap all three.
    public func floor(_ limits: Profile.Limits) -> (bound: Bound, nanoseconds: Double) {
        let memory = Double(byteCount) / limits.copyBytesPerSecond * 1e9
        let arithmetic = Double(flopCount) / limits.arithmetic * 1e9
        let launch = limits.launchNanoseconds * Double(dispatchCount)
        if launch >= max(memory, arithmetic) { return (.launch, launch) }
        return memory >= arithmetic ? (.memory, memory) : (.arithmetic, arithmetic)
    }

    /// The fraction of its limit that the kernel reaches: `floor` divided by the median.
    public func share(of limits: Profile.Limits) -> Double { p50 > 0 ? floor(limits).nanoseconds / p50 : 0 }

    /// The medians of the rounds, divided by the round's yardstick if the row has yardsticks.
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
    /// The arithmetic rate to which kernels are compared: FP32. A kernel on matrix units may exceed it.
    public var arithmetic: Double { fp32FlopsPerSecond }
}

extension Profile {
    /// The row that would save the most time if it reached its limit, and the fraction of all time saved.
    public var nextLimit: (row: Row, saved: Double)? {
        let total = rows.reduce(0) { $0 + time(of: $1) }
        guard total > 0 else { return nil }
        func saved(_ row: Row) -> Double { time(of: row) * max(0, 1 - row.share(of: limits)) / total }
        return rows.max { saved($0) < saved($1) }.map { ($0, saved($0)) }
    }
}

/// The `p`-quantile, 0 ≤ p ≤ 1, linearly interpolated between the neighbouring values; 0 if there are none.
func percentile(_ values: [Double], _ p: Double) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let place = p * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
}
