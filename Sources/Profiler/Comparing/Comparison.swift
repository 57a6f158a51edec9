import Numerics

extension Profile {
    /// Compares two profiles: which rows became slower or faster.
    ///
    /// The observations of a row are the medians of its rounds: rounds are spread over the run, whereas the samples of
    /// one round are consecutive and not independent. For isolated kernels each median is divided by the round's
    /// yardstick, so that a machine that is slower as a whole makes no difference. `Change.verdict` decides.
    public struct Comparison: Sendable {
        /// The verdicts slower and faster require p below this. It is half the intended rate of false alarms, 1 row in
        /// 100, because rounds are not fully independent.
        public static let significance = 0.005

        /// The compared profiles, without rows and steps.
        public let before, after: Profile
        /// The smallest change that counts as slower or faster: 0.05 means a factor of 1.05 or its inverse. A row in
        /// which launch time dominates needs a larger change, since launch time varies between runs of one build.
        public let smallestEffect: Double
        /// Rows in both profiles, in the later profile's order.
        public let rows: [Row]
        /// Rows only in the earlier profile, and only in the later one.
        public let removed, added: [Profile.Row]
        /// The median yardstick of the later profile divided by that of the earlier one; nil if either has no
        /// yardsticks.
        public let machineRatio: Double?
        /// Differences other than the kernels that may explain changes, as sentences.
        public let warnings: [String]

        /// One kernel at one shape, in both profiles.
        public struct Row: Sendable, Equatable {
            public var kernel, shape: String
            /// Equal unless the later program chose another variant for this shape.
            public var variantBefore, variantAfter: String
            /// Median times of one use.
            public var nanosecondsBefore, nanosecondsAfter: Double
            /// Numbers of observations.
            public var roundsBefore, roundsAfter: Int
            /// The smallest change that counts for this row; see `Comparison.smallestEffect`.
            public var smallestEffect: Double
            /// Nil if a round's median is not above 0, that is, not above the cost of the marks.
            public var change: Change?
            public var verdict: Verdict
        }

        /// Times measured on two devices do not show the effect of a change to the kernels.
        public struct DevicesDiffer: Error, Equatable, CustomStringConvertible {
            public let before, after: String
            public var description: String {
                "device: expected \(before), as in the first profile, found \(after)"
            }
        }

        /// - Parameters:
        ///   - smallestEffect: above 0.
        ///   - force: accept profiles of different devices.
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

    /// If nothing changed, the expected number of rows that are called slower or faster, at most.
    public var expectedFalseAlarms: Double { Self.significance * Double(rows.count) }

    /// The exit code of `profile compare`: 2 if a row is slower; else 3 if a row is too noisy, a row is missing in the
    /// later profile, or there are no rows to compare; else 0.
    public var exitCode: Int32 {
        if count(.slower) > 0 { return 2 }
        return count(.tooNoisy) > 0 || !removed.isEmpty || rows.isEmpty ? 3 : 0
    }

    /// Names of the shaders that are in both profiles with different hashes.
    public var changedShaders: [String] {
        let old = Dictionary(before.header.shaders.map { ($0.name, $0.hash) }) { first, _ in first }
        return after.header.shaders.filter { old[$0.name, default: $0.hash] != $0.hash }.map(\.name)
    }

    /// Pairs rows of equal kernel, variant and shape, then the remaining rows of equal kernel and shape. Returns them
    /// in the later profile's order, then the unpaired rows of the earlier one.
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
                "steps of a model have no yardsticks: if the machine as a whole was slower, that appears as a change")
        }
        return warnings
    }
}

extension Profile.Comparison.Row {
    fileprivate init(
        _ before: Profile.Row, _ oldMode: Profile.Mode, _ after: Profile.Row, _ newMode: Profile.Mode,
        smallestEffect: Double, launch: Double
    ) {
        // Launch time was observed to vary by 50% between runs of one build.
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

    /// Whether the machine was equally fast and idle in both runs. Other load slows kernels by different factors, which
    /// the yardstick does not correct.
    ///
    /// True if, within each profile, the spread of the yardsticks (1.4826 times the median absolute deviation, over the
    /// median) is at most 0.1, and if their medians differ by at most a factor of 1.25. On an idle software device the
    /// spread was 0.02; with a compiler running it was 0.2, and 1 unchanged row in 20 was called changed.
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
