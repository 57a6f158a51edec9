/// Defines how a token is drawn from logits, with integer weights: their sums do not depend on the order of addition,
/// so that every processor draws the same token.
///
/// Tokens are ranked by descending logit, and by ascending id among equal logits. With the best logit b, a token's
/// weight is
///
///     weight = ⌊2³¹ · 2^(−⌊(b − logit) · scale⌋ / 2²⁶)⌋     scale = 2²⁶ · log₂ e / temperature
///
/// with an error of at most 2⁻²⁹ of the best token's weight, 2³¹. The difference and its product with the scale are in
/// FP32. A token below 2⁻³¹ of the best token's weight has weight 0 and is never drawn.
///
/// Three filters apply in this order; "sum" is the sum of the weights that remain before a step:
///
/// 1. Keep the first `topK` tokens.
/// 2. Keep the shortest prefix, of at least one token, whose weights sum to ⌈`topP` · sum / 2³²⌉ or more.
/// 3. Keep the tokens whose weight is at least `leastWeight`.
///
/// Then take the remaining tokens in ascending order of ids and draw the first at which the running sum of weights
/// exceeds ⌊`random` · sum / 2³²⌋.
public struct DrawRule: Sendable, Hashable {
    /// 2²⁶ · log₂ e / temperature.
    public var scale: Float
    /// Number of tokens to keep; `UInt32.max` keeps all.
    public var topK = UInt32.max
    /// Share of the total weight to keep, in units of 2⁻³²; `UInt32.max` keeps all.
    public var topP = UInt32.max
    /// Least weight to keep, in units of 2⁻³¹ of the best token's weight.
    public var leastWeight: UInt32 = 0
    /// A uniform random number in [0, 1), in units of 2⁻³².
    public var random: UInt32 = 0

    /// - Parameters:
    ///   - temperature: above 0. Extreme values are clamped so that `scale` is a normal FP32 number of at most 2¹²².
    ///   - topK: number of tokens to keep; 0 keeps all.
    ///   - topP: share of the total probability to keep; 1 keeps all.
    ///   - minP: least probability to keep, as a share of the likeliest token's; 0 keeps all.
    public init(temperature: Double, topK: Int = 0, topP: Double = 1, minP: Double = 0) {
        precondition(temperature > 0, "a draw at temperature \(temperature)")
        // Devices may flush subnormals to 0: `scale` must be normal, and at most 2¹²², where a subnormal difference has no
        // effect.
        let scale = 0x1p26 * 1.442695040888963407 / temperature
        self.scale = Float(min(max(scale, Double(Float.leastNormalMagnitude)), 0x1p122))
        self.topK = topK > 0 ? UInt32(clamping: topK) : .max
        self.topP = topP < 1 ? UInt32(clamping: Int((topP * 0x1p32).rounded())) : .max
        leastWeight = UInt32((minP * 0x1p31).rounded(.up))
    }

    /// Always draws the best token.
    public static let best = DrawRule(temperature: 1, topK: 1)

    /// The rule as the five words that a kernel reads: scale (bits of the FP32), topK, topP, leastWeight, random.
    public var words: [UInt32] { [scale.bitPattern, topK, topP, leastWeight, random] }

    /// The inverse of `words`. Traps if there are fewer than five.
    public init(words: some Collection<UInt32>) {
        let words = Array(words)
        scale = Float(bitPattern: words[0])
        (topK, topP, leastWeight, random) = (words[1], words[2], words[3], words[4])
    }

    /// The weight of a token whose logit is `distance` below the best one.
    @inline(__always)
    public static func weight(below distance: Float, scale: Float) -> UInt32 {
        let product = distance * scale
        guard product < 0x1p31 else { return 0 }
        let exponent = UInt32(product)
        // 2^−f = 1 − f · q(f) for the fraction f, with q a polynomial of degree 6 in units of 2⁻³².
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

    /// The weight that `topP` keeps of a total of `sum`: max(1, ⌈topP · sum / 2³²⌉).
    public func nucleus(of sum: UInt64) -> UInt64 {
        let product = sum.multipliedFullWidth(by: UInt64(topP) << 32)
        return max(1, product.high + (product.low > 0 ? 1 : 0))
    }

    /// The threshold of the draw, ⌊random · sum / 2³²⌋: the first token at which the total weight exceeds it is drawn.
    public func point(of sum: UInt64) -> UInt64 { sum.multipliedFullWidth(by: UInt64(random) << 32).high }

    /// The reference implementation: the id of the drawn token. Ignores infinite and NaN logits; returns 0 if none is
    /// finite.
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
