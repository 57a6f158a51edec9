import JSON

extension Profile.Comparison {
    /// The version of the JSON that `json` writes.
    public static let formatVersion = 1

    /// The document of `profile compare --json`: both profiles' headers and limits, the parameters of the rule, the
    /// rows, and the rows that only one profile has.
    public var json: JSONValue {
        [
            "format": "fathom-comparison", "version": JSONValue(Self.formatVersion),
            "before": before.head, "after": after.head,
            "smallest_effect": JSONValue(smallestEffect), "significance": JSONValue(Self.significance),
            "machine_ratio": machineRatio.map { JSONValue($0) } ?? .null,
            "changed_shaders": .array(changedShaders.map { JSONValue($0) }),
            "warnings": .array(warnings.map { JSONValue($0) }),
            "rows": .array(rows.map(\.json)),
            "removed": .array(removed.map(\.name)), "added": .array(added.map(\.name)),
            "counts": .object(Verdict.allCases.map { JSONMember($0.rawValue, JSONValue(count($0))) }),
            "expected_false_alarms": JSONValue(expectedFalseAlarms), "exit_code": JSONValue(exitCode),
        ]
    }

    /// CSV by RFC 4180: a header line, then one line per row. Rows that only one profile has come last.
    public var csv: String {
        var lines = [
            "kernel,shape,variant_before,variant_after,before_ns,after_ns,rounds_before,rounds_after,ratio,ratio_low,"
                + "ratio_high,p,smallest_effect,verdict"
        ]
        func add(_ names: [String], _ numbers: [String?], _ verdict: String) {
            lines.append((names.map(quoted) + numbers.map { $0 ?? "" } + [verdict]).joined(separator: ","))
        }
        let nothing = [String?](repeating: nil, count: 7)
        for row in rows {
            let change = row.change
            let factors = [change?.ratio, change?.interval?.lowerBound, change?.interval?.upperBound, change?.p]
            add(
                [row.kernel, row.shape, row.variantBefore, row.variantAfter],
                ["\(row.nanosecondsBefore)", "\(row.nanosecondsAfter)", "\(row.roundsBefore)", "\(row.roundsAfter)"]
                    + factors.map { $0.map { "\($0)" } } + ["\(row.smallestEffect)"], row.verdict.rawValue)
        }
        for row in removed { add([row.kernel, row.shape, row.variant, ""], ["\(row.p50)", nil] + nothing, "removed") }
        for row in added { add([row.kernel, row.shape, "", row.variant], [nil, "\(row.p50)"] + nothing, "added") }
        return lines.map { $0 + "\r\n" }.joined()
    }
}

extension Profile.Comparison.Row {
    fileprivate var json: JSONValue {
        func number(_ value: Double?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
        return [
            "kernel": JSONValue(kernel), "shape": JSONValue(shape), "variant_before": JSONValue(variantBefore),
            "variant_after": JSONValue(variantAfter), "before_ns": number(nanosecondsBefore),
            "after_ns": number(nanosecondsAfter), "rounds_before": JSONValue(roundsBefore),
            "rounds_after": JSONValue(roundsAfter), "ratio": number(change?.ratio),
            "ratio_low": number(change?.interval?.lowerBound), "ratio_high": number(change?.interval?.upperBound),
            "p": number(change?.p), "smallest_effect": number(smallestEffect), "verdict": JSONValue(verdict.rawValue),
        ]
    }
}

extension Profile.Row {
    fileprivate var name: JSONValue {
        [
            "kernel": JSONValue(kernel), "shape": JSONValue(shape), "variant": JSONValue(variant),
            "median_ns": JSONValue(p50),
        ]
    }
}

extension Profile {
    fileprivate var head: JSONValue {
        ["mode": JSONValue(mode.rawValue), "header": header.json, "limits": limits.json]
    }
}

/// A CSV field, quoted if necessary.
private func quoted(_ text: String) -> String {
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}
