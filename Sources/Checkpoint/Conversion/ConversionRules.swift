import JSON
import Numerics

/// What becomes of each tensor, and of the config.
struct ConversionRules {
    private let source: ConversionSource
    private let options: ConversionOptions
    /// The matrices that the model's kernels take in other formats.
    private let matrices: [String: ExpectedTensor]

    init(_ source: ConversionSource, _ options: ConversionOptions) {
        self.source = source
        self.options = options
        let expected = WeightMap.expected(source.config, hasMTP: true).filter(\.canBeFP8)
        matrices = Dictionary(uniqueKeysWithValues: expected.map { ($0.name, $0) })
    }

    /// Nil for what the output does not have.
    func recipe(_ tensor: TensorInfo) -> ConversionStep.Recipe? {
        let weight = RankSplit.weightName(tensor.name)
        if weight != tensor.name, let scaled = source.tensors[weight] {
            // Block scales stay with FP8 codes that stay.
            return scaled.type != .fp8E4M3 || recipe(scaled) == .copy ? .copy : nil
        }
        let packedName = WeightMap.packedName(weight)
        if tensor.name != packedName, source.packedWeights[packedName] != nil, let packed = source.tensors[packedName] {
            // And so do the scales and the shape with integers.
            return recipe(packed) == .copy ? .copy : nil
        }
        let packing = source.packedWeights[tensor.name]?.scaling
        let isFP8 = tensor.type == .fp8E4M3
        switch options.format {
        case nil: return .copy
        case .bf16: return (isFP8 || packing != nil) && isChosen(tensor) ? .bf16 : .copy
        case .fp8:
            if isFP8 {
                let needed = options.powersOfTwo && !source.config.hasPowerOfTwoScales
                return needed ? .fp8(powersOfTwo: true) : .copy
            }
            if isChosen(tensor) { return .fp8(powersOfTwo: powersOfTwo) }
        case .int8, .int4:
            if packing != nil, packing == options.scaling { return .copy }
            if let scaling = options.scaling, canBeIntegers(tensor), !staysUneven(tensor) { return .integers(scaling) }
        }
        // What the config names one format of has no other.
        return isFP8 || packing != nil ? .bf16 : .copy
    }

    /// Whether a matrix that would become integers has a last group that is not full: compressed-tensors has no such.
    func staysUneven(_ tensor: TensorInfo) -> Bool {
        guard let scaling = options.scaling, canBeIntegers(tensor) else { return false }
        let packed = source.packedWeights[tensor.name]
        return packed?.scaling != scaling && (packed?.shape[1] ?? tensor.matrix.columns) % scaling.groupSize != 0
    }

    /// The matrix that a tensor holds; nil for what is none, or has one format alone.
    private func matrix(_ tensor: TensorInfo) -> ExpectedTensor? {
        matrices[source.packedWeights[tensor.name]?.name ?? tensor.name]
    }

    private func isChosen(_ tensor: TensorInfo) -> Bool {
        guard let matrix = matrix(tensor) else { return false }
        return !options.expertsOnly || matrix.split == .experts
    }

    /// Attention reads kv_b_proj by heads, in both directions: no integers there.
    private func canBeIntegers(_ tensor: TensorInfo) -> Bool {
        isChosen(tensor) && matrix(tensor)?.name.hasSuffix(".kv_b_proj.weight") == false
    }

    /// Whether the output's FP8 scales are powers of two.
    private var powersOfTwo: Bool { options.powersOfTwo || source.config.hasPowerOfTwoScales }

    /// What to do where nothing is to be converted.
    ///
    /// - Parameter isUneven: whether the group size is why.
    func advice(isUneven: Bool) -> CheckpointError.Advice {
        guard isUneven else { return .splitOnly }
        return options.groupSize > 32 ? .smallerGroup : .fp8
    }

    // MARK: config.json

