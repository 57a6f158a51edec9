import FixtureSupport
import Foundation
import JSON
import Numerics
import Testing

@testable import Checkpoint

@Suite struct ConfigTests {
    /// The error of the config with changes, or nil.
    func complaint(_ changes: [String: JSONValue]) throws -> String? {
        do { _ = try config(changes) } catch { return error.description }
        return nil
    }

    func config(_ changes: [String: JSONValue]) throws(CheckpointError) -> ModelConfig {
        var members: [String: JSONValue] = [
            "model_type": "deepseek_v3", "vocab_size": 100, "hidden_size": 64, "intermediate_size": 64,
            "num_hidden_layers": 3, "num_attention_heads": 2, "kv_lora_rank": 16, "qk_nope_head_dim": 128,
            "qk_rope_head_dim": 64, "v_head_dim": 8, "max_position_embeddings": 1000, "n_routed_experts": 8,
            "num_experts_per_tok": 2, "moe_intermediate_size": 8, "first_k_dense_replace": 1, "n_group": 4,
            "topk_group": 2,
        ]
        members.merge(changes) { $1 }
        let json = JSONValue.object(members.map { JSONMember($0.key, $0.value) }).serialized()
        return try ModelConfig(json: Array(json.utf8), name: "config.json")
    }

    let yarn: JSONValue = [
        "type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1,
        "mscale": 1.0, "mscale_all_dim": 1.0,
    ]

    @Test func scalesAreThePublishedModels() throws {
        let v3 = try config(["rope_scaling": yarn])
        #expect(abs(v3.softmaxScale - 0.135234) < 1e-6)
        #expect(v3.ropeAttentionFactor == 1)
        var lite = yarn
        if case .object(var members) = lite {
            members.removeAll { $0.key.hasPrefix("mscale") }
            lite = .object(members + [JSONMember("mscale", 0.707), JSONMember("mscale_all_dim", 0.707)])
        }
        let v2 = try config(["model_type": "deepseek_v2", "rope_scaling": lite])
        #expect(abs(v2.softmaxScale - 0.114721) < 1e-6)
        #expect(v2.scoringFunc == .softmax && v2.topkMethod == .greedy && !v2.normTopkProb)
        #expect(v2.nGroup == 1, "greedy selection knows no groups")
        #expect(try config([:]).softmaxScale == Float(1 / Double(192).squareRoot()))
    }

