"""The volume of every structure over the beat, as a table and as a picture.

Drawn with matplotlib's Agg canvas: no display is needed and no global state is touched. Knows volumes and phases, no masks.
"""

import csv
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.clinical.phases import Phases
from cardioseg.core.atomic import replacing, write_text
from cardioseg.core.labels import LabelTable
from cardioseg.figures.preview import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 120
DARKER = 0.72  # of a structure's colour, which was chosen to stand out from grey, not from white
INK, FAINT, PAPER = "#1a1a1a", "#666666", "#ffffff"
MOST_TICKS = 16
LINE = 0.06  # of the axis, between two names


@dataclass(frozen=True)
class Curve:
    """Volumes over a beat.

    Attributes:
        volumes_ml: structure → volume in ml of every frame.
        labels: the structures, with their colours.
        cavity: the structure that phases were read from; None when there is no LV.
        phases: ED and ES.
        frame_ms: time between frames; None when the file does not say.
    """

    volumes_ml: dict[str, list[float]]
    labels: LabelTable
    cavity: str | None
    phases: Phases
    frame_ms: float | None

    @property
    def frames(self) -> int:
        """Of the beat."""
        return len(self.phases.smoothed_ml)


def write_curve(path: Path, curve: Curve) -> None:
    """One row a frame: number from 1, time where it is known, volume of every structure, the smoothed LV, phase."""
    columns = (
        "frame",
        "time_ms",
        "phase",
        *(f"{name.lower()}_ml" for name in curve.volumes_ml),
        "smoothed_ml",
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for frame in range(curve.frames):
        time = "" if curve.frame_ms is None else round(frame * curve.frame_ms, 1)
        phase = {curve.phases.ed: "ED", curve.phases.es: "ES"}.get(frame, "")
        volumes = (round(found[frame], 3) for found in curve.volumes_ml.values())
        smooth = "" if curve.cavity is None else round(curve.phases.smoothed_ml[frame], 3)
        writer.writerow((frame + 1, time, phase, *volumes, smooth))
    write_text(path, text.getvalue())


def draw_curve(path: Path, curve: Curve, *, title: str, facts: str) -> None:
    """Every structure as a line over the frames, the smoothed LV beneath its own, ED and ES marked.

    Args:
        path: the PNG.
        curve: what to draw.
        title: the headline; nothing else in the picture says whose heart it is.
        facts: the line under it.

    Raises:
        OutputError: the folder cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axis = figure.add_axes((0.09, 0.15, 0.77, 0.66))
    _draw_lines(axis, curve)
    _mark_phases(axis, curve)
    _label_axes(axis, curve)
    style: dict[str, Any] = {"parse_math": False, "va": "center"}
    figure.text(0.02, 0.955, _written(title), size=10.5, weight="bold", color=INK, **style)
    figure.text(0.02, 0.895, facts, size=8, color=FAINT, **style)
    figure.text(0.02, 0.03, NOTICE, size=8, color=FAINT, **style)
    with replacing(path, suffix=".png") as temporary, warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # drawn as a box: a name is no reason to fail
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _draw_lines(axis: "Axes", curve: Curve) -> None:
    frames = range(1, curve.frames + 1)
    top = 1.12 * max((max(volumes) for volumes in curve.volumes_ml.values()), default=0) or 1.0
    heights = _apart({name: volumes[-1] for name, volumes in curve.volumes_ml.items()}, top * LINE)
    for name, volumes in curve.volumes_ml.items():
        colour = _darker(curve.labels.colours[name])
        if name == curve.cavity:
            axis.plot(frames, curve.phases.smoothed_ml, color=colour, linewidth=4, alpha=0.25)
        axis.plot(frames, volumes, color=colour, linewidth=1.5, marker="o", markersize=3)
        beside = 1.015 * curve.frames + 0.1
        axis.text(beside, heights[name], name, color=colour, size=9, va="center", parse_math=False)
    axis.set_ylim(0, top)
    axis.set_xlim(1 - 0.02 * curve.frames, 1.02 * curve.frames)


def _apart(heights: dict[str, float], least: float) -> dict[str, float]:
    """The same heights, moved up where two names would lie on each other."""
    moved: dict[str, float] = {}
    below = float("-inf")
    for name in sorted(heights, key=lambda name: heights[name]):
        moved[name] = below = max(heights[name], below + least)
    return moved


def _mark_phases(axis: "Axes", curve: Curve) -> None:
    for name, frame in (("ED", curve.phases.ed), ("ES", curve.phases.es)):
        if frame is not None:
            axis.axvline(frame + 1, color=INK, linewidth=0.8, linestyle=":")
            at = axis.get_xaxis_transform()
            axis.text(frame + 1, 0.985, f" {name}", transform=at, size=9, color=INK, va="top")


def _label_axes(axis: "Axes", curve: Curve) -> None:
    axis.set_xticks(_ticks(curve.frames))
    every = "" if curve.frame_ms is None else f" (every {curve.frame_ms:.4g} ms)"
    axis.set_xlabel(f"frame{every}", size=9)
    axis.set_ylabel("volume (ml)", size=9)
    axis.tick_params(labelsize=8)
    axis.grid(axis="y", alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _ticks(frames: int) -> Sequence[int]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, frames) if frames / step <= MOST_TICKS)
    return range(1, frames + 1, step) if step < 5 else [1, *range(step, frames + 1, step)]


def _darker(colour: str) -> tuple[float, float, float]:
    red, green, blue = (DARKER * part / 255 for part in bytes.fromhex(colour.removeprefix("#")))
    return red, green, blue


def _written(text: str) -> str:
    """A headline of at most 80 letters, and what is no valid Unicode as a question mark."""
    from cardioseg.figures.agg import shortened

    return shortened(text.encode("utf-8", "replace").decode("utf-8"), 80)
