import Foundation
import Numerics
import Testing

@Suite struct DrawRuleTests {
    /// The best token's weight is exactly 2³¹. Other weights are within 2⁻²⁵ of their own value and 2⁻²⁹ of the best
    /// weight.
    @Test func aWeightIsThePower() {
        var random = SeededRandom(seed: 2)
        for temperature in [0.05, 0.7, 1, 3] {
            let scale = DrawRule(temperature: temperature).scale
            #expect(DrawRule.weight(below: 0, scale: scale) == 1 << 31)
            #expect(DrawRule.weight(below: .infinity, scale: scale) == 0)
            for _ in 0..<20_000 {
                let distance = Float(random.nextUnit() * 25 * temperature)
                let found = Double(DrawRule.weight(below: distance, scale: scale))
                // The exponent is truncated to 26 fraction bits, and the FP32 product has a relative error of up to
                // 2⁻²⁴.
                let exact = 0x1p31 * exp(-Double(distance) / temperature)
                let slack = 4 + exact * (0x1p-26 + Double(distance) / temperature * 0x1p-22)
                #expect(abs(found - exact) <= slack, "\(distance) at \(temperature): \(found), expected \(exact)")
            }
        }
    }

    @Test func sharesAreRoundedAsDocumented() {
        var rule = DrawRule(temperature: 1, topP: 0.5)
        #expect(rule.nucleus(of: 4 << 31) == 2 << 31 && rule.nucleus(of: 5) == 3 && rule.nucleus(of: 1) == 1)
        rule.topP = 0
        #expect(rule.nucleus(of: 1 << 48) == 1)
        rule.random = .max
        #expect(rule.point(of: 10) == 9 && rule.point(of: 1) == 0)
        rule.random = 0
        #expect(rule.point(of: 1 << 48) == 0)
        #expect(DrawRule(temperature: 1, topP: 1).topP == .max && DrawRule(temperature: 1, topK: 0).topK == .max)
        #expect(DrawRule(words: rule.words) == rule)
    }

    @Test func tokensInPlainSteps() {
        let logits: [Float] = [1, 4, .nan, 4, 3.5, -.infinity]
        func drawn(_ rule: DrawRule) -> Set<Int32> {
            Set(
                (0..<64).map { share in
                    var rule = rule
                    rule.random = UInt32(share) << 26
                    return rule.token(from: logits)
                })
        }
        #expect(drawn(.best) == [1])
        #expect(drawn(DrawRule(temperature: 1, topK: 2)) == [1, 3])
        #expect(drawn(DrawRule(temperature: 1, topP: 0.3)) == [1])
        #expect(drawn(DrawRule(temperature: 1, minP: 0.5)) == [1, 3, 4])
        #expect(drawn(DrawRule(temperature: 5)) == [0, 1, 3, 4])
        #expect(DrawRule(temperature: 1).token(from: [.nan]) == 0)
    }
}
