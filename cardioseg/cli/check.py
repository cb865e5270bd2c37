"""``cardioseg check``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.render import finish


def check_command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", show_default=False, help="Folder that cardioseg segment wrote."
        ),
    ],
    *,
    json_output: options.Json = False,
) -> None:
    """Check the files of every case against the hashes in its run record.

    Lists which cases are whole, which are not, and why. The exit code is 4 if a case is not whole.
    Nothing is written.
    """
    from cardioseg.workflows.check import check_folder

    finish(check_folder(folder), json_output=json_output)
