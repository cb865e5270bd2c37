"""The result of a network for one volume, on the image's own grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cardioseg.core.volume import Volume


@dataclass(frozen=True)
class Prediction:
    """Mask and maps of one volume.

    Attributes:
        mask: (X, Y, Z) uint8 label values.
        halting: (X, Y, Z) uint8 loops that each voxel's token used, averaged over overlapping
            windows and orientations, then rounded.
        experts: (X, Y, Z) uint8 strongest expert, counted from 1; None without experts.
        loops: the loop budget.
        mean_steps: mean loops used, over all tokens.
        expert_shares: share of voxels by strongest expert; () without experts.
        probabilities: (X, Y, Z, classes) float32, only on request.
        routing: (X, Y, Z, experts) float32 summing to 1 over experts, only on request.
        flops: multiplications and additions by "total", "core" and "core_dense" (the core if every
            token ran every loop).
        certainty: predictive entropy and loops used, in and around the heart, by name; a text that
            says why where there is no number.
    """

    mask: Volume
    halting: Volume
    experts: Volume | None
    loops: int
    mean_steps: float
    expert_shares: tuple[float, ...] = ()
    probabilities: np.ndarray | None = None
    routing: np.ndarray | None = None
    flops: Mapping[str, int] = field(default_factory=dict)
    certainty: Mapping[str, float | str] = field(default_factory=dict)
