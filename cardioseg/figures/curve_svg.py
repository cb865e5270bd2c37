"""The volume curve of a cine as facts for an SVG: lines, axes, names at their ends, ED and ES; from the table beside it.

A page draws it in its own light and dark colours. Coordinates are pixels of a view box, from its top left.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 64, 14, 40
CONTRAST = 4.5  # structures' colours stand out from grey and black, not from white
STEPS_ML = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
MOST_LINES, MOST_TICKS = 7, 16
LETTER_HEIGHT = 15
DASHES = {"lv": "", "rv": "8 4"}  # the others are dotted: lines must differ on grey paper too
DOTTED = "2 4"


@dataclass(frozen=True)
class Rows:
    """A volume curve as its table holds it.

    Attributes:
        structures: structure, in lower case → volume in ml of every frame.
        phases: "ED" and "ES" → frame from 1, where known.
        frame_ms: time between frames, None where unknown.
    """

    structures: dict[str, list[float]]
    phases: dict[str, int]
    frame_ms: float | None


def read_rows(path: Path) -> Rows | None:
    """The table that ``segment`` wrote; None when there is none, or not one of ours."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [name for name in rows[0] if name.endswith("_ml") and name != "smoothed_ml"]
        structures = {
            name.removesuffix("_ml"): [float(row[name]) for row in rows] for name in names
        }
        phases = {row["phase"]: int(row["frame"]) for row in rows if row["phase"]}
        frame_ms = float(rows[1]["time_ms"]) if len(rows) > 1 and rows[1]["time_ms"] else None
    except (OSError, ValueError, KeyError, IndexError, TypeError, csv.Error):
        return None
    return Rows(structures, phases, frame_ms) if structures else None


def drawing(rows: Rows, colours: Mapping[str, str]) -> dict[str, Any]:
    """What the template draws.

    Args:
        rows: the curve.
        colours: structure → "#rrggbb".
    """
    frames = max(len(volumes) for volumes in rows.structures.values())
    largest = max(max(volumes) for volumes in rows.structures.values())
    step = next((step for step in STEPS_ML if largest / step <= MOST_LINES), STEPS_ML[-1])
    top_ml = step * max(1, math.ceil(largest / step))

    def x(frame: int) -> float:
        return round(LEFT + (frame - 1) / max(1, frames - 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(ml: float) -> float:
        return round(HEIGHT - BOTTOM - ml / top_ml * (HEIGHT - TOP - BOTTOM), 1)

    every = math.ceil(frames / MOST_TICKS)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "floor": HEIGHT - BOTTOM,
        "levels": [{"y": y(ml), "text": f"{ml:g}"} for ml in range(0, top_ml + 1, step)],
        "ticks": [{"x": x(frame), "text": str(frame)} for frame in range(1, frames + 1, every)],
        "phases": [
            {"x": x(frame), "text": phase}
            for phase, frame in sorted(rows.phases.items(), key=lambda item: item[1])
        ],
        "axis": "frame" if rows.frame_ms is None else f"frame (every {rows.frame_ms:g} ms)",
        "lines": _lines(rows, colours, x, y),
    }


def _lines(rows: Rows, colours: Mapping[str, str], x: Any, y: Any) -> list[dict[str, Any]]:
    """A line a structure; their names, at the ends, are moved apart."""
    by_name = {name.lower(): (name, colour) for name, colour in colours.items()}
    lines: list[dict[str, Any]] = []
    for key, volumes in rows.structures.items():
        name, colour = by_name.get(key, (key, "#999999"))
        points = " ".join(f"{x(frame)},{y(ml)}" for frame, ml in enumerate(volumes, start=1))
        look = {"dark": colour, "light": darker(colour), "dash": DASHES.get(key, DOTTED)}
        lines.append({"name": name, "points": points, "end": y(volumes[-1]), **look})
    below = -math.inf
    for line in sorted(lines, key=lambda line: line["end"]):
        line["label"] = below = max(line["end"], below + LETTER_HEIGHT)
    return lines


def darker(colour: str) -> str:
    """A structure's colour, darkened until its name can be read on white (WCAG 2: a contrast of 4.5)."""
    parts = [part / 255 for part in bytes.fromhex(colour.removeprefix("#"))]
    share = next(
        share / 100
        for share in range(100, 0, -1)
        if _contrast([share / 100 * part for part in parts]) >= CONTRAST
    )
    return "#" + "".join(f"{int(255 * share * part):02x}" for part in parts)


def _contrast(parts: list[float]) -> float:
    """Of red, green and blue in 0 to 1 against white."""
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 1.05 / (
        sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        + 0.05
    )
