"""``cardioseg segment``: words for the workflow of the same name."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import finish

SIZE = re.compile(r" *[1-9][0-9]{0,3} *")
SERIES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
MOST_SERIES = 1000  # in a range
LARGEST_WINDOW = (
    2048  # a slice of 3 m at 1.5 mm; memory grows with the window, however small the image
)


def segment_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            show_default=False,
            help="Images, DICOM folders, folders of either, or .txt lists of them.",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", show_default=False, help="Folder for masks, maps and pictures."
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="A shipped model's name, or a model folder.")
    ] = "rdvit-2d",
    loops: Annotated[
        int | None,
        typer.Option(
            "--loops",
            show_default="the model's",
            help="Loop budget; beyond the trained range it extrapolates.",
        ),
    ] = None,
    exit_rule: Annotated[
        str | None,
        typer.Option(
            "--exit",
            metavar="RULE[:THRESHOLD]",
            show_default="the model's",
            help="When a token leaves the loops: learned, act, ranker, argmax, accel, entropy, or fixed for never.",
        ),
    ] = None,
    compute: Annotated[
        float | None,
        typer.Option(
            "--compute",
            show_default=False,
            help="Mean share of the loops that tokens may use, such as 0.4.",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            show_default="the model's",
            help="Window on the working grid, such as 128,128.",
        ),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            "--overlap",
            show_default="the model's",
            help="Share of a window that the next one covers again.",
        ),
    ] = None,
    views: Annotated[
        Literal["none", "flips", "all"] | None,
        typer.Option(
            "--views",
            show_default="the model's",
            help="Average over 1, 4 or 8 storage orientations; none is fastest.",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    save: Annotated[
        str,
        typer.Option(
            "--save",
            show_default=False,
            help="More to write, with commas: probs, routing (float NIfTI); of DICOM input dicom-seg (ED and ES) or "
            "dicom-seg-all (every phase), which carry the patient's identity on, as DICOM demands.",
        ),
    ] = "",
    trust: Annotated[
        Literal["pixdim", "affine"],
        typer.Option("--trust", help="Which spacing to believe where a header states two."),
    ] = "pixdim",
    series: Annotated[
        str,
        typer.Option(
            "--series",
            show_default="found by geometry",
            help="DICOM series of the cine: a number, or such as 5-9,11.",
        ),
    ] = "",
    ed: Annotated[
        int | None,
        typer.Option(
            "--ed",
            min=1,
            show_default="from the LV volume",
            help="Frame that is end-diastole, from 1.",
        ),
    ] = None,
    es: Annotated[
        int | None,
        typer.Option(
            "--es",
            min=1,
            show_default="from the LV volume",
            help="Frame that is end-systole, from 1.",
        ),
    ] = None,
    height_cm: Annotated[
        float | None,
        typer.Option(
            "--height-cm",
            show_default="Info.cfg's",
            help="The patient's height, for volumes per m².",
        ),
    ] = None,
    weight_kg: Annotated[
        float | None,
        typer.Option("--weight-kg", show_default="Info.cfg's", help="The patient's weight."),
    ] = None,
    heart_rate: Annotated[
        float | None,
        typer.Option(
            "--heart-rate",
            show_default="the image's",
            help="Beats per minute, for the cardiac output.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Redo cases that are there already.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 7 when a quality check fails; results are written all the same.",
        ),
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Segment images and cines: for X.nii.gz a mask, a halting map, an expert map, a picture and a run record.

    Of a cine, and of ED and ES files of one patient, also the function of the heart: volumes, EF, mass, wall thickness.
    Finished cases made from the same image, model and settings are kept. Research use only; not a medical device.
    """
    from cardioseg.clinical.function import Body
    from cardioseg.core.exits import parse_exit
    from cardioseg.results.function import Beat
    from cardioseg.workflows.segment import SegmentRequest, segment

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
        beat=Beat(ed, es, Body(height_cm, weight_kg, heart_rate)),
        overwrite=overwrite,
        strict=strict,
    )
    with progress_bar("segment", quiet=quiet) as on_progress:
        report = segment(request, on_progress=on_progress)
    finish(report, json_output=json_output)


def _window(text: str | None) -> tuple[int, ...] | None:
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
    """The numbers in such as "5-9,11"."""
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
