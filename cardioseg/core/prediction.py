"""What a network says about one volume, all of it on the image's own grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cardioseg.core.volume import Volume


@dataclass(frozen=True)
class Prediction:
    """Mask and maps of one volume.

    Attributes:
        mask: (X, Y, Z) uint8 label values.
        halting: (X, Y, Z) uint8 loops each voxel's token used; windows and views that overlap are averaged, then rounded.
        experts: (X, Y, Z) uint8 strongest expert counted from 1; None when the network routes nothing.
        loops: the budget the core was given.
        probabilities: (X, Y, Z, classes) float32, kept only when asked for.
        routing: (X, Y, Z, experts) float32 summing to 1 over experts, kept only when asked for.
        mean_steps: mean loops used over all tokens.
        expert_shares: share of voxels by strongest expert; empty when the network routes nothing.
        flops: multiplications and additions it took, by "total", "core" and "core_dense" (every token running every loop).
        certainty: predictive entropy and loops used, in and around the heart, by name; a reason where there is no number.
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
