import GPU
import Numerics
import Shaders

/// y[a] = x[row(a)] · W_eᵀ for each assignment a = t · k + slot with its expert e, the assignments grouped by expert
/// (`ExpertSort`); for many tokens. row(a) = a / (rows of y / rows of x): the token of a, or a itself.
///
/// `x: [T, K]` or `[T · k, K], F32`; W: a bank of `[N, K]`, any format; `y: [T · k, N], F32`.
/// On matrix units weights go in as FP16, as `Linear`'s do.
/// Source: DeepSeek-V3 report, section 2.1.2; `Expert.forward` in inference/model.py.
public struct GroupedLinear: ChosenKernel {
    public static let name = "grouped_gemm"
    /// The products into the experts, or those out of them: which of `ExpertGroups.dispatches`.
    public enum Direction: Int, Sendable { case into, outOf }

    let x: Tensor
    let offsets: Tensor
    let assignments: Tensor
    let tiles: Tensor
    let dispatches: Tensor
    let weights: [Weight]
    let firstExperts: [Int]
    let y: Tensor
    let variant: Variant
    let tileRows: Int
    let direction: Direction
    /// x as matrix units take it; only for the form `matrix`.
    let halves: Halves?
    let rounding: Rounding

    /// - Parameters:
    ///   - rounding: of x; with its codes where `groups.takesCodes`.
    ///   - halves: of x, where `groups.takesHalves`.
    public init(
        x: Tensor, rounding: Rounding = .none, halves: Halves? = nil, groups: ExpertGroups, _ direction: Direction,
        bank: ExpertBank, y: Tensor
    ) {
        precondition(
            x.columns == bank.columns && y.columns == bank.rows && y.rows % x.rows == 0
                && groups.assignments.rows == y.rows,
            "grouped_gemm: \(y.shape) from \(x.shape), \(groups.assignments.shape)")
        precondition(
            groups.offsets.rows == bank.expertCount + 1 && groups.productRows[direction.rawValue] == bank.rows,
            "grouped_gemm: \(groups.offsets.shape), \(groups.productRows) for \(bank.expertCount) experts of \(bank.rows)"
        )
        precondition(x.pitch % 4 == 0, "grouped_gemm: \(x.label) has pitch \(x.pitch)")
        precondition(
            halves?.x.shape == (groups.takesHalves ? [x.rows, HalfRows.columns(x.columns)] : nil),
            "grouped_gemm: \(groups.variant.name) with halves \(halves?.x.shape ?? []) of \(x.shape)")
        precondition(
            (rounding.codes != nil) == groups.takesCodes && rounding.codes.map { $0.fits(x) } ?? true,
            "grouped_gemm: \(groups.variant.name) with codes \(rounding.codes?.codes.shape ?? []) of \(x.shape)")
        self.x = x
        self.rounding = rounding
        self.halves = halves
        offsets = groups.offsets
        assignments = groups.assignments
        tiles = groups.tiles
        dispatches = groups.dispatches
        weights = bank.weights
        firstExperts = bank.firstExperts
        self.y = y
        variant = groups.variant
        tileRows = groups.tileRows
        self.direction = direction
    }

    public var outputs: [Tensor] { [y] }

    static func choice(_ type: WeightFormat, isRounded: Bool) -> String {
        "\(name) \(type)\(isRounded ? " of FP8" : "")"
    }
    static func variants(_ profile: DeviceProfile, _ type: WeightFormat, isRounded: Bool) -> [Variant] {
        productVariants(profile, type, isRounded: isRounded)
    }

    public var choice: String { Self.choice(weights[0].type, isRounded: rounding.isRounded) }
    public func variants(on profile: DeviceProfile) -> [Variant] {
        Self.variants(profile, weights[0].type, isRounded: rounding.isRounded)
    }
    public func variant(on target: any Target) -> Variant { variant }

