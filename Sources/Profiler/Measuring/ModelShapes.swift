import Checkpoint
import JSON

/// A model's true shapes, from its config.json or by name: what the kernels are measured at.
public struct ModelShapes: Sendable {
    public let name: String
    let config: ModelConfig
    /// Tokens of a prefill step, and keys that attention reads.
    public var prefillTokenCount = 128
    public var contextLength = 1024

    /// - Parameter config: at which sizes; weights are FP8 if it says so, else BF16.
    public init(name: String, config: ModelConfig) {
        self.name = name
        self.config = config
    }

    public static let names = ["v3", "v2-lite", "moonlight", "small"]

    /// The published dimensions of a model, or of a small one for quick looks ("small"); nil for another name.
    public static func named(_ name: String) throws(CheckpointError) -> ModelShapes? {
        guard let text = published[name] else { return nil }
        return ModelShapes(name: name, config: try ModelConfig(json: Array(text.utf8), name: "shapes of \(name)"))
    }

    /// As in the models' config.json files, what no kernel's shape depends on left out.
    private static let published = [
        "v3": """
        {"model_type": "deepseek_v3", "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432,
         "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128, "q_lora_rank": 1536,
         "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4,
         "routed_scaling_factor": 2.5, "norm_topk_prob": true, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "first_k_dense_replace": 3, "rms_norm_eps": 1e-6, "rope_theta": 10000,
         "max_position_embeddings": 4096, "eos_token_id": 1,
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
         "max_position_embeddings": 4096, "eos_token_id": 1}
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
