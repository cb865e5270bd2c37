"""``cardioseg evaluate``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish
from cardioseg.cli.voxels import allow_voxels


def evaluate_command(
    pred: Annotated[
        Path,
        typer.Argument(
            metavar="PRED",
            show_default=False,
            help="Folder of predicted masks, searched with its subfolders, or one mask.",
        ),
    ],
    ref: Annotated[
        Path,
        typer.Argument(
            metavar="REF",
            show_default=False,
            help="Reference: an ACDC folder, an nnU-Net data set, a folder of masks with the same "
            "names, or one mask.",
        ),
    ],
    *,
    output: Annotated[Path, options.output("New folder for CSV, JSON and figures.")],
    split: Annotated[
        Path | None,
        options.split(options.FILES, "Score only the val patients of this JSON file."),
    ] = None,
    labels: options.Labels = None,
    trust: options.Trust = "pixdim",
    max_voxels: options.MaxVoxels = None,
    only_predicted: options.OnlyPredicted = False,
    by_index: options.ByIndex = False,
    overwrite: Annotated[
        bool, options.overwrite("Replace the results in an existing folder.")
    ] = False,
    json_output: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare masks with a reference: Dice, HD95, ASSD, volumes, EF and mass.

    Results are given per structure, patient and group. A prediction that is missing or cannot be
    read counts as an empty mask. One that cannot be read is also named, and the exit code is 3. If
    only one of two masks shows a structure, its Dice is 0, its distances are the diagonal of the
    image, and it is counted as missed. Cines are compared frame by frame; frames without any label
    in the reference are left out. Masks stored with other axes are reordered by their headers; if
    positions are more than half a voxel apart, a prediction cannot be used.
    """
    allow_voxels(max_voxels)
    from cardioseg.workflows.evaluate import EvaluationRequest, evaluate_masks

    request = EvaluationRequest(
        pred,
        ref,
        output,
        overwrite=overwrite,
        split=split,
        trust=trust,
        labels=labels,
        only_predicted=only_predicted,
        by_index=by_index,
    )
    with progress_bar("evaluate", cases=True, quiet=quiet) as on_progress:
        report = evaluate_masks(request, on_progress=on_progress)
    finish(report, json_output=json_output)
