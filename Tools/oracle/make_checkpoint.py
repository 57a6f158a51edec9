#!/usr/bin/env python3
"""Write a small random checkpoint in the published DeepSeek layout, and the values that an independent implementation
(Hugging Face transformers, float32) computes from it.

usage: make_checkpoint.py SPEC.json OUT_DIR

Writes to OUT_DIR config.json, model-0000i-of-0000n.safetensors, model.safetensors.index.json (FP8 E4M3 with
`weight_scale_inv` for blocks of 128x128 if the spec says so, else BF16), and expected.safetensors:
  tokens        [T] int64            one prompt
  logits        [T, V] float32       main model, every position
  hidden        [L+1, T, H] float32  residual stream before each layer, and after the last (before the final norm)
  mtp_logits    [T-1, V] float32     MTP module 0 (when the spec has one): position i sees token i+1
  greedy        [G] int64            greedy continuation of the prompt
  router_experts_<layer> [T, k] int64 / router_weights_<layer> [T, k] float32, sorted by expert id
The reference uses the dequantised weights, so that only rounding in the arithmetic differs.

"published" in a spec replaces or (if null) removes fields of the written config.json, for models whose published config
differs from what transformers reads. "e8m0" stores the block scales in that format.

Needs torch, transformers (5.23) and safetensors.
"""

import json, sys, pathlib, torch
from safetensors.torch import save_file

spec = json.load(open(sys.argv[1]))
out = pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
c = spec["config"]
fp8 = spec.get("fp8", True)
ue8m0 = spec.get("ue8m0", False)
torch.manual_seed(spec["seed"])
torch.set_num_threads(2)
BLOCK = 128

H, L, V = c["hidden_size"], c["num_hidden_layers"], c["vocab_size"]
heads, nope, rope, vd = c["num_attention_heads"], c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
qr, kr, E, MI = c.get("q_lora_rank"), c["kv_lora_rank"], c["n_routed_experts"], c["moe_intermediate_size"]
v3 = c["model_type"] == "deepseek_v3"

hub, ref = {}, {}  # the written tensors, and the reference's tensors in float32


def quantise(w):
    n, k = w.shape
    pn, pk = -n % BLOCK, -k % BLOCK
    p = torch.nn.functional.pad(w, (0, pk, 0, pn)).view((n + pn) // BLOCK, BLOCK, (k + pk) // BLOCK, BLOCK)
    s = p.abs().amax(dim=(1, 3)).clamp(min=1e-4) / 448.0
    if ue8m0:
        s = torch.exp2(torch.ceil(torch.log2(s)))
    q = (p / s[:, None, :, None]).to(torch.float8_e4m3fn)
    d = (q.float() * s[:, None, :, None]).view(n + pn, k + pk)[:n, :k].contiguous()
    return q.view(n + pn, k + pk)[:n, :k].contiguous(), s.contiguous(), d


def linear(name, n, k, quant=True, gain=1.0):
    w = torch.randn(n, k) * (gain / k**0.5)
    if fp8 and quant:
        q, s, d = quantise(w)
        hub[name + ".weight"], ref[name + ".weight"] = q, d
        hub[name + ".weight_scale_inv"] = s.to(torch.float8_e8m0fnu) if spec.get("e8m0") else s
    else:
        b = w.to(torch.bfloat16)
        hub[name + ".weight"], ref[name + ".weight"] = b, b.float()


def norm(name, n):
    b = (1 + 0.2 * torch.randn(n)).to(torch.bfloat16)
    hub[name + ".weight"], ref[name + ".weight"] = b, b.float()


def mlp(p, inter):
    linear(p + ".gate_proj", inter, H)
    linear(p + ".up_proj", inter, H)
    linear(p + ".down_proj", H, inter)


def block(p, moe):
    norm(p + ".input_layernorm", H)
    norm(p + ".post_attention_layernorm", H)
    a = p + ".self_attn"
    if qr:
        linear(a + ".q_a_proj", qr, H)
        norm(a + ".q_a_layernorm", qr)
        linear(a + ".q_b_proj", heads * (nope + rope), qr, gain=1.5)
    else:
        linear(a + ".q_proj", heads * (nope + rope), H, gain=1.5)
    linear(a + ".kv_a_proj_with_mqa", kr + rope, H)
    norm(a + ".kv_a_layernorm", kr)
    linear(a + ".kv_b_proj", heads * (nope + vd), kr)
    linear(a + ".o_proj", H, heads * vd)
    if not moe:
        return mlp(p + ".mlp", c["intermediate_size"])
    linear(p + ".mlp.gate", E, H, quant=False, gain=1.5)
    if v3:
        b = 0.1 * torch.randn(E)
        hub[p + ".mlp.gate.e_score_correction_bias"] = b
        ref[p + ".mlp.gate.e_score_correction_bias"] = b
    for e in range(E):
        mlp(f"{p}.mlp.experts.{e}", MI)
    mlp(p + ".mlp.shared_experts", MI * c["n_shared_experts"])


linear("model.embed_tokens", V, H, quant=False, gain=H**0.5)
linear("lm_head", V, H, quant=False, gain=2.0)
norm("model.norm", H)
for i in range(L):
    block(f"model.layers.{i}", i >= c["first_k_dense_replace"])
mtp = c.get("num_nextn_predict_layers", 0)
if mtp:
    p = f"model.layers.{L}"
    norm(p + ".enorm", H)
    norm(p + ".hnorm", H)
    linear(p + ".eh_proj", H, 2 * H, quant=False)
    block(p, True)
    norm(p + ".shared_head.norm", H)
    for dst, src in ((p + ".embed_tokens", "model.embed_tokens"), (p + ".shared_head.head", "lm_head")):
        hub[dst + ".weight"], ref[dst + ".weight"] = hub[src + ".weight"].clone(), ref[src + ".weight"].clone()

config = dict(c)
if fp8:
    config["quantization_config"] = {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": [BLOCK, BLOCK],
    }
    if ue8m0:
        config["quantization_config"]["scale_fmt"] = "ue8m0"
config["torch_dtype"] = "bfloat16"
published = config | spec.get("published", {})
with open(out / "config.json", "w") as file:
    json.dump(
        {k: v for k, v in published.items() if v is not None or k in config and config[k] is None}, file, indent=2
    )
names = sorted(hub)
n = spec.get("shards", 2)
index = {}
for i in range(n):
    f = f"model-{i+1:05d}-of-{n:05d}.safetensors"
    part = {k: hub[k] for k in names[i::n]}
    save_file(part, out / f, metadata={"format": "pt"})
    index.update({k: f for k in part})
json.dump(
    {
        "metadata": {"total_size": sum(t.numel() * t.element_size() for t in hub.values())},
        "weight_map": dict(sorted(index.items())),
    },
    open(out / "model.safetensors.index.json", "w"),
    indent=1,
)

# ---- the reference
import tempfile, transformers

tmp = pathlib.Path(tempfile.mkdtemp())
plain = {k: v for k, v in config.items() if k not in ("quantization_config", "torch_dtype")}
json.dump(plain, open(tmp / "config.json", "w"))
save_file(ref, tmp / "model.safetensors", metadata={"format": "pt"})
cls = transformers.DeepseekV3ForCausalLM if v3 else transformers.DeepseekV2ForCausalLM
model, info = cls.from_pretrained(tmp, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
model.eval()
assert not info["missing_keys"], info["missing_keys"]
T, G = spec["prompt"], spec["greedy"]
tokens = torch.randint(0, V, (1, T))
exp = {"tokens": tokens[0]}
routed = {}


def hook(layer):
    def f(mod, args, o):
        w, idx = o[1], o[2]
        idx, order = idx.sort(dim=-1)
        routed[layer] = (idx, w.gather(1, order))

    return f


handles = [
    l.mlp.gate.register_forward_hook(hook(i))
    for i, l in enumerate(model.model.layers)
    if i >= c["first_k_dense_replace"]
]
raw = []
pre = [
    l.register_forward_pre_hook(
        lambda m, a, k: raw.append((a[0] if a else k["hidden_states"])[0].clone()), with_kwargs=True
    )
    for l in model.model.layers
]
post = model.model.norm.register_forward_pre_hook(lambda m, a: raw.append(a[0][0].clone()))
with torch.no_grad():
    o = model(tokens)
for h in handles + pre + [post]:
    h.remove()
exp["logits"] = o.logits[0].float()
exp["hidden"] = torch.stack(raw)
for i, (idx, w) in routed.items():
    exp[f"router_experts_{i}"], exp[f"router_weights_{i}"] = idx, w.float()
ids = tokens.clone()
with torch.no_grad():
    for _ in range(G):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], 1)
