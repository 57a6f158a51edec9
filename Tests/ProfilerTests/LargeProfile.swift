import Numerics

@testable import Profiler

extension Profile {
    /// A plausible run of a large model: 40 rows, one dense layer and `layers` − 1 layers with experts, a prefill step
    /// and `steps` − 1 decode steps, with 25 dispatches per layer.
    static func large(layers: Int = 27, steps: Int = 20) -> Profile {
        var random = SeededRandom(seed: 7)
        let base = Profile.sample()
        var profile = Profile(mode: .run, header: base.header, limits: base.limits, rows: [])
        profile.header.device = "Example GPU 9000 with a long name"
        profile.header.model = "deepseek-v2-lite-shaped"
        profile.header.commandLine = ["fathom", "profile", "run", "--model", "v2-lite", "--html", "a.html"]
        profile.limits.fp16FlopsPerSecond = 4e13
        profile.limits.matrixFlopsPerSecond = 1.6e14
        // Operation, kernel, variant, operand in the shape, columns, rows.
        let uses: [(String, String, String, String, Int, Int)] = [
            ("norm", "rms_norm", "rms_norm", "", 2048, 1), ("attention", "linear", "gemv, format 3", "q_a", 2048, 1536),
            ("attention", "linear", "gemv, format 3", "q_b", 1536, 3072),
            ("attention", "linear", "gemv, format 3", "kv_a", 2048, 576),
            ("attention", "kv_cache_append", "kv_cache_append", "", 576, 0),
            ("attention", "mla_query", "mla_query", "", 3072, 512),
            ("attention", "mla_decode", "mla_decode, splits of 256", "keys 576", 576, 2048),
            ("attention", "mla_rope", "mla_rope", "", 512, 16),
            ("attention", "mla_value", "mla_value", "", 512, 2048),
            ("attention", "linear", "gemv, format 3", "o", 2048, 2048),
            ("norm", "rms_norm", "rms_norm, residual", "", 2048, 1),
            ("router", "router", "router", "64 experts", 2048, 64),
            ("router", "expert_gate", "expert_gate", "6 of 64", 64, 6),
            ("experts", "expert_gate_up", "expert_gate_up, format 3", "6 experts", 2048, 16896),
            ("experts", "expert_down", "expert_down, format 3", "6 experts", 8448, 2048),
            ("experts", "expert_sort", "expert_sort", "", 512, 6), ("experts", "expert_sum", "expert_sum", "", 2048, 6),
            ("dense", "linear", "gemv, format 3", "gate, up", 2048, 21888), ("dense", "swiglu", "swiglu", "", 10944, 4),
            ("dense", "linear", "gemv, format 3", "down", 10944, 2048),
        ]
        for phase in ["prefill", "decode"] {
            let tokens = phase == "prefill" ? 512 : 1
            for (_, kernel, variant, name, columns, rows) in uses {
                let operand = name.isEmpty ? "" : name + ", "
                let batched = variant.hasPrefix("gemv") && tokens > 1 ? "gemm, format 3" : variant
                profile.rows.append(
                    Row(
                        kernel: kernel, variant: batched,
                        shape:
                            "\(phase) \(operand)\(tokens) × \(columns) to \(rows), fp8E4M3",
                        dispatchCount: 1, byteCount: columns * max(rows, 1) + 4 * tokens * (columns + rows),
                        flopCount: 2 * tokens * columns * rows, samples: [], roundSizes: [], yardsticks: [], gap: 1200,
                        code: CompiledCode(
                            registers: 32 + columns % 96, spills: rows % 3 == 0 ? 4 : 0, sharedByteCount: columns * 2,
                            subgroupSize: 32)))
            }
        }
        var clock = 50_000.0
        for step in 0..<steps {
            let start = clock
            let first = step == 0 ? 0 : uses.count
            var dispatches: [Dispatch] = []
            func dispatch(_ layer: String, _ use: Int) {
                let row = profile.rows[first + use]
                let ideal = row.floor(profile.limits).nanoseconds
                let time = ideal * (1.2 + Double((use * 37) % 20) / 5 + 0.3 * random.nextUnit())
                let gap = 900 + 600 * random.nextUnit()
                dispatches.append(
                    Dispatch(
                        layer: layer, operation: uses[use].0, row: first + use, start: clock + gap,
                        end: clock + gap + time))
                profile.rows[first + use].samples.append(time)
                clock += gap + time
            }
            dispatch("the embedding", 0)
            for layer in 0..<layers {
                for use in 0..<25 {
                    // Every layer has attention and norms, then experts or the dense network.
                    let part = use < 11 ? use : layer == 0 ? 17 + use % 3 : 11 + use % 6
                    dispatch("layer \(layer)", part)
                }
            }
            dispatch("the head", 19)
            profile.steps.append(
                Step(
                    phase: step == 0 ? "prefill" : "decode", tokenCount: step == 0 ? 512 : 1, start: start - 40_000,
                    end: clock + 15_000, deviceStart: start, deviceEnd: clock, dispatches: dispatches,
                    host: [
                        Span(name: "record", start: start - 40_000, end: start - 12_000),
                        Span(name: "submit", start: start - 12_000, end: start - 3000),
                        Span(name: "wait", start: start - 3000, end: clock + 9000),
                        Span(name: "read", start: clock + 9000, end: clock + 15_000),
                    ]))
            clock += 90_000
        }
        for row in profile.rows.indices where !profile.rows[row].samples.isEmpty {
            profile.rows[row].roundSizes = [profile.rows[row].samples.count]
        }
        profile.overhead = Overhead(
            markedEvery: 16, markedStep: 4_120_000, plainStep: 4_080_000, attributed: 0.9971, clockDeviation: nil)
        profile.notes = base.notes + ["clocks: the device's clock is not readable; 3 of 20 steps ran at another clock"]
        return profile
    }
}
