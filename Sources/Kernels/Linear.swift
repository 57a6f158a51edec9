import GPU
import Numerics
import Shaders

/// What a product is tuned for: few activation rows (the weights' bytes bound it) or many (the arithmetic does).
public enum LinearPhase: Sendable { case decode, prefill }

/// y[t, n] = Σ_k x'[t, k] · W[n, k]; with `adds`, added to what is in y. x' is x, or RMSNorm(x).
///
/// `x: [T, K], F32`; `weight: [N, K]`, any format; `y: [T, N], F32`.
/// On matrix units weights go in as FP16: a BF16 weight beyond 65504 becomes infinite, and the step says in which layer;
/// `--variant linear=tiles` computes it.
/// Source: `linear` and `fp8_gemm` in DeepSeek-V3's inference/model.py and kernel.py, activations kept in F32.
public struct Linear: VariedKernel {
    public static let name = "linear"

    /// x[t, k] / √(mean(x[t]²) + ε) · weight[k]; `weight: [1, K], F32`. Its sum of squares comes with the product's.
    public struct Norm: Sendable {
        let weight: Tensor
        let epsilon: Float

        public init(weight: Tensor, epsilon: Float) {
            self.weight = weight
            self.epsilon = epsilon
        }
    }

    let phase: LinearPhase
    private(set) var x: Tensor
    let weight: Weight
    let y: Tensor
    /// The weight's rows that are taken, from a multiple of 16 on; y has a column for each.
    let rows: Range<Int>
    /// The norm's weight.
    let gain: Tensor?
    let epsilon: Float
    let adds: Bool
    public var variant: Variant?
    /// x as matrix units take it; only for the form `matrix`.
    private(set) var halves: Halves?
    private(set) var rounding = Rounding.none
    /// Most bytes of one binding; nil for what the device binds. Larger weights take several dispatches.
    var bindingLimit: Int?
    /// The form `tiles`' tile and the form `rows`' split, for tests; nil for those that the shape asks for.
    var tile, split: Int?

    /// - Parameters:
    ///   - norm: taken of x first; in decode alone, where every result has its own sum.
    ///   - rounding: of x, then without a norm.
    ///   - rows: nil for all of the weight's.
    ///   - adds: add to y; in decode alone.
    public init(
        phase: LinearPhase, x: Tensor, norm: Norm? = nil, rounding: Rounding = .none, weight: Weight,
        rows: Range<Int>? = nil, y: Tensor, adds: Bool = false
    ) {
        let rows = rows ?? 0..<weight.rows
        precondition(
            x.columns == weight.columns && y.columns == rows.count && rows.upperBound <= weight.rows
                && rows.lowerBound % 16 == 0 && x.rows == y.rows && weight.matrixCount == 1,
            "linear: \(y.shape) from \(x.shape), \(weight.codes.shape), rows \(rows)")
        precondition(x.pitch % 4 == 0, "linear: \(x.label) has pitch \(x.pitch)")
        precondition(phase == .decode || (norm == nil && !adds), "linear: a prefill with a norm or a sum before")
        precondition(rounding.codes.map { $0.fits(x) } ?? true, "linear: codes of \(x.label)")
        if let norm {
            precondition(
                norm.weight.columns == x.columns && norm.weight.pitch % 4 == 0 && !rounding.isRounded,
                "linear: norm of \(norm.weight.shape)")
        }
        self.phase = phase
        self.rounding = rounding
        self.x = x
        gain = norm?.weight
        epsilon = norm?.epsilon ?? 0
        self.adds = adds
        self.weight = weight
        self.y = y
        self.rows = rows
    }

    public var outputs: [Tensor] { [y] }

    public var choice: String { Self.choice(phase, weight.type, isRounded: rounding.isRounded) }

    private static func choice(_ phase: LinearPhase, _ type: WeightFormat, isRounded: Bool) -> String {
        "\(name) \(phase) \(type)" + (isRounded && phase == .prefill ? " of FP8" : "")
    }

    public func variants(on profile: DeviceProfile) -> [Variant] {
        Self.variants(phase, weight.type, isRounded: rounding.isRounded, profile)
    }

    static func variants(
        _ phase: LinearPhase, _ type: WeightFormat, isRounded: Bool, _ profile: DeviceProfile
    ) -> [Variant] {
        phase == .decode ? decodeVariants(profile) : productVariants(profile, type, isRounded: isRounded)
    }

    /// Whether the device computes products of rounded activations with FP8 weights on matrix units that take codes.
    public static func takesCodes(_ phase: LinearPhase, on device: Device) -> Bool {
        let variants = variants(phase, .fp8E4M3, isRounded: true, device.profile)
        return device.variant(among: variants, [name, choice(phase, .fp8E4M3, isRounded: true)]) == .matrix8
    }

    /// Whether the device computes this on matrix units, so that `HalfRows` must come before.
    public func takesHalves(on target: any Target) -> Bool { variant(on: target) == .matrix }

