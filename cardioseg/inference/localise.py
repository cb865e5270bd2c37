"""Find the heart: a chest holds one, and all its structures lie together.

A network that sees one window at a time also finds round, bright, dark-rimmed things elsewhere
(stomach, kidney, shoulder). Over the whole volume the heart is the largest cluster of structures,
weighed by how many different structures it holds and by how near it lies to the middle of the
image, where short-axis slices are planned (within half of the half extents on all of ACDC). Whole
clusters are compared, not pieces of one structure: breath-hold shifts separate a ventricle between
slices, but not by the width of the chest.

Shape legend: U, V, W working grid, slices last; K classes, background first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, generate_binary_structure, label

REACH = 4  # voxels in-plane: pieces nearer than this, in one slice or the next, are one cluster


@dataclass(frozen=True)
class HeartRegion:
    """In-plane region of the heart.

    Attributes:
        box: the heart with a margin.
        grown: the same, grown to at least one window where the image allows it.
    """

    box: tuple[slice, slice]
    grown: tuple[slice, slice]


def find_heart(
    probabilities: np.ndarray, *, margin: int, window: Sequence[int]
) -> HeartRegion | None:
    """The region of the heart; None where every voxel is more likely background.

    Args:
        probabilities: (K, U, V, W).
        margin: voxels kept around it.
        window: window size; its first two numbers are the least size of ``grown``.
    """
    heart = heart_voxels(probabilities)
    if not heart.any():
        return None
    sides = [np.flatnonzero(heart.any(axis=tuple({0, 1, 2} - {axis}))) for axis in (0, 1)]
    spans = [(int(side[0]), int(side[-1]) + 1) for side in sides]
    box = [
        _grown(span, size, least=0, margin=margin)
        for span, size in zip(spans, heart.shape, strict=False)
    ]
    grown = [
        _grown(span, size, least=n, margin=margin)
        for span, size, n in zip(spans, heart.shape, window, strict=False)
    ]
    return HeartRegion((box[0], box[1]), (grown[0], grown[1]))


def heart_voxels(probabilities: np.ndarray) -> np.ndarray:
    """Voxels of the strongest cluster that are more likely a structure, (U, V, W) bool."""
    found = probabilities[0] < 0.5
    dilated = binary_dilation(
        found, structure=generate_binary_structure(2, 1)[:, :, None], iterations=REACH
    )
    clusters, count = label(dilated, structure=generate_binary_structure(3, 3))
    clusters[~found] = 0
    heart: np.ndarray = found & (clusters == _strongest(clusters, count, probabilities))
    return heart


def _strongest(clusters: np.ndarray, count: int, probabilities: np.ndarray) -> int:
    """Number of the cluster with the largest score: central probability mass × structures."""
    central = (1 - probabilities[0]) * _centrality(probabilities.shape[1:3])[:, :, None]
    mass = np.bincount(clusters.ravel(), weights=central.ravel(), minlength=count + 1)
    winners = probabilities.argmax(0)
    kinds = np.zeros(count + 1)
    for value in range(1, len(probabilities)):
        kinds += np.bincount(clusters[winners == value], minlength=count + 1) > 0
    score = mass * kinds
    score[0] = -1
    return int(score.argmax())


def _centrality(shape: Sequence[int]) -> np.ndarray:
    """exp(-2 r²), r in half extents: 1 in the middle, 0.14 at the middle of an edge, (U, V)."""
    along = [np.linspace(-1, 1, size) if size > 1 else np.zeros(1) for size in shape]
    return np.asarray(np.exp(-2 * (along[0][:, None] ** 2 + along[1] ** 2)))


def _grown(span: tuple[int, int], size: int, *, least: int, margin: int) -> slice:
    """A span with a margin, at least ``least`` long where ``size`` allows it."""
    low, high = span[0] - margin, span[1] + margin
    spare = max(0, least - (high - low))
    low = max(0, low - spare // 2)
    high = min(size, max(high, low + least))
    return slice(max(0, min(low, high - least)), high)
