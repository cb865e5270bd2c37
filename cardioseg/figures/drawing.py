"""A drawing as a list of shapes: described once, then saved as SVG (``svg``) or PNG (``raster``).

Coordinates are pixels from the top left; angles are degrees counterclockwise from the right.
"""

from dataclasses import dataclass, replace
from typing import Literal

from cardioseg.figures.agg import printable, shortened
from cardioseg.figures.palette import FAINT, INK, Shade

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

NOTICE = "Research use only; not a medical device."
MARGIN, HEADER, FOOTER = 14, 58, 26
TEXT_PX = 12.5
WIDE_TITLE_PX = 10.2  # width of an average character of the headline


@dataclass(frozen=True)
class Line:
    """A line through all ``points``; ``dash`` alternates drawn and free pixels."""

    points: tuple[Point, ...]
    colour: Shade
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True)
class Sector:
    """Part of a ring around ``centre``, between two angles; a whole disc when ``inner`` is 0.

    The edge of a ``dashed`` sector is dashed.
    """

    centre: Point
    inner: float
    outer: float
    start: float
    end: float
    fill: Shade
    edge: Shade = FAINT
    dashed: bool = False


@dataclass(frozen=True)
class Gradient:
    """A bar whose colour runs from ``left`` to ``right``."""

    corner: Point
    width: float
    height: float
    left: Shade
    right: Shade


@dataclass(frozen=True)
class Text:
    """One line of text; ``at`` is the end of its baseline that ``anchor`` names."""

    at: Point
    text: str
    anchor: Anchor = "start"
    size: float = TEXT_PX
    bold: bool = False
    colour: Shade = INK
    upright: bool = False  # rotated to read from bottom to top


@dataclass(frozen=True)
class Group:
    """Shapes that belong together, moved down by ``down``; ``said`` is their tooltip."""

    shapes: tuple["Shape", ...]
    said: str = ""
    down: float = 0.0


Shape = Line | Sector | Gradient | Text | Group


@dataclass(frozen=True)
class Drawing:
    """Shapes on a page of ``width`` × ``height`` pixels.

    Attributes:
        name: unique on the page that shows it, a valid HTML id.
        width: in pixels.
        height: in pixels.
        title: what it shows, for screen readers.
        description: its content in words, for screen readers.
        shapes: in drawing order.
    """

    name: str
    width: int
    height: int
    title: str
    description: str
    shapes: tuple[Shape, ...]


def captioned(drawing: Drawing, *, title: str, facts: str, notice: str = NOTICE) -> Drawing:
    """The drawing with a headline and a line of facts above it and a notice below it."""
    most = int((drawing.width - 2 * MARGIN) / WIDE_TITLE_PX)
    headline = shortened(printable(title), most)
    height = HEADER + drawing.height + FOOTER
    shapes = (
        Text((MARGIN, 24), headline, size=15, bold=True),
        Text((MARGIN, 45), printable(facts), size=11.5, colour=FAINT),
        Group(drawing.shapes, down=HEADER),
        Text((MARGIN, height - 10), notice, size=11.5, colour=FAINT),
    )
    return replace(drawing, height=height, shapes=shapes)
