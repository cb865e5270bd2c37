"""Outlines of structures on matplotlib axes, by marching squares (scikit-image)."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

Extent = tuple[float, float, float, float]


def outlines(inside: np.ndarray) -> list[np.ndarray]:
    """The closed borders of a boolean slice.

    Args:
        inside: (R, C) bool.

    Returns:
        Polygons (N, 2) as row and column in voxels; the centre of the first voxel is (0, 0). A
        region at the edge of the slice is closed there.
    """
    from skimage.measure import find_contours

    find: Callable[[np.ndarray, float], list[np.ndarray]] = find_contours  # which has no types
    return [border - 1 for border in find(np.pad(inside, 1).astype(np.float32), 0.5)]


def draw_outlines(
    axes: "Axes", inside: np.ndarray, extent: Extent, *, colour: str, width: float
) -> None:
    """Draw the borders of a slice (R, C) that fills ``extent``.

    Args:
        axes: where to draw.
        inside: (R, C) bool.
        extent: left, right, bottom and top of the slice, as for ``imshow``.
        colour: of the lines.
        width: of the lines, in points.
    """
    from matplotlib.collections import LineCollection

    left, right, bottom, top = extent
    size = np.array([(right - left) / inside.shape[1], (bottom - top) / inside.shape[0]])
    lines = [(left, top) + (border[:, ::-1] + 0.5) * size for border in outlines(inside)]
    collection = LineCollection(lines, colors=[colour], linewidths=width)
    collection.set_capstyle("round")
    collection.set_joinstyle("round")
    axes.add_collection(collection, autolim=False)
