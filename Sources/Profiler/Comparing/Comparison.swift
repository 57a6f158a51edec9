import Numerics

extension Profile {
    /// What became slower or faster between two profiles.
    ///
    /// A row counts its rounds as independent observations, since they are spread over the run while the samples of one
    /// follow each other. Of isolated kernels they are in units of the round's yardstick, so that a machine that is
    /// slower as a whole does not count. `Change.verdict` decides.
    public struct Comparison: Sendable {
        /// Slower and faster need a smaller p: half of the one row in a hundred that may be called so by chance, since
        /// rounds are never quite independent.
        public static let significance = 0.005

        /// Without rows and steps.
        public let before, after: Profile
        /// The change from which on a row is slower or faster: 0.05 is 5% slower, or as much faster. More for a row of
        /// which launching takes a larger part: that differs between runs of one build.
        public let smallestEffect: Double
        /// What both profiles measured, in the later one's order.
        public let rows: [Row]
        /// What only the earlier or only the later profile measured.
        public let removed, added: [Profile.Row]
        /// The yardsticks' median in the later profile over that in the earlier one; nil where one has none.
        public let machineRatio: Double?
        /// Why the profiles may differ for another reason than the kernels, in sentences.
        public let warnings: [String]

        /// One kernel at one shape, in both profiles.
        public struct Row: Sendable, Equatable {
            public var kernel, shape: String
            /// The same, unless the later program chose another one for this shape.
            public var variantBefore, variantAfter: String
            /// Median times.
            public var nanosecondsBefore, nanosecondsAfter: Double
            /// The independent observations.
            public var roundsBefore, roundsAfter: Int
            /// The smallest change that counts here.
            public var smallestEffect: Double
            /// Nil where a round took no more time than the empty pair.
            public var change: Change?
            public var verdict: Verdict
        }

        /// Times measured on two devices do not show what a change of the kernels did.
        public struct DevicesDiffer: Error, Equatable, CustomStringConvertible {
            public let before, after: String
            public var description: String {
                "device: expected \(before), as in the first profile, found \(after)"
            }
        }

        /// - Parameters:
        ///   - smallestEffect: above 0.
        ///   - force: compare profiles of different devices too.
        public init(
            before: Profile, after: Profile, smallestEffect: Double = 0.05, force: Bool = false
        ) throws(DevicesDiffer) {
            precondition(smallestEffect > 0 && smallestEffect.isFinite, "smallest effect \(smallestEffect)")
            guard force || before.header.device == after.header.device else {
                throw DevicesDiffer(before: before.header.device, after: after.header.device)
            }
            let pairs = Self.pairs(before.rows, after.rows)
            rows = pairs.compactMap { pair in
                guard let old = pair.before, let new = pair.after else { return nil }
                let launch = max(before.limits.launchNanoseconds, after.limits.launchNanoseconds)
                return Row(old, before.mode, new, after.mode, smallestEffect: smallestEffect, launch: launch)
            }
            removed = pairs.compactMap { $0.after == nil ? $0.before : nil }
            added = pairs.compactMap { $0.before == nil ? $0.after : nil }
            let yardsticks = [before, after].map { $0.rows.flatMap(\.yardsticks) }
            machineRatio = yardsticks.contains([]) ? nil : median(yardsticks[1]) / median(yardsticks[0])
            warnings = Self.warnings(before, after)
            self.smallestEffect = smallestEffect
            self.before = before.withoutSamples
            self.after = after.withoutSamples
        }
    }
}

extension Profile.Comparison {
    public func count(_ verdict: Verdict) -> Int { rows.count { $0.verdict == verdict } }

    /// Of rows in which nothing changed, how many are called slower or faster on average, at most.
    public var expectedFalseAlarms: Double { Self.significance * Double(rows.count) }

    /// For a shell: 2 where something became slower; 3 where nothing did as far as can be told, but a row is too noisy
    /// or missing or there is none to compare; else 0.
    public var exitCode: Int32 {
        if count(.slower) > 0 { return 2 }
        return count(.tooNoisy) > 0 || !removed.isEmpty || rows.isEmpty ? 3 : 0
    }

