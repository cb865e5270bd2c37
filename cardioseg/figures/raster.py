"""A drawing as PNG, in its light colours, with matplotlib's Agg canvas."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardioseg.core.atomic import write_bytes
from cardioseg.figures.agg import default_style, new_figure, png_bytes
from cardioseg.figures.drawing import Drawing, Gradient, Group, Line, Sector, Shape, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALE = 1.25  # pixels of the PNG per pixel of the drawing
POINTS_PER_INCH = 72  # one pixel of the drawing is one point for matplotlib
ALIGNED = {"start": "left", "middle": "center", "end": "right"}


def write_drawing(path: Path, drawing: Drawing) -> None:
    """Write the drawing as PNG.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_bytes(path, drawing_png(drawing))


@default_style()
def drawing_png(drawing: Drawing) -> bytes:
    """The drawing as PNG."""
    width, height = drawing.width, drawing.height
    figure = new_figure(SCALE * width, SCALE * height, dpi=SCALE * POINTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for shape in drawing.shapes:
        _draw(axes, shape, 0.0)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    return png_bytes(figure)


def _draw(axes: "Axes", shape: Shape, down: float) -> None:
    match shape:
        case Group():
            for member in shape.shapes:
                _draw(axes, member, down + shape.down)
        case Line():
            _draw_line(axes, shape, down)
        case Sector():
            _draw_sector(axes, shape, down)
        case Gradient():
            _draw_gradient(axes, shape, down)
        case Text():
            _draw_text(axes, shape, down)


def _draw_line(axes: "Axes", line: Line, down: float) -> None:
    x, y = np.array(line.points).T
    (drawn,) = axes.plot(
        x, y + down, color=line.colour.light, linewidth=line.width, alpha=line.opacity
    )
    if line.dash:
        drawn.set_dashes([length / line.width for length in line.dash])
        drawn.set_dash_capstyle("butt")


def _draw_sector(axes: "Axes", sector: Sector, down: float) -> None:
    """The y axis runs downwards, so angles change their sign and the ends their order."""
    from matplotlib.patches import Wedge

    x, y = sector.centre
    width = sector.outer - sector.inner if sector.inner else None
    patch = Wedge(
        (x, y + down),
        sector.outer,
        -sector.end,
        -sector.start,
        width=width,
        facecolor=sector.fill.light,
        edgecolor=sector.edge.light,
        linestyle=(0, (3, 3)) if sector.dashed else "solid",
    )
    axes.add_patch(patch)


def _draw_gradient(axes: "Axes", bar: Gradient, down: float) -> None:
    from matplotlib.colors import to_rgb

    shares = np.linspace(0, 1, 256)[:, None]
    colours = (1 - shares) * to_rgb(bar.left.light) + shares * to_rgb(bar.right.light)
    left, top = bar.corner
    extent = (left, left + bar.width, top + down + bar.height, top + down)
    axes.imshow(colours[None], extent=extent, interpolation="bilinear")


def _draw_text(axes: "Axes", text: Text, down: float) -> None:
    """A dollar sign starts no formula."""
    axes.text(
        text.at[0],
        text.at[1] + down,
        text.text,
        size=text.size,
        weight="bold" if text.bold else "normal",
        color=text.colour.light,
        ha=ALIGNED[text.anchor],
        va="baseline",
        rotation=90 if text.upright else 0,
        rotation_mode="anchor",
        parse_math=False,
    )
