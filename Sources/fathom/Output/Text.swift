import Numerics

/// A number of units with three digits or more, in powers of 1000: "2.41 GB".
func amount(_ value: Double, _ unit: String) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"]
    var (scaled, prefix) = (value, 0)
    while scaled >= 999.5, prefix < prefixes.count - 1 {
        scaled /= 1000
        prefix += 1
    }
    return "\(fixed(scaled, scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2)) \(prefixes[prefix])\(unit)"
}

extension String {
    /// At least `width` characters, filled with spaces.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension StringProtocol {
    /// The text without white space at both ends.
    var trimmed: String { drop { $0.isWhitespace }.withoutTrailingSpace }

    /// The text without white space at the end.
    var withoutTrailingSpace: String { String(reversed().drop { $0.isWhitespace }.reversed()) }
}
