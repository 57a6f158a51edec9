"""Minnow's network: a DeepSeek-V3 (arXiv 2412.19437) small enough to train on a laptop's processor.

Attributes have the published tensor names, except that a layer's routed experts are stacked into two tensors, which
export.py separates.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from quantise import straight_through


@dataclass(frozen=True)
class Config:
    vocab_size: int = 768
    hidden_size: int = 128
    intermediate_size: int = 384
    moe_intermediate_size: int = 64
    num_hidden_layers: int = 6
    first_k_dense_replace: int = 1
    num_attention_heads: int = 4
    qk_nope_head_dim: int = 32
    qk_rope_head_dim: int = 32
    v_head_dim: int = 32
    q_lora_rank: int = 96
    kv_lora_rank: int = 64
    n_routed_experts: int = 16
    num_experts_per_tok: int = 4
    n_group: int = 4
    topk_group: int = 2
    routed_scaling_factor: float = 2.5
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    rope_factor: float = 8.0
    rope_original: int = 512
    beta_fast: float = 32.0
    beta_slow: float = 1.0

    @property
    def softmax_scale(self):
        """(d_nope + d_rope)^-1/2 · m², m = 0.1 ln(factor) + 1: YaRN's attention temperature (arXiv 2309.00071)."""
        m = 0.1 * math.log(self.rope_factor) + 1.0
        return (self.qk_nope_head_dim + self.qk_rope_head_dim) ** -0.5 * m * m


