"""Every command-line option, stated once: names, panel of ``--help``, help text, limits.

An option that reads the same for every verb is a type (``Trust``). One whose help depends on the
verb is a function (``output("Folder for …")``), used inside ``Annotated``. Defaults stand in the
signatures of the verbs.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cardioseg.core.exits import RULES
from cardioseg.imaging.limits import MOST_VOXELS

FILES = "Input and output"
MODEL = "Model and depth"
HEART = "Heart and patient"
SETTINGS = "Settings"
PATIENTS = "Patients"
START = "Starting weights"
PICTURE = "Picture"
COMPUTING = "Computing"
REPORTING = "Reporting"

OF_MODEL = "the model's"  # shown where None takes the model's own value


def _option(panel: str, names: str, text: str, **settings: Any) -> Any:
    """An option; ``names`` are separated by spaces, ``settings`` are those of ``typer.Option``."""
    return typer.Option(*names.split(), help=text, rich_help_panel=panel, **settings)


# ------------------------------------------------------------------------------ input and output


def output(text: str, *, default: str | bool = True) -> Any:
    """``--output``; ``default`` says what happens without it, where the signature does not."""
    return _option(FILES, "--output -o", text, show_default=default)


def overwrite(text: str) -> Any:
    """``--overwrite``."""
    return _option(FILES, "--overwrite", text)


def split(panel: str, text: str) -> Any:
    """``--split``."""
    return _option(panel, "--split", text)


Trust = Annotated[
    Literal["pixdim", "affine"],
    _option(
        FILES,
        "--trust",
        "Which voxel spacing to use if pixdim and the affine of the header disagree.",
    ),
]
Save = Annotated[
    str,
    _option(
        FILES,
        "--save",
        "Also write, separated by commas: probs, routing (float NIfTI); for DICOM input dicom-seg "
        "(ED and ES) or dicom-seg-all (every frame). DICOM-SEG files hold the patient's identity.",
        show_default=False,
    ),
]
Series = Annotated[
    str,
    _option(
        FILES,
        "--series",
        "Numbers of the DICOM series that make up the cine, such as 12 or 5-9,11.",
        show_default="found from the geometry",
    ),
]
MaxVoxels = Annotated[
    int | None,
    _option(
        FILES,
        "--max-voxels",
        "Largest number of voxels in one frame of an image. A larger image is an error.",
        min=1,
        show_default=f"{MOST_VOXELS:,}, or CARDIOSEG_MAX_VOXELS",
    ),
]
Image = Annotated[
    Path | None,
    _option(
        FILES,
        "--image",
        "The image that was segmented.",
        show_default="beside the results, or where it was when segmented",
    ),
]
Labels = Annotated[
    str | None,
    _option(
        FILES,
        "--labels",
        "Meaning of the mask's values, such as LV=1,MYO=2,RV=3.",
        show_default="from a file beside the mask, or ACDC's",
    ),
]
DataLabels = Annotated[
    str | None,
    _option(
        FILES,
        "--labels",
        "Meaning of the masks' values, such as LV=1,MYO=2,RV=3. Needed for a CSV file without a "
        "dataset.json beside it.",
        show_default="from dataset.json; ACDC's for an ACDC folder",
    ),
]
OnlyPredicted = Annotated[
    bool, _option(FILES, "--only-predicted", "Leave out cases without a prediction.")
]
ByIndex = Annotated[
    bool,
    _option(FILES, "--by-index", "Compare voxels by index, whatever positions the headers state."),
]
Extra = Annotated[
    list[Path] | None,
    _option(FILES, "--extra", "A further prepared folder to train on. Repeatable."),
]
Open = Annotated[bool, _option(FILES, "--open", "Open the result in the browser.")]
Description = Annotated[
    str, _option(FILES, "--description", "One line for the list and the card.", show_default=False)
]

# ------------------------------------------------------------------------------- model and depth

Model = Annotated[str, _option(MODEL, "--model -m", "Name of a shipped model, or a model folder.")]
Loops = Annotated[
    int | None,
    _option(
        MODEL,
        "--loops",
        "Loop budget of every token. More loops than in training are an extrapolation.",
        show_default=OF_MODEL,
    ),
]
Exit = Annotated[
    str | None,
    _option(
        MODEL,
        "--exit",
        f"Rule that decides when a token stops looping: {', '.join(RULES)}.",
        metavar="RULE[:THRESHOLD]",
        show_default=OF_MODEL,
    ),
]
Compute = Annotated[
    float | None,
    _option(
        MODEL,
        "--compute",
        "Mean share of the loop budget that tokens may use, such as 0.4. The least certain tokens "
        "loop longest.",
        show_default="no limit",
    ),
]

# ------------------------------------------------------------------------------ heart and patient


def frame_of(phase: str) -> Any:
    """``--ed`` or ``--es`` as the number of a frame."""
    text = f"Frame number of {phase.upper()}, counted from 1."
    return _option(HEART, f"--{phase}", text, min=1, show_default="found from the LV volume")


def mask_or_frame_of(phase: str) -> Any:
    """``--ed`` or ``--es`` as a mask, or as the number of a frame."""
    text = f"Mask at {phase.upper()}. With the mask of a cine: its frame number, counted from 1."
    shown = "found from the LV volume"
    return _option(HEART, f"--{phase}", text, metavar="MASK|FRAME", show_default=shown)


RECORDED = "as recorded with the image"
HeightCm = Annotated[
    float | None,
    _option(
        HEART,
        "--height-cm",
        "Height in cm. With the weight: values per m² of body surface.",
        show_default=RECORDED,
    ),
]
WeightKg = Annotated[
    float | None, _option(HEART, "--weight-kg", "Weight in kg.", show_default=RECORDED)
]
HeartRate = Annotated[
    float | None,
    _option(
        HEART,
        "--heart-rate",
        "Heart rate in beats per minute, for the cardiac output.",
        show_default=RECORDED,
    ),
]

# ---------------------------------------------------------------------------------------- training


def setting(text: str, *, metavar: str = "SECTION.KEY=VALUE") -> Any:
    """``--set``."""
    return _option(SETTINGS, "--set", f"{text} Repeatable.", metavar=metavar)


Config = Annotated[Path | None, _option(SETTINGS, "--config", "TOML file with settings.")]
Fraction = Annotated[
    str | None,
    _option(
        PATIENTS,
        "--fraction",
        "Train on this fraction of the training patients in --split: 10, 10% or 0.1.",
    ),
]
Draw = Annotated[int, _option(PATIENTS, "--draw", "Which random draw of --fraction to use.", min=0)]
Fold = Annotated[
    int | None,
    _option(
        PATIENTS,
        "--fold",
        "Validate on this fifth of the patients, 0 to 4; with nnU-Net's splits_final.json as "
        "--split, on this fold of the file. Without --fold and --split, train on all.",
    ),
]
InitFrom = Annotated[
    str | None, _option(START, "--init-from", "Start from the weights and settings of this model.")
]
Tune = Annotated[
    Literal["all", "head", "lora"],
    _option(
        START,
        "--tune",
        "With --init-from: train all weights, only the decoder (head), or adapters and norms "
        "(lora).",
    ),
]

# ----------------------------------------------------------------------------------------- picture

Ponder = Annotated[
    Path | None,
    _option(
        PICTURE,
        "--ponder",
        "Instead of the page, write this .png or .gif: where tokens still loop, loop by loop.",
    ),
]
SliceNumber = Annotated[
    int | None,
    _option(
        PICTURE,
        "--slice",
        "Slice shown first, numbered as in the preview.",
        show_default="the one with most myocardium",
    ),
]
Frame = Annotated[
    int | None,
    _option(
        PICTURE,
        "--frame",
        "Frame shown first, counted from 1.",
        show_default="the one with the largest LV",
    ),
]
Whole = Annotated[
    bool,
    _option(PICTURE, "--whole", "Show the whole field of view, not only 40 mm around the heart."),
]

# --------------------------------------------------------------------------------------- computing

Window = Annotated[
    str | None,
    _option(
        COMPUTING,
        "--window",
        "Size of the sliding window on the working grid, such as 128,128.",
        show_default=OF_MODEL,
    ),
]
Overlap = Annotated[
    float | None,
    _option(
        COMPUTING,
        "--overlap",
        "Fraction of a window that the next one also covers.",
        show_default=OF_MODEL,
    ),
]
Views = Annotated[
    Literal["none", "flips", "all"] | None,
    _option(
        COMPUTING,
        "--views",
        "Orientations to average: none 1, flips 4, all 8. Fewer are faster and less accurate.",
        show_default=OF_MODEL,
    ),
]
Device = Annotated[str, _option(COMPUTING, "--device", "auto, cpu or cuda.")]
Workers = Annotated[int, _option(COMPUTING, "--workers", "Number of processes.", min=1)]
Resume = Annotated[
    bool, _option(COMPUTING, "--resume", "Continue from the checkpoint in the run folder.")
]
MaxMinutes = Annotated[
    float | None,
    _option(
        COMPUTING, "--max-minutes", "Stop after this many minutes. Continue with --resume.", min=0
    ),
]

# --------------------------------------------------------------------------------------- reporting


def strict(text: str) -> Any:
    """``--strict``."""
    return _option(REPORTING, "--strict", f"Exit with code 7 if a quality check fails. {text}")


Json = Annotated[bool, _option(REPORTING, "--json", "Print one JSON object instead of tables.")]
Quiet = Annotated[bool, _option(REPORTING, "--quiet -q", "Show no progress.")]
