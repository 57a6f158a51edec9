import GPU
import Numerics
import Shaders

/// y[a] = x[row(a)] · W_eᵀ for each assignment a = t · k + slot of a token t to an expert e, the assignments grouped by expert
/// (`ExpertSort`); for many tokens. row(a) = a / (rows of y / rows of x): the token of a, or a itself.
///
/// `x: [T, K]` or `[T · k, K], F32`; W: a bank of `[N, K]`, any format; `y: [T · k, N], F32`.
/// Matrix units take weights as FP16, as in `Linear`.
/// Source: DeepSeek-V3 report, section 2.1.2; `Expert.forward` in inference/model.py.
public struct GroupedLinear: ChosenKernel {
    public static let name = "grouped_linear"
    public static let variants = Product.manyRows

    /// The gate and up projections, or the down projection: an index of `ExpertGroups.dispatches`.
    public enum Direction: Int, Sendable { case into, outOf }

    let product: Product
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

    /// - Parameters:
    ///   - rounding: how x was rounded; with x's codes where `groups.takesCodes`.
    ///   - halves: of x, where `groups.takesHalves`.
    public init(
        x: Tensor, rounding: Rounding = .none, halves: Halves? = nil, groups: ExpertGroups, _ direction: Direction,
        bank: ExpertBank, y: Tensor
    ) {
        precondition(
            x.columns == bank.columns && y.columns == bank.rows && y.rows % x.rows == 0
                && groups.assignments.rows == y.rows,
            "grouped_linear: \(y.shape) from \(x.shape), \(groups.assignments.shape)")
        precondition(
            groups.offsets.rows == bank.expertCount + 1 && groups.productRows[direction.rawValue] == bank.rows,
            "grouped_linear: \(groups.offsets.shape), \(groups.productRows) for \(bank.expertCount) experts of \(bank.rows)"
        )
        precondition(
            (halves != nil) == groups.takesHalves && (rounding.codes != nil) == groups.takesCodes,
            "grouped_linear: the variant \(groups.variant.name) with halves \(halves != nil), codes \(rounding.codes != nil)"
        )
        product = Product(x: x, rounding: rounding, halves: halves, format: bank.format, of: Self.name)
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

    var x: Tensor { product.x }

    public var operands: [KernelOperand] {
        .read(product, offsets, assignments, tiles, dispatches, weights) + [.write(y)]
    }

    // MARK: Variants

    public var choice: String { Self.choice(product.format, isRounded: product.rounding.isRounded) }

    private static func choice(_ format: WeightFormat, isRounded: Bool) -> String {
        "\(name) \(format)\(isRounded ? " of FP8" : "")"
    }

    public func takes(_ variant: Variant, on profile: DeviceProfile) -> Bool {
        Product.takes(variant, product.format, isRounded: product.rounding.isRounded)
    }

    /// The variant of `ExpertGroups`, which lay out the tiles for it.
    public func variant(on device: any Target) -> Variant { variant }

    static func variant(on device: any Target, _ format: WeightFormat, isRounded: Bool) -> Variant {
        variant(on: device, choice: choice(format, isRounded: isRounded)) {
            Product.takes($0, format, isRounded: isRounded)
        }
    }

    // MARK: Dispatches

    public func encode(into commands: inout Commands) throws(GPUError) {
        let profile = commands.profile
        let groups = dispatches.rows(direction.rawValue..<direction.rawValue + 1).view
        for (part, weight) in weights.enumerated() {
            switch variant.form {
            case .rows: preconditionFailure("grouped_linear: the form rows is for few rows of activations")
            case .lanes:
                let shader = GroupedLinearLanesShader(
                    constants: weight.formConstants(variant, tokens: variant.tokens, on: profile),
                    params: params(part, xPitch: x.pitch),
                    bindings: .init(
                        x: x.view, offsets: offsets.view, assignments: assignments.view, tiles: tiles.view,
                        weights: weight.codes.view, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            case .tiles:
                let shader = GroupedLinearTilesShader(
                    constants: product.tileConstants(tileRows), params: params(part, xPitch: x.pitch),
                    bindings: .init(
                        x: x.view, offsets: offsets.view, assignments: assignments.view, tiles: tiles.view,
                        weights: weight.codes.view, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            case .matrix:
                let input = product.matrixInput(.matrix, on: profile, of: Self.name)
                let shader = GroupedLinearMatrixShader(
                    constants: input.constants(), params: params(part, xPitch: input.x.pitch),
                    bindings: .init(
                        x: input.x.view, rowScales: input.scales.view, offsets: offsets.view,
                        assignments: assignments.view, tiles: tiles.view, weights: weight.codes.view,
                        scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            case .matrix8:
                let input = product.matrixInput(.matrix8, on: profile, of: Self.name)
                let shader = GroupedLinearMatrix8Shader(
                    constants: input.constants(), params: params(part, xPitch: input.x.pitch),
                    bindings: .init(
                        x: input.x.view, xScales: input.scales.view, offsets: offsets.view,
                        assignments: assignments.view, tiles: tiles.view, weights: weight.codes.view,
                        scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, indirect: groups)
            }
        }
    }

    /// Rows of y for each row of x.
    private var rowDivisor: Int { y.rows / x.rows }

    private func params<P: GroupedParams>(_ part: Int, xPitch: Int) -> P {
        let weight = weights[part]
        return P(
            columns: UInt32(x.columns), rowCount: UInt32(weight.rows), rowDivisor: UInt32(rowDivisor),
            firstExpert: UInt32(firstExperts[part]), expertCount: UInt32(weight.matrixCount),
            chunkPitch: UInt32(weight.chunkPitch), scaleRows: UInt32(weight.scaleRows),
            scalePitch: UInt32(weight.scalePitch), xPitch: UInt32(xPitch), yPitch: UInt32(y.pitch))
    }

    // MARK: Definition

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
        "\(weights[0].name) \(y.rows) × \(x.columns) to \(y.columns), \(product.format)"
    }

    public var cost: Cost {
        Cost(
            byteCount: chosenByteCount(weights, assignments: y.rows)
                + 4 * (x.rows * x.columns + y.rows * y.columns), flopCount: 2 * y.rows * y.columns * x.columns)
    }

    public var tolerance: Tolerance { product.tolerance }

    // MARK: Cases

    /// A product over random assignments, grouped on the host.
    ///
    /// - Parameter direction: for the down projection, x has one row for each assignment.
    private static func sample(
        _ bench: inout Workbench, tokens: Int, topK: Int, _ direction: Direction, bank: ExpertBank,
        variant: Variant? = nil, tile: Int? = nil
    ) throws(GPUError) -> GroupedLinear {
        let experts = try sampleExperts(&bench, tokens: tokens, topK: topK, of: bank.expertCount)
        let groups = try ExpertGroups(
            assignments: tokens * topK, experts: bank.expertCount, bank.format,
            productRows: [bank.rows, bank.rows], on: bench.target, variant: variant, tile: tile
        ) { name, shape throws(GPUError) in
            try bench.tensor(name, .u32, shape, .words(Array(repeating: 0, count: shape.reduce(1, *))))
        }
        if !bench.isUnfilled { ExpertSort(experts: experts, groups: groups).reference() }
        var x = try bench.tensor("x", [direction == .outOf ? tokens * topK : tokens, bank.columns])
        var rounding = Rounding.none
        if groups.takesCodes {
            let quantised = try QuantiseRows.sample(&bench, x: x)
            if !bench.isUnfilled { quantised.reference() }
            (x, rounding) = (quantised.y, .codes(quantised.codes!))
        }
        return GroupedLinear(
            x: x, rounding: rounding, halves: groups.takesHalves ? try .sample(&bench, of: x) : nil, groups: groups,
            direction, bank: bank, y: try bench.output("y", [tokens * topK, bank.rows]))
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, k, experts, K, N, direction.
        let shapes: [(Int, Int, Int, Int, Int, Direction)] = [
            (1, 3, 8, 100, 72, .into), (7, 3, 9, 131, 37, .outOf), (50, 4, 8, 128, 40, .into),
            (3, 2, 4, 7168, 32, .into), (40, 8, 8, 96, 300, .outOf), (150, 2, 3, 260, 140, .into),
        ]
        return WeightFormat.tested.flatMap { format in
            let large = KernelCase("80 × 131 to 4 of 5 × 70, \(format), tiles of 64") { bench throws(GPUError) in
                let bank = try ExpertBank.sample(&bench, "weights", experts: 5, rows: 70, columns: 131, format)
                return try sample(&bench, tokens: 80, topK: 4, .into, bank: bank, variant: .tiles, tile: 64)
            }
            let variants = variants(on: profile) { Product.takes($0, format, isRounded: true) }
            return [large]
                + variants.flatMap { variant in
                    shapes.map { tokens, topK, count, columns, rows, direction in
                        let label =
                            "\(tokens) × \(columns) to \(topK) of \(count) × \(rows)\(direction == .outOf ? ", own rows" : "")"
                        return KernelCase("\(label), \(format), \(variant.name)") { bench throws(GPUError) in
                            let bank = try ExpertBank.sample(
                                &bench, "weights", experts: count, rows: rows, columns: columns, format)
                            return try sample(
                                &bench, tokens: tokens, topK: topK, direction, bank: bank, variant: variant)
                        }
                    }
                }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard let experts = model.experts, phase == .prefill else { return [] }
        let (width, inner) = (model.hiddenSize, experts.intermediateSize)
        return [("gate", width, inner, Direction.into), ("down", inner, width, .outOf)].map {
            name, from, to, direction in
            ModelCase("experts' \(name)") { bench, tokens throws(GPUError) in
                let bank = try ExpertBank.sample(&bench, name, of: experts, rows: to, columns: from, model.format)
                return try sample(&bench, tokens: tokens, topK: experts.rule.topK, direction, bank: bank)
            }
        }
    }

    public static let codeRules = [
        CodeRule("grouped_linear_tiles", wideLoads: 6),
        CodeRule("grouped_linear_matrix", wideLoads: 4, units: .matrix, subgroups: 4),
        CodeRule("grouped_linear_matrix8", wideLoads: 4, units: .matrixFP8, subgroups: 4),
    ]
}

/// The parameters that all forms share.
private protocol GroupedParams {
    init(
        columns: UInt32, rowCount: UInt32, rowDivisor: UInt32, firstExpert: UInt32, expertCount: UInt32,
        chunkPitch: UInt32, scaleRows: UInt32, scalePitch: UInt32, xPitch: UInt32, yPitch: UInt32)
}
extension GroupedLinearLanesShader.Params: GroupedParams {}
extension GroupedLinearTilesShader.Params: GroupedParams {}
extension GroupedLinearMatrixShader.Params: GroupedParams {}
extension GroupedLinearMatrix8Shader.Params: GroupedParams {}
