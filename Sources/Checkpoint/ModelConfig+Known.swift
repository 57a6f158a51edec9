import Numerics

extension ModelConfig {
    /// The names that `known` accepts.
    public static let knownNames = ["v3", "v2-lite", "moonlight", "kimi-k2", "small"]

    /// The published config of a model by name, or that of a small test model ("small"); nil for an unknown name.
    public static func known(_ name: String) throws(CheckpointError) -> ModelConfig? {
        guard let json = knownJSON(name) else { return nil }
        return try ModelConfig(json: json, name: "config of \(name)")
    }

    /// The same as a config.json.
    public static func knownJSON(_ name: String) -> [UInt8]? { published[name].map { Array($0.utf8) } }

    /// The same model with another number of layers, number of experts or format. All shapes but the router's stay the
    /// same.
    ///
    /// If the number of layers changes, at most one of them is dense, and none if there is only one layer. If the
    /// number of experts changes, `nGroup`, `topkGroup` and `numExpertsPerTok` are reduced as far as necessary.
    public func resized(
        layers: Int?, experts: Int?, isFP8: Bool, integers: GroupScaling? = nil
    ) -> ModelConfig {
        var config = self
        config.isFP8 = isFP8
        config.integers = integers
        config.numNextnPredictLayers = 0
        if let layers, layers != numHiddenLayers {
            config.numHiddenLayers = layers
            config.firstKDenseReplace = min(firstKDenseReplace, 1, layers - 1)
        }
        if let experts, experts != nRoutedExperts {
            config.nRoutedExperts = experts
            config.nGroup = (1...nGroup).last { experts.isMultiple(of: $0) && ($0 == 1 || experts / $0 >= 2) } ?? 1
            config.topkGroup = max(1, topkGroup * config.nGroup / nGroup)
            config.numExpertsPerTok = min(numExpertsPerTok, experts / config.nGroup * config.topkGroup)
        }
        return config
    }

    /// The models' config.json files, without fields on which no kernel's shape depends.
    private static let published = [
        "v3": """
        {"model_type": "deepseek_v3", "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432,
         "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128, "q_lora_rank": 1536,
         "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4,
         "routed_scaling_factor": 2.5, "norm_topk_prob": true, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "first_k_dense_replace": 3, "rms_norm_eps": 1e-6, "rope_theta": 10000,
         "max_position_embeddings": 163840, "eos_token_id": 1,
         "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128],
                                 "activation_scheme": "dynamic"}}
        """,
        "v2-lite": """
        {"model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 2048, "intermediate_size": 10944,
         "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16, "q_lora_rank": null,
         "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "n_group": 1, "topk_group": 1,
         "routed_scaling_factor": 1.0, "norm_topk_prob": false, "scoring_func": "softmax",
         "topk_method": "greedy", "first_k_dense_replace": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000,
         "max_position_embeddings": 163840, "eos_token_id": 1}
        """,
        "moonlight": """
        {"model_type": "deepseek_v3", "vocab_size": 163840, "hidden_size": 2048, "intermediate_size": 11264,
         "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16, "q_lora_rank": null,
         "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "n_group": 1, "topk_group": 1,
         "routed_scaling_factor": 2.446, "norm_topk_prob": true, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "first_k_dense_replace": 1, "rms_norm_eps": 1e-5, "rope_theta": 50000,
         "max_position_embeddings": 8192, "eos_token_id": 1}
        """,
        "kimi-k2": """
        {"model_type": "kimi_k2", "vocab_size": 163840, "hidden_size": 7168, "intermediate_size": 18432,
         "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 64, "q_lora_rank": 1536,
         "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "n_routed_experts": 384, "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1,
         "routed_scaling_factor": 2.827, "norm_topk_prob": true, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "first_k_dense_replace": 1, "rms_norm_eps": 1e-6, "rope_theta": 50000,
         "max_position_embeddings": 131072, "eos_token_id": 1,
         "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128],
                                 "activation_scheme": "dynamic"}}
        """,
        "small": """
        {"model_type": "deepseek_v3", "vocab_size": 8192, "hidden_size": 512, "intermediate_size": 1024,
         "moe_intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8, "q_lora_rank": 256,
         "kv_lora_rank": 128, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64,
         "n_routed_experts": 16, "n_shared_experts": 1, "num_experts_per_tok": 4, "n_group": 4, "topk_group": 2,
         "routed_scaling_factor": 2.5, "norm_topk_prob": true, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "first_k_dense_replace": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000,
         "max_position_embeddings": 4096, "eos_token_id": 1,
         "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128],
                                 "activation_scheme": "dynamic"}}
        """,
    ]
}
