/// Required properties of a shader's compiled code, on every device. The compile gate checks them.
///
/// In addition, no shader may spill registers or keep a thread's arrays in memory.
public struct CodeRule: Sendable {
    /// The shader's name.
    public let shader: String
    /// The number of 16-byte loads that there must be at least. Where it is not 0, no load may be of one or two bytes.
    public let wideLoads: Int
    /// The units of the processor that must compute the products.
    public let units: Units
    /// Subgroups that a SIMD must have room for, as the driver counts them: some compute while others wait for memory.
    public let subgroups: Int

    public enum Units: Sendable {
        case any
        /// Matrix units.
        case matrix
        /// Matrix units with FP8 inputs.
        case matrixFP8
    }

    public init(_ shader: String, wideLoads: Int = 0, units: Units = .any, subgroups: Int = 2) {
        self.shader = shader
        self.wideLoads = wideLoads
        self.units = units
        self.subgroups = subgroups
    }
}
