import GPU
import Numerics
import Shaders

/// What a product is tuned for: few activation rows (the weights' bytes bound it) or many (the arithmetic does).
public enum LinearPhase: Sendable { case decode, prefill }

/// y[t, n] = Σ_k x[t, k] · W[n, k].
///
/// `x: [T, K], F32`; `weight: [N, K]`, any format; `y: [T, N], F32`.
/// On matrix units weights go in as FP16: a BF16 weight beyond 65504 becomes infinite, and the step says in which layer;
/// `--variant linear=tiles` computes it.
/// Source: `linear` and `fp8_gemm` in DeepSeek-V3's inference/model.py and kernel.py, activations kept in F32.
public struct Linear: VariedKernel {
    public static let name = "linear"
    let phase: LinearPhase
    private(set) var x: Tensor
    let weight: Weight
    let y: Tensor
    /// The weight's rows that are taken, from a multiple of 16 on; y has a column for each.
    let rows: Range<Int>
    public var variant: Variant?
    /// x as matrix units take it; only for the form `matrix`.
    private(set) var halves: Halves?
    private(set) var rounding = Rounding.none
    /// Most bytes of one binding; nil for what the device binds. Larger weights take several dispatches.
    var bindingLimit: Int?

    /// - Parameters:
    ///   - rounding: of x.
    ///   - rows: nil for all of the weight's.
    public init(
        phase: LinearPhase, x: Tensor, rounding: Rounding = .none, weight: Weight, rows: Range<Int>? = nil, y: Tensor
    ) {
        let rows = rows ?? 0..<weight.rows
        precondition(
            x.columns == weight.columns && y.columns == rows.count && rows.upperBound <= weight.rows
                && rows.lowerBound % 16 == 0 && x.rows == y.rows && weight.matrixCount == 1,
            "linear: \(y.shape) from \(x.shape), \(weight.codes.shape), rows \(rows)")
        precondition(x.pitch % 4 == 0, "linear: \(x.label) has pitch \(x.pitch)")
        precondition(rounding.codes.map { $0.fits(x) } ?? true, "linear: codes of \(x.label)")
        self.phase = phase
        self.rounding = rounding
        self.x = x
        self.weight = weight
        self.y = y
        self.rows = rows
    }

    public var outputs: [Tensor] { [y] }

    public var choice: String { Self.choice(phase, weight.codes.type, isRounded: rounding.isRounded) }

    private static func choice(_ phase: LinearPhase, _ type: ElementType, isRounded: Bool) -> String {
        "\(name) \(phase) \(type)" + (isRounded && phase == .prefill ? " of FP8" : "")
    }

    public func variants(on profile: DeviceProfile) -> [Variant] {
        Self.variants(phase, weight.codes.type, isRounded: rounding.isRounded, profile)
    }

    static func variants(
        _ phase: LinearPhase, _ type: ElementType, isRounded: Bool, _ profile: DeviceProfile
    ) -> [Variant] {
        phase == .decode ? decodeVariants(profile) : productVariants(profile, type, isRounded: isRounded)
    }

    /// Whether the device computes products of rounded activations with FP8 weights on matrix units that take codes.
    public static func takesCodes(_ phase: LinearPhase, on device: Device) -> Bool {
        let variants = variants(phase, .fp8E4M3, isRounded: true, device.profile)
        return device.variant(among: variants, [name, choice(phase, .fp8E4M3, isRounded: true)]) == .matrix8
    }

    /// Whether the device computes this on matrix units, so that `HalfRows` must come before.
    public func takesHalves(on device: Device) -> Bool { variant(on: device) == .matrix }

