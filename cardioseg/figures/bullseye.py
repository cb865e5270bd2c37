"""The bull's-eye: wall thickness in the 17 segments of the American Heart Association.

Source: Cerqueira et al., Circulation 105, 2002: the base outside, the apex in the middle, anterior
on top, the septum on the left, segments numbered counterclockwise. The colour scale is the same for
every heart, so that two reports can be compared.
"""

import math
from collections.abc import Mapping

from cardioseg.clinical.wall import SEGMENTS
from cardioseg.figures.drawing import Drawing, Gradient, Group, Point, Sector, Shape, Text
from cardioseg.figures.palette import (
    RULE,
    THICK,
    THICKEST_MM,
    THIN,
    THINNEST_MM,
    Shade,
    thickness_shade,
)

WIDTH, HEIGHT = 440, 404
CENTRE = (220.0, 176.0)
RADII = (150, 110, 70, 28)  # outer radius of the basal, mid and apical ring and of the apex
RINGS = ((0, 6), (6, 6), (12, 4))  # index of a ring's first segment, and its number of segments
TICKS = ((4, "≤ 4"), (8, "8"), (12, "12"), (16, "≥ 16 mm"))
BAR_LEFT, BAR_TOP, BAR_WIDTH, BAR_HEIGHT = 120.0, 362.0, 200.0, 12.0
FROM_AFFINE = "from the affine"
ANTERIOR = {
    FROM_AFFINE: "The anterior side follows from the orientation in the image header.",
    "as displayed": "The anterior side is assumed: the image header has no short-axis orientation, "
    "so the image was read as viewers display it. If that is wrong, anterior and inferior are "
    "swapped.",
}
UNTOLD = "The anterior side is assumed: the record does not say how it was found."
UNRECORDED = "no reason on record"


def draw_bullseye(
    segments_mm: Mapping[str, float | None], *, anterior: str | None, phase: str
) -> Drawing | None:
    """The bull's-eye as a drawing.

    Args:
        segments_mm: segment → thickness in mm; None, or missing, where it was not computed.
        anterior: how the anterior side was found, as in ``clinical.wall.Wall``.
        phase: "ED" or "ES".

    Returns:
        The drawing; None when no segment has a thickness.
    """
    found = [segments_mm.get(name) for name in SEGMENTS]
    if all(mm is None for mm in found):
        return None
    said = [_said(index, mm) for index, mm in enumerate(found)]
    return Drawing(
        "bullseye",
        WIDTH,
        HEIGHT,
        f"Bull's-eye of the left ventricle's wall thickness at {phase} in mm",
        f"{'; '.join(said)}. {anterior_note(anterior)}",
        (
            *(_segment(index, mm) for index, mm in enumerate(found)),
            *_sides("" if anterior == FROM_AFFINE else " (assumed)"),
            *_scale(),
        ),
    )


def anterior_note(anterior: str | None) -> str:
    """How the anterior side was found, in one or two sentences."""
    return ANTERIOR.get(str(anterior), UNTOLD)


def missing_segments(
    segments_mm: Mapping[str, float | None], reasons: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Reason → the segments that have no thickness because of it, as pairs.

    Args:
        segments_mm: segment → thickness in mm.
        reasons: segment → why it has none.
    """
    names: dict[str, list[str]] = {}
    for number, name in enumerate(SEGMENTS, start=1):
        if segments_mm.get(name) is None:
            names.setdefault(reasons.get(name, UNRECORDED), []).append(f"{number} {name}")
    return [(reason, ", ".join(found)) for reason, found in names.items()]


def _said(index: int, mm: float | None) -> str:
    return f"{index + 1} {SEGMENTS[index]}: {'not computed' if mm is None else f'{mm:.1f} mm'}"


def _segment(index: int, mm: float | None) -> Group:
    """A segment with its number and thickness; grey and dashed without one."""
    fill = RULE if mm is None else thickness_shade(mm)
    sector, (x, y) = _place(index, fill, dashed=mm is None)
    number = Text((x, y - 5), str(index + 1), "middle", size=9.5)
    value = "–" if mm is None else f"{mm:.1f}"
    words = Text((x, y + 10), value, "middle", size=13.5, bold=True)
    return Group((sector, number, words), said=_said(index, mm))


def _place(index: int, fill: Shade, *, dashed: bool) -> tuple[Sector, Point]:
    """The outline of a segment, and the middle of its text."""
    for ring, (first, count) in enumerate(RINGS):
        if first <= index < first + count:
            middle, half = 90 + 360 / count * (index - first), 180 / count
            outer, inner = RADII[ring : ring + 2]
            ends = (middle - half, middle + half)
            sector = Sector(CENTRE, inner, outer, *ends, fill=fill, dashed=dashed)
            return sector, point_at((inner + outer) / 2, middle)
    return Sector(CENTRE, 0, RADII[-1], 0, 360, fill=fill, dashed=dashed), CENTRE


def point_at(radius: float, degrees: float) -> Point:
    """The point at a distance from the centre and an angle counterclockwise from the right."""
    angle = math.radians(degrees)
    x, y = CENTRE
    return round(x + radius * math.cos(angle), 1), round(y - radius * math.sin(angle), 1)


def _sides(assumed: str) -> list[Shape]:
    """The names of the four sides, around the figure."""
    (x, y), outer = CENTRE, RADII[0]
    return [
        Text((x, y - outer - 9), f"Anterior{assumed}", "middle"),
        Text((x - outer - 9, y + 4), "Septum", "end"),
        Text((x, y + outer + 19), f"Inferior{assumed}", "middle"),
        Text((x + outer + 9, y + 4), "Lateral"),
    ]


def _scale() -> list[Shape]:
    """The colour scale with its numbers."""
    bar = Gradient((BAR_LEFT, BAR_TOP), BAR_WIDTH, BAR_HEIGHT, THIN, THICK)
    shapes: list[Shape] = [bar]
    for mm, text in TICKS:
        share = (mm - THINNEST_MM) / (THICKEST_MM - THINNEST_MM)
        at = (BAR_LEFT + share * BAR_WIDTH, BAR_TOP + BAR_HEIGHT + 16)
        shapes.append(Text(at, text, "middle"))
    return shapes
