import GPU
import Numerics

extension Linear {
    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Rows of activations, K, N: ragged, prime, tiles' edges, the models' widths in one direction,
        // so many that a lane has several one after another.
        let shapes = [
            (1, 100, 72), (7, 100, 72), (5, 131, 37), (33, 256, 129), (64, 128, 32), (1, 7168, 64), (3, 64, 1536),
            (2, 1536, 192), (2, 20, 16451),
        ]
        var cases: [KernelCase] = []
        for (phase, type) in [LinearPhase.decode, .prefill].flatMap({ phase in WeightFormat.tested.map { (phase, $0) } }
        ) {
            let variants = variants(phase, type, isRounded: true, profile)
            for (tokens, columns, rows) in shapes {
                cases += KernelCase.eachVariant(
                    variants, "\(phase), \(tokens) × \(columns) to \(rows), \(type)"
                ) { bench throws(GPUError) in try sample(&bench, phase, tokens, columns, rows, type) }
            }
            cases += KernelCase.eachVariant(variants, "\(phase), 3 × 100 to rows 144 to 290 of 300, \(type)") {
                bench throws(GPUError) in
                Linear(
                    phase: phase, x: try bench.tensor("x", [3, 100]),
                    weight: try bench.weight("weight", rows: 300, columns: 100, type), rows: 144..<290,
                    y: try bench.output("y", [3, 146]))
            }
            cases += KernelCase.eachVariant(
                variants, "\(phase), 3 × 100 to 300, \(type), bound by 48 rows"
            ) { bench throws(GPUError) in
                var kernel = try sample(&bench, phase, 3, 100, 300, type)
                kernel.bindingLimit = 50 * type.pitchByteCount(100)
                return kernel
            }
            cases += phase == .decode ? normedCases(type, on: profile) : []
            cases += sizedCases(phase, type, on: profile)
        }
        for (phase, type) in [LinearPhase.decode, .prefill].flatMap({ phase in
            WeightFormat.otherGroups.map { (phase, $0) }
        }) {
            cases += KernelCase.eachVariant(
                variants(phase, type, isRounded: false, profile), "\(phase), 5 × 300 to 37, \(type)"
            ) { bench throws(GPUError) in try sample(&bench, phase, 5, 300, 37, type) }
        }
        return cases
    }

    /// With the norm taken on the way, and added to what is there; the second one in split columns.
    private static func normedCases(_ type: WeightFormat, on profile: DeviceProfile) -> [KernelCase] {
        @Sendable func make(_ bench: inout Workbench, _ columns: Int) throws(GPUError) -> Linear {
            Linear(
                phase: .decode, x: try bench.tensor("x", [5, columns], .normal(3)),
                norm: Norm(weight: try bench.tensor("gain", [1, columns]), epsilon: 1e-5),
                weight: try bench.weight("weight", rows: 200, columns: columns, type),
                y: try bench.tensor("y", [5, 200]), adds: true)
        }
        var cases = KernelCase.eachVariant(
            variants(.decode, type, isRounded: false, profile), "decode, normed, 5 × 131 to 200, \(type), added"
        ) { bench throws(GPUError) in try make(&bench, 131) }
        if 4 * profile.subgroupSize <= profile.maxWorkgroupInvocations {
            cases.append(
                KernelCase("decode, normed, 5 × 1100 to 200, \(type), added, rows4, split 4") {
                    bench throws(GPUError) in
                    var kernel = try make(&bench, 1100)
                    (kernel.variant, kernel.split) = (.rows(4), 4)
                    return kernel
                })
        }
        return cases
    }

    /// The large tile and the split columns, which these shapes are too small to ask for.
    private static func sizedCases(
        _ phase: LinearPhase, _ type: WeightFormat, on profile: DeviceProfile
    ) -> [KernelCase] {
        if phase == .prefill {
            return [
                KernelCase("prefill, 70 × 131 to 67, \(type), tiles of 64") { bench throws(GPUError) in
                    var kernel = try sample(&bench, .prefill, 70, 131, 67, type)
                    (kernel.variant, kernel.tile) = (.tiles, 64)
                    return kernel
                }
            ]
        }
        // All splits once: a software device takes a second for each.
        let splits = (type == .fp8E4M3 ? [2, 4, 8] : [4]).filter {
            $0 * profile.subgroupSize <= profile.maxWorkgroupInvocations
        }
        return splits.map { split in
            KernelCase("decode, 3 × 1100 to 37, \(type), rows4, split \(split)") { bench throws(GPUError) in
                var kernel = try sample(&bench, .decode, 3, 1100, 37, type)
                (kernel.variant, kernel.split) = (.rows(4), split)
                return kernel
            }
        }
    }

    private static func sample(
        _ bench: inout Workbench, _ phase: LinearPhase, _ tokens: Int, _ columns: Int, _ rows: Int, _ type: WeightFormat
    ) throws(GPUError) -> Linear {
        Linear(
            phase: phase, x: try bench.tensor("x", [tokens, columns]),
            weight: try bench.weight("weight", rows: rows, columns: columns, type),
            y: try bench.output("y", [tokens, rows]))
    }
}
