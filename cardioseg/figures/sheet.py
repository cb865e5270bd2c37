"""What a contact sheet shows and where: slices turned upright, cropped to the heart, and tiles laid out in pixels.

Knows arrays and rectangles, nothing of drawing. Shape legend: Z slices, R rows down the screen, C columns to its right.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cardioseg.clinical.volumes import structure_value
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.imaging.preprocess import slice_axis, slices_last

MARGIN_MM = 18.0
MOST_COLUMNS = 16
BEST_ASPECT = 1.5
PIXELS = 1_100_000  # of all tiles together; a noisy picture takes 1.5 bytes each, and the file should stay below 2 MB
SMALLEST_TILE, LARGEST_TILE = 32, 330
GAP, BLOCK_GAP = 3, 16


@dataclass(frozen=True)
class Stack:
    """What is shown, as it lies on the screen.

    Attributes:
        image: (Z, R, C) intensities.
        mask: (Z, R, C) label values.
        halting: (Z, R, C) loops used.
        experts: (Z, R, C) strongest expert counted from 1; None when the network routes nothing.
        pixel_mm: height and width of a voxel.
    """

    image: np.ndarray
    mask: np.ndarray
    halting: np.ndarray
    experts: np.ndarray | None
    pixel_mm: tuple[float, float]

    @property
    def tile_mm(self) -> tuple[float, float]:
        """Height and width of a slice."""
        return self.image.shape[1] * self.pixel_mm[0], self.image.shape[2] * self.pixel_mm[1]


@dataclass(frozen=True)
class Sheet:
    """Where the tiles lie: ``columns`` slices side by side, each with ``rows`` tiles in a column; then the next block.

    Attributes:
        count: slices.
        columns: slices side by side.
        rows: tiles of one slice, one above the other.
        tile: height and width of a tile in pixels.
    """

    count: int
    columns: int
    rows: int
    tile: tuple[int, int]

    @property
    def width(self) -> int:
        """Pixels from the first to the last column."""
        return self.columns * (self.tile[1] + GAP) - GAP

    @property
    def block_height(self) -> int:
        """Pixels of a block."""
        return self.rows * (self.tile[0] + GAP) - GAP

    @property
    def blocks(self) -> int:
        """Blocks one above the other."""
        return math.ceil(self.count / self.columns)

    @property
    def height(self) -> int:
        """Pixels from the first to the last row."""
        return self.blocks * (self.block_height + BLOCK_GAP) - BLOCK_GAP

    def block_top(self, block: int) -> int:
        """Pixels above a block."""
        return block * (self.block_height + BLOCK_GAP)

    def row_top(self, row: int) -> int:
        """Pixels between the top of a block and its row."""
        return row * (self.tile[0] + GAP)

    def corners(self, row: int) -> Iterator[tuple[int, int]]:
        """Left and top of every slice's tile in ``row``."""
        for index in range(self.count):
            block, column = divmod(index, self.columns)
            yield column * (self.tile[1] + GAP), self.block_top(block) + self.row_top(row)


def lay_out(count: int, *, rows: int, tile_mm: tuple[float, float]) -> Sheet:
    """The sheet of ``count`` slices that comes closest to a page, in tiles as large as the file size allows."""
    height, width = tile_mm

    def distance(columns: int) -> float:
        return abs(
            math.log(columns * width / (math.ceil(count / columns) * rows * height) / BEST_ASPECT)
        )

    blocks = math.ceil(count / min(range(1, min(count, MOST_COLUMNS) + 1), key=distance))
    columns = math.ceil(count / blocks)
    scale = math.sqrt(PIXELS / (count * rows * height * width))
    scale = min(scale, LARGEST_TILE / max(tile_mm))
    scale = max(scale, SMALLEST_TILE / max(tile_mm))
    return Sheet(
        count, columns, rows, (max(1, round(scale * height)), max(1, round(scale * width)))
    )


