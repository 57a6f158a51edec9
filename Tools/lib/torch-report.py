"""Measures PyTorch on this machine's first GPU (CUDA or ROCm) and prints JSON: matrix products, attention, a copy.

Prints null if PyTorch is not installed or finds no such GPU.
"""

import json
import statistics

WARM_UPS, REPEATS = 3, 20


def median_seconds(torch, run):
    """The median time of the repeats by the device's clock, in seconds."""
    times = []
    for index in range(WARM_UPS + REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        if index >= WARM_UPS:
            times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def product(torch, name):
    """A product of 4096 × 4096 matrices, with the result in FP16 or BF16."""
    n = 4096
    if name == "fp8":
        a = torch.randn(n, n, device="cuda").to(torch.float8_e4m3fn)
        b = torch.randn(n, n, device="cuda").to(torch.float8_e4m3fn).t()
        one = torch.ones((), device="cuda")
        return lambda: torch._scaled_mm(a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[name]
    a, b = (torch.randn(n, n, device="cuda", dtype=kind) for _ in range(2))
    return lambda: a @ b


def attention(torch, heads, tokens):
    """Causal attention with the head sizes of MLA's prefill: 192 for queries and keys, 128 for values."""
    q, k = (torch.randn(1, heads, tokens, 192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    v = torch.randn(1, heads, tokens, 128, device="cuda", dtype=torch.bfloat16)
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def copy(torch, byte_count):
    """A copy of half of `byte_count` bytes, so that reads and writes add up to it."""
    x = torch.randint(0, 255, (byte_count // 2,), device="cuda", dtype=torch.uint8)
    y = torch.empty_like(x)
    return lambda: y.copy_(x)


def main():
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    rows = []

    def measure(name, unit, work, make):
        try:
            row = {"name": name, "unit": unit, "per_second": work / median_seconds(torch, make()), "failure": None}
        except Exception as error:  # unsupported operations are reported in the row
            lines = str(error).strip().splitlines()
            row = {"name": name, "unit": unit, "per_second": None, "failure": lines[0] if lines else repr(error)}
        rows.append(row)

    for name in ["fp16", "bf16", "fp8"]:
        measure(f"{name} product, 4096³", "FLOP", 2 * 4096**3, lambda name=name: product(torch, name))
    for heads, tokens in [(128, 2048), (16, 2048)]:
        # Causal: half of the scores.
        work = heads * tokens * (tokens + 1) * (192 + 128)
        measure(
            f"causal attention 192/128, {heads} heads, {tokens} tokens, bf16",
            "FLOP",
            work,
            lambda heads=heads, tokens=tokens: attention(torch, heads, tokens),
        )
    measure("copy on the device, 2 GiB read and written", "B", 2 << 30, lambda: copy(torch, 2 << 30))
    return {"version": torch.__version__, "device": torch.cuda.get_device_name(0), "rows": rows}


print(json.dumps(main()))
