"""``cardioseg view``: a finished case as one interactive page that opens anywhere and asks nobody for anything.

NiiVue (niivue.com) draws; it lies beside the templates and is copied into every page.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report, Table
from cardioseg.figures.upright import upright
from cardioseg.pages.html import render, write_page
from cardioseg.pages.legend import Legend, legends
from cardioseg.pages.scene import Scene, make_scene
from cardioseg.results.finished import FinishedCase, open_finished
from cardioseg.workflows.ponder import chosen, chosen_slice, fullest_frame

CREDIT = "Drawn by NiiVue 0.69.0 (BSD 2-Clause licence), which is part of this file."
LARGE_BYTES = 50_000_000
CYCLE_SECONDS = 1.0  # of a cine whose header does not say how long it took
FASTEST_MS = 30
# Layer → name on the page, opacity in percent, shown at first.
LAYERS = {
    "image": ("Image", 100, True),
    "outline": ("Mask, outlined", 100, True),
    "mask": ("Mask, filled", 40, False),
    "halting": ("Loops used", 45, True),
    "experts": ("Experts", 45, False),
}


@dataclass(frozen=True)
class ViewRequest:
    """What the person asked for.

    Attributes:
        case: what ``open_finished`` takes.
        image: the image it was made from; None looks beside the results, then where it was segmented.
        output: the page; None takes NAME_view.html beside the results.
        slice_number: the slice shown first, counted from 1 as in the preview; None takes the one with most myocardium.
        frame: the frame shown first, counted from 1; None takes the one with most blood in the left ventricle.
        whole: keep the whole field of view, not only the heart and what is near it.
        overwrite: replace a file that is not ours.
    """

    case: Path
    image: Path | None = None
    output: Path | None = None
    slice_number: int | None = None
    frame: int | None = None
    whole: bool = False
    overwrite: bool = False


def view(request: ViewRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Write the page.

    Raises:
        UsageError: there is no such slice or frame.
        InputError, GeometryError, LabelError: the case cannot be read, or the image is not the one on record.
        OutputError: the page cannot be written.
    """
    case = open_finished(request.case, image=request.image)
    path = request.output or case.folder / f"{case.name}_view.html"
    frame = (
        fullest_frame(case)
        if request.frame is None
        else chosen("--frame", request.frame, case.image.frames)
    )
    first = chosen_slice(case, upright(*case.frame(frame)), request.slice_number)
    scene = make_scene(case, whole=request.whole, on_progress=on_progress)
    on_progress(Progress(case.image.frames, case.image.frames, "writing"))
    write_page(
        path,
        render("view.html.j2", **_facts(case, scene, (first, frame))),
        overwrite=request.overwrite,
    )
    size = path.stat().st_size
    large = f"{path.name} has {size / 1e6:.0f} MB, which a browser opens slowly"
    row = (case.name, f"{scene.frames}", f"{scene.shape[2]}", f"{size / 1e6:.1f}")
    table = Table("Open it in a browser", ("case", "frames", "slices", "MB"), (row,))
    data = {
        "case": case.name,
        "bytes": size,
        "shape": [*scene.shape, scene.frames],
        "cropped": bool(scene.notes),
    }
    return Report("view", data, (table,), (large,) if size > LARGE_BYTES else (), (path,))


def _facts(case: FinishedCase, scene: Scene, start: tuple[int, int]) -> dict[str, Any]:
    """What the template asks for; ``start`` is the slice and the frame shown first."""
    known = {legend.key: legend for legend in legends(case)}
    layers = [
        _layer(key, known.get(key)) for key in LAYERS if key in ("image", "outline") or key in known
    ]
    colours = case.labels.colours
    return {
        "title": case.name,
        "facts": _headline(case, scene),
        "slices": scene.shape[2],
        "frames": scene.frames,
        "layers": layers,
        "legends": [_rows(legend) for legend in known.values()],
        "notes": [*scene.notes, *case.record.warnings],
        "credit": CREDIT,
        "files": {
            key: base64.b64encode(content).decode("ascii") for key, content in scene.files.items()
        },
        "scene": {
            "shape": scene.shape,
            "frames": scene.frames,
            "voxel_mm": scene.voxel_mm,
            "window": scene.window,
            "slice": start[0],
            "frame": start[1],
            "frame_ms": _frame_ms(case),
            "layers": layers,
            "structures": [
                {"value": case.labels.value(name), "colour": colours[name]}
                for name in case.labels.structures
            ],
        },
    }


def _layer(key: str, legend: Legend | None) -> dict[str, Any]:
    name, opacity, shown = LAYERS[key]
    facts: dict[str, Any] = {"key": key, "name": name, "opacity": opacity, "shown": shown}
    return facts if legend is None else facts | {"colours": legend.colours, "names": legend.names}


def _rows(legend: Legend) -> dict[str, Any]:
    """A legend's table; the background needs no row."""
    named = [
        (value, name, legend.colours[value])
        for value, name in enumerate(legend.names)
        if name and value
    ]
    return {
        "key": legend.key,
        "caption": legend.caption,
        "rows": [{"value": value, "name": name, "colour": colour} for value, name, colour in named],
    }


def _headline(case: FinishedCase, scene: Scene) -> str:
    counted = ((scene.frames, "frame"), (scene.shape[2], "slice"))
    sizes = " · ".join(f"{count} {noun}{'s' * (count > 1)}" for count, noun in counted)
    return f"{sizes} · {case.record.model} · loops used: mean {case.record.mean_steps:.1f} of {case.loops}"


def _frame_ms(case: FinishedCase) -> int:
    """How long a frame is shown while the cine plays."""
    seconds = case.image.frame_seconds or CYCLE_SECONDS / case.image.frames
    return max(FASTEST_MS, round(1000 * seconds))
