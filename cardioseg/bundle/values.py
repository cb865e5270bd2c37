"""Weights that training cannot have left: NaN, infinity, zeros everywhere, or another type."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from cardioseg.core.errors import ModelError
from cardioseg.layers.finite import not_finite
from cardioseg.networks import Network

FLOATS = (torch.float16, torch.bfloat16, torch.float32)


def check_values(weights: Mapping[str, Tensor], network: Network, path: Path) -> None:
    """Raise ModelError unless the weights of ``path`` may be those of a trained ``network``.

    Matrices may be zero only where the network starts with zeros, as adapters do.
    """
    expected = network.state_dict()
    mistyped = [name for name, value in weights.items() if not _fits(value, expected.get(name))]
    if mistyped:
        kind = str(weights[mistyped[0]].dtype).removeprefix("torch.")
        raise _unusable(path, f"{mistyped[0]} as {kind}", "float16 or float32 weights")
    broken = not_finite(weights)
    if broken:
        found = f"NaN or infinite values in {len(broken)} tensors ({broken[0]} …)"
        raise _unusable(path, found, "finite weights")
    empty = [name for name, value in weights.items() if _emptied(value, expected.get(name))]
    if empty:
        found = f"only zeros in {len(empty)} tensors ({empty[0]} …)"
        raise _unusable(path, found, "trained weights")


def _fits(value: Tensor, expected: Tensor | None) -> bool:
    """Whether a stored type fits; a name that the network lacks is found when it is filled."""
    if expected is None:
        return True
    if expected.is_floating_point():
        return value.dtype in FLOATS
    return value.dtype == expected.dtype


def _emptied(value: Tensor, expected: Tensor | None) -> bool:
    """Whether a matrix is zero that a fresh network draws at random."""
    if expected is None or value.ndim < 2 or not value.numel():
        return False
    return not value.any() and bool(expected.any())


def _unusable(path: Path, found: str, expected: str) -> ModelError:
    cure = "train with a lower learning rate, or install the model again"
    return ModelError(path, found=found, expected=expected, cure=cure)
