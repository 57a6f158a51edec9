import GPU
import Numerics
import Shaders

/// y[t, n] = Σ_k x'[t, k] · W[n, k], added to y's old values with `adds`; x' = x or RMSNorm(x).
///
/// `x: [T, K], F32`; `weight: [N, K]`, any format; `y: [T, N], F32`.
/// Matrix units take weights as FP16. A BF16 weight beyond 65504 becomes infinite there, and the step's error names the layer;
/// the variant `tiles` computes it.
/// Source: `linear` and `fp8_gemm` in DeepSeek-V3's inference/model.py and kernel.py, with activations in F32.
public struct Linear: VariedKernel {
    public static let name = "linear"
    public static let variants = Product.fewRows + Product.manyRows

    /// x[t, k] / √(mean(x[t]²) + ε) · weight[k], with `weight: [1, K], F32`; computed in the product's own pass over x.
    public struct Norm: Sendable {
        let weight: Tensor
        let epsilon: Float

        public init(weight: Tensor, epsilon: Float) {
            self.weight = weight
            self.epsilon = epsilon
        }
    }

    let phase: KernelPhase
    private(set) var product: Product
    let weight: Weight
    let y: Tensor
    /// The weight's rows to use, from a multiple of 16 on; y has one column for each.
    let rows: Range<Int>
    /// The norm's weight.
    let gain: Tensor?
    let epsilon: Float
    let adds: Bool
    public var variant: Variant?
    /// Bytes of one binding at most; nil for the device's limit. A larger weight takes several dispatches.
    var bindingLimit: Int?
    /// The tile of the form `tiles` and the split of the form `rows`, for tests; nil for the sizes that the shape asks for.
    var tile, split: Int?

    /// - Parameters:
    ///   - norm: applied to x first; in decode only.
    ///   - rounding: how x was rounded; not together with a norm.
    ///   - rows: nil for all rows of the weight.
    ///   - adds: add to y; in decode only.
    public init(
        phase: KernelPhase, x: Tensor, norm: Norm? = nil, rounding: Rounding = .none, weight: Weight,
        rows: Range<Int>? = nil, y: Tensor, adds: Bool = false
    ) {
        let rows = rows ?? 0..<weight.rows
        precondition(
            x.columns == weight.columns && y.columns == rows.count && rows.upperBound <= weight.rows
                && rows.lowerBound % 16 == 0 && x.rows == y.rows && weight.matrixCount == 1,
            "linear: \(y.shape) from \(x.shape), \(weight.codes.shape), rows \(rows)")
        precondition(phase == .decode || (norm == nil && !adds), "linear: a prefill with a norm or added to y")
        if let norm {
            precondition(
                norm.weight.columns == x.columns && norm.weight.pitch % 4 == 0 && !rounding.isRounded,
                "linear: norm of \(norm.weight.shape)")
        }
        self.phase = phase
        product = Product(x: x, rounding: rounding, format: weight.format, of: Self.name)
        gain = norm?.weight
        epsilon = norm?.epsilon ?? 0
        self.adds = adds
        self.weight = weight
        self.y = y
        self.rows = rows
    }

    var x: Tensor { product.x }

    public var operands: [KernelOperand] {
        .read(product, weight, gain) + [adds ? .readWrite(y) : .write(y)]
    }

    // MARK: Variants

    public var choice: String { Self.choice(phase, weight.format, isRounded: product.rounding.isRounded) }

    private static func choice(_ phase: KernelPhase, _ format: WeightFormat, isRounded: Bool) -> String {
        "\(name) \(phase) \(format)" + (isRounded && phase == .prefill ? " of FP8" : "")
    }

    public func takes(_ variant: Variant, on profile: DeviceProfile) -> Bool {
        Self.takes(variant, phase, weight.format, isRounded: product.rounding.isRounded)
    }

    static func takes(_ variant: Variant, _ phase: KernelPhase, _ format: WeightFormat, isRounded: Bool) -> Bool {
        let ofPhase = phase == .decode ? Product.fewRows : Product.manyRows
        return ofPhase.contains { $0.variant == variant } && Product.takes(variant, format, isRounded: isRounded)
    }

    /// Whether the device computes products of rounded activations with FP8 weights on matrix units with FP8 inputs, so that
    /// `QuantiseRows` must write codes.
    public static func takesCodes(_ phase: KernelPhase, on device: any Target) -> Bool {
        variant(on: device, choice: choice(phase, .fp8E4M3, isRounded: true)) {
            takes($0, phase, .fp8E4M3, isRounded: true)
        } == .matrix8
    }

    /// Whether the device computes this product on matrix units, so that `HalfRows` must come before it.
    public func takesHalves(on device: any Target) -> Bool { variant(on: device) == .matrix }

    public mutating func setHalves(_ halves: Halves) {
        product = Product(
            x: x, rounding: product.rounding, halves: halves, format: weight.format, of: Self.name)
    }

    func ready(in bench: inout Workbench) throws(GPUError) -> Linear {
        var kernel = self
        if variant == .matrix8 {
            let quantised = try QuantiseRows.sample(&bench, x: x)
            if !bench.isUnfilled { quantised.reference() }
            kernel.product = Product(
                x: quantised.y, rounding: .codes(quantised.codes!), format: weight.format, of: Self.name)
        }
        guard let device = bench.target, takesHalves(on: device) else { return kernel }
        kernel.setHalves(try .sample(&bench, of: x))
        return kernel
    }

    // MARK: Dispatches

