import Numerics
import Testing

import Engine

/// By definition: the earliest end of any stop string, then the longest; everything before it is shown.
private func textbook(_ text: String, _ stops: [String]) -> (shown: String, isStopped: Bool) {
    let bytes = Array(text.utf8)
    for end in 0...bytes.count {
        let lengths = stops.map { Array($0.utf8) }.filter {
            $0.count <= end && Array(bytes[(end - $0.count)..<end]) == $0
        }
        .map(\.count)
        if let longest = lengths.max() { return (String(decoding: bytes[..<(end - longest)], as: UTF8.self), true) }
    }
    return (text, false)
}

@Suite struct StopMatcherTests {
    @Test func textIsHeldOnlyWhileItMayBecomeAStopString() {
        var matcher = StopMatcher(["END"])
        #expect(matcher.feed("the E") == "the ")
        #expect(matcher.feed("N") == "")
        #expect(matcher.feed("E") == "EN")
        #expect(matcher.feed("ND") == "")
        #expect(matcher.isStopped)
        #expect(matcher.feed("more") == "")
        #expect(matcher.finish() == "")
    }

    @Test func whatIsHeldComesAtTheEnd() {
        var matcher = StopMatcher(["\n\n", "User:"])
        #expect(matcher.feed("a\n") == "a")
        #expect(matcher.feed("Us") == "\n")
        #expect(matcher.finish() == "Us")
        #expect(!matcher.isStopped)
    }

    @Test func withoutStopStringsNothingIsHeld() {
        var matcher = StopMatcher([])
        #expect(matcher.feed("anything 🌍") == "anything 🌍")
        #expect(matcher.finish() == "")
    }

    @Test func theOneThatEndsFirstCounts() {
        var matcher = StopMatcher(["bcde", "cd", "abcd"])
        #expect(matcher.feed("xabcde") == "x")
        var overlapping = StopMatcher(["aab"])
        #expect(overlapping.feed("aaab") == "a")
    }

    @Test func characters() {
        var matcher = StopMatcher(["é", "🌍🌍"])
        #expect(matcher.feed("ãè🌍") == "ãè")
        #expect(matcher.feed("🌎") == "🌍🌎")
        #expect(matcher.feed("xéy") == "x")
        #expect(matcher.isStopped)
    }

    @Test func anyCutOfAnyTextGivesTheSame() {
        var random = SeededRandom(seed: 9)
        let letters = ["a", "b", "é", "\n"]
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0..<14, using: &random)).map { _ in letters.randomElement(using: &random)! }
            let stops = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                (0..<Int.random(in: 1..<5, using: &random)).map { _ in letters.randomElement(using: &random)! }.joined()
            }
            var matcher = StopMatcher(stops)
            var shown = ""
            var part = ""
            for letter in text {
                part += letter
                if Bool.random(using: &random) {
                    shown += matcher.feed(part)
                    part = ""
                }
            }
            shown += matcher.feed(part)
            shown += matcher.finish()
            let expected = textbook(text.joined(), stops)
            #expect(shown == expected.shown && matcher.isStopped == expected.isStopped, "\(text) \(stops)")
        }
    }
}
