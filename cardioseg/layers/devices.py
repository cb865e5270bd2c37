"""Torch devices: choose one, and know whether bf16 is fast on it."""

import torch

from cardioseg.core.errors import UsageError


def fast_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products beat fp32: on GPUs, and CPUs with AMX or AVX-512 bf16."""
    if device.type == "cpu":
        amx = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 — torch has no public form
        return bool(amx or torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 — likewise
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def choose_device(name: str | torch.device) -> torch.device:
    """A torch device by name; "auto" takes CUDA where available.

    Raises:
        UsageError: unknown name, or a device that this machine does not have.
    """
    name = str(name)
    kind, _, number = name.partition(":")
    if name not in ("auto", "cpu") and (
        kind != "cuda" or not (number.isdecimal() or name == "cuda")
    ):
        raise UsageError(
            "--device", found=repr(name), expected="auto, cpu or cuda", cure="choose one of them"
        )
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(
            "--device",
            found=name,
            expected="a CUDA device on this machine",
            cure="use --device cpu",
        )
    return torch.device(name)
