import Foundation
import JSON
import Testing

/// Tools/gpu-report: the parts' outputs become a page and a document, whatever went wrong with some of them.
@Suite(.serialized) struct ReportTests {
    private let folder: TemporaryFolder
    private let output: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        output = try TemporaryFolder()
    }

    /// A device of `kind`, and a profile with two products at 1 ms for 100 MB and 0.02 ms for 10 MB.
    private func writeParts(kind: String, squareRows: Int? = nil) throws {
        let row = { (shape: String, bytes: Int, nanoseconds: Int) in
            """
            {"kernel": "linear", "variant": "gemv 3", "shape": "\(shape)", "dispatches": 1, "bytes": \(bytes), "flops": 8,
             "samples_ns": [\(nanoseconds)], "round_sizes": [1], "yardsticks_ns": [9], "check": "ok", "code": null}
            """
        }
        let profile = """
            {"format": "fathom-profile", "version": 1, "mode": "kernels",
             "header": {"device": "Card", "kind": "\(kind)", "driver": "d", "vulkan": "1.3.0", "subgroup_size": 32,
              "shared_bytes": 1, "memory_bytes": 1, "clocks": [], "shaders": {}, "commit": null, "command_line": [],
              "date": "", "model": "v3"},
             "limits": {"copy_bytes_per_second": 2e11, "fp32_flops_per_second": 1e12, "fp16_flops_per_second": 2e12,
              "matrix_flops_per_second": null, "launch_ns": 1500, "mark_ns": 1},
             "rows": [\(row("decode gate_proj 1 × 2 to 3, F8_E4M3", 100_000_000, 1_000_000)),
              \(row("decode q_a_proj 1 × 2 to 3, F8_E4M3", 10_000_000, 20_000))], "notes": []}
            """
        let square =
            squareRows.map {
                profile.replacingOccurrences(
                    of: "decode gate_proj 1 × 2 to 3", with: "prefill gate_proj \($0) × 4096 to 4096")
            } ?? "{\"format\""
        for (name, text) in [
            "device": "1\n",
            "devices.out": """
            [{"name": "Other", "kind": "software", "driver": "x", "driver_info": ""},
             {"name": "Card 9000 (X)", "kind": "\(kind)", "driver": "drv", "driver_info": "1.2"}]
            """,
            "kernels-v3-linear.json": profile, "kernels-square.json": square,
            "selftest.out": """
            {"kernel": "a", "case": "one", "error_over_tolerance": 0.5, "failure": null}
            {"kernel": "b", "case": "two", "error_over_tolerance": 9, "failure": "too | far"}
            """, "selftest.err": "fathom: 1 passed, 1 failed\n",
            "torch.out": """
            {"version": "2.9", "device": "Card", "rows": [
             {"name": "fp16 product", "unit": "FLOP", "per_second": 7.5e14, "failure": null},
             {"name": "fp8 product", "unit": "FLOP", "per_second": null, "failure": "no | fp8"}]}
            """,
            "synthetic-v3.err": "note\nError: the model does not fit on Card\n",
            "parts": """
            devices 0 1
            selftest 1 9
            kernels-v3-linear 0 30
            kernels-square 0 3
            kernels-v3-experts 124 60
            synthetic-v3 1 2
            torch 0 5
            """,
        ] { _ = try folder.write(name, text) }
    }

    private func report() throws -> (page: String, document: JSONField) {
        let result = try Program.run(["report", folder.path, "--output", output.path])
        #expect(result.status == 0, "\(result.errors)")
        let json = try #require(result.lines.first)
        return (
            try String(contentsOfFile: try #require(result.lines.last), encoding: .utf8),
            try JSONField(parsing: Array(Data(contentsOf: URL(fileURLWithPath: json))), name: "report")
        )
    }

    @Test func figuresStandBesideTargetsAndFailuresAreNamed() throws {
        try writeParts(kind: "discrete")
        let (page, document) = try report()
        for line in [
            "# Card 9000 (X)", "1 cases passed, 1 failed.", "- b, two: too | far",
            // The slowest product of 58 MB or more: the small one is faster and does not count.
            "| FP8 GEMV of 58 MB or more (the slowest of V3's) | 100 GB/s | 50.0% of the copy's 200 GB/s |",
            "| FP8 product, 4096³ | not measured | - |", "| fp16 product | 750 TFLOP/s |",
            "| fp8 product | no \\| fp8 |",
            "- kernels-v3-experts, 60 s: stopped after 60 s",
            "- synthetic-v3, 2 s: Error: the model does not fit on Card", "- kernels-square, 3 s: ",
        ] { #expect(page.contains(line), "\(line)\n\(page)") }
        #expect(!page.contains("No GPU"))
        #expect(try document["gpu"].bool() && document["parts"].array().count == 7)
        #expect(try document["kernels"].array()[0]["rows"].array()[0]["p50_ns"].double() == 1e6)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: output.path).sorted()
                == ["gpu-report-card-9000-x.json", "gpu-report-card-9000-x.md"])
    }

    @Test func withoutAGPUThePageSaysSo() throws {
        try writeParts(kind: "software")
        let (page, document) = try report()
        #expect(page.contains("**No GPU was at hand: no figure here comes from one.**"))
        #expect(try !document["gpu"].bool())
        try writeParts(kind: "software", squareRows: 128)
        #expect(try report().page.contains("| FP8 product, 4096³ | 8.00 kFLOP/s, 128 rows |"))
        try writeParts(kind: "discrete", squareRows: 4096)
        #expect(try report().page.contains("| FP8 product, 4096³ | 8.00 kFLOP/s |"))
        // No device at all.
        _ = try folder.write("devices.out", "[]")
        #expect(try report().page.contains("nor any other Vulkan device"))
    }

    /// The script with a program in fathom's place of which only some parts work. Its kernels and options are ones that
    /// there are: what is added to them is all that is wrong with them.
    @Test func theScriptGoesOnWhereAPartFails() throws {
        let program = try folder.write(
            "program",
            """
            #!/bin/sh
            case $1 in
                devices) echo '[{"name": "Card", "kind": "discrete", "driver": "d", "driver_info": ""}]' ;;
                report) exec '\(Program.url.path)' "$@" ;;
                profile) exec '\(Program.url.path)' "$@" --device cpu ;;
                bench) exec '\(Program.url.path)' "$@" --repeats 0 ;;
                *) echo "no $1 on $3" >&2; exit 1 ;;
            esac
            """)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Tools/gpu-report")
        let result = try Program.start(
            ["--output", output.path], environment: ["FATHOM": program], program: tool
        ).finish()
        #expect(result.status == 0, "\(result.errors)")
        let page = try String(contentsOfFile: output.path + "/gpu-report-card.md", encoding: .utf8)
        let failures = page.split(separator: "\n").filter { $0.hasPrefix("- ") }
        let kernels = failures.filter { $0.hasPrefix("- kernels-") }
        #expect(kernels.count == 6 && kernels.allSatisfy { $0.contains("Error: --device cpu: expected") }, "\(page)")
        for (part, message) in [("selftest", "no selftest on"), ("synthetic-moonlight", "Error: --repeats: expected")] {
            #expect(failures.contains { $0.hasPrefix("- \(part), ") && $0.contains(message) }, "\(page)")
        }
        // Nothing but the report is left.
        #expect(try FileManager.default.contentsOfDirectory(atPath: output.path).count == 2)

        for arguments in [["--device", "x"], ["--output"], ["--what"]] {
            let wrong = try Program.start(arguments, environment: ["FATHOM": program], program: tool).finish()
            #expect(wrong.status == 2 && wrong.errors.contains("usage: Tools/gpu-report"), "\(wrong.errors)")
        }
    }
}
