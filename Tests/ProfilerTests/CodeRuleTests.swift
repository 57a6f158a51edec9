import Testing

@testable import Profiler

/// The compile gate must find each fault: tests good code, as drivers report it, and code with planted faults.
struct CodeRuleTests {
    private let radv: [(name: String, value: Double)] = [
        ("SGPRs", 108), ("VGPRs", 48), ("Spilled SGPRs", 0), ("Spilled VGPRs", 0), ("Code size", 1500), ("LDS size", 0),
        ("Scratch size", 0), ("Subgroups per SIMD", 10), ("Instructions", 301),
    ]
    private let nvk: [(name: String, value: Double)] = [
        ("Instruction count", 535), ("Max warps/SM", 32), ("Spills to memory", 0), ("Fills from memory", 0),
        ("Spills to reg", 0), ("Code size", 8560), ("Number of GPRs", 32), ("SLM size", 0),
    ]
    private let wide = "\tbuffer_load_b128 v[8:11], v5, s[24:27], 0 offen             ; e05c0000 80460805\n"
    private let word = "\tbuffer_load_b32 v6, v6, s[28:31], 0 offen                   ; e0500000 80470606\n"
    private let byte = "\tbuffer_load_u8 v6, v6, s[28:31], 0 offen                    ; e0400000 80470606\n"

    private func findings(
        _ name: String, _ statistics: [(name: String, value: Double)], changing: [String: Double] = [:],
        _ assembly: String?
    ) -> [String] {
        let changed = statistics.map { ($0.name, changing[$0.name] ?? $0.value) }
        return CompiledShader(name: name, constants: [], statistics: changed, assembly: assembly).findings
    }

    private func repeated(_ line: String, _ count: Int) -> String { String(repeating: line, count: count) }

    @Test func goodCodePasses() {
        #expect(findings("linear", radv, repeated(wide, 5) + word).isEmpty)
        #expect(findings("rms_norm", nvk, "").isEmpty)
    }

    @Test func narrowedLoadsAreFound() {
        #expect(
            findings("linear", radv, repeated(wide, 4) + repeated(word, 4))
                == ["4 of its 8 loads are of 16 bytes, at least 5 expected"])
        #expect(
            findings("linear", radv, repeated(wide, 5) + byte)
                == ["1 of its 6 loads are of one or two bytes, none expected"])
        #expect(findings("rms_norm", radv, byte).isEmpty)
    }

    @Test func spillsAreFoundInEveryKernel() {
        #expect(findings("rms_norm", radv, changing: ["Spilled VGPRs": 7], "") == ["spills 7 registers"])
        #expect(findings("rms_norm", radv, changing: ["Spilled SGPRs": 2], "") == ["spills 2 registers"])
        #expect(
            findings("rms_norm", nvk, changing: ["Spills to memory": 3, "Fills from memory": 4], "")
                == ["spills 7 registers"])
    }

    @Test func arraysInMemoryAreFound() {
        for (statistics, name) in [(radv, "Scratch size"), (nvk, "SLM size")] {
            let found = findings("rms_norm", statistics, changing: [name: 128], "")
            #expect(found.count == 1 && found[0].hasPrefix("keeps 128 bytes a thread in memory"))
        }
    }

    /// NVIDIA's driver counts subgroups per SM, which has four SIMDs.
    @Test func tooFewSubgroupsAreFound() {
        let expected = "a SIMD has room for 3 of its subgroups, at least 4 expected"
        #expect(findings("expert_down", radv, changing: ["Subgroups per SIMD": 3], repeated(wide, 10)) == [expected])
        #expect(findings("expert_down", nvk, changing: ["Max warps/SM": 15], repeated(wide, 10)) == [expected])
        #expect(findings("linear_tiles", radv, changing: ["Subgroups per SIMD": 2], repeated(wide, 6)).isEmpty)
    }

    @Test func aKernelForMatrixUnitsUsesThem() {
        let product = "\tv_wmma_f32_16x16x16_f16 v[0:3], v[16:17], v[18:19], v[0:3]  ; cc404000 1c022510\n"
        #expect(findings("limit_matrix", radv, product).isEmpty)
        #expect(findings("limit_matrix", radv, word) == ["none of its 1 instructions uses matrix units"])
    }

    @Test func aKernelForFP8MatrixUnitsUsesThem() {
        let product = "\tv_wmma_f32_16x16x16_f16 v[0:3], v[16:17], v[18:19], v[0:3]  ; cc404000 1c022510\n"
        let product8 = "\tv_wmma_f32_16x16x16_fp8_fp8 v[0:3], v[16], v[18], v[0:3]  ; cc464000 1c022510\n"
        #expect(findings("linear_matrix8", radv, repeated(wide, 4) + product8).isEmpty)
        #expect(
            findings("linear_matrix8", radv, repeated(wide, 4) + product8 + product)
                == ["1 of its 2 matrix instructions take FP8, all expected"])
    }

    @Test func missingStatisticsDoNotPass() {
        #expect(findings("linear", radv, nil) == ["the driver shows no code to look for its instructions in"])
        #expect(
            findings("rms_norm", [("Instruction Count", 3)], "") == ["the driver does not tell whether it spills"])
        #expect(findings("rms_norm", radv, nil).isEmpty)
    }

}
