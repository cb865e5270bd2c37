"""matplotlib figures on the Agg canvas: no display, no pyplot, no global state.

A function that draws runs in ``default_style``.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cardioseg.core.atomic import write_bytes
from cardioseg.figures.palette import PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120


@contextmanager
def default_style() -> Iterator[None]:
    """Default settings of matplotlib: a notebook's style or a matplotlibrc has no effect."""
    from matplotlib import style

    with style.context("default"):
        yield


def new_figure(
    width: float, height: float, *, dpi: float = DPI, layout: Literal["constrained"] | None = None
) -> "Figure":
    """An empty figure of ``width`` × ``height`` pixels on white paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (width / dpi, height / dpi)
    figure = Figure(figsize=size, dpi=dpi, facecolor=PAPER.light, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def png_bytes(figure: "Figure") -> bytes:
    """The figure as PNG, without text chunks; characters that the font lacks are drawn as boxes."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def write_png(path: Path, figure: "Figure") -> None:
    """Write the figure as PNG.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_bytes(path, png_bytes(figure))


def printable(text: str) -> str:
    """``text`` with a question mark for what is not valid Unicode."""
    return text.encode("utf-8", "replace").decode("utf-8")


def shortened(text: str, most: int) -> str:
    """``text`` with an ellipsis in its middle when it has more than ``most`` characters."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"
