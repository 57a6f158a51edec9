import GPU
import Numerics
import Shaders

/// y[a] = x[row(a)] · W_eᵀ for each assignment a = t · k + slot with its expert e, the assignments grouped by expert
/// (`ExpertSort`); for many tokens. row(a) = a / (rows of y / rows of x): the token of a, or a itself.
///
/// `x: [T, K]` or `[T · k, K], F32`; `offsets: [E + 1], U32`; `assignments: [T · k], U32`; W: a bank of `[N, K]`, any
/// format; `y: [T · k, N], F32`. Source: DeepSeek-V3 report, section 2.1.2; `Expert.forward` in inference/model.py.
public struct GroupedLinear: Kernel {
    public static let name = "grouped_gemm"
    let x: Tensor
    let offsets: Tensor
    let assignments: Tensor
    let weights: [Weight]
    let firstExperts: [Int]
    let y: Tensor

    public init(x: Tensor, offsets: Tensor, assignments: Tensor, bank: ExpertBank, y: Tensor) {
        precondition(
            x.columns == bank.columns && y.columns == bank.rows && y.rows % x.rows == 0 && assignments.rows == y.rows,
            "grouped_gemm: \(y.shape) from \(x.shape), \(assignments.shape)")
        precondition(
            offsets.rows == bank.expertCount + 1 && bank.expertCount <= 512 && offsets.columns == 1,
            "grouped_gemm: \(offsets.shape) for \(bank.expertCount) experts")
        precondition(x.pitch % 4 == 0, "grouped_gemm: \(x.label) has pitch \(x.pitch)")
        self.x = x
        self.offsets = offsets
        self.assignments = assignments
        weights = bank.weights
        firstExperts = bank.firstExperts
        self.y = y
    }

    public var outputs: [Tensor] { [y] }

    private var rowDivisor: Int { y.rows / x.rows }

    public func encode(into commands: inout Commands) throws(GPUError) {
        for (index, weight) in weights.enumerated() {
            let shader = GroupedGemmShader(
                constants: .init(format: weight.format),
                params: .init(
                    columns: UInt32(x.columns), rowCount: UInt32(weight.rows), rowDivisor: UInt32(rowDivisor),
                    firstExpert: UInt32(firstExperts[index]), expertCount: UInt32(weight.matrixCount),
                    chunkPitch: UInt32(weight.chunkPitch), scaleRows: UInt32(weight.scaleRows),
                    scalePitch: UInt32(weight.scalePitch), xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch)),
                bindings: .init(
                    x: x.view, offsets: offsets.view, assignments: assignments.view, weights: weight.codes.view,
                    scales: weight.scalesView, y: y.view))
            // Each expert's last tile may be ragged: at most one more tile for each.
            let tiles = ceilDivide(y.rows, 32) + min(weight.matrixCount, y.rows)
            try commands.dispatch(shader, groups: (ceilDivide(weight.rows, 32), tiles, 1))
        }
    }

    public func reference() {
        for expert in 0..<offsets.rows - 1 {
            let (weight, matrix) = locate(expert, weights, firstExperts)
            let group = Int(offsets.words[expert])..<Int(offsets.words[expert + 1])
            for n in 0..<(group.isEmpty ? 0 : y.columns) {
                let row = weight.decodedRow(n, matrix: matrix)
                for place in group {
                    let a = Int(assignments.words[place])
                    y.floats[a * y.pitch + n] = dotProduct(row, x.floats + a / rowDivisor * x.pitch)
                }
            }
        }
    }

    public var summary: String {
        "\(weights[0].name) \(y.rows) × \(x.columns) to \(y.columns), \(weights[0].codes.type)"
    }

    public var cost: Cost {
        Cost(
            byteCount: chosenByteCount(weights, assignments: y.rows)
                + 4 * (x.rows * x.columns + y.rows * y.columns), flopCount: 2 * y.rows * y.columns * x.columns)
    }

    public var tolerance: Tolerance { .sum(of: x.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, K, N, whether x has one row for each assignment.
        let shapes = [
            (1, 3, 8, 100, 72, false), (7, 3, 9, 131, 37, true), (50, 4, 8, 128, 40, false), (3, 2, 4, 7168, 32, false),
            (40, 8, 8, 96, 33, true),
        ]
        return shapes.flatMap { tokens, topK, count, columns, rows, isOwn in
            [ElementType.f32, .bf16, .f16, .fp8E4M3].map { type in
                let label =
                    "\(tokens) × \(columns) to \(topK) of \(count) × \(rows)\(isOwn ? ", own rows" : ""), \(type)"
                return KernelCase(label) { bench throws(GPUError) in
                    let ids = (0..<tokens).flatMap { _ in
                        (0..<count).shuffled(using: &bench.random).prefix(topK)
                    }
                    let sorted = ids.indices.sorted { (ids[$0], $0) < (ids[$1], $1) }.map { UInt32($0) }
                    let offsets = (0...count).map { expert in UInt32(ids.count { $0 < expert }) }
                    return GroupedLinear(
                        x: try bench.tensor("x", [isOwn ? tokens * topK : tokens, columns]),
                        offsets: try bench.tensor("offsets", .u32, [count + 1], .words(offsets)),
                        assignments: try bench.tensor("assignments", .u32, [tokens * topK], .words(sorted)),
                        bank: try .sample(&bench, "weights", experts: count, rows: rows, columns: columns, type),
                        y: try bench.output("y", [tokens * topK, rows]))
                }
            }
        }
    }
}

