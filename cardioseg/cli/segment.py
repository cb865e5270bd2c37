"""``cardioseg segment``: options and help text of the workflow of the same name."""

import re
from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli import options
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish
from cardioseg.cli.voxels import allow_voxels

SIZE = re.compile(r" *[1-9][0-9]{0,3} *")
SERIES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
MOST_SERIES = 1000  # in a range
LARGEST_WINDOW = 2048  # 3 m at 1.5 mm; memory grows with the window, even for a small image


def segment_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            show_default=False,
            help="Images, DICOM folders, folders of images, or .txt files that list them.",
        ),
    ],
    *,
    output: Annotated[Path, options.output("Folder for masks, maps, reports and pictures.")],
    model: options.Model = "rdvit-2d",
    loops: options.Loops = None,
    exit_rule: options.Exit = None,
    compute: options.Compute = None,
    window: options.Window = None,
    overlap: options.Overlap = None,
    views: options.Views = None,
    device: options.Device = "auto",
    save: options.Save = "",
    trust: options.Trust = "pixdim",
    max_voxels: options.MaxVoxels = None,
    series: options.Series = "",
    ed: Annotated[int | None, options.frame_of("ed")] = None,
    es: Annotated[int | None, options.frame_of("es")] = None,
    height_cm: options.HeightCm = None,
    weight_kg: options.WeightKg = None,
    heart_rate: options.HeartRate = None,
    overwrite: Annotated[
        bool, options.overwrite("Segment cases again that are already done.")
    ] = False,
    strict: Annotated[bool, options.strict("Results are still written.")] = False,
    json_output: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Segment images and cines: mask, halting map, expert map, report and run record.

    For a cine, and for ED and ES files of one patient, volumes, EF, mass and wall thickness are
    measured too. A case is skipped if it was already segmented with the same image, model and
    settings. Research use only; not a medical device.
    """
    allow_voxels(max_voxels)
    from cardioseg.clinical.beat import Beat
    from cardioseg.clinical.body import Body
    from cardioseg.core.exits import parse_exit
    from cardioseg.workflows.segment import SegmentRequest, segment_images

    body = Body(height_cm=height_cm, weight_kg=weight_kg, heart_rate_bpm=heart_rate)
    request = SegmentRequest(
        inputs=tuple(inputs),
        output=output,
        model=model,
        loops=loops,
        exits=parse_exit(exit_rule, compute),
        window=_window(window),
        overlap=overlap,
        views=views,
        device=device,
        save=tuple(part.strip() for part in save.split(",") if part.strip()),
        trust=trust,
        series=_series(series),
        beat=Beat(ed=ed, es=es, body=body),
        overwrite=overwrite,
        strict=strict,
    )
    with progress_bar("segment", cases=True, quiet=quiet) as on_progress:
        report = segment_images(request, on_progress=on_progress)
    finish(report, json_output=json_output)


def _window(text: str | None) -> tuple[int, ...] | None:
    """The sizes in a text such as "128,128".

    Raises:
        UsageError: the text does not list two or three sizes.
    """
    from cardioseg.core.errors import UsageError

    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) not in (2, 3) or not all(
        SIZE.fullmatch(part) and int(part) <= LARGEST_WINDOW for part in parts
    ):
        expected = f"two sizes (three in 3-D) of 1 to {LARGEST_WINDOW}, such as 128,128"
        raise UsageError("--window", found=repr(text), expected=expected, cure="correct them")
    return tuple(int(part) for part in parts)


def _series(text: str) -> tuple[int, ...]:
    """The numbers in a text such as "5-9,11".

    Raises:
        UsageError: the text holds something else, or a range of more than ``MOST_SERIES``.
    """
    from cardioseg.core.errors import UsageError

    numbers: list[int] = []
    for part in text.split(",") if text else []:
        found = SERIES.fullmatch(part.strip())
        first, last = (int(end or found[1]) for end in found.groups()) if found else (1, 0)
        if not first <= last < first + MOST_SERIES:
            raise UsageError(
                "--series",
                found=repr(text),
                expected="numbers or ranges, such as 5-9,11",
                cure="correct them",
            )
        numbers.extend(range(first, last + 1))
    return tuple(numbers)
