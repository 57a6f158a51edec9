"""Shared by Tools/load-rate and Tools/convert-rate: writes a checkpoint of 2 GB and measures plain reads."""
import json
import mmap
import os
import random
import statistics
import struct
import sys
import time

PART = 4 << 20
TARGET = 0.8
CONFIG = {
    "model_type": "deepseek_v3", "vocab_size": 32768, "hidden_size": 2048, "intermediate_size": 16384,
    "moe_intermediate_size": 128, "num_hidden_layers": 8, "num_attention_heads": 16, "q_lora_rank": None,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 0,
    "first_k_dense_replace": 8, "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 4096,
    "eos_token_id": 1,
}


def tensors():
    """Yields the name and shape of each tensor."""
    hidden, inner, heads, rank = (CONFIG[key] for key in (
        "hidden_size", "intermediate_size", "num_attention_heads", "kv_lora_rank"))
    nope, rope, value = (CONFIG[key] for key in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
    yield "model.embed_tokens.weight", [CONFIG["vocab_size"], hidden]
    for layer in range(CONFIG["num_hidden_layers"]):
        for name, shape in [
            ("input_layernorm", [hidden]), ("post_attention_layernorm", [hidden]),
            ("self_attn.q_proj", [heads * (nope + rope), hidden]),
            ("self_attn.kv_a_proj_with_mqa", [rank + rope, hidden]), ("self_attn.kv_a_layernorm", [rank]),
            ("self_attn.kv_b_proj", [heads * (nope + value), rank]), ("self_attn.o_proj", [hidden, heads * value]),
            ("mlp.gate_proj", [inner, hidden]), ("mlp.up_proj", [inner, hidden]), ("mlp.down_proj", [hidden, inner]),
        ]:
            yield f"model.layers.{layer}.{name}.weight", shape
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [CONFIG["vocab_size"], hidden]


def write_model(folder):
    """Writes a model of dense layers in BF16, with random values between 0.008 and 0.03."""
    header, offset = {}, 0
    for name, shape in tensors():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    values = bytearray(random.Random(1).randbytes(PART))
    values[1::2] = b"\x3c" * (PART // 2)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for start in range(0, offset, PART):
            file.write(values[:min(PART, offset - start)])
        file.flush()
        os.fsync(file.fileno())
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(CONFIG, file)


def shards(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".safetensors"))


def plain_read(files, keeps):
    """Reads files with one thread; returns bytes per second. `keeps`: into new memory for all bytes."""
    start, total = time.perf_counter(), 0
    part = mmap.mmap(-1, PART)
    for path in files:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            room = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) if keeps else None
            view = memoryview(room if keeps else part)
            done = 0
            while done < size:
                place = view[done:done + PART] if keeps else view[:size - done]
                count = file.readinto(place)
                if not count:
                    sys.exit(f"{path}: expected {size} bytes, found the end at {done}")
                done += count
            total += size
    return total / (time.perf_counter() - start)


def spread(values):
    return f"{statistics.median(values) / 1e9:.2f} GB/s ({min(values) / 1e9:.2f} to {max(values) / 1e9:.2f})"
