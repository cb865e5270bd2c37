"""The picture of one prediction: every slice with its contours, beneath it the loops used and the strongest experts.

Drawn with matplotlib's Agg canvas, so that no display is needed and no global state is touched. The figure has one
coordinate system, pixels from its top left, in which tiles, contours and legends are placed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.core.atomic import replacing
from cardioseg.core.labels import LabelTable
from cardioseg.core.prediction import Prediction
from cardioseg.core.volume import Volume
from cardioseg.workflows.sheet import Sheet, Stack, cropped, lay_out, upright

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTICE = "Research use only; not a medical device."
GREY_PERCENTILES = (1.0, 99.5)
OVERLAY = 0.6
LOOP_COLOURS = "viridis"
# Okabe and Ito's palette, those of the structures last.
EXPERT_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#d55e00", "#999999")
MOST_TICKS = 9
DPI = 120
LEFT, RIGHT, TOP, BOTTOM = 36, 140, 66, 36
SMALLEST_WIDTH = 480
LINE = 18
BAR = 130
INK, FAINT, PAPER = "#1a1a1a", "#666666", "#ffffff"


@dataclass(frozen=True)
class Page:
    """Where everything is drawn; tiles begin at (LEFT, TOP), legends right of them."""

    figure: "Figure"
    axes: "Axes"
    sheet: Sheet

    @property
    def legend_x(self) -> int:
        """Left edge of the legends."""
        return LEFT + self.sheet.width + 14

    def extent(self, left: int, top: int) -> tuple[int, int, int, int]:
        """Rectangle of the tile at (left, top) of the sheet, as matplotlib wants it: left, right, bottom, top."""
        height, width = self.sheet.tile
        return LEFT + left, LEFT + left + width, TOP + top + height, TOP + top


def draw_preview(path: Path, image: Volume, prediction: Prediction, labels: LabelTable, *, title: str) -> None:
    """Write a contact sheet of ``image`` and what the network says about it, as PNG.

    Args:
        path: the PNG.
        image: (X, Y, Z) intensities.
        prediction: on the grid of ``image``.
        labels: names of the mask's values.
        title: the headline; nothing else in the picture says whose heart it is.

    Raises:
        OutputError: the folder cannot be written.
    """
    stack = cropped(upright(image, prediction))
    page = _page(lay_out(len(stack.image), rows=2 if stack.experts is None else 3, tile_mm=stack.tile_mm))
    _draw_contours(page, stack, labels)
    end = _name_structures(page, labels)
    _draw_map(page, 1, stack.image, stack.halting, colours=_loop_colours(prediction.loops))
    end = _name_loops(page, prediction.loops, below=end)
    if stack.experts is not None:
        colours = _expert_colours(prediction, stack.experts)
        _draw_map(page, 2, stack.image, stack.experts, colours=colours)
        end = _name_experts(page, colours, below=end)
    slices = f"{page.sheet.count} slice{'s' * (page.sheet.count > 1)}"
    _finish(page, path, words=(title, f"{slices} · mean {prediction.mean_steps:.1f} of {prediction.loops} loops"), below=end)


def _page(sheet: Sheet) -> Page:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return Page(figure, axes, sheet)


# ---------------------------------------------------------------------------------------------------------------------- tiles


def _draw_contours(page: Page, stack: Stack, labels: LabelTable) -> None:
    _draw_grey(page, 0, stack.image)
    for number, (left, top) in enumerate(page.sheet.corners(0)):
        for name, colour in labels.colours.items():
            _outline(page, stack.mask[number] == labels.value(name), (left, top), color=colour)
        _write(page, LEFT + left + 5, TOP + top + 4, str(number + 1), size=6.5, color=PAPER, va="top", outlined=True)


def _draw_grey(page: Page, row: int, image: np.ndarray) -> None:
    """All slices of (Z, R, C) in one grey scale."""
    low, high = np.percentile(image, GREY_PERCENTILES)
    style: dict[str, Any] = {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1e-6), "interpolation": "bicubic"}
    for tile, (left, top) in zip(image, page.sheet.corners(row), strict=True):
        page.axes.imshow(tile.astype(np.float32), extent=page.extent(left, top), **style)


def _draw_map(page: Page, row: int, image: np.ndarray, values: np.ndarray, *, colours: Sequence[str]) -> None:
    """Integers (Z, R, C) from 1 as colours over the image."""
    from matplotlib.colors import ListedColormap

    _draw_grey(page, row, image)
    style: dict[str, Any] = {"cmap": ListedColormap(colours), "vmin": 0.5, "vmax": len(colours) + 0.5}
    for tile, (left, top) in zip(values, page.sheet.corners(row), strict=True):
        page.axes.imshow(tile, extent=page.extent(left, top), alpha=OVERLAY, interpolation="nearest", **style)


def _outline(page: Page, inside: np.ndarray, corner: tuple[int, int], *, color: str) -> None:
    """The border of a boolean slice (R, C); a rim of False closes it at the edge of the picture."""
    if not inside.any():
        return
    (rows, columns), (height, width) = inside.shape, page.sheet.tile
    x = LEFT + corner[0] + (np.arange(-1, columns + 1) + 0.5) * width / columns
    y = TOP + corner[1] + (np.arange(-1, rows + 1) + 0.5) * height / rows
    page.axes.contour(x, y, np.pad(inside, 1).astype(np.float32), levels=[0.5], colors=[color], linewidths=1.0)


# -------------------------------------------------------------------------------------------------------------------- legends


def _name_structures(page: Page, labels: LabelTable) -> int:
    """Legend of the contours; returns where it ends, as do its siblings."""
    _name_row(page, 0, "contours")
    y = TOP
    for name, colour in labels.colours.items():
        _swatch(page, y + LINE // 2, colour, name, height=3)
        y += LINE
    return y


def _name_loops(page: Page, loops: int, *, below: int) -> int:
    _name_row(page, 1, "loops used")
    top = max(TOP + page.sheet.row_top(1), below + LINE // 2)
    cell = BAR / loops
    for number, colour in enumerate(_loop_colours(loops)):
        _rectangle(page, top + BAR - (number + 1) * cell, cell, colour)
    for tick in _ticks(loops):
        _write(page, page.legend_x + 26, top + BAR - (tick - 0.5) * cell, _loops_text(tick), size=8)
    return top + BAR


def _name_experts(page: Page, colours: Sequence[str], *, below: int) -> int:
    _name_row(page, 2, "strongest expert")
    y = max(TOP + page.sheet.row_top(2), below + LINE // 2)
    for number, colour in enumerate(colours, start=1):
        _swatch(page, y + LINE // 2, colour, f"expert {number}", height=12)
        y += LINE
    return y


def _name_row(page: Page, row: int, name: str) -> None:
    """What a row of tiles shows, at its left in every block."""
    for block in range(page.sheet.blocks):
        middle = TOP + page.sheet.block_top(block) + page.sheet.row_top(row) + page.sheet.tile[0] / 2
        _write(page, LEFT - 10, middle, name, size=7.5, color=FAINT, ha="right", rotation=90)


def _swatch(page: Page, middle: float, colour: str, name: str, *, height: int) -> None:
    _rectangle(page, middle - height / 2, height, colour)
    _write(page, page.legend_x + 26, middle, name, size=8)


def _rectangle(page: Page, top: float, height: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    page.axes.add_patch(Rectangle((page.legend_x, top), 18, height, facecolor=colour, edgecolor="none"))


def _ticks(loops: int) -> list[int]:
    """Some integers from 1 to ``loops``, both ends among them."""
    return sorted({round(value) for value in np.linspace(1, loops, min(loops, MOST_TICKS))})


def _loops_text(tick: int) -> str:
    return "1 loop" if tick == 1 else str(tick)


def _loop_colours(loops: int) -> list[str]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[LOOP_COLOURS](share)) for share in np.linspace(0, 1, loops)]


def _expert_colours(prediction: Prediction, experts: np.ndarray) -> list[str]:
    """A colour per expert of the network, not only of those that win somewhere; beyond eight they repeat."""
    count = len(prediction.expert_shares) or int(experts.max(initial=1))
    return [EXPERT_COLOURS[number % len(EXPERT_COLOURS)] for number in range(count)]


# ---------------------------------------------------------------------------------------------------------------------- words


def _finish(page: Page, path: Path, *, words: tuple[str, str], below: int) -> None:
    """Headline, facts and notice, then the file."""
    width = max(LEFT + page.sheet.width + RIGHT, SMALLEST_WIDTH)
    height = max(TOP + page.sheet.height, below) + BOTTOM
    title, facts = words
    _write(page, LEFT, 20, _shortened(title, (width - LEFT) // 11), size=10.5, weight="bold")
    _write(page, LEFT, 44, facts, size=8, color=FAINT)
    _write(page, LEFT, height - 16, NOTICE, size=8, color=FAINT)
    page.figure.set_size_inches(width / DPI, height / DPI)
    page.axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    with replacing(path, suffix=".png") as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as boxes; a name is no reason to fail
        page.figure.savefig(temporary, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})


def _write(page: Page, x: float, y: float, text: str, *, size: float, outlined: bool = False, **style: Any) -> None:
    """Text as it is: a dollar sign starts no formula, and what is no valid Unicode becomes a question mark."""
    from matplotlib.patheffects import withStroke

    effects = [withStroke(linewidth=1.5, foreground=INK)] if outlined else []
    shown = text.encode("utf-8", "replace").decode("utf-8")
    page.axes.text(x, y, shown, size=size, parse_math=False, path_effects=effects, **({"color": INK, "va": "center"} | style))


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"