/// y[t] += Σ_slot routing[t, slot] · x[t · k + slot], in the slots' order.
///
/// `x: [T · k, H], F32`, the experts' outputs; `routing: [T, k], F32`; `y: [T, H], F32`, which holds the base before.
/// Source: DeepSeek-V3 report, equation 12; `MoE.forward` in inference/model.py.
public struct ExpertSum: Kernel {
    public static let name = "expert_sum"
    let x: Tensor
    let routing: Tensor
    let y: Tensor

    public init(x: Tensor, routing: Tensor, y: Tensor) {
        precondition(
            x.rows == y.rows * routing.columns && routing.rows == y.rows && x.columns == y.columns,
            "expert_sum: \(y.shape) from \(x.shape), \(routing.shape)")
        self.x = x
        self.routing = routing
        self.y = y
    }

    public var outputs: [Tensor] { [y] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = ExpertSumShader(
            params: .init(
                width: UInt32(y.columns), topK: UInt32(routing.columns), xPitch: UInt32(x.pitch),
                routingPitch: UInt32(routing.pitch), yPitch: UInt32(y.pitch)),
            bindings: .init(x: x.view, routing: routing.view, y: y.view))
        try commands.dispatch(shader, groups: (ceilDivide(y.columns, 256), y.rows, 1))
    }

    public func reference() {
        for t in 0..<y.rows {
            for i in 0..<y.columns {
                var sum: Float = 0
                for slot in 0..<routing.columns {
                    sum +=
                        routing.floats[t * routing.pitch + slot] * x.floats[(t * routing.columns + slot) * x.pitch + i]
                }
                y.floats[t * y.pitch + i] += sum
            }
        }
    }

    public var cost: Cost {
        Cost(byteCount: 4 * (x.rows + 2 * y.rows) * y.columns, flopCount: 2 * x.rows * y.columns)
    }

    public var tolerance: Tolerance { .sum(of: routing.columns) }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 8, 7168), (7, 3, 72), (5, 6, 131), (64, 4, 256)].map { tokens, topK, width in
            KernelCase("\(tokens) × \(topK) × \(width)") { bench throws(GPUError) in
                ExpertSum(
                    x: try bench.tensor("x", [tokens * topK, width]),
                    routing: try bench.tensor("routing", [tokens, topK]),
                    y: try bench.tensor("y", [tokens, width]))
            }
        }
    }
}
