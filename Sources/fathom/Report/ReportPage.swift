import JSON
import Numerics
import Profiler

extension Report {
    /// The page for people.
    var markdown: String {
        get throws {
            var lines = ["# \(device.name)", ""]
            lines.append(introduction)
            lines += [
                "", "\(device.driver), \(device.kind) · fathom \(commit ?? "built outside a checkout") · \(date)", "",
            ]
            if let limits = profiles.first?.profile.limits { lines += ["Limits: \(limits.text).", ""] }
            if let selfTest {
                let isWhole = failure(of: "selftest") == nil || !selfTest.failures.isEmpty
                let counts = "\(selfTest.passed) cases passed, \(selfTest.failures.count) failed"
                lines += ["`fathom selftest`: \(counts)\(isWhole ? "." : "; it did not come to its end.")", ""]
                lines += selfTest.failures.map { "- \($0)" } + (selfTest.failures.isEmpty ? [] : [""])
            }
            lines += ["## Kernels beside their targets", ""]
            lines += table(
                ["kernel", "measured", "of the measured limit", "target: H200", "RDNA3", "software, 2 cores"],
                try targets().map {
                    [$0.name, $0.measured ?? "not measured", $0.share ?? "-", $0.wanted.0, $0.wanted.1, $0.wanted.2]
                })
            lines += ["", "## Synthetic models", ""]
            lines += table(
                ["model", "prefill tokens/s", "decode tokens/s", "bytes a token", "of copy", "device memory"],
                try synthetic.map(row))
            if let torch { lines += ["", "## PyTorch on the same device", ""] + (try torchTable(torch)) }
            if case .object(let members)? = start {
                let times = members.compactMap { member -> String? in
                    guard case .number(let number) = member.value, let seconds = number.double else { return nil }
                    return "\(member.key) \(fixed(seconds, 2)) s"
                }
                lines += [
                    "", "Start of `fathom chat` to the first token of an answer: \(times.joined(separator: ", ")).",
                ]
            }
            let failed = parts.filter { $0.failure != nil }
            if !failed.isEmpty {
                lines += ["", "## What failed", ""] + failed.map { "- \($0.name), \($0.seconds) s: \($0.failure!)" }
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }

    private var introduction: String {
        switch device.kind {
        case "none": "**No GPU was at hand, nor any other Vulkan device: there are no figures.**"
        case _ where isWithoutGPU:
            "**No GPU was at hand: no figure here comes from one.** This is the software device, a processor at work; "
                + "sizes are small, so that the run ends."
        default: "Measured by `Tools/gpu-report`; each share is of a limit measured in the same run."
        }
    }

    private func row(_ model: JSONField) throws -> [String] {
        func rate(_ phase: String) throws -> String {
            let speed = try model[phase]
            let (least, most) = (try speed["min"].double(), try speed["max"].double())
            return
                "\(fixed(try speed["tokens_per_second"].double(), 1)) (\(fixed(least, 1)) to \(fixed(most, 1))), \(try speed["tokens"].int())"
        }
        let decode = try model["decode"]
        return [
            try model["model"].string(), try rate("prefill"), try rate("decode"),
            amount(try decode["bytes_per_token"].double(), "B"),
            try decode["share_of_copy"].present.map { percent(try $0.double()) } ?? "-",
            try model["peak_device_bytes"].present.map { byteText(try $0.int()) } ?? "-",
        ]
    }

    private func torchTable(_ torch: JSONField) throws -> [String] {
        try ["PyTorch \(torch["version"].string()), \(torch["device"].string())", ""]
            + table(
                ["operation", "measured"],
                torch["rows"].array().map { row in
                    let failure = try row["failure"].present.map { try $0.string() }
                    let rate = try row["per_second"].present.map {
                        try amount($0.double(), row["unit"].string() + "/s")
                    }
                    return [try row["name"].string(), failure ?? rate ?? "-"]
                })
    }

    private func table(_ head: [String], _ rows: [[String]]) -> [String] {
        guard !rows.isEmpty else { return ["None was measured."] }
        // A failure's message may hold what ends a cell.
        func line(_ cells: [String]) -> String {
            "| "
                + cells.map { $0.split(whereSeparator: \.isNewline).joined(separator: " ") }
                .map { $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") }
                .joined(separator: " | ") + " |"
        }
        return [line(head), "|" + head.map { _ in "---|" }.joined()] + rows.map(line)
    }

    // MARK: JSON

    /// The document for programs: everything but the raw samples.
    var json: JSONValue {
        get throws {
            func optional(_ text: String?) -> JSONValue { text.map { JSONValue($0) } ?? .null }
            return [
                "format": "fathom-gpu-report", "version": 1, "gpu": JSONValue(!isWithoutGPU),
                "device": JSONValue(device.name), "kind": JSONValue(device.kind), "driver": JSONValue(device.driver),
                "commit": optional(commit), "date": JSONValue(date),
                "parts": .array(
                    parts.map {
                        [
                            "name": JSONValue($0.name), "seconds": JSONValue($0.seconds),
                            "failure": optional($0.failure),
                        ]
                    }),
                "devices": .array(devices),
                "selftest": selfTest.map {
                    ["passed": JSONValue($0.passed), "failures": .array($0.failures.map { JSONValue($0) })]
                } ?? .null,
                "targets": .array(
                    try targets().map {
                        [
                            "name": JSONValue($0.name), "measured": optional($0.measured), "share": optional($0.share),
                            "h200": JSONValue($0.wanted.0), "rdna3": JSONValue($0.wanted.1),
                            "software": JSONValue($0.wanted.2),
                        ]
                    }),
                "kernels": .array(profiles.map { part, profile in summary(part, profile) }),
                "synthetic": .array(synthetic.compactMap(\.content)), "start": start ?? .null,
                "torch": torch?.content ?? .null,
            ]
        }
    }

    private func summary(_ part: String, _ profile: Profile) -> JSONValue {
        [
            "part": JSONValue(part), "limits": profile.limits.json,
            "rows": .array(
                profile.rows.map { row in
                    let floor = row.floor(profile.limits)
                    return [
                        "kernel": JSONValue(row.kernel), "variant": JSONValue(row.variant),
                        "shape": JSONValue(row.shape), "bytes": JSONValue(row.byteCount),
                        "flops": JSONValue(row.flopCount), "samples": JSONValue(row.samples.count),
                        "p50_ns": JSONValue(row.p50), "min_ns": JSONValue(row.least), "p99_ns": JSONValue(row.p99),
                        "bound": JSONValue(floor.bound.rawValue),
                        "share_of_bound": JSONValue(row.share(of: profile.limits)),
                        "check": row.check.map { JSONValue($0) } ?? .null,
                    ]
                }),
            "notes": .array(profile.notes.map { JSONValue($0) }),
        ]
    }
}
