import Numerics

extension Profile.Comparison {
    /// The comparison as text in lines of at most 120 columns: both profiles' headers, the rows grouped by kernel, the
    /// summary.
    public var table: String {
        var lines = heading
        lines.append("")
        lines.append(line("", "before", "after", "change", "95% confidence", "p", "counts", "verdict"))
        var last = ""
        for row in rows {
            let title = Self.title(row.kernel, row.variantBefore, row.variantAfter)
            if title != last { lines += folded(title, indent: 4) }
            last = title
            let change = row.change
            lines.append(
                line(
                    row.shape, timeText(row.nanosecondsBefore), timeText(row.nanosecondsAfter),
                    change.map { percent($0.ratio) } ?? "-", change?.interval.map(percent) ?? "-",
                    change.map { $0.p < 0.001 ? "<0.001" : fixed($0.p, 3) } ?? "-",
                    "\(fixed(min(row.smallestEffect, 9.99) * 100, 0))%", row.verdict.rawValue))
        }
        for (name, only) in [("only before", removed), ("only after", added)] where !only.isEmpty {
            lines.append("\(name):")
            for row in only {
                lines += folded(
                    "  \(Self.title(row.kernel, row.variant, row.variant)) | \(row.shape) | \(timeText(row.p50))",
                    indent: 4)
            }
        }
        return (lines + [""] + folded(summary) + folded(rule)).joined(separator: "\n") + "\n"
    }

    /// The number of rows of each verdict, and the expected number of false alarms.
    public var summary: String {
        let counts = Verdict.allCases.map { "\(count($0)) \($0.rawValue)" }.joined(separator: ", ")
        return
            "\(counts), \(removed.count) only before, \(added.count) only after. If nothing had changed, chance would "
            + "call at most \(fixed(expectedFalseAlarms, 2)) of \(rows.count) rows slower or faster."
    }

    private var rule: String {
        let effect = "\(fixed(smallestEffect * 100, 1))%"
        return
            "Slower and faster: a change of at least \(effect) (more for rows dominated by launches), "
            + "p < \(Self.significance), and an interval that excludes half of that change. "
            + "Same: the interval excludes every change of \(effect)."
    }

    private var heading: [String] {
        var lines: [String] = []
        for (name, profile) in [("before", before), ("after ", after)] {
            let (header, limits) = (profile.header, profile.limits)
            let rates = [
                "copy \(fixed(limits.copyBytesPerSecond / 1e9, 1)) GB/s",
                "FP32 \(fixed(limits.fp32FlopsPerSecond / 1e12, 3)) TFLOP/s",
            ]
            let parts =
                ["\(header.date), commit \(header.commit ?? "unknown"): \(header.commandLine.joined(separator: " "))"]
                + [(["\(header.device), \(header.driver)"] + rates + header.clocks).joined(separator: ", ")]
            for (index, part) in parts.enumerated() {
                lines += folded("\(index == 0 ? name : "      ")  \(part)", indent: 8)
            }
        }
        if let machineRatio {
            lines.append("machine \(percent(machineRatio)) by the yardsticks; the changes below are relative to that")
        }
        lines += folded(
            "shaders \(changedShaders.isEmpty ? "the same" : "changed: " + changedShaders.joined(separator: ", "))",
            indent: 8)
        for warning in warnings { lines += folded("warning \(warning)", indent: 8) }
        return lines
    }

    private static func title(_ kernel: String, _ before: String, _ after: String) -> String {
        if before != after { return "\(kernel): \(before) before, \(after) after" }
        return before == kernel ? kernel : "\(kernel): \(before)"
    }
}

/// One line of the table: a shape, six right-aligned columns and the verdict.
private func line(
    _ shape: String, _ before: String, _ after: String, _ change: String, _ interval: String, _ p: String,
    _ effect: String, _ verdict: String
) -> String {
    let columns = [(before, 9), (after, 9), (change, 8), (interval, 18), (p, 6), (effect, 6)]
    let numbers = columns.map { "  " + spaces($1 - $0.count) + $0 }.joined()
    let name = shortened(shape, to: 38)
    return "  \(name)\(spaces(38 - name.count))\(numbers)  \(verdict)"
}

private func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

/// A text that is too long, shortened in the middle: shapes have their sizes at the end.
private func shortened(_ text: String, to width: Int) -> String {
    text.count <= width ? text : "\(text.prefix(width / 2))…\(text.suffix(width - width / 2 - 1))"
}

/// Wraps a text at spaces, if possible, into lines of at most 120 columns; all but the first are indented by `indent`.
private func folded(_ text: String, indent: Int = 0) -> [String] {
    var lines: [String] = []
    var rest = text[...]
    while rest.count > 120 - (lines.isEmpty ? 0 : indent) {
        let line = rest.prefix(120 - (lines.isEmpty ? 0 : indent))
        // Does not break within the text's own indentation.
        let end = line.lastIndex(of: " ").flatMap { rest[..<$0].allSatisfy { $0 == " " } ? nil : $0 } ?? line.endIndex
        lines.append(spaces(lines.isEmpty ? 0 : indent) + rest[..<end])
        rest = rest[end...].drop { $0 == " " }
    }
    return lines + [spaces(lines.isEmpty ? 0 : indent) + rest]
}

/// A ratio as a change: 1.1 becomes "+10.0%".
private func percent(_ ratio: Double) -> String {
    let change = (ratio - 1) * 100
    let text = change < 1000 ? fixed(change, 1) : change < 100_000 ? fixed(change, 0) : ">99999"
    return "\(text.hasPrefix("-") || text.hasPrefix(">") ? "" : "+")\(text)%"
}

private func percent(_ interval: ClosedRange<Double>) -> String {
    "\(percent(interval.lowerBound)) to \(percent(interval.upperBound))"
}