    public func encode(into commands: inout Commands) throws(GPUError) {
        let profile = commands.profile
        let variant = variant(on: commands.target)
        let limit = bindingLimit ?? profile.maxStorageBufferRange
        for slab in weight.slabs(of: rows, limit: limit) {
            let codes = weight.codes.rows(slab).view
            switch variant.form {
            case .rows, .lanes:
                let (tokens, tokenGroups) = tokens(variant)
                let group = group(variant, on: profile, of: x.rows <= tokens * tokenGroups ? slab.count : 0)
                let shader = LinearShader(
                    constants: .init(
                        format: weight.formatConstant, rows: UInt32(variant.rows), tokens: UInt32(tokens),
                        subgroup: variant.subgroup(on: profile), threads: UInt32(group.threads),
                        kSplit: UInt32(group.split), normed: gain != nil, tokenGroups: UInt32(tokenGroups),
                        quadsAtOnce: profile.quadsAtOnce),
                    params: .init(
                        tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
                        firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
                        chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch),
                        xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch), groupRows: UInt32(group.rows),
                        epsilon: epsilon, adds: adds ? 1 : 0),
                    bindings: .init(
                        x: x.view, weights: codes, scales: weight.scalesView, gain: (gain ?? x).view, y: y.view))
                try commands.dispatch(
                    shader, groups: (ceilDivide(slab.count, group.rows), ceilDivide(x.rows, tokens * tokenGroups), 1))
            case .tiles:
                let tile = tile ?? tileSize(tokens: x.rows, rows: rows.count)
                let shader = LinearTilesShader(
                    constants: product.tileConstants(tile), params: params(slab, xPitch: x.pitch),
                    bindings: .init(x: x.view, weights: codes, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, groups: (ceilDivide(slab.count, tile), ceilDivide(x.rows, tile), 1))
            case .matrix:
                let input = product.matrixInput(.matrix, on: profile, of: Self.name)
                let shader = LinearMatrixShader(
                    constants: input.constants(), params: params(slab, xPitch: input.x.pitch),
                    bindings: .init(
                        x: input.x.view, rowScales: input.scales.view, weights: codes, scales: weight.scalesView,
                        y: y.view))
                try commands.dispatch(shader, groups: matrixGroups(slab))
            case .matrix8:
                let input = product.matrixInput(.matrix8, on: profile, of: Self.name)
                let shader = LinearMatrix8Shader(
                    constants: input.constants(), params: params(slab, xPitch: input.x.pitch),
                    bindings: .init(
                        x: input.x.view, xScales: input.scales.view, weights: codes, scales: weight.scalesView,
                        y: y.view))
                try commands.dispatch(shader, groups: matrixGroups(slab))
            }
        }
    }

    /// Tiles begin at multiples of 64 rows of the matrix, wherever the slab begins.
    private func matrixGroups(_ slab: Range<Int>) -> (Int, Int, Int) {
        let tile = Product.matrixTile
        return (ceilDivide(slab.upperBound, tile) - slab.lowerBound / tile, ceilDivide(x.rows, tile), 1)
    }

    private func params<P: LinearParams>(_ slab: Range<Int>, xPitch: Int) -> P {
        P(
            tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
            firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
            chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch), xPitch: UInt32(xPitch),
            yPitch: UInt32(y.pitch))
    }

    // MARK: Definition

    public func reference() {
        let inputs = (0..<x.rows).map { t in
            let values = x.decodedRow(t)
            return gain.map { rmsNorm(values, $0.floats, epsilon: epsilon) } ?? values
        }
        for (column, n) in rows.enumerated() {
            let row = weight.decodedRow(n)
            for (t, input) in inputs.enumerated() {
                let at = t * y.pitch + column
                y.floats[at] = (adds ? y.floats[at] : 0) + dotProduct(row, input)
            }
        }
    }

    public var summary: String { "\(weight.name) \(x.rows) × \(x.columns) to \(y.columns), \(weight.format)" }

    public var cost: Cost {
        Cost(
            byteCount: weight.byteCount / weight.rows * rows.count + 4 * x.rows
                * (x.columns + (adds ? 2 : 1) * y.columns),
            flopCount: 2 * x.rows * x.columns * y.columns + (gain == nil ? 0 : 4 * x.rows * x.columns))
    }

    public var tolerance: Tolerance { product.tolerance }

    public static let codeRules = [
        CodeRule("linear", wideLoads: 5), CodeRule("linear_tiles", wideLoads: 6),
        CodeRule("linear_matrix", wideLoads: 4, units: .matrix, subgroups: 4),
        CodeRule("linear_matrix8", wideLoads: 4, units: .matrixFP8, subgroups: 4),
    ]
}

/// The parameters that the forms for many rows share.
private protocol LinearParams {
    init(
        tokenCount: UInt32, columns: UInt32, firstRow: UInt32, firstColumn: UInt32, rowCount: UInt32,
        chunkPitch: UInt32, scalePitch: UInt32, xPitch: UInt32, yPitch: UInt32)
}
extension LinearTilesShader.Params: LinearParams {}
extension LinearMatrixShader.Params: LinearParams {}
extension LinearMatrix8Shader.Params: LinearParams {}

/// Σ_k row[k] · x[k], in the order of k.
func dotProduct(_ row: [Float], _ x: UnsafePointer<Float>) -> Float {
    var sum: Float = 0
    for k in row.indices { sum += row[k] * x[k] }
    return sum
}
