import Testing

@testable import Profiler

/// Counts in drivers' disassemblies, shortened to the relevant lines.
struct InstructionMixTests {
    private func mix(
        total: Int, loads: Int = 0, wide: Int = 0, narrow: Int = 0, shared: Int = 0, matrix: Int = 0,
        multiplyAdds: Int = 0
    ) -> InstructionMix {
        var mix = InstructionMix(assembly: "")
        (mix.total, mix.loads, mix.wideLoads, mix.narrowLoads) = (total, loads, wide, narrow)
        (mix.shared, mix.matrix, mix.multiplyAdds) = (shared, matrix, multiplyAdds)
        return mix
    }

    /// Scalar loads (descriptors, uniform values) do not count as loads of the lanes.
    @Test func aProductOnRDNA3() {
        let found = InstructionMix(
            assembly: """
                BB9:
                \ts_load_b128 s[20:23], s[16:17], 0x10                        ; f4080508 f8000010
                \ts_buffer_load_b32 s5, s[20:23], null                        ; f4200150 f8000000
                \ts_delay_alu instid0(VALU_DEP_1) | instskip(SKIP_4) | instid1(VALU_DEP_2) ; bf870151
                \tbuffer_load_b128 v[4:7], v2, s[20:23], 0 offen              ; e05c0000 80450402
                \tbuffer_load_b32 v6, v6, s[28:31], 0 offen                   ; e0500000 80470606
                \tbuffer_load_u8 v6, v6, s[28:31], 0 offen                    ; e0400000 80470606
                \tv_fma_mix_f32 v13, v5, v6, neg(0) op_sel_hi:[1,0,0]         ; cc20000d 8a020d05
                \tv_fmac_f32_e32 v1, v3, v8                                   ; 56021103
                \tv_dual_fmac_f32 v1, v6, v9 :: v_dual_mov_b32 v2, v4         ; c8100d06 01020304
                \tv_mad_u32_u24 v1, v2, v3, v4                                ; d60b0001 04120702
                \tbuffer_store_b128 v[0:3], v5, s[0:3], 0 offen               ; e0740000 80000005
                BB21:
                \ts_branch BB4                                                ; bfa0ffc0
                """)
        #expect(found == mix(total: 13, loads: 3, wide: 1, narrow: 1, multiplyAdds: 3))
    }

    @Test func matricesOnRDNA4() {
        let found = InstructionMix(
            assembly: """
                \tv_wmma_f32_16x16x16_f16 v[0:3], v[16:17], v[18:19], v[0:3]  ; cc404000 1c022510
                \tglobal_load_tr_b128 v[0:3], v4, s[2:3]                      ; ee15c002 00000000 00000004
                \tds_load_2addr_b32 v[0:1], v2 offset1:8                      ; d8dc0800 00000002
                """)
        #expect(found == mix(total: 3, loads: 1, wide: 1, shared: 1, matrix: 1))
    }

    /// Instructions that pass values between lanes through the shared-memory unit do not access shared memory.
    @Test func theNamesOfGCN() {
        let found = InstructionMix(
            assembly: """
                \tbuffer_load_dwordx4 v[4:7], v0, s[12:15], 0 offen           ; e05c1000 80030400
                \tbuffer_load_dwordx2 v[4:5], v0, s[12:15], 0 offen           ; e0541000 80030400
                \tbuffer_load_ushort v4, v0, s[12:15], 0 offen                ; e0481000 80030400
                \tbuffer_load_short_d16 v4, v0, s[12:15], 0 offen             ; e0901000 80030400
                \tds_write2st64_b32 v1, v3, v4 offset1:8                      ; d81e0800 00040301
                \tds_add_u32 v2, v3                                           ; d8000000 00000302
                \tds_bpermute_b32 v2, v1, v2                                  ; d87e0000 02000201
                \tv_mac_f32_e32 v1, v3, v8                                    ; 2c021103
                """)
        #expect(found == mix(total: 8, loads: 4, wide: 1, narrow: 2, shared: 2, multiplyAdds: 1))
    }

    @Test func nvidiasByPredicateAndDestination() {
        let found = InstructionMix(
            assembly: """
                block.u 0 L1 [] -> {
                      ur2      = ldc.b32 c[0x0][+0x4]                      // delay=2 wr:2
                      ur4 up0  = iadd3 ur4 ur5 rZ                          // delay=4 wt=000010
                      r2       = ld.global.a64.constant.b32 [r2..4], pT    // delay=2 wr:1
                @!p0             bra pT L0                                 // delay=1
                } -> [1, 2]
                block 2 L4 [1] -> {
                @p0   r4..8    = ld.global.a64.constant.b128 [r2..4], pT   // delay=2 rd:0 wr:1
                      r4       = ld.global.a64.constant.u16 [r2..4], pT    // delay=2 rd:0 wr:1
                      r3       = atom.add.u32.shared.strong.cta [r4.x4] r3 // delay=1 wt=000001 wr:0
                                 st.shared.strong.cta.b32 [r2.x4+0x800] r4 // delay=1 rd:0
                      r6       = ld.shared.strong.cta.b32 [r3.x4], pT      // delay=1 wr:0
                      r4..8    = hmma.m16n8k16.f32 r40..44 r0..2 r4..8     // delay=15 wr:0
                      r1       = ffma.ftz r1 r2 r3                         // delay=4
                      r1       = imad r1 r2 r3                             // delay=4
                } -> []
                """)
        #expect(found == mix(total: 12, loads: 3, wide: 1, narrow: 1, shared: 3, matrix: 1, multiplyAdds: 1))
    }
}
