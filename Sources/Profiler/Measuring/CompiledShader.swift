import GPU
import Kernels

/// A shader with its specialisation constants, as the driver compiled it. Values that the driver does not report are
/// nil.
public struct CompiledShader: Sendable {
    public let name: String
    public let constants: [UInt32]
    /// All statistics of the driver, by its own names.
    public let statistics: [(name: String, value: Double)]
    public let registers, spills, sharedByteCount, codeByteCount: Int?
    /// Private memory (scratch) per thread.
    public let privateByteCount: Int?
    /// Occupancy: the number of subgroups of this code that fit on a SIMD.
    public let subgroupsPerSIMD: Int?
    public let instructions: InstructionMix?

    /// - Parameter assembly: the driver's disassembly.
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
        // NVIDIA's driver counts per SM, which consists of four SIMDs.
        subgroupsPerSIMD =
            sum(of: statistics, named: ["subgroups per simd"])
            ?? sum(of: statistics, named: ["max warps/sm"]).map { $0 / 4 }
        instructions = assembly.map(InstructionMix.init(assembly:))
    }

    /// How it breaks its shader's rule.
    public var findings: [String] { Catalogue.codeRule(for: name).findings(in: self) }

    /// All shaders that the device has compiled.
    ///
    /// - Throws: `.notSupported` unless the device was opened with `captureStatistics` and its driver reports
    ///   statistics.
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
