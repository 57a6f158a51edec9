import Numerics

extension WeightMap {
    private static let plainTypes: Set<ElementType> = [.bf16, .f16, .f32]
    private static let scaleTypes: [ElementType] = [.f32, .bf16, .e8m0]

    /// Checks that `tensors` are those the config calls for, and reports all that is wrong together. Returns whether
    /// the multi-token prediction layers are there.
    static func validate(
        _ tensors: [String: TensorInfo], for config: ModelConfig, source: String, notes: inout [String]
    ) throws(CheckpointError) -> Bool {
        let (problems, hasMTP) = problems(tensors, for: config, notes: &notes)
        guard problems.isEmpty else {
            let more = problems.count > 10 ? "; and \(problems.count - 10) more" : ""
            throw CheckpointError(
                .damaged, source, expected: "the tensors that config.json calls for",
                found: problems.prefix(10).map(brief).joined(separator: "; ") + more,
                advice: "config.json and the .safetensors files must be of the same model")
        }
        return hasMTP
    }

    /// All that is missing, unexpected or of another shape or type than the config calls for, and whether the multi-token
    /// prediction layers are there.
    ///
    /// - Parameter excused: whose absence is no news.
    static func problems(
        _ tensors: [String: TensorInfo], for config: ModelConfig, excused: Set<String> = [], notes: inout [String]
    ) -> ([CheckpointProblem], hasMTP: Bool) {
        let hasMTP = config.mtpLayers.contains { layer in
            let prefix = "model.layers.\(layer)."
            return tensors.keys.contains { $0.hasPrefix(prefix) }
        }
        if !hasMTP, !config.mtpLayers.isEmpty {
            notes.append(
                "config.json names \(config.mtpLayers.count) multi-token prediction layer(s) that the files do not hold"
            )
        }
        var problems: [CheckpointProblem] = []
        func report(_ kind: CheckpointProblem.Kind, _ name: String, expected: String, found: String) {
            problems.append(
                CheckpointProblem(
                    kind, file: tensors[name]?.shard, tensor: name,
                    CheckpointError(kind == .missing ? .missing : .damaged, name, expected: expected, found: found)))
        }
        var known = Set<String>(minimumCapacity: tensors.count)
        // The kernels read a layer's experts as one bank.
        var bankTypes: [Int: ElementType] = [:]
        /// One that goes with others: the scales of a weight, or what stands in a packed weight's place.
        func check(_ name: String, _ what: String, _ shape: [Int], _ types: [ElementType]) {
            known.insert(name)
            guard let tensor = tensors[name] else {
                if !excused.contains(name) { report(.missing, name, expected: "\(what) \(shape)", found: "none") }
                return
            }
            if tensor.shape != shape {
                report(.different, name, expected: "\(shape)", found: "\(tensor.shape)")
            } else if !types.contains(tensor.type) {
                let names = types.map(\.safetensorsName).joined(separator: ", ")
                report(.different, name, expected: names, found: "\(tensor.type)")
            }
        }
        for expected in expected(config, hasMTP: hasMTP) {
            let packed = packedName(expected.name)
            let scaling = tensors[expected.name] == nil && expected.canBeFP8 ? config.integers : nil
            guard let tensor = tensors[expected.name] ?? (scaling == nil ? nil : tensors[packed]) else {
                let isExcused = excused.contains(expected.name) || scaling != nil && excused.contains(packed)
                if !expected.isOptional, !isExcused {
                    let either = scaling == nil ? "" : " or \(packed)"
                    report(.missing, expected.name, expected: "a tensor \(expected.shape)\(either)", found: "none")
                }
                if isExcused {
                    let others = scaling.map { packedTensors(expected, $0).map(\.name) } ?? []
                    known.formUnion([scaleName(expected.name)] + others)
                }
                continue
            }
            known.insert(tensor.name)
            if scaling == nil, tensor.shape != expected.shape {
                report(.different, expected.name, expected: "\(expected.shape)", found: "\(tensor.shape)")
            }
            if expected.split == .experts, let layer = expected.layer {
                let type = bankTypes[layer, default: tensor.type]
                bankTypes[layer] = type
                if tensor.type != type {
                    report(
                        .different, tensor.name, expected: "\(type) as the layer's first expert",
                        found: "\(tensor.type)")
                }
            }
            if let scaling {
                for part in packedTensors(expected, scaling) { check(part.name, part.what, part.shape, part.types) }
                continue
            }
            guard tensor.type == .fp8E4M3, expected.canBeFP8, config.isFP8 else {
                if !plainTypes.contains(tensor.type) {
                    report(.different, expected.name, expected: types(expected, config), found: "\(tensor.type)")
                }
                continue
            }
            check(
                scaleName(expected.name), "the weight's scales", expected.shape.map(BlockScaling.blockCount), scaleTypes
            )
        }
        let extra = tensors.values.filter { !known.contains($0.name) && !$0.name.hasSuffix("rotary_emb.inv_freq") }
        for tensor in extra.sorted(by: { $0.name < $1.name }) {
            report(.extra, tensor.name, expected: "no such tensor", found: "\(tensor.type) \(tensor.shape)")
        }
        return (problems, hasMTP)
    }

    /// A few words, for a list of them.
    private static func brief(_ problem: CheckpointProblem) -> String {
        let error = problem.error
        return switch problem.kind {
        case .missing: "\(error.subject) is missing"
        case .extra: "\(error.subject) is unexpected"
        case .different, .damaged: "\(error.subject) is \(error.found) instead of \(error.expected)"
        }
    }

    private static func types(_ expected: ExpectedTensor, _ config: ModelConfig) -> String {
        expected.canBeFP8 && config.isFP8 ? "F8_E4M3, BF16, F16 or F32" : "BF16, F16 or F32"
    }

    /// What stands in the place of a packed weight.
    private static func packedTensors(
        _ expected: ExpectedTensor, _ scaling: GroupScaling
    ) -> [(name: String, what: String, shape: [Int], types: [ElementType])] {
        let (rows, columns) = (expected.shape[0], expected.shape[1])
        return [
            (packedName(expected.name), "the packed weight", [rows, scaling.wordCount(columns)], [.i32]),
            (
                groupScaleName(expected.name), "the weight's scales", [rows, scaling.groupCount(columns)],
                [.f16, .bf16, .f32]
            ),
            (packedShapeName(expected.name), "the weight's shape", [2], [.i64, .i32]),
        ]
    }
}
