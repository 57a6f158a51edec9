import GPU
import Testing

@testable import Kernels

/// The self-test compares the declared operands with the buffers that the dispatches bind: wrong declarations must fail.
struct OperandTests {
    /// A kernel with another declaration.
    private struct Redeclared<Base: Kernel>: Kernel {
        static var name: String { Base.name }
        static func cases(on profile: DeviceProfile) -> [KernelCase] { [] }
        let base: Base
        let operands: [KernelOperand]
        func encode(into commands: inout Commands) throws(GPUError) { try base.encode(into: &commands) }
        func reference() { base.reference() }
        var cost: Cost { base.cost }
        var tolerance: Tolerance { base.tolerance }
    }

    private let device: Device

    init() throws { device = try Device.open() }

    /// The self-test's failure for a kernel after a change of its operands.
    private func failure<K: Kernel>(
        _ make: (inout Workbench) throws -> K, _ change: (inout [KernelOperand], K) -> Void
    ) throws -> String? {
        var bench = Workbench(on: device, seed: 1)
        let kernel = try make(&bench)
        var operands = kernel.operands
        change(&operands, kernel)
        return try SelfTest.check(Redeclared(base: kernel, operands: operands), label: "", on: device).failure
    }

    private func sum(_ bench: inout Workbench) throws -> ExpertSum {
        ExpertSum(
            x: try bench.tensor("x", [6, 20]), routing: try bench.tensor("routing", [3, 2]),
            y: try bench.tensor("y", [3, 20]))
    }

    private func norm(adds: Bool) -> (inout Workbench) throws -> RMSNorm {
        { bench in
            RMSNorm(
                x: try bench.tensor("x", [3, 20]), adding: adds ? try bench.tensor("delta", [3, 20]) : nil,
                weight: try bench.tensor("weight", [1, 20]), y: try bench.output("y", [3, 20]), epsilon: 1e-6)
        }
    }

    @Test func rightDeclarationsPass() throws {
        #expect(try failure(sum) { _, _ in } == nil)
        #expect(try failure(norm(adds: true)) { _, _ in } == nil)
        // The shader may write x, and this use of it does not.
        #expect(try failure(norm(adds: false)) { _, _ in } == nil)
    }

    @Test func anOperandLeftOutFails() throws {
        for index in 0..<3 {
            let text = try failure(sum) { operands, _ in operands.remove(at: index) }
            #expect(text?.contains("which is no operand") == true, "\(text ?? "passed")")
        }
    }

    @Test func aWrittenOperandDeclaredAsReadFails() throws {
        let onlyWritten = try failure(norm(adds: false)) { $0[2] = .read($1.y) }
        #expect(onlyWritten == "rms_norm writes y, which is declared as read")
        let changed = try failure(norm(adds: true)) { $0[0] = .read($1.x) }
        #expect(changed == "rms_norm changed x, which is declared as read")
    }

    @Test func aSumDeclaredAsWrittenFails() throws {
        let text = try failure(sum) { $0[2] = .write($1.y) }
        #expect(text == "y is declared as written, and row 0 holds values before")
    }

    @Test func aReadOperandDeclaredAsWrittenFails() throws {
        let text = try failure(sum) { $0[1] = .readWrite($1.routing) }
        #expect(text == "no dispatch binds routing for writing, which is declared as readWrite")
    }
}
