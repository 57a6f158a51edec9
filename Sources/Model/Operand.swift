import Kernels
import Numerics

/// Activations as a product takes them.
struct Operand {
    let x: Tensor
    /// What the product takes of x itself.
    var norm: Linear.Norm?
    var rounding = Rounding.none
    /// Of x, for grouped products on matrix units.
    var halves: Halves?
}

extension KernelPhase {
    init(_ phase: StepPhase) { self = phase == .decode ? .decode : .prefill }
}

extension Transformer {
    /// Whether products with this weight take activations in FP8.
    func rounds(for weight: Weight) -> Bool { activations == .fp8 && weight.format == .fp8E4M3 }

    /// RMSNorm(x + delta) for products with these weights. Decode has them take it of x, a dispatch less, unless it must be
    /// rounded before.
    ///
    /// - Parameter y: where the norm goes if it is computed.
    func normed(
        _ x: Tensor, adding delta: Tensor? = nil, _ weight: Tensor, for products: [Weight], _ phase: StepPhase,
        into y: Tensor
    ) throws(ModelError) -> Operand {
        if phase == .decode && delta == nil && !products.allSatisfy(rounds) {
            return Operand(x: x, norm: Linear.Norm(weight: weight, epsilon: config.rmsNormEps))
        }
        try norm(x, adding: delta, weight, y)
        return try operand(y, of: products, in: phase)
    }

    /// x as `Linear` takes it with these weights.
    func operand(_ x: Tensor, of weights: Weight..., in phase: StepPhase) throws(ModelError) -> Operand {
        try operand(x, of: weights, in: phase)
    }

    func operand(_ x: Tensor, of weights: [Weight], in phase: StepPhase) throws(ModelError) -> Operand {
        guard weights.allSatisfy(rounds) else { return Operand(x: x) }
        let takesCodes = executor.target.map { Linear.takesCodes(KernelPhase(phase), on: $0) } ?? false
        return try rounded(x, writesCodes: takesCodes)
    }

    /// x as decode's experts take it.
    func operand(_ x: Tensor, of bank: ExpertBank) throws(ModelError) -> Tensor {
        rounds(for: bank.weights[0]) ? try rounded(x, writesCodes: false).x : x
    }

    /// x as grouped products take it.
    func operand(_ x: Tensor, of bank: ExpertBank, in groups: ExpertGroups) throws(ModelError) -> Operand {
        var operand = Operand(x: x)
        if rounds(for: bank.weights[0]) { operand = try rounded(x, writesCodes: groups.takesCodes) }
        if groups.takesHalves { operand.halves = try halves(of: operand.x) }
        return operand
    }

    private func rounded(_ x: Tensor, writesCodes: Bool) throws(ModelError) -> Operand {
        let y = try tensor("\(x.label) in FP8", x.shape)
        var codes: RowCodes?
        if writesCodes {
            let (columns, blocks) = (RowCodes.columns(x.columns), BlockScaling.blockCount(x.columns))
            let words = try tensor("\(x.label) codes", [x.rows, columns / 4], words: true)
            let scales = try tensor("\(x.label) scales", [x.rows, blocks], words: true)
            codes = RowCodes(
                codes: Tensor(words.storage, .fp8E4M3, [x.rows, columns]),
                scales: Tensor(scales.storage, .f32, scales.shape))
        }
        try executor.run(QuantiseRows(x: x, y: y, codes: codes, hasPowerOfTwoScales: config.hasPowerOfTwoScales))
        return Operand(x: y, rounding: codes.map { .codes($0) } ?? .values)
    }

    /// x as matrix units take it, until the next call.
    func halves(of x: Tensor) throws(ModelError) -> Halves {
        let columns = HalfRows.columns(x.columns)
        let words = try tensor("half rows", [x.rows, columns / 2], words: true)
        let scales = try tensor("row scales", [x.rows], words: true)
        let kernel = HalfRows(
            x: x, y: Tensor(words.storage, .f16, [x.rows, columns], pitch: columns),
            scales: Tensor(scales.storage, .f32, [x.rows, 1], pitch: 1))
        try executor.run(kernel)
        return kernel.halves
    }
}
