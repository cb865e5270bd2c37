"""``cardioseg view``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def view_command(
    case: Annotated[
        Path,
        typer.Argument(metavar="CASE", show_default=False, help="A finished case: FOLDER/NAME or any file of it, or its folder."),
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", show_default=False, help="The case's name, where CASE is a folder of several."),
    ] = None,
    *,
    image: Annotated[
        Path | None,
        typer.Option(
            "--image", show_default="the one of the case's name beside the results", help="The image that was segmented."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", show_default="NAME_view.html beside the results", help="The page to write.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Keep the whole field of view, not only the heart and 40 mm around it.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that cardioseg did not make.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Look at a finished case: one interactive HTML page with image, mask, loops used and experts.

    The page needs no network, no server and no other file. Research use only; not a medical device.
    """
    from cardioseg.workflows.view import ViewRequest, view

    request = ViewRequest(case if name is None else case / name, image, output, whole, overwrite)
    with progress_bar("view", quiet=quiet) as on_progress:
        report = view(request, on_progress=on_progress)
    if open_browser:
        typer.launch(str(report.files[0]))
    finish(report, json_output=json_output)
