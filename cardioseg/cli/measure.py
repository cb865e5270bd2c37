"""``cardioseg measure``: words for the workflow of the same name."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cardioseg.cli.render import finish


def measure_command(
    mask: Annotated[
        Path | None,
        typer.Argument(metavar="[MASK]", show_default=False, help="Mask of a cine or of a volume."),
    ] = None,
    *,
    ed: Annotated[
        str | None,
        typer.Option(
            "--ed",
            metavar="MASK|FRAME",
            show_default=False,
            help="Mask at ED; of a cine its frame, from 1.",
        ),
    ] = None,
    es: Annotated[
        str | None,
        typer.Option(
            "--es",
            metavar="MASK|FRAME",
            show_default=False,
            help="Mask at ES; of a cine its frame, from 1.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            show_default=False,
            help="Folder for X_clinical.json and the volume curve.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            show_default="beside the mask, else ACDC's",
            help="What values mean, such as LV=1,MYO=2,RV=3.",
        ),
    ] = None,
    height_cm: Annotated[
        float | None,
        typer.Option(
            "--height-cm",
            show_default="as recorded",
            help="The patient's height, for volumes per m².",
        ),
    ] = None,
    weight_kg: Annotated[
        float | None,
        typer.Option("--weight-kg", show_default="as recorded", help="The patient's weight."),
    ] = None,
    heart_rate: Annotated[
        float | None,
        typer.Option(
            "--heart-rate",
            show_default="as recorded",
            help="Beats per minute, for the cardiac output.",
        ),
    ] = None,
    trust: Annotated[
        Literal["pixdim", "affine"],
        typer.Option("--trust", help="Which spacing to believe where a header states two."),
    ] = "pixdim",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 7 when a quality check fails; the numbers are told all the same.",
        ),
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """Measure a heart from any masks, also corrected by hand: volumes, EF, mass, cardiac output, wall thickness.

    Pass a cine's mask (ED and ES are found from the LV volume, or named by frame), or --ed MASK --es MASK. Of one volume the
    structures' volumes, the LV's mass and the wall's thickness are told, as EDV and ESV take both phases. The numbers are
    those of `cardioseg segment`; height, weight and heart rate are taken from its results, or ACDC's Info.cfg, beside the mask.
    Research use only; not a medical device.
    """
    from cardioseg.clinical.function import Body
    from cardioseg.workflows.measure import MeasureRequest, measure

    request = MeasureRequest(
        cine=mask,
        ed=ed,
        es=es,
        output=output,
        labels=labels,
        body=Body(height_cm, weight_kg, heart_rate),
        trust=trust,
        overwrite=overwrite,
        strict=strict,
    )
    finish(measure(request), json_output=json_output)
