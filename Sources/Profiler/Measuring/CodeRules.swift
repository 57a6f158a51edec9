import GPU
import Kernels

extension Catalogue {
    /// The rule for a shader: its kernel's, or the one for all shaders.
    static func codeRule(for shader: String) -> CodeRule {
        codeRules.first { $0.shader == shader } ?? CodeRule(shader)
    }
}

extension CodeRule {
    /// A failure of the code of all kernels together: no kernel uses the matrix units that the device has.
    public static func findings(inAll shaders: [CompiledShader], on profile: DeviceProfile) -> [String] {
        let usesMatrix = shaders.contains { Catalogue.codeRule(for: $0.name).units != .any }
        guard let shape = profile.matrixShape, !usesMatrix else { return [] }
        return [
            "the device multiplies \(shape.m) × \(shape.n) × \(shape.k) matrices, but no kernel for that was compiled"
        ]
    }

    /// How the code breaks the rule. A statistic that the driver does not report breaks the parts of the rule that depend
    /// on it.
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
        guard wideLoads > 0 || units != .any else { return found }
        guard let mix = code.instructions else {
            return found + ["the driver shows no code to look for its instructions in"]
        }
        if mix.wideLoads < wideLoads {
            found.append("\(mix.wideLoads) of its \(mix.loads) loads are of 16 bytes, at least \(wideLoads) expected")
        }
        if wideLoads > 0, mix.narrowLoads > 0 {
            found.append("\(mix.narrowLoads) of its \(mix.loads) loads are of one or two bytes, none expected")
        }
        if units != .any, mix.matrix == 0 {
            found.append("none of its \(mix.total) instructions uses matrix units")
        }
        if units == .matrixFP8, mix.matrix != mix.matrixFP8 {
            found.append("\(mix.matrixFP8) of its \(mix.matrix) matrix instructions take FP8, all expected")
        }
        return found
    }
}
