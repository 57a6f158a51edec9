import JSON
import Numerics

/// How each tensor and the config are converted.
struct ConversionRules {
    private let source: ConversionSource
    private let options: ConversionOptions
    private let names = HuggingFaceNames()

    init(_ source: ConversionSource, _ options: ConversionOptions) {
        self.source = source
        self.options = options
    }

    private var sourceConfig: ModelConfig { source.weights.config }

    /// Nil for a tensor that the output does not have.
    func recipe(_ tensor: TensorInfo) -> ConversionStep.Recipe? {
        let (weight, component) = names.parse(tensor.name)
        if component != .elements, let scaled = source.tensors[weight] {
            // Block scales are kept with FP8 codes that are kept.
            return scaled.type != .fp8E4M3 || recipe(scaled) == .copy ? .copy : nil
        }
        let packedName = names.name(of: .packed, of: weight)
        if component != .packed, source.packedWeights[packedName] != nil, let packed = source.tensors[packedName] {
            // Scales and shape are kept with integers that are kept.
            return recipe(packed) == .copy ? .copy : nil
        }
        let packing = source.packedWeights[tensor.name]?.scaling
        let isFP8 = tensor.type == .fp8E4M3
        switch options.format {
        case nil: return .copy
        case .bf16: return (isFP8 || packing != nil) && isChosen(tensor) ? .bf16 : .copy
        case .fp8:
            if isFP8 {
                let needed = options.powersOfTwo && !sourceConfig.hasPowerOfTwoScales
                return needed ? .fp8(powersOfTwo: true) : .copy
            }
            if isChosen(tensor) { return .fp8(powersOfTwo: powersOfTwo) }
        case .int8, .int4:
            if packing != nil, packing == options.scaling { return .copy }
            if let scaling = options.scaling, canBeIntegers(tensor), !staysUneven(tensor) { return .integers(scaling) }
        }
        // The output's config names one quantised format.
        return isFP8 || packing != nil ? .bf16 : .copy
    }

    /// Whether a matrix stays plain because its last group of integers would not be full, which compressed-tensors forbids.
    func staysUneven(_ tensor: TensorInfo) -> Bool {
        guard let scaling = options.scaling, canBeIntegers(tensor) else { return false }
        let packed = source.packedWeights[tensor.name]
        return packed?.scaling != scaling && (packed?.shape[1] ?? tensor.matrix.columns) % scaling.groupSize != 0
    }

    /// The matrix whose elements, codes or words a tensor holds; nil if it holds none that is quantisable.
    private func matrix(_ tensor: TensorInfo) -> DeclaredWeight? {
        guard let (weight, component) = source.weights.find(tensor.name), weight.isQuantisable else { return nil }
        return component == .elements || component == .packed ? weight : nil
    }

    private func isChosen(_ tensor: TensorInfo) -> Bool {
        guard let matrix = matrix(tensor) else { return false }
        return !options.expertsOnly || matrix.stacking == .bank
    }

    private func canBeIntegers(_ tensor: TensorInfo) -> Bool {
        isChosen(tensor) && matrix(tensor)?.format == .quantisable
    }

    /// Whether the output's FP8 scales are powers of two.
    private var powersOfTwo: Bool { options.powersOfTwo || sourceConfig.hasPowerOfTwoScales }

    /// Advice for a checkpoint in which nothing is to be converted.
    ///
    /// - Parameter isUneven: whether the group size is the reason.
    func advice(isUneven: Bool) -> CheckpointError.Advice {
        guard isUneven else { return .splitOnly }
        return options.groupSize > 32 ? .smallerGroup : .fp8
    }

    // MARK: config.json

    /// The output's config; the source's bytes if no tensor's format changes.
    ///
    /// - Parameter uneven: matrices that stay in BF16 because of their shape.
    func config(uneven: [TensorInfo]) throws(CheckpointError) -> [UInt8] {
        guard let format = options.format else { return source.configJSON }
        let root = try readingJSON { () throws(JSONError) in
            try JSONValue(parsing: source.configJSON, name: "\(source.folder)/config.json")
        }
        guard case .object(var members) = root else { return source.configJSON }
        members.removeAll { $0.key == "quantization_config" || $0.key == "compression_config" }
        switch format {
        case .bf16:
            // With --experts-only the other matrices keep their format.
            if options.expertsOnly, sourceConfig.isFP8 { members.append(quantization(blocks)) }
            if options.expertsOnly, let scaling = sourceConfig.integers {
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
            return recipe == .bf16 || recipe == .copy && !isStored ? names.module(of: matrix.name) : nil
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
        var ignore = HuggingFaceNames.plainPatterns
        if sourceConfig.integers != nil {
            // The source may have left any matrices plain: they are listed one by one.
            ignore += plainModules
        } else {
            ignore += options.expertsOnly ? HuggingFaceNames.nonExpertPatterns : HuggingFaceNames.onlyFP8Patterns
            ignore += uneven.map(\.name).sorted().map(names.module)
        }
        return [
            JSONMember("config_groups", ["group_0": group]), JSONMember("format", "pack-quantized"),
            JSONMember("ignore", .array(ignore.map(JSONValue.string))), JSONMember("kv_cache_scheme", .null),
            JSONMember("quant_method", "compressed-tensors"), JSONMember("quantization_status", "compressed"),
        ]
    }
}
