"""Where the tiles of a contact sheet lie, in pixels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

MOST_COLUMNS = 16
BEST_ASPECT = 1.5  # width to height of the sheet
# Area of all tiles: a noisy picture takes 1.5 bytes per pixel, and the file must stay below 2 MB.
MOST_PIXELS = 1_100_000
SMALLEST_TILE, LARGEST_TILE = 32, 330  # pixels of the longer side
GAP, BLOCK_GAP = 3, 16


@dataclass(frozen=True)
class TileGrid:
    """Blocks one above the other; a block has ``columns`` slices side by side.

    Each slice has ``rows`` tiles, one above the other.

    Attributes:
        count: number of slices.
        columns: slices side by side.
        rows: tiles per slice.
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
        """Height of a block in pixels."""
        return self.rows * (self.tile[0] + GAP) - GAP

    @property
    def blocks(self) -> int:
        """Number of blocks."""
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


def lay_out(count: int, *, rows: int, tile_mm: tuple[float, float]) -> TileGrid:
    """The grid whose aspect is closest to that of a page, with tiles as large as allowed.

    Args:
        count: number of slices, at least 1.
        rows: tiles per slice.
        tile_mm: height and width of a slice.
    """
    height, width = tile_mm
    columns = _columns(count, rows * height, width)
    scale = math.sqrt(MOST_PIXELS / (count * rows * height * width))
    scale = min(scale, LARGEST_TILE / max(tile_mm))
    scale = max(scale, SMALLEST_TILE / max(tile_mm))
    tile = (max(1, round(scale * height)), max(1, round(scale * width)))
    return TileGrid(count, columns, rows, tile)


def _columns(count: int, height: float, width: float) -> int:
    """Slices side by side, for slices of this height (all tiles together) and width.

    Few blocks of about equal length, rather than a short last one.
    """

    def distance(columns: int) -> float:
        aspect = columns * width / (math.ceil(count / columns) * height)
        return abs(math.log(aspect / BEST_ASPECT))

    best = min(range(1, min(count, MOST_COLUMNS) + 1), key=distance)
    return math.ceil(count / math.ceil(count / best))
