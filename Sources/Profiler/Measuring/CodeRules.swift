import GPU
import Kernels

/// What a kernel's compiled code must show, whichever device it was compiled for. None may spill registers or keep a
/// thread's arrays in memory.
public struct CodeRule: Sendable {
    /// The shader's name.
    public let kernel: String
    /// Loads of 16 bytes there must be, the weights' among them; with such a number, none may be of one or two bytes.
    var wideLoads = 0
    /// Whether the products are to be done by matrix units.
    var needsMatrixUnits = false
    /// Whether these are to take FP8.
    var needsFP8 = false
    /// Subgroups that a SIMD must have room for, as the driver counts them: they compute while others wait for memory.
    var subgroups = 2

    public static let table = [
        CodeRule(kernel: "embedding", wideLoads: 1, subgroups: 4),
        CodeRule(kernel: "quantise_rows", wideLoads: 1, subgroups: 4),
        CodeRule(kernel: "linear", wideLoads: 5),
        CodeRule(kernel: "linear_matrix", wideLoads: 4, subgroups: 4),
        CodeRule(kernel: "linear_matrix8", wideLoads: 4, subgroups: 4),
        CodeRule(kernel: "gemm", wideLoads: 6),
        CodeRule(kernel: "grouped_gemm", wideLoads: 6),
        CodeRule(kernel: "grouped_matrix", wideLoads: 4, subgroups: 4),
        CodeRule(kernel: "grouped_matrix8", wideLoads: 4, subgroups: 4),
        CodeRule(kernel: "expert_gate_up", wideLoads: 10, subgroups: 4),
        CodeRule(kernel: "expert_down", wideLoads: 10, subgroups: 4),
        CodeRule(kernel: "mla_query", wideLoads: 1, subgroups: 4),
        CodeRule(kernel: "mla_value", wideLoads: 4, subgroups: 4),
        CodeRule(kernel: "limit_copy", wideLoads: 1, subgroups: 4),
        // Their 19 to 22 KB of shared memory for 64 threads leave no room for more where four SIMDs share 64 KB.
        CodeRule(kernel: "mla_absorbed", subgroups: 1),
        CodeRule(kernel: "mla_expanded", subgroups: 1),
        // Query, entries; keys, their rope part, values.
        CodeRule(kernel: "mla_absorbed_matrix", wideLoads: 3),
        CodeRule(kernel: "mla_expanded_matrix", wideLoads: 4),
    ]

    /// The rule for a shader: the table's, or that of all others. A name with "matrix" in it promises matrix units, one with
    /// "matrix8" such as take FP8.
    static func rule(for kernel: String) -> CodeRule {
        var rule = table.first { $0.kernel == kernel } ?? CodeRule(kernel: kernel)
        if kernel.contains("matrix") { rule.needsMatrixUnits = true }
        if kernel.contains("matrix8") { rule.needsFP8 = true }
        return rule
    }

    /// Why the code of all kernels together is not what is wanted of a device: nothing uses the matrix units that it has.
    public static func findings(inAll shaders: [CompiledShader], on profile: DeviceProfile) -> [String] {
        guard let shape = LimitMatrix.shape(of: profile), !shaders.contains(where: { $0.name.contains("matrix") })
        else {
            return []
        }
        return [
            "the device multiplies \(shape.m) × \(shape.n) × \(shape.k) matrices, but no kernel for that was compiled"
        ]
    }

    /// What of the code breaks the rule; what the driver does not tell breaks what depends on it.
    func findings(in code: CompiledShader) -> [String] {
        var found: [String] = []
        switch code.spills {
        case .some(0): break
        case .some(let count): found.append("spills \(count) registers")
        case nil: found.append("the driver does not tell whether it spills")
        }
        if let bytes = code.privateByteCount, bytes > 0 {
            found.append("keeps \(bytes) bytes a thread in memory, as for an array whose index is not known beforehand")
        }
        if let have = code.subgroupsPerSIMD, have < subgroups {
            found.append("a SIMD has room for \(have) of its subgroups, at least \(subgroups) expected")
        }
        guard wideLoads > 0 || needsMatrixUnits else { return found }
        guard let mix = code.instructions else {
            return found + ["the driver shows no code to look for its instructions in"]
        }
        if mix.wideLoads < wideLoads {
            found.append("\(mix.wideLoads) of its \(mix.loads) loads are of 16 bytes, at least \(wideLoads) expected")
        }
        if wideLoads > 0, mix.narrowLoads > 0 {
            found.append("\(mix.narrowLoads) of its \(mix.loads) loads are of one or two bytes, none expected")
        }
        if needsMatrixUnits, mix.matrix == 0 {
            found.append("none of its \(mix.total) instructions uses matrix units")
        }
        if needsFP8, mix.matrix != mix.matrixFP8 {
            found.append("\(mix.matrixFP8) of its \(mix.matrix) matrix instructions take FP8, all expected")
        }
        return found
    }
}
