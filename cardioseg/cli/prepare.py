"""``cardioseg prepare``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def prepare_command(
    raw: Annotated[
        Path,
        typer.Argument(
            metavar="RAW",
            show_default=False,
            help="ACDC folder, nnU-Net data set, or CSV with columns image,label.",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", show_default=False, help="Folder for the prepared cases."),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            show_default=False,
            help="A setting, such as spacing_mm=1.25.",
        ),
    ] = None,
    trust: Annotated[
        Literal["pixdim", "affine"],
        typer.Option("--trust", help="Which spacing to believe where a header states two."),
    ] = "pixdim",
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Bring a labelled data set to the working grid, once; interrupted runs go on where they were."""
    from cardioseg.core.config import PreparationConfig, parse_overrides, validate
    from cardioseg.workflows.prepare import prepare

    overrides = parse_overrides(set_ or [])
    config = validate(PreparationConfig, overrides.get("preparation", overrides), source="--set")
    with progress_bar("prepare", quiet=quiet) as on_progress:
        report = prepare(
            raw, output=output, config=config, trust=trust, workers=workers, on_progress=on_progress
        )
    finish(report, json_output=json_output)
