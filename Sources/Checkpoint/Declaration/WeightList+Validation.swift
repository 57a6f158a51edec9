import Numerics

extension WeightList {
    /// The weights of a checkpoint, after a check that `tensors` are exactly the tensors that the config demands. One
    /// error lists all problems.
    static func checked(
        _ tensors: [String: TensorInfo], for config: ModelConfig, source: String, notes: inout [String]
    ) throws(CheckpointError) -> WeightList {
        let (problems, weights) = problems(tensors, for: config, notes: &notes)
        guard problems.isEmpty else {
            let more = problems.count > 10 ? "; and \(problems.count - 10) more" : ""
            throw CheckpointError(
                .damaged, source, expected: "the tensors that config.json calls for",
                found: problems.prefix(10).map(brief).joined(separator: "; ") + more,
                advice: "config.json and the .safetensors files must be of the same model")
        }
        return weights
    }

    /// The tensors that are missing, unexpected or of another shape or type than the config calls for; and the weights that
    /// it calls for, with the multi-token prediction layers if the files have any tensor of them.
    ///
    /// - Parameter excused: tensors whose absence another problem explains.
    static func problems(
        _ tensors: [String: TensorInfo], for config: ModelConfig, excused: Set<String> = [], notes: inout [String]
    ) -> ([CheckpointProblem], WeightList) {
        let scheme = HuggingFaceNames()
        let hasMTP = config.mtpLayers.contains { layer in
            let prefix = scheme.prefix(ofLayer: layer)
            return tensors.keys.contains { $0.hasPrefix(prefix) }
        }
        if !hasMTP, !config.mtpLayers.isEmpty {
            notes.append(
                "config.json names \(config.mtpLayers.count) multi-token prediction layer(s) that the files do not hold"
            )
        }
        let weights = WeightList(config, hasMTP: hasMTP, names: scheme)
        var check = TensorCheck(weights, tensors, excused)
        for weight in weights { check.add(weight) }
        check.addUnexpected()
        return (check.problems, weights)
    }

    /// A few words, for a list of problems.
    private static func brief(_ problem: CheckpointProblem) -> String {
        let error = problem.error
        return switch problem.kind {
        case .missing: "\(error.subject) is missing"
        case .extra: "\(error.subject) is unexpected"
        case .different, .damaged: "\(error.subject) is \(error.found) instead of \(error.expected)"
        }
    }

}

/// Compares a checkpoint's tensors with the declared weights, one weight after the other.
private struct TensorCheck {
    private static let plainTypes: Set<ElementType> = [.bf16, .f16, .f32]
    private static let blockScaleTypes: [ElementType] = [.f32, .bf16, .e8m0]
    private static let groupScaleTypes: [ElementType] = [.f16, .bf16, .f32]

    private(set) var problems: [CheckpointProblem] = []
    private let weights: WeightList
    private let tensors: [String: TensorInfo]
    private let excused: Set<String>
    /// The tensors that belong to a weight, each once.
    private var known: [String] = []
    /// The type of each layer's first expert: kernels read a layer's experts as one bank.
    private var bankTypes: [Int: ElementType] = [:]

    init(_ weights: WeightList, _ tensors: [String: TensorInfo], _ excused: Set<String>) {
        (self.weights, self.tensors, self.excused) = (weights, tensors, excused)
        known.reserveCapacity(tensors.count)
    }

