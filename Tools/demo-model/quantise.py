"""FP8 E4M3 in 128 × 128 blocks, as DeepSeek-V3 publishes them: w ≈ code · weight_scale_inv[i / 128, j / 128]."""
import torch
import torch.nn.functional as F

BLOCK = 128
LARGEST = 448.0  # the largest E4M3 value


def quantise(w):
    """([…, n, k] FP8 codes, […, ⌈n/128⌉, ⌈k/128⌉] scales). Blocks at the edges may be smaller."""
    *batch, n, k = w.shape
    rows, columns = -(-n // BLOCK), -(-k // BLOCK)
    padded = F.pad(w, (0, columns * BLOCK - k, 0, rows * BLOCK - n))
    blocks = padded.view(*batch, rows, BLOCK, columns, BLOCK)
    scale = blocks.abs().amax(dim=(-3, -1)).clamp(min=1e-4) / LARGEST
    codes = (blocks / scale[..., :, None, :, None]).to(torch.float8_e4m3fn)
    return codes.view(*batch, rows * BLOCK, columns * BLOCK)[..., :n, :k].contiguous(), scale


def dequantise(codes, scale):
    spread = scale.repeat_interleave(BLOCK, -2).repeat_interleave(BLOCK, -1)
    return codes.float() * spread[..., :codes.shape[-2], :codes.shape[-1]]


def straight_through(w):
    """The weight rounded to FP8, with the gradient of the identity (straight-through estimator)."""
    with torch.no_grad():
        error = dequantise(*quantise(w)) - w
    return w + error
