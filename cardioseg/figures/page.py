"""A contact sheet on paper: tiles, contours, colours, legends and words, with matplotlib's Agg canvas.

No display is needed and no global state is touched. The figure has one coordinate system, pixels from its top left; tiles
begin at (LEFT, TOP), and legends stand right of them, each beside its row or under the one before.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.core.labels import LabelTable
from cardioseg.figures.agg import DPI, new_figure, printable, shortened, write_png
from cardioseg.figures.palette import FAINT, INK, INTENSITIES, PAPER
from cardioseg.figures.sheet import Sheet, Stack

if TYPE_CHECKING:
    from matplotlib.text import Text

GREY_PERCENTILES = (1.0, 99.5)
STEPS = (1, 2, 5, 10, 20, 50)
MOST_TICKS = 9
LEFT, RIGHT, TOP, BOTTOM = 36, 140, 66, 36
SMALLEST_WIDTH = 480
LINE, SWATCH, BAR = 18, 18, 130
LETTER = 8  # pixels of a letter in 7.5 points


class Page:
    """One figure in the making; drawing on it moves ``below``, the lower end of the legends.

    Args:
        sheet: where the tiles lie.
        stack: what they show.
    """

    def __init__(self, sheet: Sheet, stack: Stack) -> None:
        self.sheet, self.stack = sheet, stack
        self.figure = new_figure(SMALLEST_WIDTH, SMALLEST_WIDTH)  # ``save`` sets the real size
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.below = TOP - LINE // 2

    # ------------------------------------------------------------------------------------------------------------------ tiles

    def draw_contours(self, labels: LabelTable) -> None:
        """Row 0: the image, its structures outlined, and their names."""
        self._draw_grey(0, "mask")
        for number, corner in enumerate(self.sheet.corners(0)):
            for name, colour in labels.colours.items():
                self._outline(self.stack.mask[number] == labels.value(name), corner, color=colour)
            left, top = corner
            size = 6.5 if self.sheet.tile[0] > 100 else 5
            self._write(
                LEFT + left + 5,
                TOP + top + 4,
                str(number + 1),
                size=size,
                color=PAPER.light,
                va="top",
                outlined=True,
            )
        y = self._beside(0)
        for name, colour in labels.colours.items():
            self._swatch(y, colour, name, height=4)
            y += LINE
        self.below = y

    def draw_map(
        self,
        row: int,
        name: str,
        values: np.ndarray,
        *,
        colours: Sequence[str],
        opacity: tuple[float, float] = (0.5, 0.5),
    ) -> None:
        """Integers (Z, R, C) from 1 as colours over the image, with the opacity of the first and the last of them."""
        from matplotlib.colors import to_rgba_array

        self._draw_grey(row, name)
        table = to_rgba_array(colours)
        table[:, 3] = np.linspace(*opacity, len(table))
        for number, (left, top) in enumerate(self.sheet.corners(row)):
            picture = table[np.clip(values[number].astype(int), 1, len(table)) - 1]
            self.axes.imshow(picture, extent=self._extent(left, top), interpolation="nearest")
            self._outline(self.stack.mask[number] > 0, (left, top), color=PAPER.light)

    def _draw_grey(self, row: int, name: str) -> None:
        """All slices in one grey scale, and at the left of every block what the row shows."""
        low, high = np.percentile(self.stack.image, GREY_PERCENTILES)
        style: dict[str, Any] = {
            "cmap": INTENSITIES,
            "vmin": low,
            "vmax": max(high, low + 1e-6),
            "interpolation": "bicubic",
        }
        for tile, (left, top) in zip(self.stack.image, self.sheet.corners(row), strict=True):
            self.axes.imshow(tile.astype(np.float32), extent=self._extent(left, top), **style)
        height = self.sheet.tile[0]
        for block in range(self.sheet.blocks if height > LETTER * len(name) else 0):
            middle = TOP + self.sheet.block_top(block) + self.sheet.row_top(row) + height / 2
            self._write(
                LEFT - 14, middle, name, size=7.5, color=FAINT.light, ha="center", rotation=90
            )

    def _extent(self, left: int, top: int) -> tuple[int, int, int, int]:
        """Left, right, bottom and top of the tile at (left, top) of the sheet, as matplotlib wants them."""
        height, width = self.sheet.tile
        return LEFT + left, LEFT + left + width, TOP + top + height, TOP + top

    def _outline(self, inside: np.ndarray, corner: tuple[int, int], *, color: str) -> None:
        """The border of a boolean slice (R, C); a rim of False closes it at the edge of the picture."""
        if not inside.any():
            return
        (rows, columns), (height, width) = inside.shape, self.sheet.tile
        x = LEFT + corner[0] + (np.arange(-1, columns + 1) + 0.5) * width / columns
        y = TOP + corner[1] + (np.arange(-1, rows + 1) + 0.5) * height / rows
        thin = min(1.0, max(0.4, height / 180))
        self.axes.contour(
            x,
            y,
            np.pad(inside, 1).astype(np.float32),
            levels=[0.5],
            colors=[color],
            linewidths=thin,
        )

    # ---------------------------------------------------------------------------------------------------------------- legends

    def name_loops(self, row: int, colours: Sequence[str]) -> None:
        """A bar of the loops from 1, bottom, to the budget."""
        from matplotlib.colors import to_rgba_array

        top, loops = self._beside(row), len(colours)
        x = self._legend_x()
        self.axes.imshow(
            to_rgba_array(colours)[::-1, None],
            extent=(x, x + SWATCH, top + BAR, top),
            interpolation="nearest",
        )
        for tick in ticks(loops):
            word = f"{tick} loop{'s' * (tick > 1)}" if tick in (1, loops) else str(tick)
            self._write(x + SWATCH + 8, top + BAR * (1 - (tick - 0.5) / loops), word, size=8)
        self.below = top + BAR

    def name_experts(self, row: int, colours: Sequence[str]) -> None:
        """A swatch per expert."""
        y = self._beside(row)
        for number, colour in enumerate(colours, start=1):
            self._swatch(y, colour, f"expert {number}", height=12)
            y += LINE
        self.below = y

    def _beside(self, row: int) -> int:
        """Top of the next legend."""
        return max(TOP + self.sheet.row_top(row), self.below + LINE // 2)

    def _legend_x(self) -> int:
        return LEFT + self.sheet.width + 14

    def _swatch(self, top: int, colour: str, name: str, *, height: int) -> None:
        from matplotlib.patches import Rectangle

        x, middle = self._legend_x(), top + LINE / 2
        self.axes.add_patch(
            Rectangle((x, middle - height / 2), SWATCH, height, facecolor=colour, linewidth=0)
        )
        self._write(x + SWATCH + 8, middle, name, size=8)

    # ------------------------------------------------------------------------------------------------------------------ words

    def save(self, path: Path, *, title: str, facts: str, notice: str) -> None:
        """Headline, facts and notice, then the file."""
        width = max(LEFT + self.sheet.width + RIGHT, SMALLEST_WIDTH)
        height = max(TOP + self.sheet.height, self.below) + BOTTOM
        self._write(LEFT, 45, facts, size=8, color=FAINT.light)
        self._write(LEFT, height - 17, notice, size=8, color=FAINT.light)
        self.figure.set_size_inches(width / DPI, height / DPI)
        self.axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            self._write_title(title, width - LEFT - 12)
        write_png(path, self.figure)

    def _write_title(self, title: str, width: int) -> None:
        """The headline, shortened to ``width`` pixels."""
        text = self._write(LEFT, 20, title, size=10.5, weight="bold")
        needed = text.get_window_extent().width
        if needed > width:
            text.set_text(shortened(text.get_text(), int(len(title) * width / needed)))

    def _write(
        self, x: float, y: float, text: str, *, size: float, outlined: bool = False, **style: Any
    ) -> "Text":
        """Text as it is: a dollar sign starts no formula, and what is no valid Unicode becomes a question mark."""
        from matplotlib.patheffects import withStroke

        effects = [withStroke(linewidth=1.5, foreground=INK.light)] if outlined else []
        shown = printable(text)
        style = {"color": INK.light, "va": "center", "path_effects": effects} | style
        return self.axes.text(x, y, shown, size=size, parse_math=False, **style)


def ticks(loops: int) -> list[int]:
    """1, ``loops``, and round numbers between that leave room for both."""
    step = next((step for step in STEPS if loops / step <= MOST_TICKS), STEPS[-1])
    between = range(step, loops, step)
    return [
        1,
        *(tick for tick in between if min(tick - 1, loops - tick) >= 0.75 * step),
        *([loops] if loops > 1 else []),
    ]
