import Testing

@testable import Profiler

struct TimeTreeTests {
    /// Layers and gaps add up to the time from the first dispatch's start to the last one's end.
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

    /// All layers have different operations, so that none can be merged.
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
        // Every operation, whose name ends with its layer's name, is below its layer.
        var parents: [String] = []
        for line in lines.dropFirst().dropLast(3) {
            let depth = line.prefix { $0 == " " }.count / 2
            #expect(depth <= parents.count, "\(line)")
            let name = line.dropFirst(2 * depth).prefix { $0 != ":" }.split(separator: "  ")[0]
            if depth == 1 { #expect(name.hasSuffix(parents[0]), "\(name) below \(parents[0])") }
            parents = parents.prefix(depth) + [String(name)]
        }
        #expect(TimeTree(.large()).lines(width: 120, count: 40).count <= 40)
    }
}
