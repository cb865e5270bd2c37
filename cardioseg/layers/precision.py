"""Whether bf16 is fast on a device."""

import torch


def fast_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products beat fp32: on GPUs, and CPUs with AMX or AVX-512 bf16."""
    if device.type == "cpu":
        amx = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 — torch has no public form
        return bool(amx or torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 — likewise
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
