"""Compares the exported weights in Hugging Face transformers' DeepSeek-V3 with Minnow's own forward pass."""
import json
import pathlib
import tempfile

import torch
import transformers
from safetensors.torch import save_file
from transformers.modeling_layers import MtpModel

import export


def reference(folder):
    """transformers' model and its MTP module, float32, with the dequantised weights of the exported folder."""
    document = json.loads((pathlib.Path(folder) / "config.json").read_text())
    tensors = export.read_tensors(folder)
    with tempfile.TemporaryDirectory() as plain:
        kept = {k: v for k, v in document.items() if k not in ("quantization_config", "torch_dtype")}
        (pathlib.Path(plain) / "config.json").write_text(json.dumps(kept))
        save_file({k: v.contiguous() for k, v in tensors.items()}, pathlib.Path(plain) / "model.safetensors",
                  metadata={"format": "pt"})
        model, info = transformers.DeepseekV3ForCausalLM.from_pretrained(
            plain, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"], info["missing_keys"]
    return model.eval(), mtp_module(model, tensors, document)


def mtp_module(model, tensors, document):
    """transformers' MTP block; `from_pretrained` looks for it at V3's layer 61 only, so its weights go in by hand."""
    prefix, state = f"model.layers.{document['num_hidden_layers']}.", {}
    for name, tensor in tensors.items():
        name = name.removeprefix(prefix) if name.startswith(prefix) else ""
        if not name or ".experts." in name or name in ("embed_tokens.weight", "shared_head.head.weight"):
            continue
        own = name.split(".")[0] in ("enorm", "hnorm", "eh_proj")
        name = name.replace("shared_head.norm", "post_norm") if "shared_head" in name else \
            name if own else "mtp_block." + name
        state["layers.0." + name] = tensor

    def stacked(projection):
        return torch.stack([tensors[f"{prefix}mlp.experts.{e}.{projection}.weight"]
                            for e in range(document["n_routed_experts"])])

    experts = "layers.0.mtp_block.mlp.experts."
    state[experts + "gate_up_proj"] = torch.cat((stacked("gate_proj"), stacked("up_proj")), 1)
    state[experts + "down_proj"] = stacked("down_proj")
    module = MtpModel(model, 1).to(torch.float32).eval()
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected and not [k for k in missing if k.startswith("layers.")], (missing, unexpected)
    return module


@torch.no_grad()
def crosscheck(folder, prompts):
    """Largest relative error of the logits over the prompts: (main model, MTP module)."""
    own, _ = export.load(folder)
    other, module = reference(folder)
    worst = [0.0, 0.0]
    for ids in prompts:
        tokens = torch.tensor([ids])
        hidden = own(tokens)
        pairs = [(own.head(hidden), other(tokens).logits)]

        position = torch.arange(len(ids) - 1)[None]
        embedded = module.embed_tokens(tokens[:, 1:])
        mask = torch.full((len(ids) - 1,) * 2, float("-inf")).triu(1)[None, None]
        block = module.layers[0](embedded, other.model(tokens).last_hidden_state[:, :-1],
                                 position_embeddings=module.rotary_emb(embedded, position), attention_mask=mask,
                                 position_ids=position, past_key_values=None)
        pairs.append((own.head(own.draft(tokens, hidden)), module._project_to_logits(block)))
        worst = [max(w, float((a - b).norm() / b.norm())) for w, (a, b) in zip(worst, pairs)]
    return tuple(worst)
