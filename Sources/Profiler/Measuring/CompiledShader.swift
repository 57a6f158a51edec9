import GPU
import Kernels

/// A shader with its constants, as a driver compiled it; nil where the driver tells nothing.
public struct CompiledShader: Sendable {
    public let name: String
    public let constants: [UInt32]
    /// Everything that the driver counts, by its own names.
    public let statistics: [(name: String, value: Double)]
    public let registers, spills, sharedByteCount, codeByteCount: Int?
    /// What each thread keeps in memory.
    public let privateByteCount: Int?
    /// Subgroups of this code that a SIMD has room for.
    public let subgroupsPerSIMD: Int?
    public let instructions: InstructionMix?

    /// - Parameter assembly: the code as the driver shows it.
    init(name: String, constants: [UInt32], statistics: [(name: String, value: Double)], assembly: String?) {
        let code = Profile.CompiledCode(statistics: statistics)
        self.name = name
        self.constants = constants
        self.statistics = statistics
        registers = code?.registers
        spills = code?.spills
        sharedByteCount = code?.sharedByteCount
        codeByteCount = sum(of: statistics, named: ["code size", "binary size"])
        privateByteCount = sum(of: statistics, named: ["scratch size", "slm size"])
        // An SM is four SIMDs that share its registers.
        subgroupsPerSIMD =
            sum(of: statistics, named: ["subgroups per simd"])
            ?? sum(of: statistics, named: ["max warps/sm"]).map { $0 / 4 }
        instructions = assembly.map(InstructionMix.init(assembly:))
    }

    /// How it breaks its shader's rule.
    public var findings: [String] { Catalogue.codeRule(for: name).findings(in: self) }

    /// All that the device has compiled.
    ///
    /// - Throws: `.notSupported` unless the device was opened with `captureStatistics` and tells.
    public static func all(on device: Device) throws(GPUError) -> [CompiledShader] {
        var shaders: [CompiledShader] = []
        for (module, constants, pipeline) in device.knownPipelines {
            shaders.append(
                CompiledShader(
                    name: module, constants: constants, statistics: try pipeline.statistics(on: device),
                    assembly: try pipeline.assembly(on: device)))
        }
        return shaders
    }
}
