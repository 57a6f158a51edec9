#!/usr/bin/env python3
"""Writes DeepSeek-V3's checkpoint as sparse files: 163 shards with complete headers, in which every tensor has its published
name, shape and type but whose data takes no disk space, model.safetensors.index.json and config.json.

Usage: sparse-v3.py FOLDER
"""
import json
import os
import struct
import sys

HIDDEN, VOCAB, LAYERS, DENSE, EXPERTS, INNER, WIDE = 7168, 129280, 61, 3, 256, 2048, 18432
HEADS, NOPE, ROPE, VALUE, Q_RANK, KV_RANK = 128, 128, 64, 128, 1536, 512
SHARDS = 163
BYTES = {"F8_E4M3": 1, "BF16": 2, "F32": 4}

CONFIG = {
    "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": VOCAB, "hidden_size": HIDDEN,
    "intermediate_size": WIDE, "moe_intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_nextn_predict_layers": 1,
    "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "q_lora_rank": Q_RANK, "kv_lora_rank": KV_RANK,
    "qk_nope_head_dim": NOPE, "qk_rope_head_dim": ROPE, "v_head_dim": VALUE, "n_routed_experts": EXPERTS,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "moe_layer_freq": 1,
    "first_k_dense_replace": DENSE, "routed_scaling_factor": 2.5, "norm_topk_prob": True, "scoring_func": "sigmoid",
    "topk_method": "noaux_tc", "hidden_act": "silu", "attention_bias": False, "tie_word_embeddings": False,
    "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 163840, "bos_token_id": 0, "eos_token_id": 1,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32,
                     "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0},
    "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128],
                            "activation_scheme": "dynamic"},
    "torch_dtype": "bfloat16",
}


def tensors():
    """Yields the name, type and shape of each tensor, in the order of the layers."""

    def fp8(name, rows, columns):
        yield name + ".weight", "F8_E4M3", [rows, columns]
        yield name + ".weight_scale_inv", "F32", [-(-rows // 128), -(-columns // 128)]

    def feed_forward(prefix, inner):
        yield from fp8(prefix + "gate_proj", inner, HIDDEN)
        yield from fp8(prefix + "up_proj", inner, HIDDEN)
        yield from fp8(prefix + "down_proj", HIDDEN, inner)

    yield "model.embed_tokens.weight", "BF16", [VOCAB, HIDDEN]
    for layer in range(LAYERS + 1):
        p = f"model.layers.{layer}."
        if layer == LAYERS:  # multi-token prediction
            yield p + "enorm.weight", "BF16", [HIDDEN]
            yield p + "hnorm.weight", "BF16", [HIDDEN]
            yield p + "eh_proj.weight", "BF16", [HIDDEN, 2 * HIDDEN]
            yield p + "embed_tokens.weight", "BF16", [VOCAB, HIDDEN]
            yield p + "shared_head.norm.weight", "BF16", [HIDDEN]
            yield p + "shared_head.head.weight", "BF16", [VOCAB, HIDDEN]
        yield p + "input_layernorm.weight", "BF16", [HIDDEN]
        yield p + "post_attention_layernorm.weight", "BF16", [HIDDEN]
        a = p + "self_attn."
        yield from fp8(a + "q_a_proj", Q_RANK, HIDDEN)
        yield a + "q_a_layernorm.weight", "BF16", [Q_RANK]
        yield from fp8(a + "q_b_proj", HEADS * (NOPE + ROPE), Q_RANK)
        yield from fp8(a + "kv_a_proj_with_mqa", KV_RANK + ROPE, HIDDEN)
        yield a + "kv_a_layernorm.weight", "BF16", [KV_RANK]
        yield from fp8(a + "kv_b_proj", HEADS * (NOPE + VALUE), KV_RANK)
        yield from fp8(a + "o_proj", HIDDEN, HEADS * VALUE)
        if layer < DENSE:
            yield from feed_forward(p + "mlp.", WIDE)
            continue
        yield p + "mlp.gate.weight", "BF16", [EXPERTS, HIDDEN]
        yield p + "mlp.gate.e_score_correction_bias", "F32", [EXPERTS]
        for expert in range(EXPERTS):
            yield from feed_forward(f"{p}mlp.experts.{expert}.", INNER)
        yield from feed_forward(p + "mlp.shared_experts.", INNER)
    yield "model.norm.weight", "BF16", [HIDDEN]
    yield "lm_head.weight", "BF16", [VOCAB, HIDDEN]


def byte_count(kind, shape):
    count = BYTES[kind]
    for size in shape:
        count *= size
    return count


def main(folder):
    everything = [(name, kind, shape, byte_count(kind, shape)) for name, kind, shape in tensors()]
    total = sum(size for *_, size in everything)
    shards, done = [[] for _ in range(SHARDS)], 0
    for tensor in everything:
        shards[min(done * SHARDS // total, SHARDS - 1)].append(tensor)
        done += tensor[3]
    os.makedirs(folder, exist_ok=True)
    weight_map = {}
    for index, shard in enumerate(shards):
        file = f"model-{index + 1:05}-of-{SHARDS:06}.safetensors"
        header, offset = {}, 0
        for name, kind, shape, size in shard:
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + size]}
            weight_map[name] = file
            offset += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder, file), "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            out.truncate(8 + len(text) + offset)
    for name, value in [
        ("model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map}),
        ("config.json", CONFIG),
    ]:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(value, out, indent=2)
    print(f"{len(everything)} tensors in {SHARDS} shards, {total / 1e9:.1f} GB apparent size")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: sparse-v3.py FOLDER")
    main(sys.argv[1])
