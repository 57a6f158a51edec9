"""Writes and reads Minnow in the layout DeepSeek publishes: FP8 codes, block scales, two shards and an index."""
import json
import pathlib
import shutil
from dataclasses import fields

import torch
from safetensors import safe_open
from safetensors.torch import save_file

import tokenizer as tok
from model import Config, Minnow
from quantise import dequantise, quantise

SHARDS = 2
MAX_POSITIONS = 4096


def published_config(c: Config):
    """config.json with V3's spelling of every field."""
    same = {f.name: getattr(c, f.name) for f in fields(c) if not f.name.startswith(("rope_f", "rope_o", "beta"))}
    return {
        "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", **same,
        "num_key_value_heads": c.num_attention_heads, "n_shared_experts": 1, "num_nextn_predict_layers": 1,
        "moe_layer_freq": 1, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "norm_topk_prob": True,
        "hidden_act": "silu", "attention_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": False,
        "ep_size": 1, "initializer_range": 0.02, "use_cache": True, "bos_token_id": 0, "eos_token_id": 1,
        "max_position_embeddings": MAX_POSITIONS,
        "rope_scaling": {"type": "yarn", "factor": c.rope_factor, "original_max_position_embeddings": c.rope_original,
                         "beta_fast": c.beta_fast, "beta_slow": c.beta_slow, "mscale": 1.0, "mscale_all_dim": 1.0},
        "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                "weight_block_size": [128, 128]},
        "torch_dtype": "bfloat16",
    }


def model_config(document):
    """The inverse of `published_config`."""
    rope = document["rope_scaling"]
    extra = {"rope_factor": rope["factor"], "rope_original": rope["original_max_position_embeddings"],
             "beta_fast": rope["beta_fast"], "beta_slow": rope["beta_slow"]}
    return Config(**{f.name: document[f.name] for f in fields(Config) if f.name in document}, **extra)


def published_names(model):
    """[(published name, tensor of the model)] in the order of the network. Experts are views of the stacked tensors."""
    last, named = model.c.num_hidden_layers, []
    for name, tensor in model.state_dict().items():
        name = f"model.{name}" if not name.startswith("lm_head") else name
        name = name.replace("model.mtp.norm", f"model.layers.{last}.shared_head.norm")
        name = name.replace("model.mtp.block", f"model.layers.{last}").replace("model.mtp", f"model.layers.{last}")
        prefix = name.removesuffix(".gate_up").removesuffix(".down")
        if name.endswith(".experts.gate_up"):
            for e, (gate, up) in enumerate(tensor):
                named += [(f"{prefix}.{e}.gate_proj.weight", gate), (f"{prefix}.{e}.up_proj.weight", up)]
        elif name.endswith(".experts.down"):
            named += [(f"{prefix}.{e}.down_proj.weight", down) for e, down in enumerate(tensor)]
        elif name in ("model.embed_tokens", "lm_head"):
            copy = f"model.layers.{last}." + ("embed_tokens" if name.startswith("model") else "shared_head.head")
            named += [(name + ".weight", tensor), (copy + ".weight", tensor)]
        else:
            named.append((name, tensor))
    return named


def is_fp8(name):
    """Whether a tensor is exported as FP8: projections are; embeddings, heads, norms, routers and eh_proj are BF16."""
    return name.endswith("_proj.weight") and "eh_proj" not in name


@torch.no_grad()
def export(model, tokenizer_path, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, w in published_names(model):
        if is_fp8(name):
            tensors[name], tensors[name + "_scale_inv"] = quantise(w)
        else:
            tensors[name] = w.clone() if name.endswith("correction_bias") else w.to(torch.bfloat16)
    write_shards(tensors, folder)

    here = pathlib.Path(__file__).parent
    token = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    write_json(folder / "config.json", published_config(model.c))
    write_json(folder / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 1, "do_sample": True,
                                                   "temperature": 0.3, "top_p": 0.95})
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": False, "add_eos_token": False, "bos_token": {**token, "content": tok.BOS},
        "clean_up_tokenization_spaces": False, "eos_token": {**token, "content": tok.EOS}, "legacy": True,
        "model_max_length": MAX_POSITIONS, "pad_token": {**token, "content": tok.EOS}, "sp_model_kwargs": {},
        "unk_token": None, "tokenizer_class": "LlamaTokenizerFast",
        "chat_template": (here / "chat_template.jinja").read_text()})
    shutil.copy(tokenizer_path, folder / "tokenizer.json")


def write_shards(tensors, folder):
    """Fills the shards one after another, so that a layer stays together; the index names each tensor's file."""
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    shards, filled = [{} for _ in range(SHARDS)], 0
    for name, tensor in tensors.items():
        shards[min(filled * SHARDS // total, SHARDS - 1)][name] = tensor.contiguous()
        filled += tensor.numel() * tensor.element_size()
    files = [f"model-{i + 1:05d}-of-{SHARDS:05d}.safetensors" for i in range(SHARDS)]
    for file, shard in zip(files, shards):
        save_file(shard, folder / file, metadata={"format": "pt"})
    write_json(folder / "model.safetensors.index.json", {
        "metadata": {"total_size": total},
        "weight_map": dict(sorted((name, file) for file, shard in zip(files, shards) for name in shard))})


def write_json(path, document):
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_tensors(folder):
    """{published name: float32 tensor}, FP8 weights dequantised."""
    raw = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            raw |= {name: file.get_tensor(name) for name in file.keys()}
    return {name: dequantise(t, raw[name + "_scale_inv"]) if name + "_scale_inv" in raw else t.float()
            for name, t in raw.items() if not name.endswith("_scale_inv")}


@torch.no_grad()
def load(folder):
    """The exported model, in float32 from the exported weights, and its tokenizer."""
    folder = pathlib.Path(folder)
    model = Minnow(model_config(json.loads((folder / "config.json").read_text())))
    tensors = read_tensors(folder)
    for name, parameter in published_names(model):
        parameter.copy_(tensors[name])
    return model.eval(), tok.load(folder / "tokenizer.json")
