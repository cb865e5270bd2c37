"""``cardioseg view``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def view_command(
    case: Annotated[
        Path,
        typer.Argument(
            metavar="CASE",
            show_default=False,
            help="A finished case: FOLDER/NAME or any file of it, or its folder.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            show_default=False,
            help="The case's name, where CASE is a folder of several.",
        ),
    ] = None,
    *,
    image: Annotated[
        Path | None,
        typer.Option(
            "--image",
            show_default="beside the results, else where it was segmented",
            help="The image that was segmented.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            show_default="NAME_view.html beside the results",
            help="The page to write.",
        ),
    ] = None,
    ponder: Annotated[
        Path | None,
        typer.Option(
            "--ponder",
            show_default=False,
            help="Write this .png or .gif instead: loop by loop where the network goes on.",
        ),
    ] = None,
    slice_number: Annotated[
        int | None,
        typer.Option(
            "--slice",
            show_default="most myocardium",
            help="Slice to begin with, as numbered in the preview.",
        ),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option(
            "--frame", show_default="most blood in the LV", help="Frame to begin with, from 1."
        ),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Keep the whole field of view, not only the heart and 40 mm around it."
        ),
    ] = False,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that cardioseg did not make.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Look at a finished case: one interactive HTML page with image, mask, loops used and experts.

    The page needs no network, no server and no other file. Research use only; not a medical device.
    """
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
    from cardioseg.core.errors import UsageError

    said = "--output" if output else "--whole" if whole else None
    if said:
        raise UsageError(
            said,
            found="--ponder beside it",
            expected="one of the two",
            cure="--ponder names its own file",
        )
