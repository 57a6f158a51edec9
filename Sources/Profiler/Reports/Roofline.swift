import Glibc

/// The content of a roofline: each row's arithmetic intensity and rate, and the measured limits, on logarithmic axes.
struct Roofline {
    typealias Bound = Profile.Row.Bound

    struct Point {
        var kernel: String
        /// The kernel and the shape up to its first comma.
        var label: String
        var tooltip: String
        var bound: Bound
        /// Operations per byte.
        var intensity: Double
        /// Operations per second.
        var rate: Double
        /// Fraction of all time.
        var share: Double
    }

    struct Ceiling {
        var label: String
        var rate: Double
        /// Whether this is the arithmetic limit to which kernels are compared.
        var used: Bool
    }

    /// In descending order of share.
    let points: [Point]
    /// In descending order of rate.
    let ceilings: [Ceiling]
    /// Bytes per second; nil if it was not measured.
    let bandwidth: Double?
    let x, y: LogAxis
    /// The kernels of rows without arithmetic or bytes, which have no place on the axes, and their share of all time.
    let leftOut: (kernels: [String], share: Double)

    init(_ profile: Profile) {
        func positive(_ value: Double?) -> Double? { value.flatMap { $0.isFinite && $0 > 0 ? $0 : nil } }
        let limits = profile.limits
        let total = profile.rows.reduce(0) { $0 + profile.time(of: $1) }
        var points: [Point] = []
        var leftOut: (kernels: [String], share: Double) = ([], 0)
        for row in profile.rows where !row.samples.isEmpty {
            let share = total > 0 ? profile.time(of: row) / total : 0
            guard let intensity = positive(Double(row.flopCount) / Double(row.byteCount)),
                let rate = positive(row.flopsPerSecond)
            else {
                if !leftOut.kernels.contains(row.kernel) { leftOut.kernels.append(row.kernel) }
                leftOut.share += share
                continue
            }
            points.append(
                Point(
                    kernel: row.kernel, label: "\(row.kernel), \(row.shape.prefix { $0 != "," })",
                    tooltip: row.tooltip(limits, share: share), bound: row.floor(limits).bound, intensity: intensity,
                    rate: rate, share: share.isFinite ? share : 0))
        }
        self.points = points.sorted { $0.share > $1.share }
        self.leftOut = leftOut
        let bandwidth = positive(limits.copyBytesPerSecond)
        let rates: [(String, Double?, Bool)] = [
            ("FP32", limits.fp32FlopsPerSecond, true), ("FP16", limits.fp16FlopsPerSecond, false),
            ("matrix units", limits.matrixFlopsPerSecond, false),
        ]
        let ceilings = rates.compactMap { name, rate, used in
            positive(rate).map { Ceiling(label: "\(name) \(RateUnit.text($0, RateUnit.flops)!)", rate: $0, used: used) }
        }.sorted { $0.rate > $1.rate }

        let ridges = bandwidth.map { bandwidth in ceilings.map { $0.rate / bandwidth } } ?? []
        let intensities = points.map(\.intensity) + ridges
        let x = LogAxis(from: (intensities.min() ?? 0.1) * 0.6, to: (intensities.max() ?? 100) * 2.5)
        // The vertical axis includes the point where the slope meets the left edge.
        let slope = bandwidth.map { [$0 * x.values.lowerBound * 2] } ?? []
        let heights = points.map(\.rate) + ceilings.map(\.rate) + slope
        y = LogAxis(from: (heights.min() ?? 1e9) * 0.6, to: (heights.max() ?? 1e12) * 1.6)
        (self.x, self.bandwidth, self.ceilings) = (x, bandwidth, ceilings)
    }
}

extension Profile.Row {
    /// The tooltip of a row's point.
    func tooltip(_ limits: Profile.Limits, share: Double) -> String {
        let (bytes, flops) = (
            RateUnit.text(bytesPerSecond, RateUnit.bytes), RateUnit.text(flopsPerSecond, RateUnit.flops)
        )
        return """
            \(kernel), \(variant)
            \(shape)
            \(percentText(share)) of all time; median \(timeText(p50))
            \(bytes ?? missingText), \(flops ?? missingText), \
            \(significant(Double(flopCount) / Double(byteCount))) flop/byte
            \(percentText(self.share(of: limits))) of \(floor(limits).bound.name)
            """
    }
}

/// A logarithmic axis over two or more whole decades.
struct LogAxis {
    /// Exponents of ten.
    let decades: ClosedRange<Int>

    init(from low: Double, to high: Double) {
        // Clamps absurd values.
        func decade(_ value: Double) -> Double { log10(min(max(value, 1e-15), 1e24)) }
        let first = Int(decade(low).rounded(.down))
        decades = first...max(first + 2, Int(decade(high).rounded(.up)))
    }

    var values: ClosedRange<Double> { pow(10, Double(decades.lowerBound))...pow(10, Double(decades.upperBound)) }

    /// The position of a value: 0 at the start of the axis, 1 at its end.
    func place(_ value: Double) -> Double {
        (log10(value) - Double(decades.lowerBound)) / Double(decades.count - 1)
    }

    /// The labelled decades: about eight at most, evenly spaced.
    var ticks: [Int] {
        Array(stride(from: decades.lowerBound, through: decades.upperBound, by: (decades.count + 7) / 8))
    }

    /// The label of a decade: "0.01", "1", "10000", with prefixes for larger values: "10 G".
    static func text(_ decade: Int) -> String {
        let prefixes = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"]
        switch decade {
        case ..<(-4): return "1e\(decade)"
        case ..<0: return "0." + String(repeating: "0", count: -decade - 1) + "1"
        case 0...4: return "1" + String(repeating: "0", count: decade)
        default:
            let prefix = prefixes[min(decade / 3, 8)]
            return "1" + String(repeating: "0", count: decade - 3 * min(decade / 3, 8)) + " \(prefix)"
        }
    }
}
