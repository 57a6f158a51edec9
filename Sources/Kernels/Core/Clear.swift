import GPU
import Numerics

/// y = 0, padding included.
///
/// `y`: any type. A fill command of the device, not a shader.
public struct Clear: Kernel {
    public static let name = "fill"
    let y: Tensor

    public init(_ y: Tensor) { self.y = y }

    public var operands: [KernelOperand] { [.write(y)] }

    public func encode(into commands: inout Commands) throws(GPUError) { commands.fill(y.view, word: 0) }

    public func reference() {
        UnsafeMutableRawBufferPointer(rebasing: y.storage.host![y.byteOffset..<y.byteOffset + y.byteCount])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }

    public var summary: String { "\(y.rows) × \(y.columns)" }
    public var cost: Cost { Cost(byteCount: y.byteCount, flopCount: 0) }
    public var tolerance: Tolerance { Tolerance(0, because: "zeros") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 7168), (5, 101)].map { rows, columns in
            KernelCase("\(rows) × \(columns)") { bench throws(GPUError) in
                Clear(try bench.output("y", [rows, columns]))
            }
        }
    }
}
