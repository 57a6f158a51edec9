/// Counts of the instructions that determine a kernel's speed, in a driver's disassembly.
///
/// Knows two syntaxes: Mesa's for AMD (`buffer_load_b128 v[0:3], v4, s[0:3], 0 offen ; e05c0000`) and Mesa's for NVIDIA
/// (`r0..4 = ld.global.a64.constant.b128 [r4..6] // delay=1`). In others only `total` is meaningful.
public struct InstructionMix: Sendable, Equatable {
    public var total = 0
    /// Vector loads from buffers: each lane loads its own address.
    public var loads = 0
    /// Loads of 16 bytes.
    public var wideLoads = 0
    /// Loads of one or two bytes.
    public var narrowLoads = 0
    /// Reads, writes and atomics of shared memory.
    public var shared = 0
    /// Matrix instructions.
    public var matrix = 0
    /// Matrix instructions with FP8 operands.
    public var matrixFP8 = 0
    /// Fused multiply-adds and dot products.
    public var multiplyAdds = 0

    public init(assembly: String) {
        for line in assembly.utf8.split(separator: UInt8(ascii: "\n")) {
            // Two operations issued together (AMD's dual issue) are on one line.
            for operation in Substring(line).split(separator: " :: ") {
                if let name = Self.mnemonic(of: operation) { count(name) }
            }
        }
    }

    /// The name of an operation, after its predicate (`@!p0`) and its destination (`r0 =`).
    private static func mnemonic(of operation: Substring) -> Substring? {
        var words = operation.prefix { $0 != ";" }.split { $0 == " " || $0 == "\t" }
        if let comment = words.firstIndex(of: "//") { words.removeSubrange(comment...) }
        if let equals = words.firstIndex(of: "=") { words.removeSubrange(...equals) }
        if words.first?.first == "@" { words.removeFirst() }
        guard let first = words.first, first.first!.isLetter, first.last != ":", !first.hasPrefix("block") else {
            return nil
        }
        return first
    }

    private mutating func count(_ name: Substring) {
        total += 1
        func isOne(of prefixes: [String]) -> Bool { prefixes.contains { name.hasPrefix($0) } }
        func hasPart(_ parts: [String]) -> Bool {
            name.split { $0 == "_" || $0 == "." }.contains { parts.contains(String($0)) }
        }
        if isOne(of: ["buffer_load_", "global_load_", "flat_load_", "ld.global."]) {
            loads += 1
            if hasPart(["dwordx4", "b128"]) { wideLoads += 1 }
            if hasPart(["ubyte", "sbyte", "ushort", "sshort", "short", "d16", "u8", "i8", "s8", "u16", "i16", "s16"]) {
                narrowLoads += 1
            }
        } else if isOne(of: ["ds_bpermute", "ds_permute", "ds_swizzle"]) {
            // These pass values between lanes and do not access shared memory.
        } else if isOne(of: ["ds_", "ld.shared", "st.shared", "ldsm"]) || name.hasPrefix("atom") && hasPart(["shared"])
        {
            shared += 1
        } else if isOne(of: ["v_wmma", "v_swmmac", "v_mfma", "v_smfmac", "hmma", "imma", "bmma", "dmma"]) {
            matrix += 1
            if hasPart(["fp8"]) { matrixFP8 += 1 }
        } else if isOne(of: [
            "v_fma", "v_mac", "v_mad_f", "v_mad_mix", "v_pk_fma", "v_dual_fma", "v_dot", "v_dual_dot", "s_fma", "ffma",
            "hfma", "dfma", "idp",
        ]) {
            multiplyAdds += 1
        }
    }
}
