#!/usr/bin/env python3
"""Read the output of `fathom convert --to int8|int4` with compressed-tensors, and compare it with the source.

usage: check_compressed.py SOURCE CONVERTED

Every linear module must be packed or ignored, as the config's targets and ignore list say. The unpacked weights must be
within half a step of the source's weights, plus the rounding of the step to FP16 and the half step that the largest code
lacks.

Needs torch 2.13.0, compressed-tensors 0.20.0 and safetensors.
"""

import json
import pathlib
import sys

import torch
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationConfig
from compressed_tensors.utils.match import match_name
from safetensors import safe_open


def tensors(folder):
    found = {}
    for path in sorted(pathlib.Path(folder).glob("model*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found.update({name: file.get_tensor(name) for name in file.keys()})
    return found


def dequantised(source, name):
    weight = source[name].float()
    if name + "_scale_inv" not in source:
        return weight
    scales = source[name + "_scale_inv"].float()
    rows, columns = weight.shape
    return weight * scales.repeat_interleave(128, 0)[:rows].repeat_interleave(128, 1)[:, :columns]


source, converted = tensors(sys.argv[1]), tensors(sys.argv[2])
config = QuantizationConfig.model_validate(
    json.loads(pathlib.Path(sys.argv[2], "config.json").read_text())["quantization_config"]
)
scheme = config.config_groups["group_0"]
packed = {name.removesuffix(".weight_packed") for name in converted if name.endswith(".weight_packed")}
assert packed, "no packed weights"
for name in source:
    module = name.removesuffix(".weight")
    if not name.endswith(".weight") or source[name].ndim != 2 or module.endswith("embed_tokens"):
        continue
    ignored = any(match_name(module, pattern) for pattern in config.ignore)
    assert ignored != (module in packed), f"{module}: ignored {ignored}, packed {module in packed}"
worst = 0
for module in sorted(packed):
    state = {part: converted[f"{module}.{part}"] for part in ("weight_packed", "weight_scale", "weight_shape")}
    found = PackedQuantizationCompressor.decompress(dict(state), scheme)["weight"].float()
    expected = dequantised(source, module + ".weight")
    assert found.shape == expected.shape, f"{module}: {found.shape} instead of {expected.shape}"
    step = state["weight_scale"].float().repeat_interleave(scheme.weights.group_size, 1)
    # The library rounds unpacked weights to FP16, the type of the scales.
    error = ((found - expected).abs() / step - found.abs() * 2**-11 / step).max().item()
    worst = max(worst, error)
    assert error < (0.51 if scheme.weights.num_bits == 4 else 0.57), f"{module}: {error} steps"
print(f"{len(packed)} modules read; the largest error is {worst:.3f} steps")
