"""A drawing as inline SVG: it follows the reader's light or dark theme, prints in light colours.

The SVG is self-contained: one style element holds its colours, as CSS variables. On a page that
defines --ink, --faint, --line or --paper, those win. Text inherits the font of the page.
"""

import math
from collections.abc import Iterator
from html import escape
from itertools import count

from cardioseg.figures.drawing import Drawing, Gradient, Group, Line, Point, Sector, Shape, Text
from cardioseg.figures.palette import Shade

XML = "http://www.w3.org/2000/svg"


def drawing_svg(drawing: Drawing) -> str:
    """The ``svg`` element; everything in it is escaped."""
    return _Writer(drawing.name).element(drawing)


class _Writer:
    """Writes one drawing and collects the colours it uses.

    Args:
        name: prefix of every id and class.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.shades: dict[Shade, str] = {}
        self.gradients = count(1)

    def element(self, drawing: Drawing) -> str:
        name, box = self.name, f"0 0 {drawing.width} {drawing.height}"
        shapes = [line for shape in drawing.shapes for line in self._shape(shape)]
        labels = f'role="img" aria-labelledby="{name}-title {name}-desc"'
        return "\n".join(
            [
                f'<svg xmlns="{XML}" class="figure {name}" viewBox="{box}" {labels}>',
                f'<title id="{name}-title">{escape(drawing.title)}</title>',
                f'<desc id="{name}-desc">{escape(drawing.description)}</desc>',
                f"<style>{self._style()}</style>",
                *shapes,
                "</svg>",
            ]
        )

    def _style(self) -> str:
        """Every colour as a variable; the dark ones hold on a dark screen only."""
        looks = []
        for look in ("light", "dark"):
            rules = []
            for shade, variable in self.shades.items():
                own = getattr(shade, look)
                page = f"var(--{shade.variable},{own})" if shade.variable else own
                rules.append(f"{variable}:{page}")
            looks.append(";".join(rules))
        light, dark = (f".figure.{self.name}{{{rules}}}" for rules in looks)
        return f"{light} @media screen and (prefers-color-scheme: dark) {{{dark}}}"

    def _colour(self, shade: Shade) -> str:
        """A use of the variable that holds this shade."""
        return f"var({self.shades.setdefault(shade, f'--{self.name}-{len(self.shades)}')})"

    def _shape(self, shape: Shape) -> Iterator[str]:
        match shape:
            case Group():
                yield from self._group(shape)
            case Line():
                yield self._line(shape)
            case Sector():
                yield self._sector(shape)
            case Gradient():
                yield from self._gradient(shape)
            case Text():
                yield self._text(shape)

    def _group(self, group: Group) -> Iterator[str]:
        yield f'<g transform="translate(0 {group.down:g})">' if group.down else "<g>"
        if group.said:
            yield f"<title>{escape(group.said)}</title>"
        for shape in group.shapes:
            yield from self._shape(shape)
        yield "</g>"

    def _line(self, line: Line) -> str:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.points)
        dash = f' stroke-dasharray="{" ".join(f"{n:g}" for n in line.dash)}"' if line.dash else ""
        opacity = f' opacity="{line.opacity:g}"' if line.opacity < 1 else ""
        return (
            f'<polyline points="{points}" style="fill:none;stroke:{self._colour(line.colour)}" '
            f'stroke-width="{line.width:g}" stroke-linejoin="round"{dash}{opacity}/>'
        )

    def _sector(self, sector: Sector) -> str:
        style = f"fill:{self._colour(sector.fill)};stroke:{self._colour(sector.edge)}"
        dash = ' stroke-dasharray="3 3"' if sector.dashed else ""
        return f'<path d="{_path(sector)}" style="{style}"{dash}/>'

    def _gradient(self, bar: Gradient) -> Iterator[str]:
        key = f"{self.name}-gradient-{next(self.gradients)}"
        ends = ((0, bar.left), (1, bar.right))
        stops = "".join(
            f'<stop offset="{offset}" style="stop-color:{self._colour(shade)}"/>'
            for offset, shade in ends
        )
        yield f'<defs><linearGradient id="{key}">{stops}</linearGradient></defs>'
        (x, y), size = bar.corner, f'width="{bar.width:g}" height="{bar.height:g}"'
        yield f'<rect x="{x:g}" y="{y:g}" {size} fill="url(#{key})"/>'

    def _text(self, text: Text) -> str:
        x, y = text.at
        place = f'x="{x:.1f}" y="{y:.1f}"'
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if text.upright else ""
        weight = ' font-weight="600"' if text.bold else ""
        return (
            f'<text {place} text-anchor="{text.anchor}" font-size="{text.size:g}"{weight}{turn} '
            f'style="fill:{self._colour(text.colour)}">{escape(text.text)}</text>'
        )


def _path(sector: Sector) -> str:
    """SVG path of a sector, counterclockwise."""
    if sector.inner == 0:
        start, half = _at(sector, sector.outer, 0), _at(sector, sector.outer, 180)
        arc = f"A {sector.outer:g} {sector.outer:g} 0 0 0"
        return f"M {_pair(start)} {arc} {_pair(half)} {arc} {_pair(start)} Z"
    outer = [_at(sector, sector.outer, angle) for angle in (sector.start, sector.end)]
    inner = [_at(sector, sector.inner, angle) for angle in (sector.end, sector.start)]
    return (
        f"M {_pair(outer[0])} A {sector.outer:g} {sector.outer:g} 0 0 0 {_pair(outer[1])} "
        f"L {_pair(inner[0])} A {sector.inner:g} {sector.inner:g} 0 0 1 {_pair(inner[1])} Z"
    )


def _at(sector: Sector, radius: float, degrees: float) -> Point:
    x, y = sector.centre
    angle = math.radians(degrees)
    return x + radius * math.cos(angle), y - radius * math.sin(angle)


def _pair(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
