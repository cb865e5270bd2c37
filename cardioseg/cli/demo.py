"""``cardioseg demo``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def demo_command(
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="New folder for the heart, its masks, maps and pictures."
        ),
    ] = Path("out/demo"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Draw a synthetic beating heart, segment it, and compare the result with what was drawn.

    Needs no data; takes about half a minute. Open the first file that it names. Research use only; not a medical device.
    """
    from cardioseg.workflows.demo import demo

    with progress_bar("demo", quiet=quiet) as on_progress:
        report = demo(output, overwrite=overwrite, on_progress=on_progress)
    finish(report, json_output=json_output)