    mutating func add(_ weight: DeclaredWeight) {
        guard let stored = weights.stored(weight, in: tensors) else { return addMissing(weight) }
        let tensor = stored.codes
        known.append(tensor.name)
        if stored.packing == nil, tensor.shape != weight.shape {
            report(.different, weight.name, expected: "\(weight.shape)", found: "\(tensor.shape)")
        }
        if weight.stacking == .bank, let layer = weight.layer {
            let type = bankTypes[layer, default: tensor.type]
            bankTypes[layer] = type
            if tensor.type != type {
                report(
                    .different, tensor.name, expected: "\(type) as the layer's first expert", found: "\(tensor.type)")
            }
        }
        if let packing = stored.packing { return addPacked(stored, packing) }
        let mayBeFP8 = weight.isQuantisable && weights.config.isFP8
        if tensor.type == .fp8E4M3, mayBeFP8 {
            let shape = weight.shape.map(BlockScaling.blockCount)
            add(weight, .blockScales, stored.scales, "the weight's scales", shape, Self.blockScaleTypes)
        } else if !Self.plainTypes.contains(tensor.type) {
            report(
                .different, weight.name, expected: mayBeFP8 ? "F8_E4M3, BF16, F16 or F32" : "BF16, F16 or F32",
                found: "\(tensor.type)")
        }
    }

    private mutating func addMissing(_ weight: DeclaredWeight) {
        let packed = weights.names.name(of: .packed, of: weight.name)
        let mayBePacked = weight.isQuantisable && weights.config.integers != nil
        if excused.contains(weight.name) || mayBePacked && excused.contains(packed) {
            // Its other tensors, if any, are not unexpected.
            let others: [WeightComponent] =
                mayBePacked ? [.blockScales, .packed, .groupScales, .packedShape] : [.blockScales]
            known += others.map { weights.names.name(of: $0, of: weight.name) }.filter { tensors[$0] != nil }
        } else if !weight.isOptional {
            let either = mayBePacked ? " or \(packed)" : ""
            report(.missing, weight.name, expected: "a tensor \(weight.shape)\(either)", found: "none")
        }
    }

    private mutating func addPacked(_ stored: StoredWeight, _ packing: GroupScaling) {
        let weight = stored.declared
        let (rows, columns) = (weight.shape[0], weight.shape[1])
        check(stored.codes, [rows, packing.wordCount(columns)], [.i32])
        add(
            weight, .groupScales, stored.scales, "the weight's scales", [rows, packing.groupCount(columns)],
            Self.groupScaleTypes)
        add(weight, .packedShape, stored.packedShape, "the weight's shape", [2], [.i64, .i32])
    }

    /// A tensor that the weight's format needs beside its codes.
    private mutating func add(
        _ weight: DeclaredWeight, _ component: WeightComponent, _ tensor: TensorInfo?, _ what: String, _ shape: [Int],
        _ types: [ElementType]
    ) {
        if let tensor {
            known.append(tensor.name)
            return check(tensor, shape, types)
        }
        let name = weights.names.name(of: component, of: weight.name)
        if !excused.contains(name) { report(.missing, name, expected: "\(what) \(shape)", found: "none") }
    }

    private mutating func check(_ tensor: TensorInfo, _ shape: [Int], _ types: [ElementType]) {
        if tensor.shape != shape {
            report(.different, tensor.name, expected: "\(shape)", found: "\(tensor.shape)")
        } else if !types.contains(tensor.type) {
            let names = types.map(\.safetensorsName).joined(separator: ", ")
            report(.different, tensor.name, expected: names, found: "\(tensor.type)")
        }
    }

    /// The tensors that belong to no weight.
    mutating func addUnexpected() {
        guard known.count < tensors.count else { return }
        let known = Set(known)
        let extra = tensors.values.filter { !known.contains($0.name) && !weights.names.isUnused($0.name) }
        for tensor in extra.sorted(by: { $0.name < $1.name }) {
            report(.extra, tensor.name, expected: "no such tensor", found: "\(tensor.type) \(tensor.shape)")
        }
    }

    private mutating func report(_ kind: CheckpointProblem.Kind, _ name: String, expected: String, found: String) {
        problems.append(
            CheckpointProblem(
                kind, file: tensors[name]?.shard, tensor: name,
                CheckpointError(kind == .missing ? .missing : .damaged, name, expected: expected, found: found)))
    }
}