def yarn_frequencies(c: Config):
    """Angle per position for each pair: frequencies of slow pairs are divided by the factor, fast ones kept, those between
    blended.

    d(r) = dim · ln(orig / 2πr) / (2 ln base) is the index of the pair that turns r times over the original length.
    """
    dim = c.qk_rope_head_dim
    pair = torch.arange(dim // 2, dtype=torch.float32)
    frequency = c.rope_theta ** (-2.0 * pair / dim)

    def at(turns):
        return dim * math.log(c.rope_original / (2 * math.pi * turns)) / (2 * math.log(c.rope_theta))

    low, high = max(math.floor(at(c.beta_fast)), 0), min(math.ceil(at(c.beta_slow)), dim - 1)
    keep = 1 - ((pair - low) / max(high - low, 0.001)).clamp(0, 1)
    return frequency / c.rope_factor * (1 - keep) + frequency * keep


def rotate(x, cos, sin):
    """Interleaved RoPE: (x0, x1), (x2, x3) … are pairs. x: [rows, length, …, dim]; cos, sin: [length, 1, dim / 2]."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Linear(nn.Module):
    """x Wᵀ; with W rounded to FP8 if `quantise` is set."""
    quantise = False

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * inputs ** -0.5)

    def forward(self, x):
        return F.linear(x, straight_through(self.weight) if self.quantise else self.weight)


class Norm(nn.Module):
    """RMSNorm: x / sqrt(mean(x²) + ε) · w."""

    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)


class Attention(nn.Module):
    """Multi-head latent attention, DeepSeek-V2 (arXiv 2405.04434) equations 37-47, in its expanded form."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        h, heads = c.hidden_size, c.num_attention_heads
        self.q_a_proj = Linear(h, c.q_lora_rank)
        self.q_a_layernorm = Norm(c.q_lora_rank, c.rms_norm_eps)
        self.q_b_proj = Linear(c.q_lora_rank, heads * (c.qk_nope_head_dim + c.qk_rope_head_dim))
        self.kv_a_proj_with_mqa = Linear(h, c.kv_lora_rank + c.qk_rope_head_dim)
        self.kv_a_layernorm = Norm(c.kv_lora_rank, c.rms_norm_eps)
        self.kv_b_proj = Linear(c.kv_lora_rank, heads * (c.qk_nope_head_dim + c.v_head_dim))
        self.o_proj = Linear(heads * c.v_head_dim, h)

    def forward(self, x, rope):
        c, (rows, length, _) = self.c, x.shape
        split = (rows, length, c.num_attention_heads, -1)
        q = self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x))).view(split)
        q_nope, q_pe = q.split([c.qk_nope_head_dim, c.qk_rope_head_dim], -1)
        latent, k_pe = self.kv_a_proj_with_mqa(x).split([c.kv_lora_rank, c.qk_rope_head_dim], -1)
        kv = self.kv_b_proj(self.kv_a_layernorm(latent)).view(split)
        k_nope, v = kv.split([c.qk_nope_head_dim, c.v_head_dim], -1)
        k_pe = rotate(k_pe.unsqueeze(2), *rope).expand(-1, -1, c.num_attention_heads, -1)
        q = torch.cat((q_nope, rotate(q_pe, *rope)), -1).transpose(1, 2)
        k = torch.cat((k_nope, k_pe), -1).transpose(1, 2)
        v = F.pad(v, (0, q.shape[-1] - c.v_head_dim)).transpose(1, 2)  # the fused kernel needs equal widths
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=c.softmax_scale)
        return self.o_proj(o[..., :c.v_head_dim].transpose(1, 2).reshape(rows, length, -1))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate x) ⊙ up x)."""

    def __init__(self, size, inner):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = Linear(size, inner), Linear(size, inner), Linear(inner, size)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Gate(nn.Module):
    """V3's router, equations 12-16 and 20: sigmoid scores, a bias used only for selection, groups, normalised weights."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.weight = nn.Parameter(torch.randn(c.n_routed_experts, c.hidden_size) * c.hidden_size ** -0.5)
        self.register_buffer("e_score_correction_bias", torch.zeros(c.n_routed_experts))

    def forward(self, x):
        c = self.c
        scores = torch.sigmoid(F.linear(x, self.weight))
        with torch.no_grad():
            choice = scores + self.e_score_correction_bias
            groups = choice.view(-1, c.n_group, c.n_routed_experts // c.n_group)
            best = groups.topk(2, -1).values.sum(-1).topk(c.topk_group, -1).indices
            outside = torch.ones(groups.shape[:2], dtype=torch.bool, device=x.device).scatter(1, best, False)
            chosen = groups.masked_fill(outside.unsqueeze(-1), -math.inf).flatten(1).topk(c.num_experts_per_tok).indices
        weights = scores.gather(1, chosen)
        return scores, chosen, weights / (weights.sum(-1, keepdim=True) + 1e-20) * c.routed_scaling_factor


class Experts(nn.Module):
    """The routed experts. Sorts tokens by expert, so that each expert multiplies a contiguous range of rows."""
    quantise = False

    def __init__(self, c: Config):
        super().__init__()
        e, h, i = c.n_routed_experts, c.hidden_size, c.moe_intermediate_size
        self.gate_up = nn.Parameter(torch.randn(e, 2, i, h) * h ** -0.5)
        self.down = nn.Parameter(torch.randn(e, h, i) * i ** -0.5)

    def forward(self, x, chosen, weights):
        gate_up, down = (straight_through(w) if self.quantise else w for w in (self.gate_up, self.down))
        flat = chosen.flatten()
        order = flat.argsort()
        load = torch.bincount(flat, minlength=len(down)).tolist()
        place = torch.empty_like(order).index_copy(0, order, torch.arange(len(order), device=x.device))
        sorted_x = x.index_select(0, order // chosen.shape[1])
        outputs = []
        for rows, w_in, w_out in zip(sorted_x.split(load), gate_up.flatten(1, 2).unbind(), down.unbind()):
            gate, up = F.linear(rows, w_in).chunk(2, -1)
            outputs.append(F.linear(F.silu(gate) * up, w_out))
        y = torch.cat(outputs).index_select(0, place).view(*chosen.shape, -1)
        return (y * weights.unsqueeze(-1)).sum(1)


class MoE(nn.Module):
    """Shared expert plus routed experts. Keeps the last batch's routing for balancing."""

    def __init__(self, c: Config):
        super().__init__()
        self.gate, self.experts = Gate(c), Experts(c)
        self.shared_experts = MLP(c.hidden_size, c.moe_intermediate_size)

    def forward(self, x):
        flat = x.flatten(0, 1)
        self.scores, self.chosen, weights = self.gate(flat)
        routed = self.experts(flat, self.chosen, weights)
        return self.shared_experts(x) + routed.view_as(x)

    def load(self, valid):
        """How many times each expert was chosen by the valid tokens of the last batch."""
        chosen = self.chosen[valid.flatten()]
        return torch.bincount(chosen.flatten(), minlength=self.gate.c.n_routed_experts)

    def balance_loss(self, valid):
        """The sequence-wise balance loss, V3 equations 17-20 without α: Σ_i f_i P_i, averaged over sequences."""
        c, (rows, length) = self.gate.c, valid.shape
        mask, n = valid.unsqueeze(-1).float(), valid.sum(1, keepdim=True).float()
        picked = torch.zeros_like(self.scores).scatter(1, self.chosen, 1.0).view(rows, length, -1)
        share = (self.scores / self.scores.sum(-1, keepdim=True)).view(rows, length, -1)
        f = (picked * mask).sum(1) * c.n_routed_experts / (c.num_experts_per_tok * n)
        return (f * (share * mask).sum(1) / n).sum(-1).mean()


class Block(nn.Module):
    def __init__(self, c: Config, moe):
        super().__init__()
        self.input_layernorm = Norm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c.hidden_size, c.rms_norm_eps)
        self.mlp = MoE(c) if moe else MLP(c.hidden_size, c.intermediate_size)

    def forward(self, x, rope):
        x = x + self.self_attn(self.input_layernorm(x), rope)
        return x + self.mlp(self.post_attention_layernorm(x))


class MTP(nn.Module):
    """Multi-token prediction, V3 equations 21-23: sees token i + 1, drafts token i + 2."""

    def __init__(self, c: Config):
        super().__init__()
        self.enorm, self.hnorm = Norm(c.hidden_size, c.rms_norm_eps), Norm(c.hidden_size, c.rms_norm_eps)
        self.eh_proj = nn.Linear(2 * c.hidden_size, c.hidden_size, bias=False)  # BF16 in the published layout
        self.block = Block(c, moe=True)
        self.norm = Norm(c.hidden_size, c.rms_norm_eps)  # published as shared_head.norm

    def forward(self, next_embedding, hidden, rope):
        joined = self.eh_proj(torch.cat((self.enorm(next_embedding), self.hnorm(hidden)), -1))
        return self.norm(self.block(joined, rope))


class Minnow(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Parameter(torch.randn(c.vocab_size, c.hidden_size) * 0.5)
        self.layers = nn.ModuleList(Block(c, i >= c.first_k_dense_replace) for i in range(c.num_hidden_layers))
        self.norm = Norm(c.hidden_size, c.rms_norm_eps)
        self.lm_head = nn.Parameter(torch.randn(c.vocab_size, c.hidden_size) * 0.02)
        self.mtp = MTP(c)
        self.register_buffer("frequencies", yarn_frequencies(c), persistent=False)

    def rope(self, length):
        positions = torch.arange(length, dtype=torch.float32, device=self.frequencies.device)
        angle = torch.outer(positions, self.frequencies).unsqueeze(1)
        return angle.cos(), angle.sin()

    def forward(self, ids):
        """The final norm's output, [rows, length, hidden], the input of the head and of the MTP module."""
        x, rope = F.embedding(ids, self.embed_tokens), self.rope(ids.shape[1])
        for layer in self.layers:
            x = layer(x, rope)
        return self.norm(x)

    def draft(self, ids, hidden):
        """The MTP module's output at positions 0 … length - 2; from the one at i the head predicts token i + 2."""
        return self.mtp(F.embedding(ids[:, 1:], self.embed_tokens), hidden[:, :-1], self.rope(ids.shape[1] - 1))

    def head(self, hidden):
        return F.linear(hidden, self.lm_head)

    def moe_layers(self):
        """The mixture-of-experts layers by published layer number; the MTP module is layer `num_hidden_layers`."""
        blocks = [*self.layers, self.mtp.block]
        return {i: b.mlp for i, b in enumerate(blocks) if isinstance(b.mlp, MoE)}

    def set_quantise(self, on):
        """Turns quantisation-aware training on or off for all weights that are exported in FP8."""
        for module in self.modules():
            if isinstance(module, (Linear, Experts)):
                module.quantise = on
