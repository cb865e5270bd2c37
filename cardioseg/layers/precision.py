"""Which precision is fast where. Knows devices, no networks."""

import torch


def fast_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products are faster than fp32 there: GPUs, and CPUs with matrix units (AMX) or AVX-512 bf16."""
    if device.type == "cpu":
        # torch has no public question for it yet.
        return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
