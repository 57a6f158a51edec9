import Kernels
import Numerics
import Program

/// Activations in the form that a product needs.
struct ProductInput {
    let x: Tensor
    /// A norm that the product takes of x itself.
    var norm: Linear.Norm?
    var rounding = Rounding.none
    /// Of x, for grouped products on matrix units.
    var halves: Halves?
}

extension KernelPhase {
    init(_ phase: StepPhase) { self = phase == .decode ? .decode : .prefill }
}

extension Transformer {
    func linear(
        _ x: ProductInput, _ weight: Weight, _ phase: StepPhase, _ label: String, _ p: inout ProgramBuilder
    ) -> Tensor {
        let y = p.floats(label, [x.x.rows, weight.rows])
        linear(x, weight, phase, into: y, &p)
        return y
    }

    /// y = x · Wᵀ.
    ///
    /// - Parameters:
    ///   - rows: of the weight; nil for all.
    ///   - adds: adds to the values in y instead of replacing them; for decode rows only.
    func linear(
        _ x: ProductInput, _ weight: Weight, rows: Range<Int>? = nil, _ phase: StepPhase, into y: Tensor,
        adds: Bool = false, _ p: inout ProgramBuilder
    ) {
        var kernel = Linear(
            phase: KernelPhase(phase), x: x.x, norm: x.norm, rounding: x.rounding, weight: weight, rows: rows, y: y,
            adds: adds)
        if let device, kernel.takesHalves(on: device) { kernel.setHalves(halves(of: x.x, &p)) }
        p.run(kernel)
    }

    /// Whether products with this weight take activations in FP8.
    func rounds(for weight: Weight) -> Bool { activations == .fp8 && weight.format == .fp8E4M3 }

    /// RMSNorm(x + delta) for products with these weights. Decode products take the norm of x themselves, a dispatch less,
    /// unless x must be rounded before.
    func normed(
        _ x: Tensor, adding delta: Tensor? = nil, _ weight: Tensor, for products: [Weight], _ phase: StepPhase,
        _ p: inout ProgramBuilder
    ) -> ProductInput {
        if phase == .decode && delta == nil && !products.allSatisfy(rounds) {
            return ProductInput(x: x, norm: Linear.Norm(weight: weight, epsilon: config.rmsNormEps))
        }
        return input(norm(x, adding: delta, weight, &p), of: products, phase, &p)
    }

    /// x as `Linear` takes it with these weights.
    func input(
        _ x: Tensor, of weights: [Weight], _ phase: StepPhase, _ p: inout ProgramBuilder
    ) -> ProductInput {
        guard weights.allSatisfy(rounds) else { return ProductInput(x: x) }
        let takesCodes = device.map { Linear.takesCodes(KernelPhase(phase), on: $0) } ?? false
        return rounded(x, writesCodes: takesCodes, &p)
    }

    /// The form of x that the experts' products of decode rows need.
    func input(_ x: Tensor, of bank: ExpertBank, _ p: inout ProgramBuilder) -> Tensor {
        rounds(for: bank.weights[0]) ? rounded(x, writesCodes: false, &p).x : x
    }

    /// The form of x that grouped products need.
    func input(
        _ x: Tensor, of bank: ExpertBank, in groups: ExpertGroups, _ p: inout ProgramBuilder
    ) -> ProductInput {
        var input = ProductInput(x: x)
        if rounds(for: bank.weights[0]) { input = rounded(x, writesCodes: groups.takesCodes, &p) }
        if groups.takesHalves { input.halves = halves(of: input.x, &p) }
        return input
    }

    private func rounded(_ x: Tensor, writesCodes: Bool, _ p: inout ProgramBuilder) -> ProductInput {
        let y = p.floats("\(x.label) in FP8", x.shape)
        var codes: RowCodes?
        if writesCodes {
            codes = RowCodes(
                codes: p.slot("\(x.label) codes", .fp8E4M3, [x.rows, RowCodes.columns(x.columns)]),
                scales: p.slot("\(x.label) scales", .f32, [x.rows, BlockScaling.blockCount(x.columns)]))
        }
        p.run(QuantiseRows(x: x, y: y, codes: codes, hasPowerOfTwoScales: config.hasPowerOfTwoScales))
        return ProductInput(x: y, rounding: codes.map { .codes($0) } ?? .values)
    }

    /// The form of x that matrix units need.
    private func halves(of x: Tensor, _ p: inout ProgramBuilder) -> Halves {
        let kernel = HalfRows(
            x: x, y: p.slot("half rows", .f16, [x.rows, HalfRows.columns(x.columns)]),
            scales: p.slot("row scales", .f32, [x.rows, 1]))
        p.run(kernel)
        return kernel.halves
    }
}
