"""``cardioseg view``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish
from cardioseg.cli.voxels import allow_voxels


def view_command(
    case: Annotated[
        Path,
        typer.Argument(
            metavar="CASE",
            show_default=False,
            help="A finished case: FOLDER/NAME, any of its files, or a folder with one case.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            show_default=False,
            help="Name of the case, if CASE is a folder with several.",
        ),
    ] = None,
    *,
    image: options.Image = None,
    max_voxels: options.MaxVoxels = None,
    output: Annotated[
        Path | None,
        options.output("The page to write.", default="NAME_view.html beside the results"),
    ] = None,
    ponder: options.Ponder = None,
    slice_number: options.SliceNumber = None,
    frame: options.Frame = None,
    whole: options.Whole = False,
    open_browser: options.Open = False,
    overwrite: Annotated[
        bool, options.overwrite("Replace a file that cardioseg did not write.")
    ] = False,
    json_output: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write an interactive HTML page of a finished case.

    It shows the image, the mask, the loops used and the experts. The page is a single file and
    needs neither a server nor an internet connection. Research use only; not a medical device.
    """
    allow_voxels(max_voxels)
    from cardioseg.workflows.ponder import PonderRequest
    from cardioseg.workflows.ponder import ponder as draw
    from cardioseg.workflows.view import ViewRequest, view

    path = case if name is None else case / name
    if ponder is not None:
        _check(output=output, whole=whole)
        report = draw(PonderRequest(path, ponder, image, slice_number, frame, overwrite))
    else:
        request = ViewRequest(path, image, output, slice_number, frame, whole, overwrite)
        with progress_bar("view", quiet=quiet) as on_progress:
            report = view(request, on_progress=on_progress)
    if open_browser:
        typer.launch(str(report.files[0]))
    finish(report, json_output=json_output)


def _check(*, output: Path | None, whole: bool) -> None:
    """UsageError if an option of the page is used with ``--ponder``."""
    from cardioseg.core.errors import UsageError

    unused = "--output" if output else "--whole" if whole else None
    if unused:
        raise UsageError(
            unused,
            found="--ponder in the same call",
            expected="only one of the two",
            cure=f"drop {unused}; --ponder names the file it writes",
        )
