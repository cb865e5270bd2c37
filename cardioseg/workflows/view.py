"""``cardioseg view``: a finished case as one interactive page that needs no server."""

from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table
from cardioseg.figures.upright import upright
from cardioseg.pages.html import write_page
from cardioseg.pages.scene import make_scene
from cardioseg.pages.viewer import viewer_page
from cardioseg.results.finished import open_finished
from cardioseg.workflows.places import chosen_frame, chosen_slice

LARGE_BYTES = 50_000_000


@dataclass(frozen=True)
class ViewRequest:
    """What the person asked for.

    Attributes:
        case: what ``open_finished`` takes.
        image: the segmented image; None looks beside the results, then where it was segmented.
        output: the page; None takes NAME_view.html beside the results.
        slice_number: slice shown first, from 1; None takes the one with most myocardium.
        frame: frame shown first, from 1; None takes the one with the largest LV cavity.
        whole: keep the whole field of view instead of cropping to the heart.
        overwrite: replace a file that cardioseg did not write.
    """

    case: Path
    image: Path | None = None
    output: Path | None = None
    slice_number: int | None = None
    frame: int | None = None
    whole: bool = False
    overwrite: bool = False


class ViewData(Record):
    """``cardioseg view --json``: the page.

    Attributes:
        case: name of the case.
        page: path of the page.
        bytes: size of the page.
        shape: columns, rows, slices, frames.
        cropped: whether the page shows only the heart and its surroundings.
    """

    case: str
    page: str
    bytes: int
    shape: tuple[int, int, int, int]
    cropped: bool


def view(request: ViewRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Write the page.

    Raises:
        UsageError: there is no such slice or frame.
        InputError: the case cannot be read, or the image is not the one that was segmented.
        OutputError: the page cannot be written.
    """
    case = open_finished(request.case, image=request.image)
    path = request.output or case.folder / f"{case.name}_view.html"
    frame = chosen_frame(case, request.frame)
    index = chosen_slice(case, upright(*case.frame(frame)), request.slice_number)
    scene = make_scene(case, whole=request.whole, on_progress=on_progress)
    on_progress(Progress(case.image.frames, case.image.frames, "writing"))
    page = viewer_page(case, scene, first_slice=index, first_frame=frame)
    write_page(path, page, overwrite=request.overwrite)
    data = ViewData(
        case=case.name,
        page=str(path),
        bytes=path.stat().st_size,
        shape=(*scene.shape, scene.frames),
        cropped=bool(scene.notes),
    )
    return _report(path, data)


def _report(path: Path, data: ViewData) -> Report:
    megabytes = data.bytes / 1e6
    row = (data.case, f"{data.shape[3]}", f"{data.shape[2]}", f"{megabytes:.1f}")
    table = Table("Interactive page", ("case", "frames", "slices", "MB"), (row,))
    large = f"{path.name} has {megabytes:.0f} MB, which a browser opens slowly"
    warnings = (large,) if data.bytes > LARGE_BYTES else ()
    return Report("view", data, (table,), warnings, (path,))
