"""``cardioseg measure``: options and help text of the workflow of the same name."""

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.render import finish
from cardioseg.cli.voxels import allow_voxels


def measure_command(
    mask: Annotated[
        Path | None,
        typer.Argument(metavar="MASK", show_default=False, help="Mask of a cine or of one volume."),
    ] = None,
    *,
    ed: Annotated[str | None, options.mask_or_frame_of("ed")] = None,
    es: Annotated[str | None, options.mask_or_frame_of("es")] = None,
    output: Annotated[
        Path | None,
        options.output("Folder for X_clinical.json and the volume curve.", default="no files"),
    ] = None,
    labels: options.Labels = None,
    height_cm: options.HeightCm = None,
    weight_kg: options.WeightKg = None,
    heart_rate: options.HeartRate = None,
    trust: options.Trust = "pixdim",
    max_voxels: options.MaxVoxels = None,
    overwrite: Annotated[bool, options.overwrite("Replace existing files.")] = False,
    strict: Annotated[bool, options.strict("The numbers are still printed.")] = False,
    json_output: options.Json = False,
) -> None:
    """Measure volumes, EF, mass, cardiac output and wall thickness from any masks.

    The masks may come from cardioseg, from another program or from manual correction. Pass the
    mask of a cine, or the masks of both phases as `--ed MASK --es MASK`. In a cine, ED and ES are
    found from the LV volume, or given as frame numbers. From one volume, only volumes, mass and
    wall thickness are measured, because EDV, ESV and EF need both phases. The numbers equal those
    of `cardioseg segment`. Research use only; not a medical device.
    """
    allow_voxels(max_voxels)
    from cardioseg.clinical.body import Body
    from cardioseg.workflows.measure import MeasureRequest, measure_masks

    request = MeasureRequest(
        cine=mask,
        ed=ed,
        es=es,
        output=output,
        labels=labels,
        body=Body(height_cm=height_cm, weight_kg=weight_kg, heart_rate_bpm=heart_rate),
        trust=trust,
        overwrite=overwrite,
        strict=strict,
    )
    finish(measure_masks(request), json_output=json_output)
