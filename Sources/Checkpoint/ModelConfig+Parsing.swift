import JSON

extension ModelConfig {
    /// The supported values of `model_type`.
    public static let supportedModelTypes = ["deepseek_v2", "deepseek_v3", "kimi_k2"]

    /// Limit of the gate's kernel; the largest published model has 384.
    private static let maximumExperts = 512

    /// Limit of the experts of all layers, which bounds the lists of tensors (three per expert). The largest published
    /// model has 23,424.
    private static let maximumLayerExperts = 1 << 16

    /// Reads a config.json. Errors contain `name`. Throws for values out of range and for unsupported variants.
    public init(json: [UInt8], name: String) throws(CheckpointError) {
        let root = try readingJSON { () throws(JSONError) in try JSONField(parsing: json, name: name) }
        let fields = ConfigFields(root: root)
        guard let type = try fields.string("model_type"), Self.supportedModelTypes.contains(type) else {
            throw try fields.error(
                "model_type", expected: "one of " + Self.supportedModelTypes.joined(separator: ", "),
                advice: "other model families are not supported")
        }
        let isV2 = type == "deepseek_v2"
        let size = 1...(1 << 20)

        modelType = type
        vocabSize = try fields.int("vocab_size", in: 1...(1 << 24))
        hiddenSize = try fields.int("hidden_size", in: size)
        intermediateSize = try fields.int("intermediate_size", in: size)
        numHiddenLayers = try fields.int("num_hidden_layers", in: 1...1024)
        numAttentionHeads = try fields.int("num_attention_heads", in: 1...4096)
        // Latent attention has no key-value heads. Implementations that use this key would give different results.
        guard try fields.int("num_key_value_heads", in: 1...4096, default: numAttentionHeads) == numAttentionHeads
        else {
            throw try fields.error(
                "num_key_value_heads", expected: "the same as num_attention_heads (\(numAttentionHeads))")
        }
        qLoraRank = try fields.field("q_lora_rank") == nil ? nil : fields.int("q_lora_rank", in: size)
        kvLoraRank = try fields.evenInt("kv_lora_rank", in: 2...1024)
        qkNopeHeadDim = try fields.int("qk_nope_head_dim", in: 1...65536)
        qkRopeHeadDim = try fields.evenInt("qk_rope_head_dim", in: 2...65536)
        vHeadDim = try fields.int("v_head_dim", in: 1...65536)
        nRoutedExperts = try fields.int("n_routed_experts", in: 0...Self.maximumExperts, default: 0)
        guard numHiddenLayers * nRoutedExperts <= Self.maximumLayerExperts else {
            let most = Self.maximumLayerExperts / numHiddenLayers
            throw try fields.error("n_routed_experts", expected: "at most \(most) in each of \(numHiddenLayers) layers")
        }
        let hasExperts = nRoutedExperts > 0
        nSharedExperts = hasExperts ? try fields.int("n_shared_experts", in: 0...64, default: 0) : 0
        moeIntermediateSize = hasExperts ? try fields.int("moe_intermediate_size", in: size) : 0
        numExpertsPerTok = hasExperts ? try fields.int("num_experts_per_tok", in: 1...min(nRoutedExperts, 64)) : 0
        firstKDenseReplace =
            hasExperts ? try fields.int("first_k_dense_replace", in: 0...1024) : numHiddenLayers
        moeLayerFreq = try fields.int("moe_layer_freq", in: 1...1024, default: 1)
        routedScalingFactor = Float(try fields.double("routed_scaling_factor", in: 1e-6...1e6, default: 1))
        normTopkProb = try fields.bool("norm_topk_prob", default: !isV2)
        scoringFunc = try fields.choice("scoring_func", default: isV2 ? .softmax : .sigmoid)
        topkMethod = try fields.choice("topk_method", default: isV2 ? .greedy : .noauxTC)
        (nGroup, topkGroup) = (1, 1)
        numNextnPredictLayers = try fields.int("num_nextn_predict_layers", in: 0...16, default: 0)
        rmsNormEps = Float(try fields.double("rms_norm_eps", in: 1e-12...1, default: 1e-6))
        maxPositionEmbeddings = try fields.int("max_position_embeddings", in: 1...(1 << 30))
        (ropeTheta, yarn) = try Self.rope(fields)
        bosTokenID = try fields.tokenIDs("bos_token_id", vocabSize: vocabSize).first
        eosTokenIDs = try fields.tokenIDs("eos_token_id", vocabSize: vocabSize)
        tieWordEmbeddings = try fields.bool("tie_word_embeddings", default: false)
        (isFP8, hasPowerOfTwoScales, integers) = try Self.quantization(fields)

        try readGroups(fields)
        try fields.require("attention_bias", false)
        try fields.require("mlp_bias", false)
        try fields.require("rope_interleave", true)
        if let activation = try fields.string("hidden_act"), activation != "silu" {
            throw try fields.error("hidden_act", expected: "silu", advice: "other activations are not supported")
        }
    }

