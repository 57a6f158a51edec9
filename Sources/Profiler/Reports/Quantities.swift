import Glibc
import Numerics

/// The text for values that were not measured, are not available or are not finite.
let missingText = "-"

/// A number with three significant digits from 1 to 1000, two decimals below 1, no decimals above 1000.
func significant(_ value: Double) -> String {
    switch abs(value) {
    case 99.95...: return fixed(value, 0)
    case 9.995...: return fixed(value, 1)
    default: return fixed(value, 2)
    }
}

/// A time with its unit: "21.4 µs".
func timeText(_ nanoseconds: Double?) -> String {
    guard let nanoseconds, nanoseconds.isFinite else { return missingText }
    let units = ["ns", "µs", "ms", "s"]
    var (value, unit) = (nanoseconds, 0)
    while abs(value) >= 999.5, unit < units.count - 1 {
        value /= 1000
        unit += 1
    }
    return "\(significant(value)) \(units[unit])"
}

/// A fraction as a percentage: "37.5%".
func percentText(_ share: Double?) -> String {
    guard let share, share.isFinite else { return missingText }
    return fixed(share * 100, 1) + "%"
}

/// The unit of a column of rates.
struct RateUnit {
    let name: String
    let size: Double

    static let bytes = [RateUnit(name: "GB/s", size: 1e9), RateUnit(name: "MB/s", size: 1e6)]
    static let flops = [
        RateUnit(name: "TFLOP/s", size: 1e12), RateUnit(name: "GFLOP/s", size: 1e9),
        RateUnit(name: "MFLOP/s", size: 1e6),
    ]

    /// The largest unit in which the largest rate is at least 1; the smallest unit if there is none.
    static func fitting(_ rates: [Double], _ units: [RateUnit]) -> RateUnit {
        let largest = rates.filter(\.isFinite).max() ?? 0
        return units.first { largest >= 0.9995 * $0.size } ?? units[units.count - 1]
    }

    /// A rate in this unit, without the unit's name.
    func number(_ rate: Double) -> String {
        guard rate.isFinite else { return missingText }
        let value = rate / size
        if value > 0, value < 0.0005 { return "<0.001" }
        return value < 0.9995 ? fixed(value, 3) : significant(value)
    }

    /// One rate with its unit: "400 GB/s".
    static func text(_ rate: Double?, _ units: [RateUnit]) -> String? {
        guard let rate, rate.isFinite else { return nil }
        let unit = fitting([rate], units)
        return "\(unit.number(rate)) \(unit.name)"
    }
}

extension String {
    /// At most `width` characters, ending with an ellipsis if shortened. Control characters become spaces.
    func shortened(to width: Int) -> String {
        let clean = String(
            map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? " " : $0 })
        return clean.count <= width ? clean : String(clean.prefix(max(0, width - 1))) + "…"
    }

    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    func aligned(right width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}

/// Wraps words into lines of at most `width` columns. The first line begins with `label`; the others are indented by
/// its length.
func wrapped(_ label: String, _ words: [String], width: Int) -> [String] {
    let indent = String(repeating: " ", count: label.count)
    var lines = [label]
    for word in words.map({ $0.shortened(to: width - label.count) }) where !word.isEmpty {
        let last = lines[lines.count - 1]
        if last.count == label.count {
            lines[lines.count - 1] = last + word
        } else if last.count + 1 + word.count <= width {
            lines[lines.count - 1] = last + " " + word
        } else {
            lines.append(indent + word)
        }
    }
    return lines
}
