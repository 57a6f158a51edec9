import Numerics

extension WeightMap {
    private static let plainTypes: Set<ElementType> = [.bf16, .f16, .f32]
    private static let scaleTypes: Set<ElementType> = [.f32, .bf16, .e8m0]

    /// Checks that `tensors` are those the config calls for, and reports all that is wrong together. Returns whether
    /// the multi-token prediction layers are there.
    static func validate(
        _ tensors: [String: TensorInfo], for config: ModelConfig, source: String, notes: inout [String]
    ) throws(CheckpointError) -> Bool {
        let hasMTP = config.mtpLayers.contains { layer in
            let prefix = "model.layers.\(layer)."
            return tensors.keys.contains { $0.hasPrefix(prefix) }
        }
        if !hasMTP, !config.mtpLayers.isEmpty {
            notes.append(
                "config.json names \(config.mtpLayers.count) multi-token prediction layer(s) that the files do not hold"
            )
        }
        var problems: [String] = []
        var known = Set<String>(minimumCapacity: tensors.count)
        // The kernels read a layer's experts as one bank.
        var bankTypes: [Int: ElementType] = [:]
        for expected in expected(config, hasMTP: hasMTP) {
            guard let tensor = tensors[expected.name] else {
                if !expected.isOptional { problems.append("\(expected.name) is missing") }
                continue
            }
            known.insert(expected.name)
            if tensor.shape != expected.shape {
                problems.append("\(expected.name) is \(tensor.shape) instead of \(expected.shape)")
            }
            if expected.split == .experts, let layer = expected.layer {
                let type = bankTypes[layer, default: tensor.type]
                bankTypes[layer] = type
                if tensor.type != type {
                    problems.append("\(expected.name) is \(tensor.type) instead of \(type) as the layer's first expert")
                }
            }
            guard tensor.type == .fp8E4M3, expected.canBeFP8, config.isFP8 else {
                if !plainTypes.contains(tensor.type) {
                    problems.append("\(expected.name) is \(tensor.type) instead of \(types(expected, config))")
                }
                continue
            }
            let scale = scaleName(expected.name)
            known.insert(scale)
            if let problem = scaleProblem(scale, tensors[scale], expected.shape) { problems.append(problem) }
        }
        for name in tensors.keys.sorted() where !known.contains(name) && !name.hasSuffix("rotary_emb.inv_freq") {
            problems.append("\(name) is unexpected")
        }
        guard problems.isEmpty else {
            let more = problems.count > 10 ? "; and \(problems.count - 10) more" : ""
            throw CheckpointError(
                source, expected: "the tensors that config.json calls for",
                found: problems.prefix(10).joined(separator: "; ") + more,
                advice: "config.json and the .safetensors files must be of the same model")
        }
        return hasMTP
    }

    private static func types(_ expected: ExpectedTensor, _ config: ModelConfig) -> String {
        expected.canBeFP8 && config.isFP8 ? "F8_E4M3, BF16, F16 or F32" : "BF16, F16 or F32"
    }

    private static func scaleProblem(_ name: String, _ scale: TensorInfo?, _ weight: [Int]) -> String? {
        guard let scale else { return "\(name) is missing, though its weight is F8_E4M3" }
        let shape = weight.map(BlockScaling.blockCount)
        if scale.shape != shape { return "\(name) is \(scale.shape) instead of \(shape)" }
        if !scaleTypes.contains(scale.type) { return "\(name) is \(scale.type) instead of F32, BF16 or F8_E8M0" }
        return nil
    }
}
