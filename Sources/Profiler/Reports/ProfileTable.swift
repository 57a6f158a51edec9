import Numerics

extension Profile {
    /// The profile as text in lines of at most 120 columns: header, limits, two lines per row (names, then numbers),
    /// the next limit, the model's time by layer, notes.
    ///
    /// If `names` is not empty, shows only rows whose kernel's name contains one of them. Rows are sorted by `column`.
    public func table(sortedBy column: Column = .share, matching names: [String] = []) -> String {
        tableLines(sortedBy: column, matching: names, width: 120).joined(separator: "\n") + "\n"
    }

    private func tableLines(sortedBy column: Column, matching names: [String], width: Int) -> [String] {
        var lines = headerLines(width: width) + [""]
        let tabulation = Tabulation(self)
        let chosen = tabulation.rows(sortedBy: column, matching: names)
        if chosen.isEmpty {
            lines += emptyTable(names, width: width)
        } else {
            lines += TableLines(tabulation, chosen, width: width).lines
            if !tabulation.tellsCode { lines.append("registers, spills: not available on this device") }
        }
        lines += ["", nextLimitLine(width: width)]
        if chosen.contains(where: { $0.share(of: limits) > 1.005 && $0.share(of: limits).isFinite }) {
            lines += wrapped("", Self.aboveLimit.split(separator: " ").map(String.init), width: width)
        }
        if let overhead { lines += wrapped("measuring: ", overhead.words, width: width) }
        let tree = TimeTree(self)
        if !tree.isEmpty { lines += [""] + tree.lines(width: width, count: 40) }
        if !notes.isEmpty { lines.append("") }
        for note in notes { lines += wrapped("note: ", note.split(separator: " ").map(String.init), width: width) }
        return lines
    }

    /// The note for rows that exceed their limit.
    static let aboveLimit =
        "above 100%: faster than the measured limit, for example because caches hold the data that a kernel reads."

    private func emptyTable(_ names: [String], width: Int) -> [String] {
        if rows.isEmpty { return ["no kernel was measured"] }
        var known: [String] = []
        for row in rows where !known.contains(row.kernel) { known.append(row.kernel) }
        return wrapped(
            "no kernel is called \(names.joined(separator: " or ")); measured: ".shortened(to: 60), known, width: width)
    }

    /// `nextLimit` in one line.
    func nextLimitLine(width: Int) -> String {
        guard let (row, saved) = nextLimit else { return "next limit: nothing was measured" }
        guard saved >= 0.0005 else { return "next limit: none, every kernel is as fast as its limit" }
        let total = rows.reduce(0) { $0 + time(of: $1) }
        let text =
            ": \(percentText(time(of: row) / total)) of all time at \(percentText(row.share(of: limits))) of "
            + "\(row.floor(limits).bound.name); reaching it saves \(percentText(saved))"
        let name = "\(row.kernel), \(row.shape)"
        return "next limit: " + name.shortened(to: max(12, width - 12 - text.count)) + text
    }

    func headerLines(width: Int) -> [String] {
        headerFields.flatMap { label, words in wrapped(label.padded(to: 11), words, width: width) }
    }

    /// The header of all outputs, as labels and words.
    var headerFields: [(label: String, words: [String])] {
        let shared = byteText(header.sharedByteCount)
        var fields: [(label: String, words: [String])] = [
            (
                "device",
                [header.device, "(\(header.kind)),", "\(byteText(header.memoryByteCount)),", "\(shared) shared,"]
                    + ["subgroups of \(header.subgroupSize)"]
            ),
            ("driver", ["\(header.driver),", "Vulkan \(header.vulkan)"]),
            ("clocks", header.clocks.isEmpty ? ["not available"] : Self.list(header.clocks)),
            ("limits", Self.list(limits.texts.map { "\($0.label) \($0.text)" })),
            ("model", [header.model]),
            ("commit", [header.commit ?? "not known"]),
            ("command", header.commandLine),
            ("date", [header.date]),
        ]
        if !header.shaders.isEmpty {
            fields.append(("shaders", Self.list(header.shaders.map { "\($0.name) \($0.hash.prefix(8))" })))
        }
        return fields
    }

