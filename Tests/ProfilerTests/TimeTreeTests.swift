import Testing

@testable import Profiler

struct TimeTreeTests {
    /// Every nanosecond between the first dispatch's start and the last one's end is somewhere in the tree.
    @Test func itAddsUp() {
        for profile in [Profile.sample(), .large()] {
            let tree = TimeTree(profile)
            for (phase, name) in tree.phases.enumerated() {
                let expected = profile.steps.filter { $0.phase == name }
                    .reduce(0) { $0 + $1.dispatches.last!.end - $1.dispatches[0].start }
                let groups = tree.groups.reduce(0) { $0 + $1.times[phase] }
                #expect(abs(groups + tree.gaps[phase] - expected) < 1e-3)
                #expect(abs(tree.totals[phase] - expected) < 1e-3)
                for layer in tree.layers {
                    #expect(abs(layer.children.reduce(0) { $0 + $1.times[phase] } - layer.times[phase]) < 1e-3)
                }
            }
        }
    }

    @Test func layersOfAKindAreOne() {
        #expect(TimeTree(.sample()).groups.map(\.name) == ["layers 0–2"])
        #expect(TimeTree(.large()).groups.map(\.name) == ["the embedding", "layer 0", "layers 1–26", "the head"])
        #expect(TimeTree.ranges([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8")
    }

    /// Every layer its own kind: nothing can be grouped.
    @Test func atMostFortyLines() {
        var profile = Profile.large()
        for step in profile.steps.indices {
            for place in profile.steps[step].dispatches.indices {
                profile.steps[step].dispatches[place].operation += profile.steps[step].dispatches[place].layer
            }
        }
        let lines = TimeTree(profile).lines(width: 120, count: 40)
        #expect(lines.count == 40)
        #expect(lines.contains { $0.hasPrefix("(") && $0.hasSuffix(" smaller ones are not shown)") })
        // No line without its parent: depth grows by one level at most.
        var depth = 0
        for line in lines.dropFirst() {
            let indent = line.prefix { $0 == " " }.count / 2
            #expect(indent <= depth + 1, "\(line)")
            depth = indent
        }
        #expect(TimeTree(.large()).lines(width: 120, count: 40).count <= 40)
    }
}
