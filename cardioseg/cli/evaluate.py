"""``cardioseg evaluate``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish


def evaluate_command(
    pred: Annotated[
        Path,
        typer.Argument(
            metavar="PRED",
            show_default=False,
            help="Folder of predicted masks, searched at any depth; or one mask.",
        ),
    ],
    ref: Annotated[
        Path,
        typer.Argument(
            metavar="REF",
            show_default=False,
            help="Reference: an ACDC folder, an nnU-Net data set, or any folder with masks of the same names; or one mask.",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", show_default=False, help="New folder for CSV, JSON and figures."
        ),
    ],
    split: Annotated[
        Path | None,
        typer.Option(
            "--split", show_default=False, help="Score only the val patients of this JSON file."
        ),
    ] = None,
    trust: Annotated[
        Literal["pixdim", "affine"],
        typer.Option("--trust", help="Which spacing to believe where a header states two."),
    ] = "pixdim",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results in an existing folder.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Compare masks with a reference: Dice, HD95, ASSD, volumes, EF and mass, per structure, patient and group.

    A prediction that is missing or cannot be used counts as empty; the latter is named, and the exit code is 3. A structure
    that only one mask has counts as Dice 0 and a distance of the image's diagonal, and is counted as missed.
    """
    from cardioseg.workflows.evaluate import EvaluationRequest, evaluate

    request = EvaluationRequest(pred, ref, output, overwrite, split, trust)
    with progress_bar("evaluate", quiet=quiet) as on_progress:
        report = evaluate(request, on_progress=on_progress)
    finish(report, json_output=json_output)
