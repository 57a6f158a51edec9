import GPU
import Numerics
import Shaders

/// y[i] = x[i], to measure the device's memory bandwidth.
///
/// `x, y: [n], U32`, n a multiple of four.
public struct LimitCopy: Kernel {
    public static let name = "limit_copy"
    let x: Tensor
    let y: Tensor
    /// Bytes of one binding at most, for tests; nil for the device's limit.
    var bindingLimit: Int?

    public init(x: Tensor, y: Tensor) {
        precondition(x.shape == y.shape && x.rows % 4 == 0 && x.columns == 1, "limit_copy: \(x.shape) to \(y.shape)")
        self.x = x
        self.y = y
    }

    public var operands: [KernelOperand] { [.read(x), .write(y)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        // In pieces that the device can bind; each begins at a multiple of 256 bytes.
        let piece = (bindingLimit ?? commands.profile.maxStorageBufferRange) / 256 * 64
        for first in stride(from: 0, to: x.rows, by: piece) {
            let rows = first..<min(first + piece, x.rows)
            let chunks = rows.count / 4
            let shader = LimitCopyShader(
                params: .init(chunkCount: UInt32(chunks)),
                bindings: .init(x: x.rows(rows).view, y: y.rows(rows).view))
            // With several chunks a thread, several loads are in flight; 16384 workgroups keep every unit busy.
            try commands.dispatch(shader, groups: (max(1, min(ceilDivide(chunks, 256), 16384)), 1, 1))
        }
    }

    public func reference() { for i in 0..<x.rows { y.words[i] = x.words[i] } }

    public var cost: Cost { Cost(byteCount: 8 * x.rows, flopCount: 0) }
    public var tolerance: Tolerance { Tolerance(0, because: "a copy") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(4, nil), (4096, nil), (100_012, nil), (100_012, 65_536)].map { count, limit in
            KernelCase("\(count) words\(limit.map { ", bound by \($0) bytes" } ?? "")") { bench throws(GPUError) in
                let words = (0..<count).map { _ in UInt32(truncatingIfNeeded: bench.random.next()) }
                var kernel = LimitCopy(
                    x: try bench.tensor("x", .u32, [count], .words(words)), y: try bench.output("y", .u32, [count]))
                kernel.bindingLimit = limit
                return kernel
            }
        }
    }

    public static let codeRules = [CodeRule("limit_copy", wideLoads: 1, subgroups: 4)]
}

/// v ← v · a + b many times in FP32 or FP16, to measure the device's arithmetic.
///
/// `y: [1, threads], F32`, threads a multiple of 64: see Shaders/limit_fma.comp.
public struct LimitFMA: Kernel {
    public static let name = "limit_fma"
    let y: Tensor
    let rounds: Int
    let isHalf: Bool
    /// The values approach b / (1 − a) = 8, without infinities or subnormals.
    static let (a, b): (Float, Float) = (0.75, 2)

    public init(y: Tensor, rounds: Int, isHalf: Bool) {
        precondition(y.columns % 64 == 0 && y.rows == 1, "limit_fma: \(y.shape)")
        self.y = y
        self.rounds = rounds
        self.isHalf = isHalf
    }

    public var operands: [KernelOperand] { [.write(y)] }

    private var chainCount: Int { isHalf ? 32 : 16 }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let groups = (y.columns / 64, 1, 1)
        let rounds = UInt32(rounds)
        if isHalf {
            try commands.dispatch(
                LimitFmaHalfShader(
                    params: .init(rounds: rounds, a: Self.a, b: Self.b), bindings: .init(y: y.view)), groups: groups)
        } else {
            try commands.dispatch(
                LimitFmaShader(params: .init(rounds: rounds, a: Self.a, b: Self.b), bindings: .init(y: y.view)),
                groups: groups)
        }
    }

    public func reference() {
        for thread in 0..<y.columns {
            var sum: Float = 0
            for chain in 0..<chainCount {
                var value = Float(thread % 7 + chain % 16)
                for _ in 0..<rounds { value = Self.b.addingProduct(value, Self.a) }
                sum += value
            }
            y.floats[thread] = sum
        }
    }

    public var cost: Cost {
        Cost(byteCount: 4 * y.columns, flopCount: 2 * chainCount * rounds * y.columns)
    }

    public var tolerance: Tolerance {
        isHalf
            ? Tolerance(0x1p-8, because: "each round rounds to 11 bits, and errors shrink by a quarter a round")
            : Tolerance(1e-5, because: "FP32 sums of \(chainCount) terms, and rounds that may be fused or not")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [false, true].flatMap { isHalf in
            [0, 1, 20].map { rounds in
                KernelCase("\(isHalf ? "FP16" : "FP32"), \(rounds) rounds") { bench throws(GPUError) in
                    LimitFMA(y: try bench.output("y", [1, 192]), rounds: rounds, isHalf: isHalf)
                }
            }
        }
    }
}

/// C ← A · B + C many times on matrix units with FP16 inputs and FP32 sums, to measure these.
///
/// `y: [groups, M · N], F32`: see Shaders/limit_matrix.comp.
public struct LimitMatrix: Kernel {
    public static let name = "limit_matrix"
    public static let needs = DeviceNeed.anyMatrixUnits
    let y: Tensor
    let rounds: Int
    let shape: DeviceProfile.MatrixShape
    let subgroupSize: Int
    static let (a, b): (Float, Float) = (0.5, 0.25)

    public init(y: Tensor, rounds: Int, shape: DeviceProfile.MatrixShape, subgroupSize: Int) {
        precondition(y.columns == shape.m * shape.n && y.pitch == y.columns, "limit_matrix: \(y.shape)")
        self.y = y
        self.rounds = rounds
        self.shape = shape
        self.subgroupSize = subgroupSize
    }

    public var operands: [KernelOperand] { [.write(y)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = LimitMatrixShader(
            constants: .init(
                m: UInt32(shape.m), n: UInt32(shape.n), k: UInt32(shape.k), requiredSubgroup: UInt32(subgroupSize)),
            params: .init(rounds: UInt32(rounds), a: Self.a, b: Self.b), bindings: .init(y: y.view))
        try commands.dispatch(shader, groups: (y.rows, 1, 1))
    }

    public func reference() {
        let value = 4 * Float(rounds * shape.k) * Self.a * Self.b
        for index in 0..<y.rows * y.columns { y.floats[index] = value }
    }

    public var cost: Cost {
        Cost(byteCount: 4 * y.rows * y.columns, flopCount: 8 * rounds * shape.m * shape.n * shape.k * y.rows)
    }
    public var tolerance: Tolerance { Tolerance(1e-5, because: "sums of powers of two") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        guard let shape = profile.matrixShape else { return [] }
        return [0, 1, 20].map { rounds in
            KernelCase("\(shape.m) × \(shape.n) × \(shape.k), \(rounds) rounds") { bench throws(GPUError) in
                let size = shape.m * shape.n
                return LimitMatrix(
                    y: try bench.tensor("y", .f32, [5, size], .poison, pitch: size), rounds: rounds, shape: shape,
                    subgroupSize: profile.subgroupSize)
            }
        }
    }

    public static let codeRules = [CodeRule("limit_matrix", units: .matrix)]
}
