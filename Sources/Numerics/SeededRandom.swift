#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// SplitMix64 (Steele, Lea and Flood, 2014), with 64 bits of state. A seed gives the same sequence on every machine.
///
/// For test data and sampling; not cryptographically secure.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// The output number `index`, counted from 0, of a generator with this seed.
    public static func value(_ index: Int, seed: UInt64) -> UInt64 {
        var random = SeededRandom(seed: seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15)
        return random.next()
    }

    /// Uniform in 0 ..< 1: a multiple of 2⁻⁵³.
    public mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A normally distributed number with mean 0 and variance 1: √(−2 ln u) · cos(2πv) (Box and Muller).
    public mutating func nextNormal() -> Float {
        // 1 − u is in (0, 1], so its logarithm is finite.
        let radius = (-2 * log(1 - nextUnit())).squareRoot()
        return Float(radius * cos(2 * .pi * nextUnit()))
    }

    /// `count` normally distributed numbers with standard deviation `scale`.
    public mutating func normals(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in nextNormal() * scale }
    }
}
