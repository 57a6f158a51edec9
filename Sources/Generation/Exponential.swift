/// eˣ for each x ≤ 0: within 2 units in the last place; 0 below −708 and for −∞.
///
/// Ours, because the last bit of the C library's differs from one library to the next, where the same seed is to give the same
/// text; and because the compiler can run this one on two values at once: a draw needs one for each of 129,280 tokens.
///
/// eˣ = 2ⁿ · eʳ with n = round(x / ln 2) and |r| ≤ ln 2 / 2, where eʳ's series to r¹³/13! is exact to double precision.
@inline(__always)
func exponential(_ x: Double) -> Double {
    let clamped = x < -708 ? -708 : x
    // Adding 1.5 · 2⁵² rounds to an integer and leaves it in the low bits.
    let shifter = 0x1.8p52
    let shifted = clamped * 1.442695040888963407 + shifter
    let n = shifted - shifter
    // ln 2 in two parts: the first has 32 bits, so that its product with n is exact.
    let r = (clamped - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
    var sum = r * (1.0 / 6_227_020_800) + 1.0 / 479_001_600
    sum = sum * r + 1.0 / 39_916_800
    sum = sum * r + 1.0 / 3_628_800
    sum = sum * r + 1.0 / 362_880
    sum = sum * r + 1.0 / 40_320
    sum = sum * r + 1.0 / 5_040
    sum = sum * r + 1.0 / 720
    sum = sum * r + 1.0 / 120
    sum = sum * r + 1.0 / 24
    sum = sum * r + 1.0 / 6
    sum = sum * r + 0.5
    sum = sum * r + 1
    sum = sum * r + 1
    let power = Double(bitPattern: (shifted.bitPattern &+ 1023) &<< 52)
    return x < -708 ? 0 : sum * power
}