    private var rowDivisor: Int { y.rows / x.rows }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let groups = dispatches.rows(direction.rawValue..<direction.rawValue + 1).view
        for (index, weight) in weights.enumerated() {
            switch variant.form {
            case .lanes, .rows:
                let shader = GroupedLanesShader(
                    constants: .init(
                        format: weight.format, rows: UInt32(variant.rows), tokens: UInt32(variant.tokens),
                        subgroup: UInt32(commands.profile.subgroupSize),
                        quadsAtOnce: commands.profile.quadsAtOnce),
                    params: params(index),
                    bindings: .init(
                        x: x.view, offsets: offsets.view, assignments: assignments.view, tiles: tiles.view,
                        weights: weight.codes.view, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            case .matrix:
                guard let halves, let tiles = commands.profile.matrixTiles else {
                    preconditionFailure("grouped_gemm: the form matrix without halves or matrix units")
                }
                let shader = GroupedMatrixShader(
                    constants: .init(
                        format: weight.format, m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n),
                        k: UInt32(tiles.shape.k), requiredSubgroup: UInt32(tiles.subgroup),
                        threads: UInt32(4 * tiles.subgroup)),
                    params: params(index, xPitch: halves.x.pitch),
                    bindings: .init(
                        x: halves.x.view, rowScales: halves.scales.view, offsets: offsets.view,
                        assignments: assignments.view, tiles: self.tiles.view, weights: weight.codes.view,
                        scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            case .matrix8:
                guard let rounded = rounding.codes, let tiles = commands.profile.matrix8Tiles else {
                    preconditionFailure("grouped_gemm: the form matrix8 without codes or matrix units")
                }
                let shader = GroupedMatrix8Shader(
                    constants: .init(
                        format: weight.format, m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n),
                        k: UInt32(tiles.shape.k), requiredSubgroup: UInt32(tiles.subgroup),
                        threads: UInt32(4 * tiles.subgroup)),
                    params: params(index, xPitch: rounded.codes.pitch),
                    bindings: .init(
                        x: rounded.codes.view, xScales: rounded.scales.view, offsets: offsets.view,
                        assignments: assignments.view, tiles: self.tiles.view, weights: weight.codes.view,
                        scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            case .tiles:
                let shader = GroupedGemmShader(
                    constants: .init(
                        format: weight.format, tile: UInt32(tileRows), threads: UInt32(2 * tileRows)),
                    params: params(index),
                    bindings: .init(
                        x: x.view, offsets: offsets.view, assignments: assignments.view, tiles: tiles.view,
                        weights: weight.codes.view, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            }
        }
    }

    private func params<P: GroupedParams>(_ part: Int, xPitch: Int? = nil) -> P {
        let weight = weights[part]
        return P(
            columns: UInt32(x.columns), rowCount: UInt32(weight.rows), rowDivisor: UInt32(rowDivisor),
            firstExpert: UInt32(firstExperts[part]), expertCount: UInt32(weight.matrixCount),
            chunkPitch: UInt32(weight.chunkPitch), scaleRows: UInt32(weight.scaleRows),
            scalePitch: UInt32(weight.scalePitch), xPitch: UInt32(xPitch ?? x.pitch), yPitch: UInt32(y.pitch))
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
        "\(weights[0].name) \(y.rows) × \(x.columns) to \(y.columns), \(weights[0].type)"
    }

    public var cost: Cost {
        Cost(
            byteCount: chosenByteCount(weights, assignments: y.rows)
                + 4 * (x.rows * x.columns + y.rows * y.columns), flopCount: 2 * y.rows * y.columns * x.columns)
    }

    public var tolerance: Tolerance {
        halves != nil ? .halves(with: weights[0].type) : rounding.codes != nil ? .codes : .sum(of: x.columns)
    }

    /// A product over random assignments, grouped on the host.
    ///
    /// - Parameter isOwn: x has one row for each assignment, as in the products out of the experts.
    public static func sample(
        _ bench: inout Workbench, tokens: Int, topK: Int, isOwn: Bool, columns: Int, bank: ExpertBank,
        variant: Variant? = nil, tile: Int? = nil
    ) throws(GPUError) -> GroupedLinear {
        let experts = try sampleExperts(&bench, tokens: tokens, topK: topK, of: bank.expertCount)
        let groups = try ExpertGroups(
            assignments: tokens * topK, experts: bank.expertCount, bank.type,
            productRows: [bank.rows, bank.rows], on: bench.target, variant: variant, tile: tile
        ) { name, shape throws(GPUError) in
            try bench.tensor(name, .u32, shape, .words(Array(repeating: 0, count: shape.reduce(1, *))))
        }
        if !bench.isUnfilled { ExpertSort(experts: experts, groups: groups).reference() }
        var x = try bench.tensor("x", [isOwn ? tokens * topK : tokens, columns])
        var rounding = Rounding.none
        if groups.takesCodes {
            let quantised = try QuantiseRows.sample(&bench, x: x)
            if !bench.isUnfilled { quantised.reference() }
            (x, rounding) = (quantised.y, .codes(quantised.codes!))
        }
        return GroupedLinear(
            x: x, rounding: rounding, halves: groups.takesHalves ? try .sample(&bench, of: x) : nil, groups: groups,
            isOwn ? .outOf : .into, bank: bank, y: try bench.output("y", [tokens * topK, bank.rows]))
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, K, N, whether x has one row for each assignment.
        let shapes = [
            (1, 3, 8, 100, 72, false), (7, 3, 9, 131, 37, true), (50, 4, 8, 128, 40, false), (3, 2, 4, 7168, 32, false),
            (40, 8, 8, 96, 300, true), (150, 2, 3, 260, 140, false),
        ]
        return WeightFormat.tested.flatMap { type in
            let large = KernelCase("80 × 131 to 4 of 5 × 70, \(type), tiles of 64") { bench throws(GPUError) in
                let bank = try ExpertBank.sample(&bench, "weights", experts: 5, rows: 70, columns: 131, type)
                return try sample(
                    &bench, tokens: 80, topK: 4, isOwn: false, columns: 131, bank: bank, variant: .tiles, tile: 64)
            }
            return [large]
                + variants(profile, type, isRounded: true).flatMap { variant in
                    shapes.map { tokens, topK, count, columns, rows, isOwn in
                        let label =
                            "\(tokens) × \(columns) to \(topK) of \(count) × \(rows)\(isOwn ? ", own rows" : "")"
                        return KernelCase("\(label), \(type), \(variant.name)") { bench throws(GPUError) in
                            let bank = try ExpertBank.sample(
                                &bench, "weights", experts: count, rows: rows, columns: columns, type)
                            return try sample(
                                &bench, tokens: tokens, topK: topK, isOwn: isOwn, columns: columns, bank: bank,
                                variant: variant)
                        }
                    }
                }
        }
    }
}

/// The parameters that every form of the product takes.
private protocol GroupedParams {
    init(
        columns: UInt32, rowCount: UInt32, rowDivisor: UInt32, firstExpert: UInt32, expertCount: UInt32,
        chunkPitch: UInt32, scaleRows: UInt32, scalePitch: UInt32, xPitch: UInt32, yPitch: UInt32)
}
extension GroupedGemmShader.Params: GroupedParams {}
extension GroupedLanesShader.Params: GroupedParams {}
extension GroupedMatrixShader.Params: GroupedParams {}
extension GroupedMatrix8Shader.Params: GroupedParams {}

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
