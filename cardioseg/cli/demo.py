"""``cardioseg demo``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

from cardioseg.cli import options
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def demo_command(
    *,
    output: Annotated[
        Path, options.output("New folder for the image, the masks, the maps and the pictures.")
    ] = Path("out/demo"),
    overwrite: Annotated[bool, options.overwrite("Replace an earlier demo.")] = False,
    json_output: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw a synthetic beating heart, segment it and compare the masks with the drawing.

    This needs no data and takes about half a minute. Open the first file in the list that it
    prints. Research use only; not a medical device.
    """
    from cardioseg.workflows.demo import demo

    with progress_bar("demo", quiet=quiet) as on_progress:
        report = demo(output, overwrite=overwrite, on_progress=on_progress)
    finish(report, json_output=json_output)
