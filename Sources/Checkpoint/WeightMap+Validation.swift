import Numerics

extension WeightMap {
    private static let plainTypes: Set<ElementType> = [.bf16, .f16, .f32]
    private static let scaleTypes: [ElementType] = [.f32, .bf16, .e8m0]

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
            let packed = packedName(expected.name)
            let scaling = tensors[expected.name] == nil && expected.canBeFP8 ? config.integers : nil
            guard let tensor = tensors[expected.name] ?? (scaling == nil ? nil : tensors[packed]) else {
                let either = scaling == nil ? "" : ", and so is \(packed)"
                if !expected.isOptional { problems.append("\(expected.name) is missing\(either)") }
                continue
            }
            known.insert(tensor.name)
            if scaling == nil, tensor.shape != expected.shape {
                problems.append("\(expected.name) is \(tensor.shape) instead of \(expected.shape)")
            }
            if expected.split == .experts, let layer = expected.layer {
                let type = bankTypes[layer, default: tensor.type]
                bankTypes[layer] = type
                if tensor.type != type {
                    problems.append("\(tensor.name) is \(tensor.type) instead of \(type) as the layer's first expert")
                }
            }
            if let scaling {
                for (name, shape, types) in packedTensors(expected, scaling) {
                    known.insert(name)
                    if let fault = fault(name, tensors[name], shape, types) { problems.append(fault) }
                }
                continue
            }
            guard tensor.type == .fp8E4M3, expected.canBeFP8, config.isFP8 else {
                if !plainTypes.contains(tensor.type) {
                    problems.append("\(tensor.name) is \(tensor.type) instead of \(types(expected, config))")
                }
                continue
            }
            let scale = scaleName(expected.name)
            known.insert(scale)
            let shape = expected.shape.map(BlockScaling.blockCount)
            if let fault = fault(scale, tensors[scale], shape, scaleTypes) { problems.append(fault) }
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

    /// What stands in the place of a packed weight.
    private static func packedTensors(
        _ expected: ExpectedTensor, _ scaling: GroupScaling
    ) -> [(name: String, shape: [Int], types: [ElementType])] {
        let (rows, columns) = (expected.shape[0], expected.shape[1])
        return [
            (packedName(expected.name), [rows, scaling.wordCount(columns)], [.i32]),
            (groupScaleName(expected.name), [rows, scaling.groupCount(columns)], [.f16, .bf16, .f32]),
            (packedShapeName(expected.name), [2], [.i64, .i32]),
        ]
    }

    /// What is wrong with a tensor that goes with others.
    private static func fault(
        _ name: String, _ tensor: TensorInfo?, _ shape: [Int], _ types: [ElementType]
    ) -> String? {
        guard let tensor else { return "\(name) is missing" }
        if tensor.shape != shape { return "\(name) is \(tensor.shape) instead of \(shape)" }
        if types.contains(tensor.type) { return nil }
        return "\(name) is \(tensor.type) instead of " + types.map(\.safetensorsName).joined(separator: ", ")
    }
}
