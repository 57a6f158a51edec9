import Testing

@testable import Profiler

/// The names that drivers use for the same statistics. Written by hand, since software devices report none.
struct CompiledCodeTests {
    @Test func everyDriversNamesAreKnown() {
        let radv = Profile.CompiledCode(statistics: [
            ("Driver pipeline hash", 1), ("SGPRs", 32), ("VGPRs", 48), ("Spilled SGPRs", 2), ("Spilled VGPRs", 3),
            ("Code size", 900), ("LDS size", 4096), ("Subgroups per SIMD", 10),
        ])
        #expect(radv == Profile.CompiledCode(registers: 48, spills: 5, sharedByteCount: 4096))
        let nvk = Profile.CompiledCode(statistics: [
            ("Instruction count", 535), ("Max warps/SM", 48), ("Spills to memory", 1), ("Fills from memory", 2),
            ("Spills to reg", 4), ("Number of GPRs", 40), ("SLM size", 16),
        ])
        #expect(nvk == Profile.CompiledCode(registers: 40, spills: 7))
        let nvidia = Profile.CompiledCode(statistics: [
            ("Register Count", 40), ("Binary Size", 2048), ("Stack Size", 0), ("Local Memory Size", 16),
            ("Shared Memory Size", 1024),
        ])
        #expect(nvidia == Profile.CompiledCode(registers: 40, spills: 16, sharedByteCount: 1024))
        let intel = Profile.CompiledCode(statistics: [
            ("Instruction Count", 300), ("Spill count", 4), ("Fill count", 5), ("Workgroup Memory Size", 512),
            ("Subgroup size", 16),
        ])
        #expect(intel == Profile.CompiledCode(spills: 4, sharedByteCount: 512, subgroupSize: 16))
    }

    @Test func unknownNamesGiveNil() {
        #expect(Profile.CompiledCode(statistics: []) == nil)
        #expect(Profile.CompiledCode(statistics: [("Instruction Count", 3)]) == nil)
    }

    @Test func theVariantNamesShaderAndConstants() {
        #expect(variantText(shader: "gemv", constants: [3]) == "gemv 3")
        #expect(variantText(shader: "mla_prefill", constants: [0, 8, 4]) == "mla_prefill 0/8/4")
        #expect(variantText(shader: "swiglu", constants: []) == "swiglu")
    }
}
