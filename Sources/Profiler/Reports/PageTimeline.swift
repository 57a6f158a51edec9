import JSON
import Numerics

/// The section "Timeline": one step of each phase, as lanes for the host, the layers and the device's operations.
extension ProfilePage {
    /// Limits the size of the page; a screen cannot show more.
    static let mostDispatches = 1500
    private static let mostSpans = 200

    var timelines: String {
        let parts = tree.phases.compactMap { phase in
            // The step of median duration.
            let steps = profile.steps.enumerated().filter { $0.element.phase == phase }
                .sorted { $0.element.end - $0.element.start < $1.element.end - $1.element.start }
            return steps.isEmpty ? nil : timeline(steps[steps.count / 2].element, number: steps[steps.count / 2].offset)
        }
        if parts.isEmpty { return "" }
        let hint = "<p class=\"muted hint\">Point at a lane, or focus it and use the arrow keys.</p>"
        return section("Timeline", [hint, operationLegend] + parts)
    }

    private func timeline(_ step: Profile.Step, number: Int) -> String? {
        let all = step.dispatches.filter { $0.start.isFinite && $0.end.isFinite && $0.end >= $0.start }
        let spans = step.host.filter { $0.start.isFinite && $0.end.isFinite && $0.end >= $0.start }
        let start = (all.map(\.start) + spans.map(\.start) + [step.start]).filter(\.isFinite).min() ?? 0
        let end = (all.map(\.end) + spans.map(\.end) + [step.end]).filter(\.isFinite).max() ?? 0
        let span = end - start
        guard span > 0, span.isFinite else { return nil }
        let shown = all.sorted { $0.end - $0.start > $1.end - $1.start }.prefix(Self.mostDispatches)
            .sorted { $0.start < $1.start }

        func place(_ from: Double, _ to: Double) -> String {
            "left:\(percent((from - start) / span));width:\(percent((to - from) / span))"
        }
        let hostLane = spans.prefix(Self.mostSpans).map { span in
            let tip = escaped("\(span.name), \(timeText(span.end - span.start))")
            return "<span style=\"\(place(span.start, span.end))\" title=\"\(tip)\">"
                + "\(escaped(span.name))</span>"
        }
        let layerLane = runs(shown).prefix(Self.mostSpans).map { run in
            let name = TimeTree.number(run.name).map { "\($0)" } ?? run.name
            let text = (run.end - run.start) / span > 0.006 * Double(name.count + 1) ? escaped(name) : ""
            return "<span style=\"\(place(run.start, run.end))\" title=\"\(escaped(run.name))\">\(text)</span>"
        }
        var lanes = [lane("host", hostLane.joined()), lane("layer", layerLane.joined(), " layers")]
        for operation in operations {
            let marks = shown.filter { $0.operation == operation }.map { dispatch in
                "M\(coordinate((dispatch.start - start) / span * 1000)) 5h"
                    + coordinate(max(0.6, (dispatch.end - dispatch.start) / span * 1000))
            }
            if marks.isEmpty { continue }
            lanes.append(
                lane(
                    operation,
                    "<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                        + "<path style=\"stroke:\(colour(operation))\" d=\"\(marks.joined())\"/></svg>"))
        }
        let ticks = (0...4).map { tick in
            "<span style=\"left:\(tick * 25)%\">\(tick == 0 ? "0" : timeText(span * Double(tick) / 4))</span>"
        }
        let tokens = "\(step.tokenCount) \(step.tokenCount == 1 ? "token" : "tokens")"
        let title =
            "\(step.phase), step \(number + 1) of \(profile.steps.count): \(tokens), \(timeText(step.end - step.start))"
        var parts = [
            "<div>", "<h3>\(escaped(title))</h3>",
            "<div class=\"timeline\" tabindex=\"0\" role=\"group\" aria-label=\"\(escaped("timeline, \(title)"))\">",
            lanes.joined(separator: "\n"), "<div class=\"axis\">\(ticks.joined())</div>", "</div>",
            "<output class=\"said\"></output>",
            "<script type=\"application/json\">\(data(shown, start: start, span: span))</script>",
        ]
        if shown.count < all.count {
            parts.append(
                "<p class=\"muted\">The \(shown.count) longest of \(all.count) dispatches are drawn; "
                    + "<code>--trace</code> writes all.</p>")
        }
        return (parts + ["</div>"]).joined(separator: "\n")
    }

    private func lane(_ name: String, _ content: String, _ kind: String = "") -> String {
        "<span class=\"name\" title=\"\(escaped(name))\">\(escaped(name))</span>"
            + "<div class=\"lane\(kind)\">\(content)</div>"
    }

    /// Spans of consecutive dispatches of the same layer.
    private func runs(_ dispatches: [Profile.Dispatch]) -> [Profile.Span] {
        var runs: [Profile.Span] = []
        for dispatch in dispatches {
            if let last = runs.last, last.name == dispatch.layer {
                runs[runs.count - 1].end = max(last.end, dispatch.end)
            } else {
                runs.append(Profile.Span(name: dispatch.layer, start: dispatch.start, end: dispatch.end))
            }
        }
        return runs
    }

    /// The script's data: tables of names, then start, length, row, operation and layer of each dispatch as numbers.
    private func data(_ dispatches: [Profile.Dispatch], start: Double, span: Double) -> String {
        var rows = Numbering<Int>()
        var layers = Numbering<String>()
        let entries = dispatches.map { dispatch -> JSONValue in
            [
                JSONValue((dispatch.start - start).rounded()), JSONValue((dispatch.end - dispatch.start).rounded()),
                JSONValue(rows[dispatch.row]), JSONValue(operations.firstIndex(of: dispatch.operation) ?? 0),
                JSONValue(layers[dispatch.layer]),
            ]
        }
        let names = rows.values.map { index in
            let row = profile.rows[index]
            return JSONValue("\(row.kernel), \(row.variant), \(row.shape)")
        }
        let document: JSONValue = [
            "span": JSONValue(span.rounded()), "rows": .array(names),
            "layers": .array(layers.values.map { JSONValue($0) }),
            "operations": .array(operations.map { JSONValue($0) }), "dispatches": .array(entries),
        ]
        // These characters occur only within JSON strings. Escaped, no string can end the script element.
        return document.serialized().map { character in
            switch character {
            case "<": return "\\u003c"
            case ">": return "\\u003e"
            case "&": return "\\u0026"
            default: return String(character)
            }
        }.joined()
    }
}

/// Assigns numbers to values in the order of their first use.
private struct Numbering<Value: Hashable> {
    private(set) var values: [Value] = []
    private var places: [Value: Int] = [:]

    subscript(value: Value) -> Int {
        mutating get {
            if let place = places[value] { return place }
            places[value] = values.count
            values.append(value)
            return values.count - 1
        }
    }
}
