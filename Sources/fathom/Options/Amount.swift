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
