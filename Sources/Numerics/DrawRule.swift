/// How a token is drawn from logits, in integers: sums of integers do not depend on their order, so that every processor draws
/// the same token.
///
/// Tokens stand in order: the higher logit first, the lower id first among equals. With the best logit b,
///
///     weight = ⌊2³¹ · 2^(−⌊(b − logit) · scale⌋ / 2²⁶)⌋     scale = 2²⁶ · log₂ e / temperature
///
/// to 2⁻²⁹ of the best token's 2³¹; the difference and its product with the scale are in FP32. 31 binary orders below the best a weight
/// is 0, and its token is never drawn. Of the order the first `topK` stay; of these, the first whose weights add up to
/// ⌈`topP` · sum / 2³²⌉, one at least; of these, all that weigh `leastWeight`. In the order of ids, the first stands for the draw
/// at which the weights add up to more than ⌊`random` · sum / 2³²⌋.
public struct DrawRule: Sendable, Hashable {
    public var scale: Float
    /// `UInt32.max` keeps all.
    public var topK = UInt32.max
    /// A share of 2³²; `UInt32.max` keeps all.
    public var topP = UInt32.max
    /// A share of 2³¹.
    public var leastWeight: UInt32 = 0
    /// A uniform number of 32 bits: a share of 2³².
    public var random: UInt32 = 0

    /// - Parameters:
    ///   - temperature: above 0; where it is so small or large that FP32 ends, as the last that fits.
    ///   - topK: 0 for all.
    ///   - topP: 1 for all.
    ///   - minP: a share of the likeliest token's probability; 0 for all.
    public init(temperature: Double, topK: Int = 0, topP: Double = 1, minP: Double = 0) {
        precondition(temperature > 0, "a draw at temperature \(temperature)")
        // Neither so large that a difference too small for FP32's normal numbers counts, nor one itself.
        let scale = 0x1p26 * 1.442695040888963407 / temperature
        self.scale = Float(min(max(scale, Double(Float.leastNormalMagnitude)), 0x1p122))
        self.topK = topK > 0 ? UInt32(clamping: topK) : .max
        self.topP = topP < 1 ? UInt32(clamping: Int((topP * 0x1p32).rounded())) : .max
        leastWeight = UInt32((minP * 0x1p31).rounded(.up))
    }

    /// Takes the best token.
    public static let best = DrawRule(temperature: 1, topK: 1)

    /// The numbers by which a kernel knows the rule.
    public var words: [UInt32] { [scale.bitPattern, topK, topP, leastWeight, random] }

    public init(words: some Collection<UInt32>) {
        let words = Array(words)
        scale = Float(bitPattern: words[0])
        (topK, topP, leastWeight, random) = (words[1], words[2], words[3], words[4])
    }

    /// The weight of a token whose logit is so far below the best.
    @inline(__always)
    public static func weight(below distance: Float, scale: Float) -> UInt32 {
        let product = distance * scale
        guard product < 0x1p31 else { return 0 }
        let exponent = UInt32(product)
        // 2^−f = 1 − f · q(f) for the fraction f: q by a polynomial of degree 6, in units of 2⁻³².
        let fraction = UInt64(exponent << 6)
        var q: UInt64 = 48550
        q = 639_488 - (fraction * q) >> 32
        q = 5_712_048 - (fraction * q) >> 32
        q = 41_304_489 - (fraction * q) >> 32
        q = 238_387_495 - (fraction * q) >> 32
        q = 1_031_764_939 - (fraction * q) >> 32
        q = 2_977_044_471 - (fraction * q) >> 32
        return (0x8000_0000 - UInt32(truncatingIfNeeded: (fraction * q) >> 33)) >> (exponent >> 26)
    }

    /// Weights of the first tokens that stay by `topP`, of which all together weigh `sum`.
    public func nucleus(of sum: UInt64) -> UInt64 {
        let product = sum.multipliedFullWidth(by: UInt64(topP) << 32)
        return max(1, product.high + (product.low > 0 ? 1 : 0))
    }

    /// The weights before the token that is drawn add up to this at most.
    public func point(of sum: UInt64) -> UInt64 { sum.multipliedFullWidth(by: UInt64(random) << 32).high }

    /// The definition in plain steps: the id of the token that is drawn; 0 if no logit is finite. Inf and NaN are not drawn.
    public func token(from logits: [Float]) -> Int32 {
        var order = logits.indices.filter { logits[$0].isFinite }
            .sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
        guard let best = order.first.map({ logits[$0] }) else { return 0 }
        func weight(_ id: Int) -> UInt64 { UInt64(Self.weight(below: best - logits[id], scale: scale)) }
        func sum() -> UInt64 { order.reduce(0) { $0 + weight($1) } }
        if topK < .max { order = Array(order.prefix(Int(topK))) }
        if topP < .max {
            let target = nucleus(of: sum())
            var before: UInt64 = 0
            order = Array(
                order.prefix { id in
                    defer { before += weight(id) }
                    return before < target
                })
        }
        order.removeAll { weight($0) < leastWeight }
        let point = point(of: sum())
        var through: UInt64 = 0
        for id in order.sorted() {
            through += weight(id)
            if through > point { return Int32(id) }
        }
        preconditionFailure("a draw at \(point) of \(through)")
    }
}
