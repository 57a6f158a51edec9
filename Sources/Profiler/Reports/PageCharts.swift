import Numerics

/// Charts: bars of time by kernel, columns of time by layer.
extension ProfilePage {
    private static let mostBars = 20

    /// The section "Time by kernel": one chart per phase of the steps, or one chart for a profile of isolated kernels.
    var kernels: String {
        var charts: [String] = []
        for (phase, name) in tree.phases.enumerated() {
            var times: [(name: String, time: Double)] = []
            for layer in tree.layers {
                for kernel in layer.children.flatMap(\.children) { add(kernel.times[phase], kernel.name, to: &times) }
            }
            times.append(("between dispatches", tree.gaps[phase]))
            let steps = profile.steps.count { $0.phase == name }
            charts.append(
                "<div><h3>\(escaped(name)), \(steps) \(steps == 1 ? "step" : "steps")</h3>\n\(bars(times))</div>")
        }
        if charts.isEmpty {
            var times: [(name: String, time: Double)] = []
            for row in profile.rows { add(profile.time(of: row), row.kernel, to: &times) }
            if times.isEmpty { return "" }
            let caption =
                profile.mode == .kernels
                ? "The sum of the kernel's median times, one use at each of its shapes." : "The sum of all samples."
            charts.append("<div><p class=\"muted\">\(caption)</p>\n\(bars(times))</div>")
        }
        let single = charts.count == 1 ? " one" : ""
        return section("Time by kernel", ["<div class=\"pair\(single)\">"] + charts + ["</div>"])
    }

    private func add(_ time: Double, _ name: String, to times: inout [(name: String, time: Double)]) {
        guard time.isFinite else { return }
        if let place = times.firstIndex(where: { $0.name == name }) {
            times[place].time += time
        } else {
            times.append((name, time))
        }
    }

    private func bars(_ times: [(name: String, time: Double)]) -> String {
        let total = times.reduce(0) { $0 + $1.time }
        var sorted = times.filter { $0.time > 0 }.sorted { $0.time > $1.time }
        if sorted.count > Self.mostBars {
            let rest = sorted[(Self.mostBars - 1)...]
            sorted = sorted.prefix(Self.mostBars - 1) + [("\(rest.count) others", rest.reduce(0) { $0 + $1.time })]
        }
        let largest = sorted.map(\.time).max() ?? 1
        let items = sorted.map { name, time in
            "<li><span class=\"name\" title=\"\(escaped(name))\">\(escaped(name))</span><div class=\"track\">"
                + "<div class=\"bar\" style=\"width:\(percent(time / largest))\"></div></div>"
                + "<span class=\"value\">\(timeText(time)) · \(percentText(time / total))</span></li>"
        }
        return "<ul class=\"bars\">\n" + items.joined(separator: "\n") + "\n</ul>"
    }

    /// The section "Time by layer": for each phase a chart with one column per layer, stacked by operation.
    var layers: String {
        if tree.isEmpty { return "" }
        let numbered = tree.layers.filter { TimeTree.number($0.name) != nil }
        let charts = tree.phases.indices.map { "<div>\(columns(numbered, phase: $0))</div>" }
        let single = charts.count == 1 ? " one" : ""
        return section(
            "Time by layer", [operationLegend, "<div class=\"pair\(single)\">"] + charts + ["</div>"])
    }

    var operationLegend: String {
        let items = operations.map { "<li><i style=\"background:\(colour($0))\"></i>\(escaped($0))</li>" }
        return "<ul class=\"legend\">" + items.joined() + "</ul>"
    }

    private func columns(_ layers: [TimeTree.Node], phase: Int) -> String {
        let largest = layers.map { $0.times[phase] }.max() ?? 0
        var parts = ["<h3>\(escaped(tree.phases[phase]))</h3>"]
        if largest > 0 {
            let columns = layers.map { layer in
                let pieces = layer.children.filter { $0.times[phase] > 0 }
                let parts = pieces.map { "\($0.name) \(timeText($0.times[phase]))" }.joined(separator: ", ")
                let tip = escaped("\(layer.name): \(timeText(layer.times[phase])) (\(parts))")
                let stack = pieces.map { piece in
                    "<i style=\"height:\(percent(piece.times[phase] / layer.times[phase]));"
                        + "background:\(colour(piece.name))\"></i>"
                }
                return "<div style=\"height:\(percent(layer.times[phase] / largest))\" "
                    + "title=\"\(tip)\">\(stack.joined())</div>"
            }
            // With many layers, labels only every fifth or tenth one.
            let every = layers.count > 40 ? 10 : layers.count > 12 ? 5 : 1
            let ticks = layers.map { layer in
                let number = TimeTree.number(layer.name) ?? 0
                return "<span>\(number % every == 0 ? "\(number)" : "")</span>"
            }
            parts += [
                "<div class=\"scale\"><span>\(timeText(largest))</span><span>all steps</span></div>",
                "<div class=\"columns\" role=\"img\" aria-label=\"\(escaped("time by layer, \(tree.phases[phase])"))\">"
                    + columns.joined(separator: "\n") + "</div>", "<div class=\"ticks\">\(ticks.joined())</div>",
            ]
        }
        let others = tree.layers.filter { TimeTree.number($0.name) == nil && $0.times[phase] > 0 }
            .map { "\($0.name) \(timeText($0.times[phase]))" }
        if !others.isEmpty {
            parts.append("<p class=\"muted\">Besides: \(escaped(others.joined(separator: ", "))).</p>")
        }
        return parts.joined(separator: "\n")
    }

    /// A fraction as a CSS percentage, clamped to 0 … 100%.
    func percent(_ part: Double) -> String {
        part.isFinite ? "\(coordinate(max(0, min(1, part)) * 100))%" : "0%"
    }
}
