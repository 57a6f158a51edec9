/// The steps' device time by phase, as a tree: layer → operation → kernel.
struct TimeTree {
    struct Node {
        var name: String
        /// Nanoseconds per phase.
        var times: [Double]
        var children: [Node] = []

        var total: Double { times.reduce(0, +) }
    }

    /// In the order of their first steps: "prefill", "decode".
    let phases: [String]
    /// Layers with the same operations and kernels, merged; in the order of the model.
    private(set) var groups: [Node] = []
    /// Single layers.
    private(set) var layers: [Node] = []
    /// Per phase, the time between the end of a dispatch and the start of the next one of the same step.
    private(set) var gaps: [Double]
    /// Per phase, the time of dispatches and gaps.
    private(set) var totals: [Double]

    var isEmpty: Bool { layers.isEmpty }

    private struct Use: Hashable { var operation, kernel: String }

    init(_ profile: Profile) {
        var phases: [String] = []
        for step in profile.steps where !phases.contains(step.phase) { phases.append(step.phase) }
        self.phases = phases
        let none = phases.map { _ in 0.0 }
        gaps = none
        totals = none

        var order: [String] = []
        var uses: [String: [Use]] = [:]
        var times: [String: [Use: [Double]]] = [:]
        for step in profile.steps {
            let phase = phases.firstIndex(of: step.phase)!
            var end: Double?
            for dispatch in step.dispatches {
                let use = Use(operation: dispatch.operation, kernel: profile.rows[dispatch.row].kernel)
                if uses[dispatch.layer] == nil { order.append(dispatch.layer) }
                if times[dispatch.layer]?[use] == nil { uses[dispatch.layer, default: []].append(use) }
                times[dispatch.layer, default: [:]][use, default: none][phase] += max(0, dispatch.end - dispatch.start)
                if let end { gaps[phase] += max(0, dispatch.start - end) }
                end = max(end ?? dispatch.end, dispatch.end)
            }
        }
        var kinds: [[Use]: Int] = [:]
        var numbers: [[Int]] = []
        for layer in order {
            let node = Self.node(layer, uses[layer]!, times[layer]!, none)
            layers.append(node)
            for (phase, time) in node.times.enumerated() { totals[phase] += time }
            guard let number = Self.number(layer) else {
                groups.append(node)
                numbers.append([])
                continue
            }
            if let kind = kinds[uses[layer]!] {
                groups[kind].add(node)
                numbers[kind].append(number)
            } else {
                kinds[uses[layer]!] = groups.count
                groups.append(node)
                numbers.append([number])
            }
        }
        for (group, numbers) in numbers.enumerated() where numbers.count > 1 {
            groups[group].name = "layers \(Self.ranges(numbers.sorted()))"
        }
        for phase in phases.indices { totals[phase] += gaps[phase] }
    }

    private static func node(_ name: String, _ uses: [Use], _ times: [Use: [Double]], _ none: [Double]) -> Node {
        var layer = Node(name: name, times: none)
        for use in uses {
            let kernel = Node(name: use.kernel, times: times[use]!)
            layer.add(
                Node(
                    name: name, times: kernel.times,
                    children: [Node(name: use.operation, times: kernel.times, children: [kernel])]))
        }
        return layer
    }

    /// The number in a layer's name, such as "layer 3"; nil if there is none.
    static func number(_ layer: String) -> Int? { layer.hasPrefix("layer ") ? Int(layer.dropFirst(6)) : nil }

    /// Ascending numbers as ranges: "0–2, 5".
    static func ranges(_ numbers: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }
            .joined(separator: ", ")
    }
}

extension TimeTree.Node {
    /// Adds the times of another node; merges children by name.
    mutating func add(_ other: Self) {
        for phase in times.indices { times[phase] += other.times[phase] }
        for child in other.children {
            if let place = children.firstIndex(where: { $0.name == child.name }) {
                children[place].add(child)
            } else {
                children.append(child)
            }
        }
    }
}

extension TimeTree {
    /// A header and one line per node, at most `count` lines: omits the nodes with the smallest shares.
    func lines(width: Int, count: Int) -> [String] {
        let shown = phases.prefix(4).indices
        let nameWidth = width - 18 * shown.count
        func line(_ name: String, _ cells: [(String, String)]) -> String {
            name.shortened(to: nameWidth).padded(to: nameWidth)
                + cells.map { $0.shortened(to: 9).aligned(right: 10) + $1.aligned(right: 8) }.joined()
        }
        func values(_ times: [Double]) -> [(String, String)] {
            shown.map { phase in
                times[phase] == 0
                    ? (missingText, "")
                    : (timeText(times[phase]), percentText(totals[phase] > 0 ? times[phase] / totals[phase] : nil))
            }
        }
        let head = line("layer → operation → kernel", shown.map { (phases[$0], "") })
        let tail = [line("between dispatches", values(gaps)), line("all", values(totals))]
        let entries = entries
        let ranked = entries.indices.sorted { entries[$0].share > entries[$1].share }
        let room = count - 2 - tail.count
        let chosen = entries.count <= count - 1 - tail.count ? Set(entries.indices) : Set(ranked.prefix(room))
        var lines = [head]
        for (place, entry) in entries.enumerated() where chosen.contains(place) {
            lines.append(line(String(repeating: "  ", count: entry.depth) + entry.name, values(entry.times)))
        }
        if chosen.count < entries.count {
            lines.append("(\(entries.count - chosen.count) smaller ones are not shown)")
        }
        return lines + tail
    }

    /// Nodes in the order of the tree. A parent's share is larger than its children's, so that a child is never shown
    /// without its parents. An operation with a single kernel is one entry.
    private var entries: [(name: String, depth: Int, times: [Double], share: Double)] {
        var entries: [(name: String, depth: Int, times: [Double], share: Double)] = []
        func add(_ node: Node, _ depth: Int, under bound: Double) {
            let shares = phases.indices.map { totals[$0] > 0 ? node.times[$0] / totals[$0] : 0 }
            // Reduces the share slightly at each level, so that parents sort before their children.
            let share = min(shares.max() ?? 0, bound) * (1 - 1e-9)
            let single = depth == 1 && node.children.count == 1
            let name = single ? "\(node.name): \(node.children[0].name)" : node.name
            entries.append((name, depth, node.times, share))
            if !single { for child in node.children { add(child, depth + 1, under: share) } }
        }
        for group in groups { add(group, 0, under: .infinity) }
        return entries
    }
}
