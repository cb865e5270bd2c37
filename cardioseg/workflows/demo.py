"""``cardioseg demo``: draws a synthetic beating heart, segments it, and compares the masks with what was drawn."""

from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.clinical.volumes import chamber_numbers, ventricular_function
from cardioseg.core.errors import OutputError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.report import Report, Table
from cardioseg.core.volume import Volume
from cardioseg.evaluation.metrics import StructureScore, score_case
from cardioseg.evaluation.statistics import rounded
from cardioseg.evaluation.tables import title
from cardioseg.imaging.open import open_image
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import Phantom, draw
from cardioseg.phantom.files import write_cine, write_truth
from cardioseg.workflows.segment import SegmentRequest, segment_images

NOTICE = "synthetic heart; research use only, not a medical device"
NAME = "heart"
HEART = PhantomConfig(frames=12)
QUANTITIES = ("edv_ml", "esv_ml", "ef_percent")
# One view with little overlap is enough for a phantom, and takes a fraction of the time that the default's eight do.
QUICK: dict[str, Any] = {"views": "none", "overlap": 0.25}


def demo(
    output: Path,
    *,
    overwrite: bool = False,
    model: str = SegmentRequest.model,
    heart: PhantomConfig = HEART,
    on_progress: OnProgress = unwatched,
) -> Report:
    """Draw, segment and score a synthetic cine; everything lands in ``output``.

    Args:
        output: folder for the cine, its truth, masks, maps and the picture.
        overwrite: replace an earlier demo.
        model: a shipped model's name, or a model folder.
        heart: what is drawn.
        on_progress: told after every frame.

    Raises:
        OutputError: ``output`` holds something, or cannot be written.
        ModelError: the model cannot be used.
    """
    from cardioseg.bundle import find_model

    _check_output(output, overwrite=overwrite)
    find_model(model)  # before anything is written
    on_progress(Progress(0, 1, "drawing a heart"))
    phantom = _draw(output, heart)
    request = SegmentRequest(
        (output / f"{NAME}.nii.gz",), output, model=model, overwrite=overwrite, **QUICK
    )
    segmented = segment_images(request, on_progress=on_progress)
    if segmented.exit_code:
        return Report(
            "demo",
            {"notice": NOTICE, **segmented.data},
            (),
            segmented.warnings,
            (),
            segmented.exit_code,
        )
    run = segmented.data["cases"][0]["run"]
    data = {
        "notice": NOTICE,
        **_compared(output, phantom, LabelTable.from_mapping(run["labels"])),
        "run": run,
    }
    return Report("demo", data, _tables(data), segmented.warnings, _files(output))


def _check_output(output: Path, *, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        raise OutputError(
            output, found="a file", expected="a folder", cure="choose another --output"
        )
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        cure = "choose another --output or pass --overwrite"
        raise OutputError(
            output, found="a folder that is not empty", expected="a new or empty one", cure=cure
        )


def _draw(output: Path, heart: PhantomConfig) -> Phantom:
    phantom = draw(heart)
    write_cine(output / f"{NAME}.nii.gz", phantom)
    write_truth(output / f"{NAME}_truth.nii.gz", phantom)
    return phantom


def _compared(output: Path, phantom: Phantom, labels: LabelTable) -> dict[str, Any]:
    """Dice at ED and ES, and the function of both ventricles from the masks and from the truth."""
    masks = open_image(output / f"{NAME}_mask.nii.gz")
    frames = {"ed": phantom.ed, "es": phantom.es}
    predicted = {phase: _as_drawn(masks.frame(frame), labels) for phase, frame in frames.items()}
    truth = {
        phase: predicted[phase].with_array(phantom.label[..., frame])
        for phase, frame in frames.items()
    }
    scores = {phase: _score(predicted[phase], truth[phase]) for phase in frames}
    dice = {
        phase: {name: rounded(score.dice or 0.0) for name, score in scored.items()}
        for phase, scored in scores.items()
    }
    return {
        "frames": frames,
        "dice": dice,
        "mean_dice": rounded(
            float(np.mean([value for found in dice.values() for value in found.values()]))
        ),
        "predicted": _numbers(predicted),
        "truth": _numbers(truth),
    }


def _numbers(masks: dict[str, Volume]) -> dict[str, dict[str, float | None]]:
    found = ventricular_function(masks["ed"], masks["es"], ACDC_LABELS)
    return {"lv": chamber_numbers(found.lv), "rv": chamber_numbers(found.rv)}


def _as_drawn(mask: Volume, labels: LabelTable) -> Volume:
    """The mask in the values of the truth, structure by name; what the phantom does not have becomes background."""
    values = [
        ACDC_LABELS.names.index(name) if name in ACDC_LABELS.structures else 0
        for name in labels.names
    ]
    return mask.with_array(np.array(values, np.uint8)[mask.array])


def _score(predicted: Volume, truth: Volume) -> dict[str, StructureScore]:
    return score_case(predicted.array, truth.array, spacing_mm=truth.spacing, labels=ACDC_LABELS)


def _tables(data: dict[str, Any]) -> tuple[Table, ...]:
    ed, es = data["dice"]["ed"], data["dice"]["es"]
    overlap = [(name, f"{ed[name]:.3f}", f"{es[name]:.3f}") for name in ACDC_LABELS.structures]
    volumes = [
        (
            title(f"{side}_{quantity}"),
            _number(data["predicted"][side][quantity]),
            _number(data["truth"][side][quantity]),
        )
        for side in ("lv", "rv")
        for quantity in QUANTITIES
    ]
    run, frames = data["run"], data["frames"]
    work = (
        f"{run['mean_steps']:.2f}",
        str(run["recipe"]["loops"]),
        str(run["frames"]),
        f"{run['times']['predicting_seconds']:.1f}",
    )
    phases = (f"Dice at {phase.upper()} (frame {frame + 1})" for phase, frame in frames.items())
    return (
        Table(NOTICE[0].upper() + NOTICE[1:], ("structure", *phases), tuple(overlap)),
        Table("Volumes and ejection fraction", ("quantity", "predicted", "drawn"), tuple(volumes)),
        Table(
            f"Work of {run['model']}", ("mean loops used", "at most", "frames", "seconds"), (work,)
        ),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _files(output: Path) -> tuple[Path, ...]:
    """What there is to see, the picture first."""
    names = (
        "_preview.png",
        "_report.html",
        "_mask.nii.gz",
        "_halting.nii.gz",
        "_experts.nii.gz",
        ".nii.gz",
        "_truth.nii.gz",
    )
    paths = (output / f"{NAME}{ending}" for ending in names)
    return tuple(path for path in paths if path.is_file())