    /// Reads the gate's groups and checks that its settings are consistent.
    private mutating func readGroups(_ fields: ConfigFields) throws(CheckpointError) {
        guard nRoutedExperts > 0 else { return }
        guard (scoringFunc == .sigmoid) == (topkMethod == .noauxTC) else {
            throw CheckpointError(
                .unsupported, "config.json: scoring_func and topk_method",
                expected: "sigmoid with noaux_tc, or softmax with greedy or group_limited_greedy",
                found: "\(scoringFunc.rawValue) with \(topkMethod.rawValue)",
                advice: "no published model combines these")
        }
        // Published implementations disagree: one scales the normalised weights, one does not, one ignores the flag.
        if scoringFunc == .softmax, normTopkProb {
            throw try fields.error(
                "norm_topk_prob", expected: "false with softmax scores", advice: "no published model combines these")
        }
        if topkMethod == .greedy { return }
        nGroup = try fields.int("n_group", in: 1...nRoutedExperts, default: 1)
        topkGroup = try fields.int("topk_group", in: 1...nGroup, default: 1)
        guard nRoutedExperts.isMultiple(of: nGroup) else {
            throw try fields.error("n_group", expected: "a divisor of n_routed_experts (\(nRoutedExperts))")
        }
        let groupSize = nRoutedExperts / nGroup
        if topkMethod == .noauxTC, nGroup > 1, groupSize < 2 {
            throw try fields.error("n_group", expected: "groups of two experts or more")
        }
        guard numExpertsPerTok <= groupSize * topkGroup else {
            throw try fields.error(
                "num_experts_per_tok", expected: "at most the \(groupSize * topkGroup) experts of \(topkGroup) groups")
        }
    }

    /// The rotary base and YaRN's parameters, from `rope_theta` and `rope_scaling` or from the newer `rope_parameters`.
    private static func rope(_ fields: ConfigFields) throws(CheckpointError) -> (theta: Double, yarn: YaRN?) {
        let thetas = 1.001...1e12
        let newer = try fields.field("rope_parameters")
        var theta = try fields.double("rope_theta", in: thetas, default: 10_000)
        if let newer {
            let isNamed = try fields.field("rope_theta") != nil
            let inner = try ConfigFields(root: newer).double("rope_theta", in: thetas, default: theta)
            guard !isNamed || inner == theta else {
                throw try fields.error("rope_theta", expected: "the same as in rope_parameters (\(inner))")
            }
            theta = inner
        }
        let older = try fields.field("rope_scaling")
        let yarn = try (newer ?? older).map { (field) throws(CheckpointError) in try Self.yarn(field) } ?? nil
        if newer != nil, let older, try Self.yarn(older) != yarn {
            throw try fields.error("rope_scaling", expected: "the same as rope_parameters, or no such key")
        }
        return (theta, yarn)
    }

    /// Reads YaRN's parameters; nil if rotary frequencies are not scaled.
    private static func yarn(_ scaling: JSONField) throws(CheckpointError) -> YaRN? {
        let rope = ConfigFields(root: scaling)
        let key = try rope.field("rope_type") == nil ? "type" : "rope_type"
        let type = try rope.string(key) ?? "default"
        if key == "rope_type", let other = try rope.string("type"), other != type {
            throw try rope.error("type", expected: "the same as rope_type (\(type))")
        }
        let differs: CheckpointError.Advice = "published implementations differ on it"
        if try rope.double("partial_rotary_factor", in: 0...1, default: 1) != 1 {
            throw try rope.error("partial_rotary_factor", expected: "1 or no such key", advice: differs)
        }
        if type == "default" { return nil }
        guard type == "yarn" else {
            throw try rope.error(key, expected: "default or yarn", advice: "other rotary scalings are not supported")
        }
        if try rope.field("attention_factor") != nil {
            throw try rope.error("attention_factor", expected: "no such key", advice: differs)
        }
        for (key, other) in [("mscale", "mscale_all_dim"), ("mscale_all_dim", "mscale")] {
            guard try rope.field(key) == nil, try rope.field(other) != nil else { continue }
            throw try rope.error(key, expected: "a number, since \(other) is present", advice: differs)
        }
        try rope.require("truncate", true)
        let yarn = YaRN(
            factor: try rope.double("factor", in: 1...1e6),
            originalMaxPositionEmbeddings: try rope.int("original_max_position_embeddings", in: 1...(1 << 30)),
            betaFast: try rope.double("beta_fast", in: 1e-6...1e6, default: 32),
            betaSlow: try rope.double("beta_slow", in: 1e-6...1e6, default: 1),
            mscale: try rope.double("mscale", in: 1e-6...1e3, default: 1),
            mscaleAllDim: try rope.field("mscale_all_dim") == nil ? 0 : rope.double("mscale_all_dim", in: 1e-6...1e3))
        guard yarn.betaFast >= yarn.betaSlow else {
            throw try rope.error("beta_fast", expected: "at least beta_slow (\(yarn.betaSlow))")
        }
        return yarn
    }
}