    /// In V3's original context, the pair at index 10.47 turns 32 times and the one at 22.52 once. So frequencies are
    /// kept up to pair 10 and divided by 40 from pair 23 on.
    @Test func yarnStretchesSlowFrequencies() throws {
        let plain = try config([:]).ropeFrequencies()
        let stretched = try config(["rope_scaling": yarn]).ropeFrequencies()
        #expect(plain.count == 32 && plain[0] == 1)
        #expect(stretched[...10] == plain[...10])
        for index in 23..<32 { #expect(abs(stretched[index] * 40 / plain[index] - 1) < 1e-5) }
        for index in 11..<23 { #expect(stretched[index] < plain[index] && stretched[index] > plain[index] / 40) }
    }

    @Test func bothRotarySpellingsAgree() throws {
        let older = try config(["rope_theta": 50000, "rope_scaling": yarn])
        guard case .object(let members) = yarn else { return }
        let renamed = members.map { JSONMember($0.key == "type" ? "rope_type" : $0.key, $0.value) }
        let newer = try config(["rope_parameters": .object(renamed + [JSONMember("rope_theta", 50000)])])
        #expect(older == newer)
        #expect(newer.ropeTheta == 50000)
        #expect(try config(["rope_scaling": nil]).yarn == nil)
        #expect(try config(["rope_scaling": ["type": "default"]]).yarn == nil)
    }

    @Test func layersWithExperts() throws {
        let some = try config([:])
        #expect((0..<4).map { some.isMoE(layer: $0) } == [false, true, true, true])
        let none = try config(["n_routed_experts": nil])
        #expect((0..<4).allSatisfy { !none.isMoE(layer: $0) })
    }

    @Test func endTokens() throws {
        #expect(try config(["eos_token_id": 7]).eosTokenIDs == [7])
        #expect(try config(["eos_token_id": [7, 8]]).eosTokenIDs == [7, 8])
        #expect(try config([:]).bosTokenID == nil)
    }

    static let badValues: [(key: String, json: String, expected: String)] = [
        ("model_type", #""llama""#, "deepseek_v2, deepseek_v3, kimi_k2"),
        ("model_type", #"null"#, "expected one of"),
        ("hidden_size", #"null"#, "expected an integer from 1"),
        ("hidden_size", #"0"#, "expected an integer from 1"),
        ("hidden_size", #""64""#, "expected a 64-bit integer"),
        ("num_hidden_layers", #"-1"#, "expected an integer from 1"),
        ("vocab_size", #"9223372036854775807"#, "expected an integer from 1"),
        ("qk_rope_head_dim", #"63"#, "expected an even number"),
        ("attention_bias", #"true"#, "expected false"),
        ("rope_interleave", #"false"#, "expected true"),
        ("hidden_act", #""gelu""#, "expected silu"),
        ("rope_scaling", #"{"type": "linear", "factor": 2}"#, "expected default or yarn"),
        ("rope_scaling", #"{"type": "yarn", "factor": 2}"#, "original_max_position_embeddings"),
        ("rope_scaling", #"{"type": "yarn", "rope_type": "linear"}"#, "the same as rope_type"),
        ("quantization_config", #"{"quant_method": "awq"}"#, "expected fp8 or compressed-tensors"),
        ("quantization_config", #"{"quant_method": "compressed-tensors"}"#, "format: expected pack-quantized"),
        ("quantization_config", #"{}"#, "expected fp8"),
        ("quantization_config", #"{"quant_method": "fp8"}"#, "weight_block_size"),
        ("quantization_config", #"{"quant_method": "fp8", "weight_block_size": [64, 64]}"#, "[128, 128]"),
        ("n_group", #"3"#, "divisor"),
        ("n_group", #"8"#, "two experts or more"),
        ("topk_group", #"5"#, "from 1 to 4"),
        ("num_experts_per_tok", #"5"#, "at most the 4 experts"),
        ("num_experts_per_tok", #"9"#, "from 1 to 8"),
        ("scoring_func", #""softmax""#, "sigmoid with noaux_tc"),
        ("scoring_func", #""tanh""#, "one of sigmoid, softmax"),
        ("n_shared_experts", #"65"#, "from 0 to 64"),
        ("eos_token_id", #"100"#, "below 100"),
        ("rms_norm_eps", #"0"#, "a number from"),
    ]

    @Test(arguments: badValues)
    func complaints(key: String, json: String, expected: String) throws {
        let value = try JSONValue(parsing: json)
        let complaint = try #require(try complaint([key: value]))
        #expect(complaint.contains("config.json"))
        #expect(complaint.contains(expected), "\(complaint)")
    }

    /// A file of a few hundred bytes must not cause lists of millions of tensors.
    @Test func expertsOfAllLayersAreLimited() throws {
        let layers: [String: JSONValue] = ["num_hidden_layers": 1024, "n_group": 1, "topk_group": 1]
        let complaint = try #require(try complaint(layers.merging(["n_routed_experts": 65]) { $1 }))
        #expect(complaint.contains("n_routed_experts: expected at most 64 in each of 1024 layers, found number 65"))
        let most = try config(layers.merging(["n_routed_experts": 64]) { $1 })
        #expect(WeightList(most, hasMTP: false).count > 3 * 64 * 1023)
    }

    /// Kimi-K2-Thinking's `quantization_config`, with patterns for weights that are not packed, and with the fields
    /// that newer versions of compressed-tensors add.
    @Test func packedIntegers() throws {
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        let some = try config(["quantization_config": PackedCheckpoint.quantization(scaling)])
        #expect(some.integers == scaling && !some.isFP8)
        let newer = PackedCheckpoint.quantization(
            GroupScaling(bits: 8, groupSize: 128), weights: ["actorder": "static"],
            ["sparsity_config": [:], "transform_config": [:], "global_compression_ratio": nil])
        #expect(try config(["quantization_config": newer]).integers == GroupScaling(bits: 8, groupSize: 128))
        #expect(try config([:]).integers == nil)
    }

    /// Kimi-K2-Thinking's config.json, without the references to its Python files, and the tensors of a few layers.
    @Test func kimiK2Thinking() throws {
        let json = """
            {"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
            "aux_loss_alpha": 0.001, "bos_token_id": 163584, "dtype": "bfloat16", "eos_token_id": 163586, "ep_size": 1,
            "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 7168, "initializer_range": 0.02,
            "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 262144, "model_type": "kimi_k2",
            "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 384,
            "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 64, "num_experts_per_tok": 8,
            "num_hidden_layers": 61, "num_key_value_heads": 64, "num_nextn_predict_layers": 0, "pad_token_id": 163839,
            "pretraining_tp": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
            "quantization_config": {
                "config_groups": {"group_0": {
                    "input_activations": null, "output_activations": null, "targets": ["Linear"],
                    "weights": {
                        "actorder": null, "block_structure": null, "dynamic": false, "group_size": 32, "num_bits": 4,
                        "observer": "minmax", "observer_kwargs": {}, "strategy": "group", "symmetric": true,
                        "type": "int"}}},
                "format": "pack-quantized",
                "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
                    "re:.*mlp\\\\.(gate|up|gate_up|down)_proj.*"],
                "kv_cache_scheme": null, "quant_method": "compressed-tensors", "quantization_status": "compressed"},
            "rms_norm_eps": 1e-05, "rope_scaling": {
                "beta_fast": 1.0, "beta_slow": 1.0, "factor": 64.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                "original_max_position_embeddings": 4096, "type": "yarn"},
            "rope_theta": 50000.0, "routed_scaling_factor": 2.827, "scoring_func": "sigmoid", "seq_aux": true,
            "tie_word_embeddings": false, "topk_group": 1, "topk_method": "noaux_tc", "transformers_version": "4.57.1",
            "use_cache": true, "v_head_dim": 128, "vocab_size": 163840}
            """
        let config = try ModelConfig(json: Array(json.utf8), name: "config.json")
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        #expect(config.integers == scaling && !config.isFP8 && config.nRoutedExperts == 384)
        // Both betas are 1: frequencies are kept up to pair 19 and divided by 64 from pair 20 on.
        let plain = try self.config(["rope_theta": 50000]).ropeFrequencies()
        let stretched = config.ropeFrequencies()
        #expect(stretched[...19] == plain[...19])
        for index in 20..<32 { #expect(abs(stretched[index] * 64 / plain[index] - 1) < 1e-5) }

        // The experts are packed, with scales in BF16; all other tensors are BF16.
        let few = try ModelConfig(
            json: Array(json.replacing("_layers\": 61", with: "_layers\": 2").utf8), name: "config.json")
        var tensors: [String: TensorInfo] = [:]
        func add(_ name: String, _ type: ElementType, _ shape: [Int]) {
            tensors[name] = TensorInfo(name: name, type: type, shape: shape)
        }
        for weight in WeightList(few, hasMTP: false) {
            guard weight.split == .experts else {
                add(weight.name, .bf16, weight.shape)
                continue
            }
            let (rows, columns) = (weight.shape[0], weight.shape[1])
            add(HuggingFaceNames().name(of: .packed, of: weight.name), .i32, [rows, columns / 8])
            add(HuggingFaceNames().name(of: .groupScales, of: weight.name), .bf16, [rows, columns / 32])
            add(HuggingFaceNames().name(of: .packedShape, of: weight.name), .i32, [2])
        }
        var notes: [String] = []
        #expect(WeightList.problems(tensors, for: few, notes: &notes).0.isEmpty && notes.isEmpty)
        tensors["model.layers.1.mlp.experts.7.up_proj.weight_scale"] = nil
        #expect(WeightList.problems(tensors, for: few, notes: &notes).0.count == 1)
    }

    @Test(
        arguments: [
            (["symmetric": false], [:], "weights.symmetric: expected true, found false"),
            (["strategy": "channel"], [:], "weights.strategy: expected group"),
            (["type": "float"], [:], "weights.type: expected int"),
            (["num_bits": 3], [:], "weights.num_bits: expected 4 or 8, found number 3"),
            (["group_size": 16], [:], "weights.group_size: expected 32, 64 or 128"),
            (["group_size": nil], [:], "weights.group_size: expected 32, 64 or 128"),
            (["dynamic": true], [:], "weights.dynamic: expected false"),
            (["actorder": "group"], [:], "weights.actorder: expected null, static or weight"),
            ([:], ["format": "int-quantized"], "quantization_config.format: expected pack-quantized"),
            ([:], ["kv_cache_scheme": ["num_bits": 8]], "kv_cache_scheme: expected null"),
            ([:], ["sparsity_config": ["format": "sparse-24-bitmask"]], "sparsity_config.format: expected dense"),
            ([:], ["config_groups": [:]], "config_groups: expected one group"),
            (
                [:], ["config_groups": ["group_0": ["input_activations": ["num_bits": 8]]]],
                "input_activations: expected null"
            ),
            (
                [:], ["config_groups": ["group_0": [:]]],
                "group_0.weights: expected a description of the weights' format"
            ),
        ] as [([String: JSONValue], [String: JSONValue], String)])
    func packedComplaints(
        weights: [String: JSONValue], others: [String: JSONValue], expected: String
    ) throws {
        let scaling = GroupScaling(bits: 4, groupSize: 32)
        let complaint = try #require(
            try complaint(["quantization_config": PackedCheckpoint.quantization(scaling, weights: weights, others)]))
        #expect(complaint.contains("config.json: quantization_config.") && complaint.contains(expected), "\(complaint)")
    }

    @Test func badTexts() {
        for text in ["", "[]", "{", "{\"model_type\": \"deepseek_v3\", \"model_type\": \"deepseek_v2\"}"] {
            #expect(throws: CheckpointError.self) { try ModelConfig(json: Array(text.utf8), name: "config.json") }
        }
    }
}
