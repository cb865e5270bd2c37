"""Whether tensors hold only finite numbers."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


@torch.no_grad()
def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no value of any tensor is NaN or infinite; one transfer from the device."""
    floating = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    if not floating:
        return True
    largest = torch._foreach_norm(floating, ord=math.inf)  # noqa: SLF001 — torch has no public form
    return bool(torch.stack([value.float() for value in largest]).isfinite().all())


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors with a value that is NaN or infinite."""
    return [name for name, tensor in tensors.items() if not all_finite((tensor,))]
