"""The interactive page of a finished case: its layers, legends and facts.

NiiVue (niivue.com) draws the images; it lies beside the templates and is copied into every page.
"""

import base64

from cardioseg.core.record import Record
from cardioseg.pages.html import render
from cardioseg.pages.legend import Legend, legends
from cardioseg.pages.scene import Scene
from cardioseg.results.finished import FinishedCase

CREDIT = "Drawn by NiiVue 0.69.0 (BSD 2-Clause licence), which is part of this file."
CYCLE_SECONDS = 1.0  # of a cine whose header states no time between frames
FASTEST_MS = 30


class ViewLayer(Record):
    """An image or a map on the page.

    Attributes:
        key: "image", "outline", or the kind of a map.
        name: its name on the page.
        opacity: in percent, at first.
        shown: whether it is shown at first.
        colours: "#rrggbb" of each value, null for a clear one; null for a grey image.
        names: name of each value.
    """

    key: str
    name: str
    opacity: int
    shown: bool
    colours: tuple[str | None, ...] | None = None
    names: tuple[str, ...] | None = None


class OutlinedStructure(Record):
    """A structure whose outline the page draws.

    Attributes:
        value: in the mask.
        colour: "#rrggbb".
    """

    value: int
    colour: str


class ViewerScene(Record):
    """What the page's script needs beside the files.

    Attributes:
        shape: columns, rows, slices.
        frames: number of frames.
        voxel_mm: width, height and distance of slices.
        window: the 8-bit intensities shown as black and as white.
        slice: slice shown first, from 0.
        frame: frame shown first, from 0.
        frame_ms: how long a frame is shown while the cine plays.
        layers: in drawing order.
        structures: with their outlines.
    """

    shape: tuple[int, int, int]
    frames: int
    voxel_mm: tuple[float, float, float]
    window: tuple[float, float]
    slice: int
    frame: int
    frame_ms: int
    layers: tuple[ViewLayer, ...]
    structures: tuple[OutlinedStructure, ...]


LAYERS = (
    ViewLayer(key="image", name="Image", opacity=100, shown=True),
    ViewLayer(key="outline", name="Mask, outlined", opacity=100, shown=True),
    ViewLayer(key="mask", name="Mask, filled", opacity=40, shown=False),
    ViewLayer(key="halting", name="Loops used", opacity=45, shown=True),
    ViewLayer(key="experts", name="Experts", opacity=45, shown=False),
)


def viewer_page(case: FinishedCase, scene: Scene, *, first_slice: int, first_frame: int) -> str:
    """The page as HTML.

    Args:
        case: the finished case.
        scene: its image and maps.
        first_slice: slice shown first, from 0.
        first_frame: frame shown first, from 0.
    """
    known = {legend.key: legend for legend in legends(case)}
    layers = _layers(known)
    state = ViewerScene(
        shape=scene.shape,
        frames=scene.frames,
        voxel_mm=scene.voxel_mm,
        window=scene.window,
        slice=first_slice,
        frame=first_frame,
        frame_ms=_frame_ms(case),
        layers=layers,
        structures=_structures(case),
    )
    return render(
        "view.html.j2",
        title=case.name,
        facts=_headline(case, scene),
        slices=scene.shape[2],
        frames=scene.frames,
        layers=layers,
        legends=tuple(known.values()),
        notes=(*scene.notes, *case.record.warnings),
        credit=CREDIT,
        files={key: base64.b64encode(file).decode("ascii") for key, file in scene.files.items()},
        scene=state.model_dump(mode="json"),
    )


def _layers(known: dict[str, Legend]) -> tuple[ViewLayer, ...]:
    """The layers of a case, with the colours of its maps."""
    found = []
    for layer in LAYERS:
        legend = known.get(layer.key)
        if legend is not None:
            update = {"colours": legend.colours, "names": legend.names}
            found.append(layer.model_copy(update=update))
        elif layer.key in ("image", "outline"):
            found.append(layer)
    return tuple(found)


def _structures(case: FinishedCase) -> tuple[OutlinedStructure, ...]:
    colours = case.labels.colours.items()
    return tuple(OutlinedStructure(value=case.labels.value(n), colour=c) for n, c in colours)


def _headline(case: FinishedCase, scene: Scene) -> str:
    counted = ((scene.frames, "frame"), (scene.shape[2], "slice"))
    sizes = " · ".join(f"{count} {noun}{'s' * (count > 1)}" for count, noun in counted)
    loops = f"loops used: mean {case.record.mean_steps:.1f} of {case.loops}"
    return f"{sizes} · {case.record.model} · {loops}"


def _frame_ms(case: FinishedCase) -> int:
    seconds = case.image.frame_seconds or CYCLE_SECONDS / case.image.frames
    return max(FASTEST_MS, round(1000 * seconds))
