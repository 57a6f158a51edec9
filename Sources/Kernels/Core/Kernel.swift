import GPU
import Numerics

/// One operation of the model: its dimensions and operands, its dispatches and its definition.
///
/// A kernel value is one use of the operation. `encode` records it for the device. `reference` computes the same on the host,
/// in plain loops that follow the formula.
public protocol Kernel: Sendable {
    /// The name in the catalogue and in the profiler; the shader's file has the same name, or one that begins with it.
    static var name: String { get }
    /// The properties of a device that every use of the kernel needs. A device without them has no cases.
    static var needs: DeviceNeed { get }
    /// Every tensor that the operation reads or writes, on the device or in the reference.
    var operands: [KernelOperand] { get }
    func encode(into commands: inout Commands) throws(GPUError)
    func reference()
    /// The operand's name, sizes and formats, as tables show them: "q_b_proj 1 × 1536 to 24576, F8_E4M3".
    var summary: String { get }
    var cost: Cost { get }
    var tolerance: Tolerance { get }
    /// Shapes to test, in every variant that the device can run: the models' true shapes, ragged edges, one row, a prime
    /// width.
    static func cases(on profile: DeviceProfile) -> [KernelCase]
    /// The kernel's uses in a step of a model, for the profiler; none for a kernel that no step uses.
    static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase]
    /// Required properties of the compiled code of the kernel's shaders, in addition to the rules for all shaders.
    static var codeRules: [CodeRule] { get }
}

extension Kernel {
    public static var needs: DeviceNeed { .nothing }
    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] { [] }
    public static var codeRules: [CodeRule] { [] }

    /// The tensors that the operation writes, in the order of `operands`.
    public var outputs: [Tensor] { operands.filter { $0.access != .read }.map(\.tensor) }

    /// The sizes of the first output.
    public var summary: String { outputs[0].shape.map(String.init).joined(separator: " × ") }
}

/// How many rows of activations a kernel computes, and so which limit it is tuned for.
public enum KernelPhase: String, Sendable, CaseIterable {
    /// Few rows: reading the weights limits the speed.
    case decode
    /// Many rows: the arithmetic limits the speed.
    case prefill
}

/// A kernel whose cost depends on how many keys its rows attend to, which only the step's inputs tell.
public protocol AttendingKernel: Kernel {
    /// Keys that all rows attend to together; nil for as many as there are room for.
    var attendedCount: Int? { get set }
}

/// Bytes that must move and operations that must be done, from the shapes alone.
public struct Cost: Sendable {
    public var byteCount: Int
    public var flopCount: Int
    public init(byteCount: Int, flopCount: Int) {
        self.byteCount = byteCount
        self.flopCount = flopCount
    }
}

/// How far a device's result may be from the reference: |found − expected| ≤ relative · (|expected| + rms) for every
/// element, where rms is the root mean square of the expected values of the whole tensor or of the element's row, whichever
/// is larger: the errors of a row grow with the row's own size. Integers must be equal.
public struct Tolerance: Sendable {
    public var relative: Float
    public var reason: String
    public init(_ relative: Float, because reason: String) {
        self.relative = relative
        self.reason = reason
    }

    /// For sums of `terms` FP32 products in another order: the error grows as √terms · 2⁻²⁴, and a factor of 16 covers the
    /// worst of millions of elements.
    public static func sum(of terms: Int) -> Tolerance {
        Tolerance(
            16 * Float(max(terms, 4)).squareRoot() * 0x1p-24, because: "FP32 sums of \(terms) terms in another order")
    }
}

/// One shape of a kernel to test; `make` fills its operands with seeded random data.
public struct KernelCase: Sendable {
    public let label: String
    public let make: @Sendable (inout Workbench) throws(GPUError) -> any Kernel
    public init(_ label: String, _ make: @escaping @Sendable (inout Workbench) throws(GPUError) -> any Kernel) {
        self.label = label
        self.make = make
    }
}

func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
