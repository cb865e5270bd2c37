"""The volume curve: every structure over the frames, with the smoothed LV and both phases.

Structures differ by dashes as well as by colour, so that a grey print still tells them apart.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from cardioseg.clinical.beat import VolumeCurve
from cardioseg.figures.drawing import Drawing, Line, Shape, Text, captioned
from cardioseg.figures.palette import FAINT, INK, RULE, structure_shades
from cardioseg.figures.raster import write_drawing

WIDTH, HEIGHT = 720, 310
LEFT, TOP, BOTTOM = 56, 24, 40
FLOOR = HEIGHT - BOTTOM
STEPS_ML = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
MOST_LEVELS, MOST_TICKS = 7, 16
NAME_HEIGHT, NAME_GAP, CHARACTER = 15, 8, 8.5  # pixels
NARROWEST, WIDEST = 64, 220  # room for the names
DASHES = {"LV": (), "RV": (8.0, 4.0)}
DOTTED = (2.0, 4.0)


@dataclass(frozen=True)
class PlotScale:
    """Where frames and volumes lie in the drawing.

    Attributes:
        frames: number of frames.
        step_ml: between two grid lines.
        top_ml: at the top of the plot.
        right: x of the last frame; the names stand right of it.
    """

    frames: int
    step_ml: int
    top_ml: int
    right: float

    def x(self, frame: int) -> float:
        """Of a frame, counted from 1."""
        share = (frame - 1) / max(1, self.frames - 1)
        return round(LEFT + share * (self.right - LEFT), 1)

    def y(self, ml: float) -> float:
        """Of a volume in ml."""
        return round(FLOOR - ml / self.top_ml * (FLOOR - TOP), 1)


def draw_volume_curve(curve: VolumeCurve) -> Drawing:
    """The curve as a drawing."""
    scale = plot_scale(curve)
    axis = "frame" if curve.frame_ms is None else f"frame (every {curve.frame_ms:.4g} ms)"
    words = (
        Text(((LEFT + scale.right) / 2, HEIGHT - 5), axis, "middle"),
        Text((14, (TOP + FLOOR) / 2), "volume (ml)", "middle", upright=True),
    )
    return Drawing(
        "volume-curve",
        WIDTH,
        HEIGHT,
        f"Volume of {', '.join(curve.volumes_ml)} in ml over {axis}",
        describe(curve),
        (*_grid(scale), *_phases(curve, scale), *_curves(curve, scale), *words),
    )


def write_curve_picture(path: Path, curve: VolumeCurve, *, title: str, facts: str) -> None:
    """Write the curve as PNG.

    Args:
        path: the PNG.
        curve: the volumes.
        title: the headline; nothing else in the picture says whose heart it is.
        facts: the line under it.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_drawing(path, captioned(draw_volume_curve(curve), title=title, facts=facts))


def plot_scale(curve: VolumeCurve) -> PlotScale:
    """The scale that leaves room for the largest volume, with round numbers on its axis."""
    largest = max((max(volumes) for volumes in curve.volumes_ml.values() if volumes), default=0)
    step = next((step for step in STEPS_ML if largest / step <= MOST_LEVELS), STEPS_ML[-1])
    top_ml = step * max(1, math.ceil(largest / step))
    names = NAME_GAP + CHARACTER * max(map(len, curve.volumes_ml), default=0)
    return PlotScale(curve.frames, step, top_ml, WIDTH - min(WIDEST, max(NARROWEST, names)))


def describe(curve: VolumeCurve) -> str:
    """The curve in words: the range of every structure, and both phases."""
    ranges = [
        f"{name} from {min(volumes):.1f} to {max(volumes):.1f} ml"
        for name, volumes in curve.volumes_ml.items()
    ]
    phases = [f"{phase} at frame {frame}" for phase, frame in curve.phases.items()]
    return "; ".join([*ranges, *phases]) + "."


def _grid(scale: PlotScale) -> list[Shape]:
    """Levels of volume, the axis, and numbers of frames."""
    shapes: list[Shape] = []
    for ml in range(0, scale.top_ml + 1, scale.step_ml):
        y = scale.y(ml)
        shapes.append(Line(((LEFT, y), (scale.right, y)), FAINT if ml == 0 else RULE))
        shapes.append(Text((LEFT - 8, y + 4), str(ml), "end"))
    every = math.ceil(scale.frames / MOST_TICKS) or 1
    frames = range(1, scale.frames + 1, every)
    ticks = [Text((scale.x(frame), FLOOR + 17), str(frame), "middle") for frame in frames]
    return [*shapes, *ticks]


def _phases(curve: VolumeCurve, scale: PlotScale) -> list[Shape]:
    """A dotted line at ED and at ES, named above the plot."""
    shapes: list[Shape] = []
    for phase, frame in curve.phases.items():
        x = scale.x(frame)
        shapes.append(Line(((x, TOP), (x, FLOOR)), INK, dash=(2, 3)))
        shapes.append(Text((x, TOP - 7), phase, "middle"))
    return shapes


def _curves(curve: VolumeCurve, scale: PlotScale) -> list[Shape]:
    """Every structure as a line with its name at the end; the smoothed LV lies under its own."""
    shades = structure_shades(tuple(curve.volumes_ml))
    ends = {name: scale.y(volumes[-1]) for name, volumes in curve.volumes_ml.items()}
    heights = apart(ends)
    shapes: list[Shape] = []
    for name, volumes in curve.volumes_ml.items():
        shade = shades[name]
        if name.upper() == "LV" and len(curve.smoothed_ml) == len(volumes) > 1:
            smooth = _points(curve.smoothed_ml, scale)
            shapes.append(Line(smooth, shade, width=6, opacity=0.25))
        dash = DASHES.get(name.upper(), DOTTED)
        shapes.append(Line(_points(volumes, scale), shade, width=2.4, dash=dash))
        at = (scale.right + NAME_GAP, heights[name] + 4)
        shapes.append(Text(at, name, bold=True, colour=shade))
    return shapes


def _points(
    volumes: list[float] | tuple[float, ...], scale: PlotScale
) -> tuple[tuple[float, float], ...]:
    return tuple((scale.x(frame), scale.y(ml)) for frame, ml in enumerate(volumes, start=1))


def apart(heights: dict[str, float]) -> dict[str, float]:
    """The heights of the names, moved up where two would overlap, and down from above the plot."""
    upwards = sorted(heights, key=lambda name: -heights[name])
    moved: dict[str, float] = {}
    limit = math.inf
    for name in upwards:
        moved[name] = limit = min(heights[name], limit - NAME_HEIGHT)
    limit = TOP - NAME_HEIGHT
    for name in reversed(upwards):
        moved[name] = limit = max(moved[name], limit + NAME_HEIGHT)
    return moved
