import Numerics
import Profiler

extension Report {
    /// A kernel or a model beside what it is meant to reach.
    struct Target {
        let name: String
        /// On an H200, on RDNA3, on the software device with two cores.
        let wanted: (String, String, String)
        /// Nil where it was not measured.
        var measured: String?
        /// The limit that the figure is a part of, as measured in the same run.
        var share: String?
    }

    /// The rows of the table, whose targets are shares of the limits measured beside them.
    func targets() throws -> [Target] {
        let square = profile("square").flatMap { profile in
            rows(profile, "prefill", ["linear"]).first { $0.shape.contains(" × 4096 to 4096") }.map {
                (profile, $0)
            }
        }
        var targets: [Target] = []
        func add(_ name: String, _ wanted: (String, String, String), _ found: (measured: String, share: String)?) {
            targets.append(Target(name: name, wanted: wanted, measured: found?.measured, share: found?.share))
        }
        add(
            "FP8 GEMV of 58 MB or more (the slowest of V3's)", ("83% of 4.8 TB/s", "85%", "4 GB/s"),
            profile("v3-linear").flatMap { profile in
                rows(profile, "decode", ["linear"]).filter { $0.byteCount >= 58_000_000 && $0.shape.contains("F8") }
                    .min { $0.bytesPerSecond < $1.bytesPerSecond }.map { bandwidth([$0], profile) }
            })
        add(
            "experts' GEMV, V3's 8 of 256", ("80%", "78%", "3.5 GB/s"),
            profile("v3-experts").flatMap { profile in
                let rows = rows(profile, "decode", ["expert_gate_up", "expert_down"])
                return rows.isEmpty ? nil : bandwidth(rows, profile)
            })
        add(
            "FP8 product, 4096³", ("450 TFLOP/s", "60% of matrix rate", "25 GFLOP/s"),
            square.map { arithmetic([$0.1], $0.0, at: tokens($0.1)) })
        add(
            "grouped product, 128 rows an expert (the slower of V3's)",
            ("85% of dense", "85% of dense", "85% of dense"),
            profile("v3-experts").flatMap { profile in
                rows(profile, "prefill", ["grouped_linear"]).min { $0.flopsPerSecond < $1.flopsPerSecond }.map { row in
                    let dense = square.map {
                        percent(row.flopsPerSecond / $0.1.flopsPerSecond) + " of the 4096 × 4096 product"
                    }
                    return (amount(row.flopsPerSecond, "FLOP/s"), dense ?? "no dense product was measured")
                }
            })
        add(
            "MLA decode, 128 heads", ("300 TFLOP/s", "37%", "measured"),
            profile("v3-decode").flatMap { profile in
                let rows = rows(profile, "decode", ["mla_absorbed"])
                return rows.isEmpty ? nil : arithmetic(rows, profile, at: keys(rows))
            })
        add(
            "MLA decode, 16 heads", ("75% of bandwidth", "70%", "measured"),
            profile("moonlight-decode").flatMap { profile in
                let rows = rows(profile, "decode", ["mla_absorbed"])
                return rows.isEmpty ? nil : bandwidth(rows, profile, at: keys(rows))
            })
        add(
            "MLA prefill 192/128, 128 heads", ("350 TFLOP/s", "37%", "measured"),
            profile("v3-prefill").flatMap { profile in
                let rows = rows(profile, "prefill", ["mla_expanded"])
                return rows.isEmpty ? nil : arithmetic(rows, profile, at: keys(rows))
            })
        add(
            "gate of V3, one token", ("4 µs", "6 µs", "measured"),
            profile("v3-experts").flatMap { profile in
                rows(profile, "decode", ["expert_gate"]).first.map {
                    (
                        "\(fixed($0.p50 / 1000, 1)) µs",
                        "a launch: \(fixed(profile.limits.launchNanoseconds / 1000, 1)) µs"
                    )
                }
            })
        add(
            "Moonlight FP8 decode", ("700 tokens/s", "200 tokens/s", "–"),
            try syntheticModel("moonlight").map { model in
                let decode = try model["decode"]
                return (
                    "\(fixed(try decode["tokens_per_second"].double(), 1)) tokens/s",
                    try decode["share_of_copy"].present.map { try percent($0.double()) + " of the copy bandwidth" }
                        ?? "-"
                )
            })
        return targets
    }

    private func rows(_ profile: Profile, _ phase: String, _ kernels: [String]) -> [Profile.Row] {
        profile.rows.filter { kernels.contains($0.kernel) && $0.shape.hasPrefix(phase) }
    }

    /// ", 128 rows", where a square product has fewer than 4096.
    private func tokens(_ row: Profile.Row) -> String {
        let words = row.shape.split(separator: " ")
        guard let sign = words.firstIndex(of: "×"), sign > 0, words[sign - 1] != "4096" else { return "" }
        return ", \(words[sign - 1]) rows"
    }

    /// ", 8192 keys", where the rows' names say so.
    private func keys(_ rows: [Profile.Row]) -> String {
        let words = rows[0].shape.split { $0 == " " || $0 == ":" || $0 == "," }
        return words.firstIndex(of: "keys").map { ", \(words[$0 - 1]) keys" } ?? ""
    }

    /// What kernels that run one after another move in a second, and which part of a copy's rate that is.
    private func bandwidth(
        _ rows: [Profile.Row], _ profile: Profile, at size: String = ""
    ) -> (measured: String, share: String) {
        let rate = rate(rows, \.byteCount)
        let limit = profile.limits.copyBytesPerSecond
        return (amount(rate, "B/s") + size, "\(percent(rate / limit)) of the copy's \(amount(limit, "B/s"))")
    }

    /// What they compute in a second, and which part of the fastest arithmetic's rate that is.
    private func arithmetic(
        _ rows: [Profile.Row], _ profile: Profile, at size: String = ""
    ) -> (measured: String, share: String) {
        let rate = rate(rows, \.flopCount)
        let limit = profile.limits.fastestFlopsPerSecond
        let name = limit == profile.limits.matrixFlopsPerSecond ? "matrix units'" : "arithmetic's"
        return (amount(rate, "FLOP/s") + size, "\(percent(rate / limit)) of the \(name) \(amount(limit, "FLOP/s"))")
    }

    private func rate(_ rows: [Profile.Row], _ count: (Profile.Row) -> Int) -> Double {
        rows.reduce(0) { $0 + Double(count($1)) } / rows.reduce(0) { $0 + $1.p50 } * 1e9
    }

    func percent(_ share: Double) -> String { fixed(share * 100, 1) + "%" }
}
