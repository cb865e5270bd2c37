"""Pictures of one slice thinking: the image with its contours, then loop by loop what goes on; as a strip or as an animation.

Drawn with matplotlib's Agg canvas, in pixels; knows nothing of files of a case.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.core.atomic import replacing
from cardioseg.figures.agg import new_figure, printable, shortened, write_png
from cardioseg.figures.palette import FAINT, INK, INTENSITIES, PAPER, STOPPED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image as ImageType

PANEL, GAP, SIDE, TOP, HEADING, BOTTOM = 260, 12, 20, 50, 22, 34
MOST_COLUMNS = 6
DIMMED = 0.62  # opacity of the black over what has stopped
TINT = 0.42  # of the loop's colour over what goes on
STEP_MS, LAST_MS = 800, 2500
GREYS, LEAST_CHROMA = (
    96,
    10,
)  # of 256 colours; difference of red, green and blue from which a pixel is no grey
LETTER = 6.6  # pixels of a letter in 9 points


@dataclass(frozen=True)
class Slice:
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
class Moment:
    """What is drawn over the slice in one panel.

    Attributes:
        heading: the words above it.
        active: (R, C) bool, what still goes on; None for the image with its contours in colour.
        colour: tint of what goes on.
    """

    heading: str
    active: np.ndarray | None = None
    colour: str = INK.light


@dataclass(frozen=True)
class Words:
    """Headline, the facts below it, and the notice at the foot."""

    title: str
    facts: str
    notice: str


def draw_strip(path: Path, shown: Slice, moments: list[Moment], words: Words) -> None:
    """All moments side by side, as PNG.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_png(path, _sheet(shown, moments, words))


def draw_animation(path: Path, shown: Slice, moments: list[Moment], words: Words) -> None:
    """The first moment beside each of the others in turn, as an endless GIF.

    Raises:
        OutputError: the folder cannot be written.
    """
    from PIL import Image

    frames = []
    for moment in moments[1:]:
        figure = _sheet(shown, [moments[0], moment], words)
        canvas: Any = figure.canvas
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    palette = _palette(np.concatenate([np.asarray(frame).reshape(-1, 3) for frame in frames]))
    pictures = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [STEP_MS] * (len(pictures) - 1) + [LAST_MS]
    with replacing(path, suffix=".gif") as temporary:
        pictures[0].save(
            temporary,
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
            optimize=False,
        )


def _palette(pixels: np.ndarray) -> "ImageType":
    """One palette for all frames (of its own, each would flicker): even greys, so that tissue has no hue, and the colours.

    Args:
        pixels: (N, 3) uint8 of all frames.
    """
    from PIL import Image

    greys = np.rint(np.linspace(0, 255, GREYS)).astype(np.uint8)
    coloured = pixels[np.ptp(pixels, axis=1) > LEAST_CHROMA]
    chosen = (
        Image.fromarray(coloured[None] if len(coloured) else pixels[None, :1])
        .quantize(256 - GREYS)
        .getpalette()
        or []
    )
    palette = Image.new("P", (1, 1))
    palette.putpalette([*np.repeat(greys, 3).tolist(), *chosen][: 3 * 256])
    return palette


def _sheet(shown: Slice, moments: list[Moment], words: Words) -> "Figure":
    rows = math.ceil(len(moments) / MOST_COLUMNS)
    columns = math.ceil(len(moments) / rows)
    panel_width, panel_height = _panel(shown)
    width = max(2 * SIDE + columns * (panel_width + GAP) - GAP, 520)
    height = TOP + rows * (HEADING + panel_height + GAP) - GAP + BOTTOM
    figure = new_figure(width, height)
    for number, moment in enumerate(moments):
        row, column = divmod(number, columns)
        left, top = (
            SIDE + column * (panel_width + GAP),
            TOP + HEADING + row * (HEADING + panel_height + GAP),
        )
        box = (
            left / width,
            1 - (top + panel_height) / height,
            panel_width / width,
            panel_height / height,
        )
        _draw(figure.add_axes(box), shown, moment)
        _write(figure, left / width, 1 - (top - HEADING / 2 + 1) / height, moment.heading, size=7.5)
    title = shortened(words.title, int((width - 2 * SIDE) / LETTER))
    _write(figure, SIDE / width, 1 - 17 / height, title, size=9, weight="bold")
    _write(figure, SIDE / width, 1 - 36 / height, words.facts, size=7.5, color=FAINT.light)
    _write(figure, SIDE / width, 16 / height, words.notice, size=7, color=FAINT.light)
    return figure


def _panel(shown: Slice) -> tuple[int, int]:
    """Width and height in pixels: as wide as its heading needs, as high as the slice then is, within limits."""
    height, width = (
        count * size for count, size in zip(shown.image.shape, shown.pixel_mm, strict=True)
    )
    return PANEL, max(1, min(2 * PANEL, round(PANEL * height / width)))


def _draw(axes: "Axes", shown: Slice, moment: Moment) -> None:
    from matplotlib.colors import to_rgba

    rows, columns = shown.image.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    low, high = shown.window
    axes.set_axis_off()
    axes.imshow(
        shown.image,
        cmap=INTENSITIES,
        vmin=low,
        vmax=high,
        interpolation="bicubic",
        extent=extent,
        aspect="auto",
    )
    if moment.active is not None:
        over = np.where(
            moment.active[..., None], to_rgba(moment.colour, TINT), to_rgba(STOPPED, DIMMED)
        )
        axes.imshow(over, interpolation="nearest", extent=extent, aspect="auto")
    for colour, inside in shown.structures:
        if inside.any():
            line = colour if moment.active is None else PAPER.light
            x, y = np.arange(-1, columns + 1), np.arange(-1, rows + 1)
            wide = 1.0 if moment.active is None else 0.5
            axes.contour(
                x,
                y,
                np.pad(inside, 1).astype(np.float32),
                levels=[0.5],
                colors=[line],
                linewidths=wide,
            )
    axes.set(xlim=extent[:2], ylim=extent[2:])


def _write(figure: "Figure", x: float, y: float, text: str, **style: Any) -> None:
    """Text as it is: a dollar sign starts no formula, and what is no valid Unicode becomes a question mark."""
    shown = printable(text)
    look: dict[str, Any] = {"color": INK.light, "va": "center", "parse_math": False}
    figure.text(x, y, shown, **(look | style))