    /// The output's config; the source's, to the byte, where no tensor's format changes.
    ///
    /// - Parameter uneven: matrices that stay in BF16 for their shape.
    func config(uneven: [TensorInfo]) throws(CheckpointError) -> [UInt8] {
        guard let format = options.format else { return source.configJSON }
        let root = try readingJSON { () throws(JSONError) in
            try JSONValue(parsing: source.configJSON, name: "\(source.folder)/config.json")
        }
        guard case .object(var members) = root else { return source.configJSON }
        members.removeAll { $0.key == "quantization_config" || $0.key == "compression_config" }
        switch format {
        case .bf16:
            // What --experts-only leaves.
            if options.expertsOnly, source.config.isFP8 { members.append(quantization(blocks)) }
            if options.expertsOnly, let scaling = source.config.integers {
                members.append(quantization(groups(scaling, uneven)))
            }
        case .fp8: members.append(quantization(blocks))
        case .int8, .int4:
            if let scaling = options.scaling { members.append(quantization(groups(scaling, uneven))) }
        }
        return Array((JSONValue.object(members).serialized(pretty: true) + "\n").utf8)
    }

    private func quantization(_ members: [JSONMember]) -> JSONMember {
        JSONMember("quantization_config", .object(members))
    }

    /// FP8 in blocks, as DeepSeek publishes it.
    private var blocks: [JSONMember] {
        let size = JSONValue(BlockScaling.blockSize)
        var members: [JSONMember] = [
            JSONMember("activation_scheme", "dynamic"), JSONMember("fmt", "e4m3"), JSONMember("quant_method", "fp8"),
        ]
        if powersOfTwo { members.append(JSONMember("scale_fmt", "ue8m0")) }
        members.append(JSONMember("weight_block_size", [size, size]))
        let plain = plainModules
        if !plain.isEmpty {
            members.append(JSONMember("modules_to_not_convert", .array(plain.map(JSONValue.string))))
        }
        return members
    }

    /// The modules whose matrices are neither FP8 nor integers in the output, though they could be.
    private var plainModules: [String] {
        source.tensors.values.compactMap { tensor -> String? in
            guard let matrix = matrix(tensor), let recipe = recipe(tensor) else { return nil }
            let isStored = tensor.type == .fp8E4M3 || source.packedWeights[tensor.name] != nil
            return recipe == .bf16 || recipe == .copy && !isStored ? Self.module(matrix.name) : nil
        }.sorted()
    }

    /// Integers in groups, as compressed-tensors publishes them.
    private func groups(_ scaling: GroupScaling, _ uneven: [TensorInfo]) -> [JSONMember] {
        let weights: JSONValue = [
            "actorder": nil, "block_structure": nil, "dynamic": false, "group_size": JSONValue(scaling.groupSize),
            "num_bits": JSONValue(scaling.bits), "observer": "minmax", "observer_kwargs": [:], "strategy": "group",
            "symmetric": true, "type": "int",
        ]
        let group: JSONValue = [
            "input_activations": nil, "output_activations": nil, "targets": ["Linear"], "weights": weights,
        ]
        var ignore: [JSONValue] = ["lm_head", "re:.*\\.mlp\\.gate$", "re:.*\\.eh_proj$", "re:.*\\.shared_head\\.head$"]
        if source.config.integers != nil {
            // Patterns do not know what the source had left.
            ignore += plainModules.map { .string($0) }
        } else {
            ignore +=
                options.expertsOnly
                ? [
                    "re:.*\\.self_attn\\..*", "re:.*\\.shared_experts\\..*", "re:.*\\.mlp\\.(gate|up|down)_proj$",
                ] : ["re:.*\\.kv_b_proj$"]
            ignore += uneven.map(\.name).sorted().map { .string(Self.module($0)) }
        }
        return [
            JSONMember("config_groups", ["group_0": group]), JSONMember("format", "pack-quantized"),
            JSONMember("ignore", .array(ignore)), JSONMember("kv_cache_scheme", .null),
            JSONMember("quant_method", "compressed-tensors"), JSONMember("quantization_status", "compressed"),
        ]
    }

    /// A weight's module, as other libraries name it.
    private static func module(_ weight: String) -> String { String(weight.dropLast(".weight".utf8.count)) }
}
