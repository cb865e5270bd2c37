"""Draws a contact sheet: tiles, contours, maps, legends and text, on matplotlib's Agg canvas.

The figure has one coordinate system, pixels from its top left. Tiles begin at (LEFT, TOP). Legends
stand on the right, each beside its row or below the legend before it.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.core.labels import LabelTable
from cardioseg.figures.agg import DPI, new_figure, png_bytes, printable, shortened
from cardioseg.figures.outlines import Extent, draw_outlines
from cardioseg.figures.palette import FAINT, INK, INTENSITIES, PAPER
from cardioseg.figures.tiles import TileGrid
from cardioseg.figures.upright import UprightSlices, grey_window

if TYPE_CHECKING:
    from matplotlib.text import Text

STEPS = (1, 2, 5, 10, 20, 50)
MOST_TICKS = 9
LEFT, RIGHT, TOP, BOTTOM = 36, 140, 66, 36
SMALLEST_WIDTH = 480
LINE, SWATCH, BAR, LEGEND_GAP = 18, 18, 130, 14
CHARACTER = 8  # pixels of a character of a row's name
THINNEST, THICKEST = 0.4, 1.0  # points of an outline


class SheetCanvas:
    """One contact sheet while it is drawn; ``below`` is the lower end of the legends so far.

    Args:
        grid: where the tiles lie.
        slices: what they show.
    """

    def __init__(self, grid: TileGrid, slices: UprightSlices) -> None:
        self.grid, self.slices = grid, slices
        self.window = grey_window(slices.image)
        self.figure = new_figure(SMALLEST_WIDTH, SMALLEST_WIDTH)  # ``png`` sets the real size
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.below = TOP - LINE // 2

    # --------------------------------------------------------------------------------------- tiles

    def draw_contours(self, labels: LabelTable) -> None:
        """Row 0: the image with its structures outlined, and their names."""
        self._draw_image(0, "mask")
        size = 6.5 if self.grid.tile[0] > 100 else 5
        for number, (left, top) in enumerate(self.grid.corners(0)):
            for name, colour in labels.colours.items():
                inside = self.slices.mask[number] == labels.value(name)
                self._outline(inside, (left, top), colour)
            at = (LEFT + left + 5, TOP + top + 4)
            self._write(*at, str(number + 1), size=size, va="top", **self._outlined())
        swatches = labels.colours.items()
        self._name_colours(0, [(colour, name) for name, colour in swatches], height=4)

    def draw_map(
        self,
        row: int,
        name: str,
        values: np.ndarray,
        *,
        colours: Sequence[str],
        opacity: tuple[float, float] = (0.5, 0.5),
    ) -> None:
        """A map as colours over the image, with the outline of the heart.

        Args:
            row: row of the grid.
            name: what the row shows.
            values: (Z, R, C) integers from 1.
            colours: of 1, 2, and so on.
            opacity: of the first and the last colour.
        """
        from matplotlib.colors import to_rgba_array

        self._draw_image(row, name)
        table = to_rgba_array(colours)
        table[:, 3] = np.linspace(*opacity, len(table))
        for number, corner in enumerate(self.grid.corners(row)):
            picture = table[np.clip(values[number].astype(int), 1, len(table)) - 1]
            self.axes.imshow(picture, extent=self._extent(*corner), interpolation="nearest")
            self._outline(self.slices.mask[number] > 0, corner, PAPER.light)

    def _draw_image(self, row: int, name: str) -> None:
        """All slices in one grey scale, with the name of the row left of every block."""
        low, high = self.window
        style: dict[str, Any] = {"cmap": INTENSITIES, "vmin": low, "vmax": high}
        for tile, corner in zip(self.slices.image, self.grid.corners(row), strict=True):
            extent = self._extent(*corner)
            self.axes.imshow(
                tile.astype(np.float32), extent=extent, interpolation="bicubic", **style
            )
        self._name_row(row, name)

    def _name_row(self, row: int, name: str) -> None:
        """Beside every block, if the row is high enough for its name."""
        height = self.grid.tile[0]
        if height <= CHARACTER * len(name):
            return
        style: dict[str, Any] = {"color": FAINT.light, "ha": "center", "rotation": 90}
        for block in range(self.grid.blocks):
            middle = TOP + self.grid.block_top(block) + self.grid.row_top(row) + height / 2
            self._write(LEFT - 14, middle, name, size=7.5, **style)

    def _extent(self, left: int, top: int) -> Extent:
        """Left, right, bottom and top of the tile at (left, top) of the grid, for ``imshow``."""
        height, width = self.grid.tile
        return LEFT + left, LEFT + left + width, TOP + top + height, TOP + top

    def _outline(self, inside: np.ndarray, corner: tuple[int, int], colour: str) -> None:
        width = min(THICKEST, max(THINNEST, self.grid.tile[0] / 180))
        draw_outlines(self.axes, inside, self._extent(*corner), colour=colour, width=width)

    # ------------------------------------------------------------------------------------- legends

    def name_loops(self, row: int, colours: Sequence[str]) -> None:
        """A bar of the loops, from 1 at the bottom to the budget at the top."""
        from matplotlib.colors import to_rgba_array

        top, loops, x = self._beside(row), len(colours), self._legend_x()
        extent = (x, x + SWATCH, top + BAR, top)
        bar = to_rgba_array(colours)[::-1, None]
        self.axes.imshow(bar, extent=extent, interpolation="nearest")
        for tick in ticks(loops):
            word = f"{tick} loop{'s' * (tick > 1)}" if tick in (1, loops) else str(tick)
            self._write(x + SWATCH + 8, top + BAR * (1 - (tick - 0.5) / loops), word, size=8)
        self.below = top + BAR

    def name_experts(self, row: int, colours: Sequence[str]) -> None:
        """A swatch for each expert."""
        swatches = enumerate(colours, start=1)
        named = [(colour, f"expert {number}") for number, colour in swatches]
        self._name_colours(row, named, height=12)

    def _name_colours(self, row: int, named: Sequence[tuple[str, str]], *, height: int) -> None:
        """A swatch of this height in pixels for every (colour, name)."""
        from matplotlib.patches import Rectangle

        top, x = self._beside(row), self._legend_x()
        for colour, name in named:
            middle = top + LINE / 2
            corner = (x, middle - height / 2)
            swatch = Rectangle(corner, SWATCH, height, facecolor=colour, linewidth=0)
            self.axes.add_patch(swatch)
            self._write(x + SWATCH + 8, middle, name, size=8)
            top += LINE
        self.below = top

    def _beside(self, row: int) -> int:
        """Top of the next legend."""
        return max(TOP + self.grid.row_top(row), self.below + LINE // 2)

    def _legend_x(self) -> int:
        return LEFT + self.grid.width + LEGEND_GAP

    # ---------------------------------------------------------------------------------------- text

    def png(self, *, title: str, facts: str, notice: str) -> bytes:
        """The finished sheet as PNG, with a headline, a line of facts and a notice at the foot."""
        width = max(LEFT + self.grid.width + RIGHT, SMALLEST_WIDTH)
        height = max(TOP + self.grid.height, self.below) + BOTTOM
        self._write(LEFT, 45, facts, size=8, color=FAINT.light)
        self._write(LEFT, height - 17, notice, size=8, color=FAINT.light)
        self.figure.set_size_inches(width / DPI, height / DPI)
        self.axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        self._write_title(title, width - LEFT - 12)
        return png_bytes(self.figure)

    def _write_title(self, title: str, width: int) -> None:
        """The headline, shortened to ``width`` pixels."""
        text = self._write(LEFT, 20, title, size=10.5, weight="bold")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            needed = text.get_window_extent().width
        if needed > width:
            text.set_text(shortened(text.get_text(), int(len(title) * width / needed)))

    def _write(self, x: float, y: float, text: str, *, size: float, **style: Any) -> "Text":
        """Write ``text`` as it is: a dollar sign starts no formula."""
        look: dict[str, Any] = {"color": INK.light, "va": "center", "parse_math": False} | style
        return self.axes.text(x, y, printable(text), size=size, **look)

    def _outlined(self) -> dict[str, Any]:
        """White text with a dark outline, which is readable on any image."""
        from matplotlib.patheffects import withStroke

        effects = [withStroke(linewidth=1.5, foreground=INK.light)]
        return {"color": PAPER.light, "path_effects": effects}


def ticks(loops: int) -> list[int]:
    """1, ``loops``, and round numbers between that leave room for both."""
    step = next((step for step in STEPS if loops / step <= MOST_TICKS), STEPS[-1])
    between = range(step, loops, step)
    return [
        1,
        *(tick for tick in between if min(tick - 1, loops - tick) >= 0.75 * step),
        *([loops] if loops > 1 else []),
    ]
