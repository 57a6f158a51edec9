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
        let isFP8 = tensor.type == .fp8E4M3
        switch options.format {
        case nil: return .copy
        case .bf16: return isFP8 && isChosen(tensor) ? .bf16 : .copy
        case .fp8:
            if isFP8 {
                let needed = options.powersOfTwo && !source.config.hasPowerOfTwoScales
                return needed ? .fp8(powersOfTwo: true) : .copy
            }
            return isChosen(tensor) ? .fp8(powersOfTwo: powersOfTwo) : .copy
        case .int8, .int4:
            if let scaling = options.scaling, canBeIntegers(tensor), !staysUneven(tensor) { return .integers(scaling) }
            return isFP8 ? .bf16 : .copy
        }
    }

    /// Whether a matrix that would become integers has a last group that is not full: compressed-tensors has no such.
    func staysUneven(_ tensor: TensorInfo) -> Bool {
        guard let scaling = options.scaling, canBeIntegers(tensor) else { return false }
        return tensor.matrix.columns % scaling.groupSize != 0
    }

    private func isChosen(_ tensor: TensorInfo) -> Bool {
        guard let matrix = matrices[tensor.name] else { return false }
        return !options.expertsOnly || matrix.split == .experts
    }

    /// Attention reads kv_b_proj by heads, in both directions: no integers there.
    private func canBeIntegers(_ tensor: TensorInfo) -> Bool {
        isChosen(tensor) && !tensor.name.hasSuffix(".kv_b_proj.weight")
    }

    /// Whether the output's FP8 scales are powers of two.
    private var powersOfTwo: Bool { options.powersOfTwo || source.config.hasPowerOfTwoScales }

    /// What to do where nothing is to be converted.
    var advice: String {
        switch options.format {
        case .int4, .int8: "choose another --group"
        case .bf16, .fp8, nil: "leave --to out to split or copy the checkpoint as it is"
        }
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
        case .bf16: if options.expertsOnly, source.config.isFP8 { members.append(quantization(blocks)) }
        case .fp8: members.append(quantization(blocks))
        case .int8, .int4: members.append(quantization(groups(uneven)))
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
        let plain = source.tensors.values.filter { tensor in
            matrices[tensor.name] != nil
                && (recipe(tensor) == .bf16 || recipe(tensor) == .copy && tensor.type != .fp8E4M3)
        }
        if !plain.isEmpty {
            let names = plain.map { Self.module($0.name) }.sorted()
            members.append(JSONMember("modules_to_not_convert", .array(names.map(JSONValue.string))))
        }
        return members
    }

    /// Integers in groups, as compressed-tensors publishes them.
    private func groups(_ uneven: [TensorInfo]) -> [JSONMember] {
        guard let scaling = options.scaling else { return [] }
        let weights: JSONValue = [
            "actorder": nil, "block_structure": nil, "dynamic": false, "group_size": JSONValue(scaling.groupSize),
            "num_bits": JSONValue(scaling.bits), "observer": "minmax", "observer_kwargs": [:], "strategy": "group",
            "symmetric": true, "type": "int",
        ]
        let group: JSONValue = [
            "input_activations": nil, "output_activations": nil, "targets": ["Linear"], "weights": weights,
        ]
        var ignore: [JSONValue] = ["lm_head", "re:.*\\.mlp\\.gate$", "re:.*\\.eh_proj$", "re:.*\\.shared_head\\.head$"]
        if options.expertsOnly {
            ignore += [
                "re:.*\\.self_attn\\..*", "re:.*\\.shared_experts\\..*", "re:.*\\.mlp\\.(gate|up|down)_proj$",
            ]
        } else {
            ignore.append("re:.*\\.kv_b_proj$")
        }
        ignore += uneven.map(\.name).sorted().map { .string(Self.module($0)) }
        return [
            JSONMember("config_groups", ["group_0": group]), JSONMember("format", "pack-quantized"),
            JSONMember("ignore", .array(ignore)), JSONMember("kv_cache_scheme", .null),
            JSONMember("quant_method", "compressed-tensors"), JSONMember("quantization_status", "compressed"),
        ]
    }

    /// A weight's module, as other libraries name it.
    private static func module(_ weight: String) -> String { String(weight.dropLast(".weight".utf8.count)) }
}