    public mutating func setHalves(_ halves: Halves) {
        precondition(halves.x.shape == [x.rows, HalfRows.columns(x.columns)], "linear: halves \(halves.x.shape)")
        self.halves = halves
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let variant = variant(on: commands.target)
        for slab in weight.slabs(of: rows, limit: bindingLimit ?? commands.profile.maxStorageBufferRange) {
            let codes = weight.codes.rows(slab).view
            switch variant.form {
            case .rows, .lanes:
                let profile = commands.profile
                let (tokens, tokenGroups) = tokens(variant)
                let group = group(variant, on: profile, of: x.rows <= tokens * tokenGroups ? slab.count : 0)
                let shader = LinearShader(
                    constants: .init(
                        format: weight.format, rows: UInt32(variant.rows), tokens: UInt32(tokens),
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
                        x: x.view, weights: codes, scales: weight.scalesView, gain: (gain ?? x).view, y: y.view)
                )
                try commands.dispatch(
                    shader, groups: (ceilDivide(slab.count, group.rows), ceilDivide(x.rows, tokens * tokenGroups), 1))
            case .matrix:
                guard let halves, let tiles = commands.profile.matrixTiles else {
                    preconditionFailure("linear: \(weight.codes.label): the form matrix without halves or matrix units")
                }
                let shader = LinearMatrixShader(
                    constants: .init(
                        format: weight.format, m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n),
                        k: UInt32(tiles.shape.k), requiredSubgroup: UInt32(tiles.subgroup),
                        threads: UInt32(4 * tiles.subgroup)),
                    params: .init(
                        tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
                        firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
                        chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch),
                        xPitch: UInt32(halves.x.pitch), yPitch: UInt32(y.pitch)),
                    bindings: .init(
                        x: halves.x.view, rowScales: halves.scales.view, weights: codes, scales: weight.scalesView,
                        y: y.view))
                // Tiles begin at multiples of 64 rows of the matrix.
                let tileCount = ceilDivide(slab.upperBound, 64) - slab.lowerBound / 64
                try commands.dispatch(shader, groups: (tileCount, ceilDivide(x.rows, 64), 1))
            case .matrix8:
                guard let rounded = rounding.codes, let tiles = commands.profile.matrix8Tiles else {
                    preconditionFailure("linear: \(weight.codes.label): the form matrix8 without codes or matrix units")
                }
                let shader = LinearMatrix8Shader(
                    constants: .init(
                        format: weight.format, m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n),
                        k: UInt32(tiles.shape.k), requiredSubgroup: UInt32(tiles.subgroup),
                        threads: UInt32(4 * tiles.subgroup)),
                    params: .init(
                        tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
                        firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
                        chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch),
                        xPitch: UInt32(rounded.codes.pitch), yPitch: UInt32(y.pitch)),
                    bindings: .init(
                        x: rounded.codes.view, xScales: rounded.scales.view, weights: codes, scales: weight.scalesView,
                        y: y.view))
                let tileCount = ceilDivide(slab.upperBound, 64) - slab.lowerBound / 64
                try commands.dispatch(shader, groups: (tileCount, ceilDivide(x.rows, 64), 1))
            case .tiles:
                let tile = tile ?? tileSize(tokens: x.rows, rows: rows.count)
                let shader = GemmShader(
                    constants: .init(format: weight.format, tile: UInt32(tile), threads: UInt32(2 * tile)),
                    params: .init(
                        tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
                        firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
                        chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch),
                        xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch)),
                    bindings: .init(x: x.view, weights: codes, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, groups: (ceilDivide(slab.count, tile), ceilDivide(x.rows, tile), 1))
            }
        }
    }

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

    public var summary: String { "\(weight.name) \(x.rows) × \(x.columns) to \(y.columns), \(weight.type)" }

    public var cost: Cost {
        Cost(
            byteCount: weight.byteCount / weight.rows * rows.count + 4 * x.rows
                * (x.columns + (adds ? 2 : 1) * y.columns),
            flopCount: 2 * x.rows * x.columns * y.columns + (gain == nil ? 0 : 4 * x.rows * x.columns))
    }

    public var tolerance: Tolerance {
        halves != nil ? .halves(with: weight.type) : rounding.codes != nil ? .codes : .sum(of: x.columns)
    }

    /// As it is for the device's variant: with halves or codes made on the host where matrix units take them.
    public func ready(in bench: inout Workbench) throws(GPUError) -> Linear {
        var kernel = self
        if variant == .matrix8 {
            let quantised = try QuantiseRows.sample(&bench, x: x)
            if !bench.isUnfilled { quantised.reference() }
            kernel.x = quantised.y
            kernel.rounding = .codes(quantised.codes!)
        }
        guard let target = bench.target, takesHalves(on: target) else { return kernel }
        kernel.setHalves(try .sample(&bench, of: x))
        return kernel
    }
}

/// Σ_k row[k] · x[k], in the order of k.
func dotProduct(_ row: [Float], _ x: UnsafePointer<Float>) -> Float {
    var sum: Float = 0
    for k in row.indices { sum += row[k] * x[k] }
    return sum
}