    private static func list(_ words: [String]) -> [String] { words.dropLast().map { $0 + "," } + words.suffix(1) }
}

extension Profile.Row.Bound {
    /// The limit's name within a sentence.
    var name: String {
        switch self {
        case .memory: return "the copy bandwidth"
        case .arithmetic: return "the FP32 rate"
        case .launch: return "launching"
        }
    }
}

extension Profile.Limits {
    /// The measured limits, as labels and texts with units.
    var texts: [(label: String, text: String)] {
        [
            ("copy", RateUnit.text(copyBytesPerSecond, RateUnit.bytes) ?? missingText),
            ("FP32", RateUnit.text(fp32FlopsPerSecond, RateUnit.flops) ?? missingText),
            ("FP16", RateUnit.text(fp16FlopsPerSecond, RateUnit.flops) ?? "not available"),
            ("matrix units", RateUnit.text(matrixFlopsPerSecond, RateUnit.flops) ?? "not available"),
            ("launch", timeText(launchNanoseconds)), ("marks", timeText(markNanoseconds)),
        ]
    }
}

extension Profile.Overhead {
    /// The overhead of marks in a decode step: markedStep / plainStep − 1.
    var share: Double? { plainStep > 0 ? markedStep / plainStep - 1 : nil }

    /// The measuring overhead and accuracy, as words of a sentence.
    var words: [String] {
        let clocks =
            clockDeviation.map { "host and device clocks within \(timeText($0))" }
            ?? "host and device clocks aligned by submission and completion"
        return [
            "\(percentText(attributed)) of device time attributed;",
            "overhead \(percentText(share)) of a decode step", "(\(timeText(markedStep)) marked,",
            "\(timeText(plainStep)) plain);", clocks,
        ]
    }
}

/// The rows as pairs of lines: names, then numbers.
private struct TableLines {
    var lines: [String] = []

    /// Columns of the second line, right-aligned. Widths include a leading space.
    private static let numbers: [(column: Profile.Column, width: Int)] = [
        (.dispatches, 11), (.total, 9), (.share, 8), (.mean, 9), (.least, 9), (.p50, 9), (.p99, 9), (.bytes, 9),
        (.flops, 9), (.limit, 10), (.bound, 12), (.gap, 10),
    ]
    private static let code: [(column: Profile.Column, width: Int)] = [
        (.registers, 11), (.spills, 8), (.shared, 8), (.subgroup, 10),
    ]

    init(_ tabulation: Tabulation, _ rows: [Profile.Row], width: Int) {
        let code = tabulation.tellsCode ? Self.code : []
        let free = width - code.reduce(0) { $0 + $1.width } - 4
        let kernel = min(26, rows.map(\.kernel.count).max() ?? 0, free)
        let kernelWidth = max(kernel, 6)
        let variantWidth = max(min(28, rows.map(\.variant.count).max() ?? 0), 7)
        let shapeWidth = free - kernelWidth - variantWidth

        func names(_ kernel: String, _ variant: String, _ shape: String, _ rest: [String]) -> String {
            let texts = [(kernel, kernelWidth), (variant, variantWidth), (shape, shapeWidth)]
            return texts.map { $0.shortened(to: $1).padded(to: $1) }.joined(separator: "  ") + rest.joined()
        }
        func cells(_ columns: [(column: Profile.Column, width: Int)], _ text: (Profile.Column) -> String) -> [String] {
            columns.map { text($0.column).shortened(to: $0.width - 1).aligned(right: $0.width) }
        }
        func trimmed(_ line: String) -> String {
            String(line.reversed().drop { $0 == " " }.reversed())
        }
        lines.append(trimmed(names("kernel", "variant", "shape", cells(code, tabulation.title))))
        lines.append(cells(Self.numbers, tabulation.title).joined())
        lines.append(String(repeating: "─", count: width))
        for row in rows {
            lines.append(trimmed(names(row.kernel, row.variant, row.shape, cells(code) { tabulation.text($0, row) })))
            lines.append(cells(Self.numbers) { tabulation.text($0, row) }.joined())
        }
    }
}
