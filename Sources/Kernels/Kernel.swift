import GPU
import Numerics

/// One operation of the model: its dimensions and operands, its shader's dispatch and its definition.
///
/// A kernel value is one use of the operation. `encode` records it for the device; `reference` computes the same from the
/// formula, in plain loops over the host's side of the operands.
public protocol Kernel: Sendable {
    /// The name in the shader's file, the catalogue and the profiler.
    static var name: String { get }
    /// What the operation writes.
    var outputs: [Tensor] { get }
    func encode(into commands: inout Commands) throws(GPUError)
    func reference()
    /// Which operand, sizes and formats, as tables show them: "q_b_proj 1 × 1536 to 24576, fp8E4M3".
    var summary: String { get }
    var cost: Cost { get }
    var tolerance: Tolerance { get }
    /// Shapes to test and measure, in every variant that the device can run: the family's true ones, ragged edges, one
    /// row, a prime width.
    static func cases(on profile: DeviceProfile) -> [KernelCase]
}

extension Kernel {
    /// The sizes of what is written.
    public var summary: String { outputs[0].shape.map(String.init).joined(separator: " × ") }
}

extension Kernel {
    /// How far a device, which chooses the variant, may be from the reference.
    public func tolerance(on target: any Target) -> Tolerance {
        guard var varied = self as? any VariedKernel else { return tolerance }
        varied.variant = varied.variant(on: target)
        return varied.tolerance
    }
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

/// How far the device may be from the reference: |found − expected| ≤ relative · (|expected| + rms(expected)) for every
/// element, the rms that of all or of its row, whichever is larger: a row's errors go with its own size. Integers must be
/// equal.
public struct Tolerance: Sendable {
    public var relative: Float
    public var reason: String
    public init(_ relative: Float, because reason: String) {
        self.relative = relative
        self.reason = reason
    }

    /// Sums of `terms` FP32 products in another order: the error grows as √terms · 2⁻²⁴, and 16 covers the worst of
    /// millions of elements.
    public static func sum(of terms: Int) -> Tolerance {
        Tolerance(
            16 * Float(max(terms, 4)).squareRoot() * 0x1p-24, because: "FP32 sums of \(terms) terms in another order")
    }
}

/// One shape of a kernel, ready to be made and filled with seeded random data.
public struct KernelCase: Sendable {
    public let label: String
    public let make: @Sendable (inout Workbench) throws(GPUError) -> any Kernel
    public init(_ label: String, _ make: @escaping @Sendable (inout Workbench) throws(GPUError) -> any Kernel) {
        self.label = label
        self.make = make
    }
}

func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
