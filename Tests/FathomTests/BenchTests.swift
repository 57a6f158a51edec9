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
            #expect(try (report["peak_device_bytes"].present == nil) == (device == "cpu"))
            #expect(try (report["driver"].present == nil) == (device == "cpu"))
        }
        let text = try Program.run(arguments + ["--device", "cpu"])
        for word in ["prefill", "decode", "load", "memory", "tokens/s"] { #expect(text.output.contains(word)) }
    }

    @Test func wrongValuesAreNamed() throws {
        let zero = try Program.run(["bench", "--generate", "0"])
        #expect(zero.status == 64 && zero.errors.contains("--generate: expected 1 to 1073741824, found 0"))
        let context = try Program.run(arguments + ["--device", "cpu", "--context", "10"])
        #expect(context.status == 1 && context.errors.contains("the context holds 10"), "\(context.errors)")
    }
}
