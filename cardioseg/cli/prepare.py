"""``cardioseg prepare``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish
from cardioseg.cli.voxels import allow_voxels


def prepare_command(
    raw: Annotated[
        Path,
        typer.Argument(
            metavar="RAW",
            show_default=False,
            help="ACDC folder, nnU-Net data set, or CSV file with the columns image and label.",
        ),
    ],
    *,
    output: Annotated[Path, options.output("Folder for the prepared cases.")],
    set_: Annotated[
        list[str] | None,
        options.setting("Change a setting, such as spacing_mm=1.25.", metavar="KEY=VALUE"),
    ] = None,
    labels: options.DataLabels = None,
    trust: options.Trust = "pixdim",
    max_voxels: options.MaxVoxels = None,
    workers: options.Workers = 2,
    json_output: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Resample and normalise a labelled data set for training.

    This is done once per data set. Running the same command again continues an interrupted run.
    """
    allow_voxels(max_voxels)
    from cardioseg.core.config import PreparationConfig, parse_overrides, validate
    from cardioseg.workflows.prepare import prepare

    overrides = parse_overrides(set_ or [])
    config = validate(PreparationConfig, overrides.get("preparation", overrides), source="--set")
    with progress_bar("prepare", cases=True, quiet=quiet) as on_progress:
        report = prepare(
            raw,
            output=output,
            config=config,
            labels=labels,
            trust=trust,
            workers=workers,
            on_progress=on_progress,
        )
    finish(report, json_output=json_output)