def upright(image: Volume, prediction: Prediction) -> Stack:
    """All slices as radiology shows them, as far as the affine can tell: left to the right, back and feet down."""
    axis = slice_axis(image)
    first, second = (a for a in range(3) if a != axis)
    swap, flip_rows, flip_columns = turns(image.affine[:3, first], image.affine[:3, second])

    def shown(array: np.ndarray) -> np.ndarray:
        stack = np.moveaxis(slices_last(array, axis), 2, 0)
        stack = stack if swap else stack.transpose(0, 2, 1)
        return stack[:, :: -1 if flip_rows else 1, :: -1 if flip_columns else 1]

    height, width = (first, second) if swap else (second, first)
    experts = None if prediction.experts is None else shown(prediction.experts.array)
    return Stack(
        image=shown(image.array),
        mask=shown(prediction.mask.array),
        halting=shown(prediction.halting.array),
        experts=experts,
        pixel_mm=(image.spacing[height], image.spacing[width]),
    )


def turns(first: np.ndarray, second: np.ndarray) -> tuple[bool, bool, bool]:
    """How to turn a plane upright.

    Args:
        first: (3,) direction of the plane's first axis, right-anterior-superior.
        second: (3,) of its second axis.

    Returns:
        Whether the first axis runs down the screen instead of right, and whether rows and columns are to be reversed.
    """
    directions = [axis / max(float(np.linalg.norm(axis)), 1e-9) for axis in (first, second)]
    left, back_and_feet = np.array([-1.0, 0.0, 0.0]), np.array([0.0, -1.0, -1.0]) / math.sqrt(2)

    def fit(turn: tuple[bool, bool, bool]) -> float:
        swap, flip_rows, flip_columns = turn
        down, right = directions if swap else directions[::-1]
        rightwards, downwards = float(right @ left), float(down @ back_and_feet)
        return (-rightwards if flip_columns else rightwards) + (
            -downwards if flip_rows else downwards
        )

    # Of equally good turns the first one wins, which is the picture as it is stored.
    either = (False, True)
    return max(itertools.product(either, either, either), key=lambda turn: round(fit(turn), 6))


def cropped(stack: Stack) -> Stack:
    """The same box of all slices, the heart and a margin; everything when the mask is empty."""
    return boxed(stack, heart_box(np.asarray(stack.mask.any(axis=0)), stack.pixel_mm))


def heart_box(
    inside: np.ndarray, pixel_mm: tuple[float, float], *, margin_mm: float = MARGIN_MM
) -> tuple[slice, slice]:
    """Rows and columns of the heart and a margin.

    Args:
        inside: (R, C) where any slice shows a structure.
        pixel_mm: height and width of a voxel.
        margin_mm: what is left around it.

    Returns:
        The box; all rows and columns when nothing is inside.
    """
    if not inside.any():
        return slice(0, inside.shape[0]), slice(0, inside.shape[1])
    rows, columns = (
        _span(at, math.ceil(margin_mm / size), end)
        for at, size, end in zip(np.nonzero(inside), pixel_mm, inside.shape, strict=True)
    )
    return rows, columns


def heart_slice(mask: np.ndarray, labels: LabelTable) -> int:
    """The slice of (Z, R, C) with most myocardium, or most of all structures where there is none; counted from 0."""
    value = structure_value("MYO", labels)
    wall = mask == value
    shown = wall if value is not None and wall.any() else mask > 0
    return int(shown.sum(axis=(1, 2)).argmax())


def boxed(stack: Stack, box: tuple[slice, slice]) -> Stack:
    """Rows and columns of every slice."""
    at = (slice(None), *box)
    experts = None if stack.experts is None else stack.experts[at]
    return Stack(stack.image[at], stack.mask[at], stack.halting[at], experts, stack.pixel_mm)


def _span(indices: np.ndarray, margin: int, end: int) -> slice:
    return slice(max(0, int(indices.min()) - margin), min(end, int(indices.max()) + 1 + margin))
