"""``cardioseg evaluate``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def evaluate_command(
    pred: Annotated[
        Path,
        typer.Argument(metavar="PRED", show_default=False, help="Folder of predicted masks, searched at any depth."),
    ],
    ref: Annotated[
        Path,
        typer.Argument(
            metavar="REF",
            show_default=False,
            help="Reference masks: an ACDC folder, an nnU-Net data set, or any folder with masks of the same names.",
        ),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", show_default=False, help="New folder for CSV, JSON and figures.")],
    split: Annotated[
        Path | None, typer.Option("--split", show_default=False, help="Score only the val patients of this JSON file.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results in an existing folder.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Compare masks with a reference: Dice, HD95, ASSD, volumes, EF and mass, per structure, patient and group.

    A missing prediction counts as empty. A structure that only one mask has counts as Dice 0 and a distance of the image's
    diagonal, and is counted as missed.
    """
    from cardioseg.workflows.evaluate import evaluate

    with progress_bar("evaluate", quiet=quiet) as on_progress:
        report = evaluate(pred, ref, output=output, overwrite=overwrite, split=split, on_progress=on_progress)
    finish(report, json_output=json_output)
