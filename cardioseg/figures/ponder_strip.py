"""The ponder strip: one slice, then loop by loop what is still active; as PNG or animated GIF.

Knows nothing of the files of a case.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.core.atomic import replacing
from cardioseg.figures.agg import default_style, new_figure, printable, shortened, write_png
from cardioseg.figures.outlines import draw_outlines
from cardioseg.figures.palette import FAINT, INK, INTENSITIES, PAPER, STOPPED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image as ImageType

PANEL, GAP, SIDE, TOP, HEADING, BOTTOM = 260, 12, 20, 50, 22, 34
MOST_COLUMNS = 6
SMALLEST_WIDTH = 520
DIMMED = 0.62  # opacity of the black over what has stopped
TINT = 0.42  # opacity of the loop's colour over what is active
COLOURED_LINE, WHITE_LINE = 1.0, 0.5  # points
STEP_MS, LAST_MS = 800, 2500
GREYS = 96  # of the 256 colours of a GIF
LEAST_CHROMA = 10  # difference of red, green and blue above which a pixel is not grey
CHARACTER = 6.6  # pixels of a character in 9 points


@dataclass(frozen=True)
class PonderSlice:
    """One slice as it lies on the screen.

    Attributes:
        image: (R, C) intensities.
        window: intensities shown as black and as white.
        structures: colour and (R, C) bool of each.
        pixel_mm: height and width of a voxel.
    """

    image: np.ndarray
    window: tuple[float, float]
    structures: tuple[tuple[str, np.ndarray], ...]
    pixel_mm: tuple[float, float]


@dataclass(frozen=True)
class PonderPanel:
    """What one panel draws over the slice.

    Attributes:
        heading: the text above the panel.
        active: (R, C) bool, true where the network still works; None for the contours in colour.
        colour: tint of what is active.
    """

    heading: str
    active: np.ndarray | None = None
    colour: str = INK.light


@dataclass(frozen=True)
class Caption:
    """The headline, the line of facts below it, and the notice at the foot."""

    title: str
    facts: str
    notice: str


@default_style()
def write_strip(
    path: Path, shown: PonderSlice, panels: Sequence[PonderPanel], caption: Caption
) -> None:
    """Write all panels side by side, as PNG.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_png(path, _figure(shown, panels, caption))


@default_style()
def write_animation(
    path: Path, shown: PonderSlice, panels: Sequence[PonderPanel], caption: Caption
) -> None:
    """Write the first panel beside each of the others in turn, as a GIF that repeats.

    Raises:
        OutputError: the folder cannot be written.
    """
    from PIL import Image

    frames = [_pixels(_figure(shown, [panels[0], panel], caption)) for panel in panels[1:]]
    palette = _gif_palette(np.concatenate([frame.reshape(-1, 3) for frame in frames]))
    first, *others = (
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    )
    with replacing(path, suffix=".gif") as temporary:
        first.save(
            temporary,
            save_all=True,
            append_images=others,
            duration=[STEP_MS] * len(others) + [LAST_MS],
            loop=0,
            optimize=False,
        )


def _pixels(figure: "Figure") -> np.ndarray:
    """The drawn figure as (H, W, 3) uint8."""
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _gif_palette(pixels: np.ndarray) -> "ImageType":
    """One palette for all frames: even greys, so that tissue has no hue, and the colours.

    Frames with palettes of their own would flicker.

    Args:
        pixels: (N, 3) uint8 of all frames.
    """
    from PIL import Image

    greys = np.rint(np.linspace(0, 255, GREYS)).astype(np.uint8)
    coloured = pixels[np.ptp(pixels, axis=1) > LEAST_CHROMA]
    sample = Image.fromarray(coloured[None] if len(coloured) else pixels[None, :1])
    chosen = sample.quantize(256 - GREYS).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*np.repeat(greys, 3).tolist(), *chosen][: 3 * 256])
    return palette


def _figure(shown: PonderSlice, panels: Sequence[PonderPanel], caption: Caption) -> "Figure":
    rows = math.ceil(len(panels) / MOST_COLUMNS)
    columns = math.ceil(len(panels) / rows)
    panel_width, panel_height = panel_size(shown)
    width = max(2 * SIDE + columns * (panel_width + GAP) - GAP, SMALLEST_WIDTH)
    height = TOP + rows * (HEADING + panel_height + GAP) - GAP + BOTTOM
    figure = new_figure(width, height)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left = SIDE + column * (panel_width + GAP)
        top = TOP + HEADING + row * (HEADING + panel_height + GAP)
        place = (left / width, 1 - (top + panel_height) / height)
        size = (panel_width / width, panel_height / height)
        _draw_panel(figure.add_axes((*place, *size)), shown, panel)
        _write(figure, left, top - HEADING / 2 + 1, panel.heading, size=7.5)
    title = shortened(caption.title, int((width - 2 * SIDE) / CHARACTER))
    _write(figure, SIDE, 17, title, size=9, weight="bold")
    _write(figure, SIDE, 36, caption.facts, size=7.5, color=FAINT.light)
    _write(figure, SIDE, height - 16, caption.notice, size=7, color=FAINT.light)
    return figure


def panel_size(shown: PonderSlice) -> tuple[int, int]:
    """Width and height of a panel in pixels; the height follows from the slice, within limits."""
    height, width = (
        count * size for count, size in zip(shown.image.shape, shown.pixel_mm, strict=True)
    )
    return PANEL, max(1, min(2 * PANEL, round(PANEL * height / width)))


def _draw_panel(axes: "Axes", shown: PonderSlice, panel: PonderPanel) -> None:
    """The image, what is active and what has stopped, and the contours."""
    rows, columns = shown.image.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    low, high = shown.window
    axes.set_axis_off()
    style: dict[str, Any] = {"cmap": INTENSITIES, "vmin": low, "vmax": high}
    axes.imshow(shown.image, interpolation="bicubic", extent=extent, aspect="auto", **style)
    if panel.active is not None:
        over = _tinted(panel.active, panel.colour)
        axes.imshow(over, interpolation="nearest", extent=extent, aspect="auto")
    width = COLOURED_LINE if panel.active is None else WHITE_LINE
    for colour, inside in shown.structures:
        line = colour if panel.active is None else PAPER.light
        draw_outlines(axes, inside, extent, colour=line, width=width)
    axes.set(xlim=extent[:2], ylim=extent[2:])


def _tinted(active: np.ndarray, colour: str) -> np.ndarray:
    """(R, C, 4): the colour over what is active, black over what has stopped."""
    from matplotlib.colors import to_rgba

    return np.where(active[..., None], to_rgba(colour, TINT), to_rgba(STOPPED, DIMMED))


def _write(figure: "Figure", x: float, y: float, text: str, **style: Any) -> None:
    """Write ``text`` at pixels from the top left, as it is: a dollar sign starts no formula."""
    width, height = figure.get_size_inches() * figure.dpi
    look: dict[str, Any] = {"color": INK.light, "va": "center", "parse_math": False} | style
    figure.text(x / width, 1 - y / height, printable(text), **look)