exp["greedy"] = ids[0, T:]
if mtp:
    from transformers.modeling_layers import MtpModel

    # from_pretrained looks only for layer 61, so this loads the module's weights directly
    m, pre_, sd = MtpModel(model, 1).to(torch.float32).eval(), f"model.layers.{L}.", {}
    for k, v in ref.items():
        if not k.startswith(pre_) or ".experts." in k or k.endswith(("embed_tokens.weight", "shared_head.head.weight")):
            continue
        k = k[len(pre_) :]
        k = (
            k.replace("shared_head.norm", "post_norm")
            if k.startswith("shared_head")
            else k if k.split(".")[0] in ("enorm", "hnorm", "eh_proj") else "mtp_block." + k
        )
        sd["layers.0." + k] = v
    ex = lambda e, n: ref[f"{pre_}mlp.experts.{e}.{n}.weight"]
    sd["layers.0.mtp_block.mlp.experts.gate_up_proj"] = torch.stack(
        [torch.cat([ex(e, "gate_proj"), ex(e, "up_proj")]) for e in range(E)]
    )
    sd["layers.0.mtp_block.mlp.experts.down_proj"] = torch.stack([ex(e, "down_proj") for e in range(E)])
    missing, unexpected = m.load_state_dict(sd, strict=False)
    assert not unexpected and not [k for k in missing if k.startswith("layers.")], (missing, unexpected)
    with torch.no_grad():
        hid = model.model(tokens).last_hidden_state
        pos = torch.arange(T - 1)[None]
        emb = m.embed_tokens(tokens[:, 1:])
        mask = torch.full((T - 1, T - 1), float("-inf")).triu(1)[None, None]
        h = m.layers[0](
            emb,
            hid[:, :-1],
            position_embeddings=m.rotary_emb(emb, pos),
            attention_mask=mask,
            position_ids=pos,
            past_key_values=None,
        )
        exp["mtp_logits"] = m._project_to_logits(h)[0].float()
save_file({k: v.contiguous() for k, v in exp.items()}, out / "expected.safetensors")
margin = o.logits[0].topk(2).values
print(
    out,
    "params",
    sum(t.numel() for t in ref.values()),
    "logit std",
    float(exp["logits"].std()),
    "min top1 margin",
    float((margin[:, 0] - margin[:, 1]).min()),
    "bytes",
    sum(f.stat().st_size for f in out.iterdir()),
)
