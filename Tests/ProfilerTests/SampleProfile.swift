@testable import Profiler

extension Profile {
    /// A plausible run: three layers with two kernels each, and a head; one prefill and four decode steps.
    static func sample() -> Profile {
        let header = Header(
            device: "Example GPU", kind: "discrete", driver: "example 1.2.3", vulkan: "1.3.289", subgroupSize: 32,
            sharedByteCount: 49152, memoryByteCount: 24 << 30, clocks: ["device 1800 MHz"],
            shaders: [
                .init(name: "gemv", hash: "0123456789abcdef"), .init(name: "rms_norm", hash: "00000000000000ff"),
            ],
            commit: "abcdef0", commandLine: ["fathom", "profile", "run"], date: "2026-11-21T08:00:00Z", model: "sample")
        let limits = Limits(
            copyBytesPerSecond: 4e11, fp32FlopsPerSecond: 2e13, fp16FlopsPerSecond: nil, matrixFlopsPerSecond: nil,
            launchNanoseconds: 2000, markNanoseconds: 150)
        var profile = Profile(
            mode: .run, header: header, limits: limits,
            rows: [
                Row(
                    kernel: "rms_norm", variant: "rms_norm", shape: "decode 1 × 2048", dispatchCount: 1,
                    byteCount: 24576, flopCount: 10240, samples: [], roundSizes: [], yardsticks: [], gap: 900),
                Row(
                    kernel: "linear", variant: "gemv 3", shape: "decode q, 1 × 2048 to 3072, fp8E4M3",
                    dispatchCount: 1, byteCount: 6_291_456, flopCount: 12_582_912, samples: [], roundSizes: [],
                    yardsticks: [], gap: 1100,
                    code: CompiledCode(registers: 48, spills: 0, sharedByteCount: 1024, subgroupSize: 32)),
                Row(
                    kernel: "linear", variant: "gemm 3", shape: "prefill q, 512 × 2048 to 3072, fp8E4M3",
                    dispatchCount: 1, byteCount: 16_777_216, flopCount: 6_442_450_944, samples: [], roundSizes: [],
                    yardsticks: [], gap: 1500),
            ])
        var clock = 10_000.0
        for step in 0..<5 {
            var dispatches: [Dispatch] = []
            let start = clock
            for layer in 0..<3 {
                let place = "layer \(layer)"
                for (row, operation) in [(0, "norm"), (step == 0 ? 2 : 1, "attention")] {
                    let time = [3000, 21000, 700_000][row] + Double((step * 7 + layer * 3 + row) % 5) * 400
                    dispatches.append(
                        Dispatch(
                            layer: place, operation: operation, row: row, start: clock + 1000, end: clock + 1000 + time)
                    )
                    profile.rows[row].samples.append(time)
                    clock += 1000 + time
                }
            }
            profile.steps.append(
                Step(
                    phase: step == 0 ? "prefill" : "decode", tokenCount: step == 0 ? 512 : 1, start: start - 8000,
                    end: clock + 5000, deviceStart: start + 500, deviceEnd: clock + 100, dispatches: dispatches,
                    host: [
                        Span(name: "record", start: start - 8000, end: start - 3000),
                        Span(name: "submit", start: start - 3000, end: start - 1000),
                        Span(name: "wait", start: start - 1000, end: clock + 2000),
                        Span(name: "read", start: clock + 2000, end: clock + 5000),
                    ]))
            clock += 20_000
        }
        for row in profile.rows.indices { profile.rows[row].roundSizes = [profile.rows[row].samples.count] }
        profile.overhead = Overhead(
            markedEvery: 8, markedStep: 101_000, plainStep: 100_000, attributed: 0.998, clockDeviation: 40)
        profile.notes = ["fp16 and matrix rates: not available on this device"]
        return profile
    }
}