    public mutating func setHalves(_ halves: Halves) {
        precondition(halves.x.shape == [x.rows, HalfRows.columns(x.columns)], "linear: halves \(halves.x.shape)")
        self.halves = halves
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let variant = variant(on: commands.device)
        for slab in weight.slabs(of: rows, limit: bindingLimit ?? commands.device.profile.maxStorageBufferRange) {
            let codes = weight.codes.rows(slab).view
            switch variant.form {
            case .rows, .lanes:
                let profile = commands.device.profile
                let tokens = tokensAtOnce(for: x.rows, atMost: variant.tokens)
                let groupRows = variant.groupRows(on: profile)
                let shader = LinearShader(
                    constants: .init(
                        format: weight.format, rows: UInt32(variant.rows), tokens: UInt32(tokens),
                        subgroup: variant.subgroup(on: profile)),
                    params: .init(
                        tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
                        firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
                        chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch),
                        xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch), groupRows: UInt32(groupRows)),
                    bindings: .init(x: x.view, weights: codes, scales: weight.scalesView, y: y.view))
                try commands.dispatch(
                    shader, groups: (ceilDivide(slab.count, groupRows), ceilDivide(x.rows, tokens), 1))
            case .matrix:
                guard let halves, let tiles = commands.device.profile.matrixTiles else {
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
                guard let rounded = rounding.codes, let tiles = commands.device.profile.matrix8Tiles else {
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
                let shader = GemmShader(
                    constants: .init(format: weight.format),
                    params: .init(
                        tokenCount: UInt32(x.rows), columns: UInt32(x.columns), firstRow: UInt32(slab.lowerBound),
                        firstColumn: UInt32(slab.lowerBound - rows.lowerBound), rowCount: UInt32(slab.count),
                        chunkPitch: UInt32(weight.chunkPitch), scalePitch: UInt32(weight.scalePitch),
                        xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch)),
                    bindings: .init(x: x.view, weights: codes, scales: weight.scalesView, y: y.view))
                try commands.dispatch(shader, groups: (ceilDivide(slab.count, 32), ceilDivide(x.rows, 32), 1))
            }
        }
    }

    public func reference() {
        let (input, output) = (x.floats, y.floats)
        for (column, n) in rows.enumerated() {
            let row = weight.decodedRow(n)
            for t in 0..<x.rows { output[t * y.pitch + column] = dotProduct(row, input + t * x.pitch) }
        }
    }

    public var summary: String { "\(weight.name) \(x.rows) × \(x.columns) to \(y.columns), \(weight.codes.type)" }

    public var cost: Cost {
        Cost(
            byteCount: weight.byteCount / weight.rows * rows.count + 4 * x.rows * (x.columns + y.columns),
            flopCount: 2 * x.rows * x.columns * y.columns)
    }

    public var tolerance: Tolerance {
        halves != nil ? .halves : rounding.codes != nil ? .codes : .sum(of: x.columns)
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let formats: [ElementType] = [.f32, .bf16, .f16, .fp8E4M3]
        // Rows of activations, K, N: ragged, prime, tiles' edges, the models' widths in one direction.
        let shapes = [
            (1, 100, 72), (7, 100, 72), (5, 131, 37), (33, 256, 129), (64, 128, 32), (1, 7168, 64), (3, 64, 1536),
            (2, 1536, 192),
        ]
        return [LinearPhase.decode, .prefill].flatMap { phase in
            formats.flatMap { type in
                let variants = variants(phase, type, isRounded: true, profile)
                return shapes.flatMap { tokens, columns, rows in
                    KernelCase.eachVariant(
                        variants, "\(phase), \(tokens) × \(columns) to \(rows), \(type)"
                    ) { bench throws(GPUError) in
                        try sample(&bench, phase, tokens, columns, rows, type)
                    }
                }
                    + KernelCase.eachVariant(variants, "\(phase), 3 × 100 to rows 144 to 290 of 300, \(type)") {
                        bench throws(GPUError) in
                        Linear(
                            phase: phase, x: try bench.tensor("x", [3, 100]),
                            weight: try bench.weight("weight", rows: 300, columns: 100, type), rows: 144..<290,
                            y: try bench.output("y", [3, 146]))
                    }
                    + KernelCase.eachVariant(
                        variants, "\(phase), 3 × 100 to 300, \(type), bound by 48 rows"
                    ) { bench throws(GPUError) in
                        var kernel = try sample(&bench, phase, 3, 100, 300, type)
                        kernel.bindingLimit = 50 * kernel.weight.codes.pitch * type.byteCount
                        return kernel
                    }
            }
        }
    }

    private static func sample(
        _ bench: inout Workbench, _ phase: LinearPhase, _ tokens: Int, _ columns: Int, _ rows: Int, _ type: ElementType
    ) throws(GPUError) -> Linear {
        Linear(
            phase: phase, x: try bench.tensor("x", [tokens, columns]),
            weight: try bench.weight("weight", rows: rows, columns: columns, type),
            y: try bench.output("y", [tokens, rows]))
    }

    /// As it is for the device's variant: with halves or codes made on the host where matrix units take them.
    public func ready(in bench: inout Workbench) throws(GPUError) -> Linear {
        var kernel = self
        if variant == .matrix8 {
            let quantised = try QuantiseRows.sample(&bench, x: x)
            if !bench.isAgain { quantised.reference() }
            kernel.x = quantised.y
            kernel.rounding = .codes(quantised.codes!)
        }
        guard let device = bench.device, takesHalves(on: device) else { return kernel }
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
