"""Take over weights between networks: stem and decoder for a ViT, 2-D weights for a 3-D network.

A weight with the same name is taken over where its shape fits, or where a 2-D kernel becomes the
middle slice of a 3-D one. Carreira and Zisserman 2017 (arXiv 1705.07750) repeat kernels along time,
but slices of the heart lie 5 to 10 mm apart. Where the first 2-D layer reads neighbouring slices as
channels and the 3-D one a single channel, it takes their sum.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def transferable(weights: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The ``weights`` that fit ``target``, in the target's shapes."""
    fitted = {
        name: _fitted(weights[name], place.shape)
        for name, place in target.items()
        if name in weights
    }
    return {name: value for name, value in fitted.items() if value is not None}


def _fitted(value: Tensor, shape: torch.Size) -> Tensor | None:
    """``value`` in ``shape``; None where it does not fit."""
    if value.shape == shape:
        return value
    if value.ndim != 4 or len(shape) != 5:
        return None
    if value.shape[1] != shape[1] and shape[1] == 1:
        value = value.sum(1, keepdim=True)
    if value.shape != shape[:4]:
        return None
    grown = value.new_zeros(shape)
    grown[..., shape[4] // 2] = value
    return grown
