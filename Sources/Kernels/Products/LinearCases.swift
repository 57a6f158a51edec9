import GPU
import Numerics

extension Linear {
    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Rows of activations, K, N: ragged, prime, tiles' edges, the models' widths in one direction, and so many weight rows
        // that a lane takes several one after another.
        let shapes = [
            (1, 100, 72), (7, 100, 72), (5, 131, 37), (33, 256, 129), (64, 128, 32), (1, 7168, 64), (3, 64, 1536),
            (2, 1536, 192), (2, 20, 16451),
        ]
        var cases: [KernelCase] = []
        func both(_ formats: [WeightFormat]) -> [(KernelPhase, WeightFormat)] {
            [KernelPhase.decode, .prefill].flatMap { phase in formats.map { (phase, $0) } }
        }
        for (phase, format) in both(WeightFormat.tested) {
            let variants = variants(phase, format, isRounded: true, on: profile)
            for (tokens, columns, rows) in shapes {
                cases += KernelCase.eachVariant(
                    variants, "\(phase), \(tokens) × \(columns) to \(rows), \(format)"
                ) { bench throws(GPUError) in try sample(&bench, phase, tokens, columns, rows, format) }
            }
            cases += KernelCase.eachVariant(variants, "\(phase), 3 × 100 to rows 144 to 290 of 300, \(format)") {
                bench throws(GPUError) in
                Linear(
                    phase: phase, x: try bench.tensor("x", [3, 100]),
                    weight: try bench.weight("weight", rows: 300, columns: 100, format), rows: 144..<290,
                    y: try bench.output("y", [3, 146]))
            }
            cases += KernelCase.eachVariant(
                variants, "\(phase), 3 × 100 to 300, \(format), bound by 48 rows"
            ) { bench throws(GPUError) in
                var kernel = try sample(&bench, phase, 3, 100, 300, format)
                kernel.bindingLimit = 50 * format.pitchByteCount(100)
                return kernel
            }
            cases += phase == .decode ? normedCases(format, on: profile) : []
            cases += sizedCases(phase, format, on: profile)
        }
        for (phase, format) in both(WeightFormat.otherGroups) {
            cases += KernelCase.eachVariant(
                variants(phase, format, isRounded: false, on: profile), "\(phase), 5 × 300 to 37, \(format)"
            ) { bench throws(GPUError) in try sample(&bench, phase, 5, 300, 37, format) }
        }
        return cases
    }

    /// With a norm of x, added to y; the second case in split columns.
    private static func normedCases(_ format: WeightFormat, on profile: DeviceProfile) -> [KernelCase] {
        @Sendable func make(_ bench: inout Workbench, _ columns: Int) throws(GPUError) -> Linear {
            Linear(
                phase: .decode, x: try bench.tensor("x", [5, columns], .normal(3)),
                norm: Norm(weight: try bench.tensor("gain", [1, columns]), epsilon: 1e-5),
                weight: try bench.weight("weight", rows: 200, columns: columns, format),
                y: try bench.tensor("y", [5, 200]), adds: true)
        }
        var cases = KernelCase.eachVariant(
            variants(.decode, format, isRounded: false, on: profile), "decode, normed, 5 × 131 to 200, \(format), added"
        ) { bench throws(GPUError) in try make(&bench, 131) }
        if 4 * profile.subgroupSize <= profile.maxWorkgroupInvocations {
            cases.append(
                KernelCase("decode, normed, 5 × 1100 to 200, \(format), added, rows4, split 4") {
                    bench throws(GPUError) in
                    var kernel = try make(&bench, 1100)
                    (kernel.variant, kernel.split) = (.rows(4), 4)
                    return kernel
                })
        }
        return cases
    }

    /// The large tile and the split columns, for which the shapes above are too small.
    private static func sizedCases(
        _ phase: KernelPhase, _ format: WeightFormat, on profile: DeviceProfile
    ) -> [KernelCase] {
        if phase == .prefill {
            return [
                KernelCase("prefill, 70 × 131 to 67, \(format), tiles of 64") { bench throws(GPUError) in
                    var kernel = try sample(&bench, .prefill, 70, 131, 67, format)
                    (kernel.variant, kernel.tile) = (.tiles, 64)
                    return kernel
                }
            ]
        }
        // All splits for one format only: a software device takes a second for each.
        let splits = (format == .fp8E4M3 ? [2, 4, 8] : [4]).filter {
            $0 * profile.subgroupSize <= profile.maxWorkgroupInvocations
        }
        return splits.map { split in
            KernelCase("decode, 3 × 1100 to 37, \(format), rows4, split \(split)") { bench throws(GPUError) in
                var kernel = try sample(&bench, .decode, 3, 1100, 37, format)
                (kernel.variant, kernel.split) = (.rows(4), split)
                return kernel
            }
        }
    }

    private static func variants(
        _ phase: KernelPhase, _ format: WeightFormat, isRounded: Bool, on profile: DeviceProfile
    ) -> [Variant] {
        variants(on: profile) { takes($0, phase, format, isRounded: isRounded) }
    }

    private static func sample(
        _ bench: inout Workbench, _ phase: KernelPhase, _ tokens: Int, _ columns: Int, _ rows: Int,
        _ format: WeightFormat
    ) throws(GPUError) -> Linear {
        Linear(
            phase: phase, x: try bench.tensor("x", [tokens, columns]),
            weight: try bench.weight("weight", rows: rows, columns: columns, format),
            y: try bench.output("y", [tokens, rows]))
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        model.products.filter { phase == .decode || !$0.isDecodeOnly }.map { product in
            modelCase(product.name, phase, product) { $0 }
        }
    }

    /// A whole weight times `rows(tokens)` rows of activations.
    static func modelCase(
        _ name: String, _ phase: KernelPhase, _ product: ModelDimensions.Product,
        rows: @escaping @Sendable (_ tokenCount: Int) -> Int
    ) -> ModelCase {
        ModelCase(name) { bench, tokens throws(GPUError) in
            try Linear(
                phase: phase, x: try bench.tensor("x", [rows(tokens), product.columns]),
                weight: try bench.weight(product.name, rows: product.rows, columns: product.columns, product.format),
                y: try bench.output("y", [rows(tokens), product.rows])
            ).ready(in: &bench)
        }
    }
}
