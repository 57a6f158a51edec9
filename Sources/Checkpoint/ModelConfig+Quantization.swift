import JSON
import Numerics

extension ModelConfig {
    typealias Quantization = (isFP8: Bool, hasPowerOfTwoScales: Bool, integers: GroupScaling?)

    /// The quantised formats that weights may have, in addition to BF16, F16 and F32. Throws for unsupported formats.
    static func quantization(_ fields: ConfigFields) throws(CheckpointError) -> Quantization {
        guard let field = try fields.field("quantization_config") else { return (false, false, nil) }
        let quantized = ConfigFields(root: field)
        switch try quantized.string("quant_method") {
        case "fp8": return (true, try hasPowerOfTwoScales(quantized), nil)
        case "compressed-tensors": return (false, false, try integers(quantized))
        default:
            throw try quantized.error(
                "quant_method", expected: "fp8 or compressed-tensors",
                advice: "other quantizations are not supported; use the published or a BF16 checkpoint")
        }
    }

    /// Checks that the format is DeepSeek's FP8 (E4M3 in blocks of 128 × 128); returns whether its scales are powers of
    /// two.
    private static func hasPowerOfTwoScales(_ quantized: ConfigFields) throws(CheckpointError) -> Bool {
        let advice: CheckpointError.Advice =
            "only FP8 E4M3 in blocks of 128 by 128 is supported; use the published or a BF16 checkpoint"
        for (key, value) in [("fmt", "e4m3"), ("activation_scheme", "dynamic")] {
            if let found = try quantized.string(key), found != value {
                throw try quantized.error(key, expected: value, advice: advice)
            }
        }
        let size = BlockScaling.blockSize
        let field = try quantized.field("weight_block_size")
        guard field?.value == .array([.init(size), .init(size)]) else {
            throw try quantized.error("weight_block_size", expected: "[\(size), \(size)]", advice: advice)
        }
        return try quantized.string("scale_fmt") == "ue8m0"
    }

    /// Reads the format of compressed-tensors' packed integers, with unquantised activations. Ignores `targets` and
    /// `ignore`, which may be patterns: the files show which weights are packed.
    private static func integers(_ quantized: ConfigFields) throws(CheckpointError) -> GroupScaling {
        let advice: CheckpointError.Advice =
            "only weights as symmetric INT4 or INT8 in groups of 32, 64 or 128 are supported (pack-quantized)"
        func expect(
            _ fields: ConfigFields, _ key: String, _ values: [JSONValue?], _ expected: String
        ) throws(CheckpointError) {
            guard values.contains(try fields.field(key)?.value) else {
                throw try fields.error(key, expected: expected, advice: advice)
            }
        }
        try expect(quantized, "format", ["pack-quantized"], "pack-quantized")
        for key in ["kv_cache_scheme", "transform_config"] {
            try expect(quantized, key, [nil, .object([])], "null or no such key")
        }
        if let sparsity = try quantized.field("sparsity_config"), sparsity.value != .object([]) {
            try expect(ConfigFields(root: sparsity), "format", ["dense"], "dense")
        }
        let groups = try quantized.field("config_groups")
        let members = try readingJSON { () throws(JSONError) in try groups?.object() ?? [] }
        guard members.count == 1 else {
            throw try quantized.error("config_groups", expected: "one group", advice: advice)
        }
        let group = ConfigFields(root: members[0].field)
        try expect(group, "format", [nil, "pack-quantized"], "pack-quantized")
        for key in ["input_activations", "output_activations"] { try expect(group, key, [nil], "null") }
        guard let field = try group.field("weights") else {
            throw try group.error("weights", expected: "a description of the weights' format", advice: advice)
        }
        let weights = ConfigFields(root: field)
        try expect(weights, "type", ["int"], "int")
        try expect(weights, "strategy", ["group"], "group")
        try expect(weights, "symmetric", [true], "true")
        try expect(weights, "dynamic", [nil, false], "false")
        // With other values, the columns are permuted.
        try expect(weights, "actorder", [nil, "static", "weight"], "null, static or weight")
        try expect(weights, "num_bits", [4, 8], "4 or 8")
        try expect(weights, "group_size", [32, 64, 128], "32, 64 or 128")
        return GroupScaling(
            bits: try weights.int("num_bits", in: 4...8), groupSize: try weights.int("group_size", in: 32...128))
    }
}
