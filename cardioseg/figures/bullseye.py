"""Wall thickness in the segments of the American Heart Association as facts for an SVG: the bull's-eye, its scale, its words.

Source: Cerqueira et al., Circulation 105, 2002: the base outside, the apex in the middle, anterior on top, the septum left,
numbers counterclockwise. The scale is the same for every heart, so that two reports can be laid side by side. A page draws
it in its own light and dark colours. Coordinates are pixels of a view box, from its top left. Knows ``wall_thickness`` and
``reasons`` of ``X_clinical.json``, nothing of masks.
"""

import math
from collections.abc import Mapping
from typing import Any

from cardioseg.clinical.wall import SEGMENTS

WIDTH, HEIGHT = 440, 404
X, Y = 220, 176
RADII = (150, 110, 70, 28)  # outer radius of base, middle, apical ring and apex
RINGS = ((0, 6), (6, 6), (12, 4))  # first segment and their number
LEAST_MM, MOST_MM = 4.0, 16.0
TICKS = ((4, "≤ 4"), (8, "8"), (12, "12"), (16, "≥ 16 mm"))
SCALE = {"left": 120, "top": 362, "width": 200, "height": 12}
THIN, THICK = (
    {"light": "#eaf2fb", "dark": "#1d2a38"},
    {"light": "#5b9bd5", "dark": "#2563a3"},
)  # text is readable on all of them
ASSUMED = " (assumed)"
ANTERIOR = {
    "from the affine": "Which side is anterior follows from the orientation in the image's header.",
    "as displayed": "Which side is anterior is assumed: the image's header tells no orientation of a short-axis plane, so the"
    " image was taken as viewers show it. Where that is wrong, anterior and inferior change places.",
}
UNTOLD = "Which side is anterior is assumed: nothing is on record about it."
UNRECORDED = "no reason is on record"


def drawing(wall: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    """What the template draws.

    Args:
        wall: ``wall_thickness`` of ``X_clinical.json``.
        reasons: dotted name → why that number is None.

    Returns:
        Among others "segments", empty where none has a thickness, and "missing": reason → the segments without one.
    """
    millimetres = [(wall.get("segments_mm") or {}).get(name) for name in SEGMENTS]
    known = any(mm is not None for mm in millimetres)
    segments = [_segment(index, mm) for index, mm in enumerate(millimetres)] if known else []
    told = wall.get("anterior") == "from the affine"
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "phase": wall.get("phase") or "ED",
        "segments": segments,
        "words": _words("" if told else ASSUMED),
        "anterior": ANTERIOR.get(str(wall.get("anterior")), UNTOLD),
        "description": "; ".join(segment["said"] for segment in segments),
        "missing": _missing(millimetres, reasons),
        "scale": SCALE
        | {
            "thin": THIN,
            "thick": THICK,
            "ticks": [{"x": _along(mm), "text": text} for mm, text in TICKS],
        },
    }


def _segment(index: int, mm: float | None) -> dict[str, Any]:
    """Outline, colours and words of one segment; without a thickness it has no colours."""
    outline, (x, y) = _outline(index)
    said = f"{index + 1} {SEGMENTS[index]}: {'not computed' if mm is None else f'{mm:.1f} mm'}"
    found = {
        "number": index + 1,
        "path": outline,
        "x": x,
        "y": y,
        "said": said,
        "text": "–" if mm is None else f"{mm:.1f}",
    }
    return found | {"colours": None if mm is None else shade(mm)}


def shade(mm: float) -> dict[str, str]:
    """A thickness as "light" and "dark" "#rrggbb": between those of the ends of the scale, and theirs beyond."""
    share = min(1.0, max(0.0, (mm - LEAST_MM) / (MOST_MM - LEAST_MM)))
    return {look: _between(THIN[look], THICK[look], share) for look in THIN}


def _between(low: str, high: str, share: float) -> str:
    ends = zip(bytes.fromhex(low[1:]), bytes.fromhex(high[1:]), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in ends)


def _along(mm: float) -> float:
    """Where a thickness lies on the scale."""
    return round(SCALE["left"] + (mm - LEAST_MM) / (MOST_MM - LEAST_MM) * SCALE["width"], 1)


# ------------------------------------------------------------------------------------------------------------------ geometry


def _outline(index: int) -> tuple[str, tuple[float, float]]:
    """Path of a segment, and where its words stand."""
    for ring, (first, count) in enumerate(RINGS):
        if first <= index < first + count:
            middle, half = 90 + 360 / count * (index - first), 180 / count
            outer, inner = RADII[ring : ring + 2]
            return _sector(inner, outer, middle - half, middle + half), _at(
                (inner + outer) / 2, middle
            )
    radius = RADII[-1]
    half_turns = (
        f"A {radius} {radius} 0 0 0 {X + radius} {Y} A {radius} {radius} 0 0 0 {X - radius} {Y}"
    )
    return f"M {X - radius} {Y} {half_turns} Z", (X, Y)


def _sector(inner: float, outer: float, start: float, end: float) -> str:
    """Part of a ring between two angles, counterclockwise."""
    (a, b), (c, d), (e, f), (g, h) = (
        _at(outer, start),
        _at(outer, end),
        _at(inner, end),
        _at(inner, start),
    )
    return f"M {a} {b} A {outer} {outer} 0 0 0 {c} {d} L {e} {f} A {inner} {inner} 0 0 1 {g} {h} Z"


def _at(radius: float, degrees: float) -> tuple[float, float]:
    """A point at an angle counterclockwise from the right."""
    angle = math.radians(degrees)
    return round(X + radius * math.cos(angle), 1), round(Y - radius * math.sin(angle), 1)


# --------------------------------------------------------------------------------------------------------------------- words


def _words(assumed: str) -> list[dict[str, Any]]:
    """Names of the four sides, around the figure."""
    outer = RADII[0]
    return [
        {"x": X, "y": Y - outer - 9, "anchor": "middle", "text": f"Anterior{assumed}"},
        {"x": X - outer - 9, "y": Y + 4, "anchor": "end", "text": "Septum"},
        {"x": X, "y": Y + outer + 19, "anchor": "middle", "text": f"Inferior{assumed}"},
        {"x": X + outer + 9, "y": Y + 4, "anchor": "start", "text": "Lateral"},
    ]


def _missing(millimetres: list[float | None], reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Reason → the segments that it left out, each reason once."""
    names: dict[str, list[str]] = {}
    for number, (name, mm) in enumerate(zip(SEGMENTS, millimetres, strict=True), start=1):
        if mm is None:
            names.setdefault(
                reasons.get(f"wall_thickness.segments_mm.{name}", UNRECORDED), []
            ).append(f"{number} {name}")
    return [(reason, ", ".join(found)) for reason, found in names.items()]
