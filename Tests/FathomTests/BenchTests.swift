import JSON
import Testing

@Suite(.serialized) struct BenchTests {
    private let arguments = ["bench", "--prompt", "20", "--generate", "5", "--repeats", "3"]

    @Test func reportsSpeedsTimesAndMemory() throws {
        for device in ["cpu", nil] {
            let place = device.map { ["--device", $0] } ?? []
            let result = try Program.run(arguments + place + ["--json"])
            #expect(result.status == 0, "\(result.errors)")
            let report = try JSONField(parsing: Array(result.output.utf8), name: "bench")
            for phase in ["prefill", "decode"] {
                let speed = try report[phase]
                let runs = try speed["runs"].array().map { try $0.double() }
                #expect(try runs.count == 3 && speed["tokens_per_second"].double() == runs.sorted()[1])
                #expect(try speed["min"].double() == runs.min() && speed["max"].double() == runs.max())
            }
            #expect(try report["load_seconds"].double() > 0 && report["peak_process_bytes"].int() > 1 << 20)
            #expect(try report["loaded_bytes"].int() > 1 << 20)
            #expect(try (report["peak_device_bytes"].present == nil) == (device == "cpu"))
            #expect(try (report["driver"].present == nil) == (device == "cpu"))
            #expect(try (report["limits"].present == nil) == (device == "cpu"))
            guard device == nil else { continue }
            for phase in ["prefill", "decode"] {
                let speed = try report[phase]
                let rate = try speed["bytes_per_token"].double() * speed["tokens_per_second"].double()
                #expect(
                    try abs(speed["bytes_per_second"].double() / rate - 1) < 1e-9
                        && speed["flops_per_token"].double() > 1e6)
                let share = try rate / report["limits"]["copy_bytes_per_second"].double()
                #expect(try abs(speed["share_of_copy"].double() / share - 1) < 1e-9)
                #expect(try (0.0...1).contains(speed["share_of_arithmetic"].double()))
            }
        }
        let text = try Program.run(arguments + ["--device", "cpu"])
        for word in ["prefill", "decode", "load", "memory", "tokens/s"] { #expect(text.output.contains(word)) }
    }

    @Test func aModelNeedsNoFiles() throws {
        let arguments = ["--prompt", "3", "--generate", "2", "--repeats", "1"]
        let result = try Program.run(
            ["bench", "--synthetic", "v2-lite", "--layers", "1", "--experts", "2", "--json"] + arguments)
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONField(parsing: Array(result.output.utf8), name: "bench")
        #expect(
            try report["model"].string()
                == "v2-lite, synthetic: 1 of 27 layers (0 dense), 2 of 64 experts (2 a token), fp8")
        #expect(try report["loaded_bytes"].present == nil)
        // A token reads two experts, the shared ones, the head and attention: more than the head alone, less than all.
        let bytes = try report["decode"]["bytes_per_token"].double()
        #expect(bytes > 102400 * 2048 * 2 && bytes < 600e6)

        for (flags, message) in [
            (["--layers", "2"], "--layers: expected with --synthetic, found without"),
            (["--synthetic", "v2-lite", "--model", "x"], "expected --model or --synthetic, found both"),
            (["--synthetic", "v2-lite", "--experts", "1"], "--experts: expected 2 to 512, found 1"),
            (["--synthetic", "v4"], "v4"),
        ] {
            let result = try Program.run(["bench"] + flags)
            #expect(result.status == 64 && result.errors.contains(message), "\(result.errors)")
        }
    }

    @Test func wrongValuesAreNamed() throws {
        let zero = try Program.run(["bench", "--generate", "0"])
        #expect(zero.status == 64 && zero.errors.contains("--generate: expected 1 to 1073741824, found 0"))
        let context = try Program.run(arguments + ["--device", "cpu", "--context", "10"])
        #expect(context.status == 1 && context.errors.contains("the context holds 10"), "\(context.errors)")
    }
}
