"""What Tools/load-rate does: see there."""
import argparse
import json
import mmap
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
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
    """(name, shape) of each."""
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
    """A model of dense layers in BF16, of random values between 0.008 and 0.03."""
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
    """Bytes a second of a plain read."""
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
                    sys.exit(f"load-rate: {path}: expected {size} bytes, found the end at {done}")
                done += count
            total += size
    return total / (time.perf_counter() - start)


def load(command, environment):
    """Bytes a second of a load, of what the model takes of the files."""
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.exit(2)
    report = json.loads(result.stdout)
    return report["loaded_bytes"] / report["load_seconds"]


def evict(files):
    """Takes files out of the system's cache; whether it went."""
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            size, found = os.fstat(fd).st_size, 0
            for offset in random.sample(range(0, size, 4096), min(256, -(-size // 4096))):
                try:
                    found += os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT)
                except BlockingIOError:
                    pass
            if found > 12:
                return False
        except OSError as error:
            sys.exit(f"load-rate: {path}: expected a file that can leave the cache, found: {error.strerror}")
        finally:
            os.close(fd)
    return True


def spread(values):
    return f"{statistics.median(values) / 1e9:.2f} GB/s ({min(values) / 1e9:.2f} to {max(values) / 1e9:.2f})"


def compare(state, pairs, files, command, environment):
    """Prints one line; whether the load is fast enough."""
    rates = {"load": [], "kept": [], "discarded": []}
    kinds = {
        "load": lambda: load(command, environment), "kept": lambda: plain_read(files, True),
        "discarded": lambda: plain_read(files, False),
    }
    for pair in range(pairs):
        # In turn, each in every place.
        names = list(kinds)
        for name in names[pair % 3:] + names[:pair % 3]:
            if state == "warm":
                plain_read(files, False)
            elif not evict(files):
                print("cold: not measured: the system keeps the files in its cache (a file system in memory?)")
                return True
            rates[name].append(kinds[name]())
    ratios = {
        name: statistics.median(a / b for a, b in zip(rates["load"], rates[name])) for name in ("kept", "discarded")}
    print(f"{state}: load {spread(rates['load'])}; plain read {spread(rates['kept'])}, of which {ratios['kept']:.0%}; "
          f"bytes thrown away {spread(rates['discarded'])}, of which {ratios['discarded']:.0%}", flush=True)
    return ratios["kept"] >= TARGET


def main():
    parser = argparse.ArgumentParser(prog="Tools/load-rate", description="Compares loading with a plain read.")
    parser.add_argument("fathom", help=argparse.SUPPRESS, nargs="?")
    parser.add_argument("--model", metavar="DIR", help="the checkpoint; without it, one of 2 GB is written and removed")
    parser.add_argument("--device", metavar="NAME", help="as fathom --device")
    parser.add_argument("--pairs", metavar="N", type=int, default=5, help="loads and plain reads of each kind")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error(f"--pairs: expected at least 1, found {options.pairs}")
    # Whoever ends it finds no 2 GB left behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as work:
        model = options.model
        if model is None:
            model = os.path.join(work, "model")
            os.mkdir(model)
            write_model(model)
        files = shards(model)
        if not files:
            parser.error(f"--model {model}: expected .safetensors files, found none")
        command = [options.fathom, "bench", "--json", "--prompt", "1", "--generate", "1", "--repeats", "1",
                   "--model", model]
        if options.device:
            command += ["--device", options.device]
        environment = {**os.environ, "XDG_CACHE_HOME": os.path.join(work, "cache")}
        # The first start compiles kernels.
        load(command, environment)
        results = [compare(state, options.pairs, files, command, environment) for state in ("warm", "cold")]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
