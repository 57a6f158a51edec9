#!/usr/bin/env python3
"""Convert small matrices with PyTorch and compressed-tensors, as a reference with which the converter must agree bit for bit.

usage: make_conversions.py OUT.safetensors

For each case NAME, writes:
  NAME.codes F8_E4M3, NAME.scales F32, NAME.bf16    FP8 to BF16, as DeepSeek's fp8_cast_bf16.py
  NAME.weight BF16, NAME.fp8, NAME.fp8_scales       BF16 to FP8: max|w| / 448 over 128 by 128, code = w / scale
  NAME.fp8_ue8m0, NAME.fp8_ue8m0_scales             the same with scales rounded up to powers of two
  NAME.weight, NAME.intB_G, .intB_G_scale           packed by compressed-tensors: B bits, groups of G, FP16 scales

Needs torch 2.13.0, compressed-tensors 0.20.0 and safetensors.
"""

import sys

import torch
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file

BLOCK = 128
torch.manual_seed(5)
out = {}


def spread(scales, rows, columns):
    """Repeats each block's scale for each of its elements."""
    return scales.repeat_interleave(BLOCK, 0)[:rows].repeat_interleave(BLOCK, 1)[:, :columns]


def dequantise(name, codes, scales):
    out[name + ".codes"], out[name + ".scales"] = codes, scales
    out[name + ".bf16"] = (codes.float() * spread(scales, *codes.shape)).to(torch.bfloat16)


def quantise(name, weight, suffix, ue8m0):
    rows, columns = weight.shape
    w = weight.float()
    padded = torch.nn.functional.pad(w, (0, -columns % BLOCK, 0, -rows % BLOCK))
    tiles = padded.view(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK)
    largest = tiles.abs().amax(dim=(1, 3))
    scales = (largest / 448.0).clamp(min=2.0**-126)
    if ue8m0:
        # Rounds up to a power of two with bit operations, since a logarithm would be inexact.
        bits = scales.view(torch.int32)
        scales = (bits + 0x7FFFFF & ~0x7FFFFF).view(torch.float32)
    scales = torch.where(largest == 0, torch.ones_like(scales), scales)
    codes = (w / spread(scales, rows, columns)).clamp(-448, 448).to(torch.float8_e4m3fn)
    out[name + "." + suffix], out[name + "." + suffix + "_scales"] = codes, scales


def integers(name, weight, bits, group):
    rows, columns = weight.shape
    w = weight.float()
    # As calculate_qparams computes it for symmetric weights, except that a group of zeros has scale 1.
    largest = w.view(rows, columns // group, group).abs().amax(2)
    scale = (largest / ((2**bits - 1) / 2)).to(torch.float16).clamp(min=2.0**-24)
    scale = torch.where(largest == 0, torch.ones_like(scale), scale)
    arguments = QuantizationArgs(num_bits=bits, type="int", symmetric=True, strategy="group", group_size=group)
    scheme = QuantizationScheme(targets=["Linear"], weights=arguments)
    state = PackedQuantizationCompressor.compress({"weight": w, "weight_scale": scale.float()}, scheme)
    assert state["weight_shape"].tolist() == [rows, columns]
    out[f"{name}.int{bits}_{group}"], out[f"{name}.int{bits}_{group}_scale"] = state["weight_packed"], scale


# All codes, with scales that give subnormal BF16, infinity and NaN; ragged edges.
every = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn)
codes = every.repeat(3)[torch.randint(0, 768, (130, 300))]
codes[0, :256], codes[129, 44:300] = every, every
dequantise("edges", codes, torch.tensor([[1.5e-4, 1e-38, 3e38], [2.0**-133, float("inf"), float("nan")]]))
dequantise("plain", codes[:50, :130].contiguous(), torch.rand(1, 2) * 1e-3)

# Blocks of normal numbers, of subnormals, of zeros (one of them negative) and of the largest numbers.
weight = torch.randn(130, 320) * 0.02
weight[:128, 128:256] *= 2.0**-125
weight[128:, :128] = 0
weight[128, 0] = -0.0
weight[128:, 128:256] *= 1e38
# Scales that are powers of two, and values half way between two codes.
weight[:128, 256:] = (torch.arange(128 * 64) % 897 - 448).view(128, 64) * 0.5
weight[128:, 256:] = torch.linspace(-448, 448, 128).view(2, 64)
weight = weight.to(torch.bfloat16)
out["blocks.weight"] = weight
quantise("blocks", weight, "fp8", False)
quantise("blocks", weight, "fp8_ue8m0", True)

weight = torch.randn(6, 384) * 0.02
weight[1, :128] = 0
weight[2, :128] *= 1e-7
weight[3] *= 1e4
weight[4] = (torch.arange(384) % 31 - 15).float() / 2
weight[5] = (torch.arange(384) % 511 - 255).float() / 2
weight = weight.to(torch.bfloat16)
out["groups.weight"] = weight
for bits in (4, 8):
    for group in (32, 64, 128):
        integers("groups", weight, bits, group)

save_file({name: tensor.contiguous() for name, tensor in out.items()}, sys.argv[1])