    /// The shaders of which both profiles know the code, and it differs.
    public var changedShaders: [String] {
        let old = Dictionary(before.header.shaders.map { ($0.name, $0.hash) }) { first, _ in first }
        return after.header.shaders.filter { old[$0.name, default: $0.hash] != $0.hash }.map(\.name)
    }

    /// The rows that belong together: of one kernel, variant and shape; of the rest, of one kernel and shape. In the
    /// later profile's order, then what is only in the earlier one.
    private static func pairs(
        _ before: [Profile.Row], _ after: [Profile.Row]
    ) -> [(before: Profile.Row?, after: Profile.Row?)] {
        var partners = [Int?](repeating: nil, count: after.count)
        var isFree = [Bool](repeating: true, count: before.count)
        func match(_ key: (Profile.Row) -> [String]) {
            var waiting: [[String]: [Int]] = [:]
            for index in before.indices.reversed() where isFree[index] {
                waiting[key(before[index]), default: []] += [index]
            }
            for index in after.indices where partners[index] == nil {
                guard let partner = waiting[key(after[index])]?.popLast() else { continue }
                partners[index] = partner
                isFree[partner] = false
            }
        }
        match { [$0.kernel, $0.variant, $0.shape] }
        match { [$0.kernel, $0.shape] }
        return zip(partners, after).map { ($0.map { before[$0] }, $1) }
            + before.indices.filter { isFree[$0] }.map { (before[$0], nil) }
    }

    private static func warnings(_ before: Profile, _ after: Profile) -> [String] {
        var warnings: [String] = []
        func compare(_ name: String, _ value: (Profile) -> String) {
            guard value(before) != value(after) else { return }
            warnings.append("\(name): \(value(before)) before, \(value(after)) after")
        }
        compare("device", \.header.device)
        compare("driver", \.header.driver)
        compare("Vulkan", \.header.vulkan)
        compare("model", \.header.model)
        compare("mode", \.mode.rawValue)
        if before.mode == .run || after.mode == .run {
            warnings.append(
                "steps of a model have no yardsticks: a machine that was slower as a whole counts as a change")
        }
        return warnings
    }
}

extension Profile.Comparison.Row {
    fileprivate init(
        _ before: Profile.Row, _ oldMode: Profile.Mode, _ after: Profile.Row, _ newMode: Profile.Mode,
        smallestEffect: Double, launch: Double
    ) {
        // Launching was seen to take half as long again, or half, from one run to the next.
        let launching = 2 * launch * Double(after.dispatchCount) / min(before.p50, after.p50)
        let effect = launching.isFinite ? max(smallestEffect, launching) : smallestEffect
        let inYardsticks = !before.yardsticks.isEmpty && !after.yardsticks.isEmpty
        let old = before.observations(oldMode, inYardsticks: inYardsticks)
        let new = after.observations(newMode, inYardsticks: inYardsticks)
        let change = Profile.Comparison.Change(from: old, to: new)
        var verdict = change?.verdict(smallestEffect: effect) ?? .tooNoisy
        if verdict != .same, inYardsticks, !Self.isSteady(before.yardsticks, after.yardsticks) { verdict = .tooNoisy }
        self.init(
            kernel: after.kernel, shape: after.shape, variantBefore: before.variant, variantAfter: after.variant,
            nanosecondsBefore: before.p50, nanosecondsAfter: after.p50, roundsBefore: old.count,
            roundsAfter: new.count, smallestEffect: effect, change: change,
            verdict: verdict)
    }

    /// Whether the machine was the same and at rest: where others used it, they did not slow every kernel alike.
    ///
    /// Within a profile the yardsticks' spread (a standard deviation by the median of the absolute deviations) is a tenth
    /// at most, and their medians differ by a quarter at most. On a software device at rest the spread was a fiftieth, beside a compiler a
    /// fifth, and with that one row in twenty was called changed that was not.
    private static func isSteady(_ before: [Double], _ after: [Double]) -> Bool {
        let medians = [median(before), median(after)]
        let spreads = zip([before, after], medians).map { values, middle in
            1.4826 * median(values.map { abs($0 - middle) }) / middle
        }
        return spreads.allSatisfy { $0 <= 0.1 } && (0.8...1.25).contains(medians[1] / medians[0])
    }
}

extension Profile {
    fileprivate var withoutSamples: Profile {
        var profile = self
        profile.rows = []
        profile.steps = []
        return profile
    }
}
