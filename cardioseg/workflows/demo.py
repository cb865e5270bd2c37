"""``cardioseg demo``: draw a synthetic beating heart, segment it, compare mask and drawing."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from cardioseg.clinical.volumes import Chamber, LeftVentricle, Ventricles, ventricular_function
from cardioseg.core.errors import OutputError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table
from cardioseg.core.volume import Volume
from cardioseg.evaluation.metrics import score_case
from cardioseg.evaluation.statistics import rounded
from cardioseg.evaluation.tables import title
from cardioseg.imaging.open import open_image
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import Phantom, draw
from cardioseg.phantom.files import write_cine, write_truth
from cardioseg.results.folder import record_of
from cardioseg.results.records import RunRecord
from cardioseg.workflows.segment import SegmentRequest, segment_images

NOTICE = "Synthetic heart. Research use only; not a medical device."
NAME = "heart"
# Of the seeds 0 to 9, one of those whose segmentation breaks no quality rule in any frame.
HEART = PhantomConfig(seed=5, frames=12)
QUANTITIES = ("edv_ml", "esv_ml", "ef_percent")
# One orientation with little overlap is enough for a phantom, and takes an eighth of the time.
QUICK: dict[str, Any] = {"views": "none", "overlap": 0.25}
FILES = (
    "_preview.png",
    "_report.html",
    "_mask.nii.gz",
    "_halting.nii.gz",
    "_experts.nii.gz",
    ".nii.gz",
    "_truth.nii.gz",
)
Phase = Literal["ed", "es"]


class BothVentricles(Record):
    """Function of both ventricles.

    Attributes:
        lv: left ventricle.
        rv: right ventricle.
    """

    lv: LeftVentricle
    rv: Chamber

    @classmethod
    def of(cls, found: Ventricles) -> "BothVentricles":
        """Without the reasons for missing numbers."""
        return cls(lv=found.lv, rv=found.rv)


class Comparison(Record):
    """The mask beside the drawing.

    Attributes:
        frames: phase → frame, from 0.
        dice: phase → structure → Dice; 0 if only one of the two shows the structure.
        mean_dice: mean of all of them.
        predicted: function from the mask.
        truth: function from the drawing.
    """

    frames: dict[Phase, int]
    dice: dict[Phase, dict[str, float]]
    mean_dice: float
    predicted: BothVentricles
    truth: BothVentricles


class DemoData(Comparison):
    """``cardioseg demo --json``: a segmented phantom.

    Attributes:
        notice: what it is.
        run: the run record.
    """

    notice: str = NOTICE
    run: RunRecord


def demo(
    output: Path,
    *,
    overwrite: bool = False,
    model: str = SegmentRequest.model,
    heart: PhantomConfig = HEART,
    on_progress: OnProgress = unwatched,
) -> Report:
    """Draw, segment and score a synthetic cine.

    Args:
        output: folder for the cine, its true mask, the results and the pictures.
        overwrite: replace an earlier demo.
        model: name of a shipped model, or a model folder.
        heart: what is drawn.
        on_progress: called after every frame.

    Raises:
        OutputError: ``output`` is not empty, or cannot be written.
        ModelError: the model cannot be used.
    """
    from cardioseg.bundle import find_model

    _check_output(output, overwrite=overwrite)
    find_model(model)  # before anything is written
    on_progress(Progress(0, 1, "drawing a heart"))
    phantom = draw(heart)
    image = output / f"{NAME}.nii.gz"
    write_cine(image, phantom)
    write_truth(output / f"{NAME}_truth.nii.gz", phantom)
    request = SegmentRequest((image,), output, model=model, overwrite=overwrite, **QUICK)
    warnings = segment_images(request, on_progress=on_progress).warnings
    run = RunRecord.read(record_of(output, NAME))
    data = DemoData(**dict(compared(output, phantom, run.label_table())), run=run)
    files = tuple(path for end in FILES if (path := output / f"{NAME}{end}").is_file())
    return Report("demo", data, _tables(data), warnings, files, hints=_hints(output))


def _check_output(output: Path, *, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        cure = "choose another --output"
        raise OutputError(output, found="a file", expected="a folder", cure=cure)
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        found, cure = "a folder that is not empty", "choose another --output or pass --overwrite"
        raise OutputError(output, found=found, expected="a new or empty one", cure=cure)


def compared(output: Path, phantom: Phantom, labels: LabelTable) -> Comparison:
    """The mask in ``output`` beside the drawing, at ED and ES.

    Args:
        output: folder of the demo.
        phantom: the drawing.
        labels: names of the mask's values.
    """
    masks = open_image(output / f"{NAME}_mask.nii.gz")
    frames: dict[Phase, int] = {"ed": phantom.ed, "es": phantom.es}
    predicted = {phase: _as_drawn(masks.frame(frame), labels) for phase, frame in frames.items()}
    truth = {
        phase: predicted[phase].with_array(phantom.label[..., frame])
        for phase, frame in frames.items()
    }
    dice = {phase: _dice(predicted[phase], truth[phase]) for phase in frames}
    every = [value for found in dice.values() for value in found.values()]
    return Comparison(
        frames=frames,
        dice=dice,
        mean_dice=rounded(float(np.mean(every))),
        predicted=_function(predicted),
        truth=_function(truth),
    )


def _function(masks: dict[Phase, Volume]) -> BothVentricles:
    return BothVentricles.of(ventricular_function(masks["ed"], masks["es"], ACDC_LABELS))


def _as_drawn(mask: Volume, labels: LabelTable) -> Volume:
    """The mask with the drawing's values; a structure that the drawing lacks becomes background."""
    values = [
        ACDC_LABELS.names.index(name) if name in ACDC_LABELS.structures else 0
        for name in labels.names
    ]
    return mask.with_array(np.array(values, np.uint8)[mask.array])


def _dice(predicted: Volume, truth: Volume) -> dict[str, float]:
    scores = score_case(predicted.array, truth.array, spacing_mm=truth.spacing, labels=ACDC_LABELS)
    return {name: rounded(score.dice or 0.0) for name, score in scores.items()}


def _tables(data: DemoData) -> tuple[Table, ...]:
    return _overlap_table(data), _volume_table(data), _work_table(data.run)


def _overlap_table(data: DemoData) -> Table:
    ed, es = data.dice["ed"], data.dice["es"]
    rows = [(name, f"{ed[name]:.3f}", f"{es[name]:.3f}") for name in ACDC_LABELS.structures]
    phases = (
        f"Dice at {phase.upper()} (frame {frame + 1})" for phase, frame in data.frames.items()
    )
    return Table(
        "Overlap of mask and drawing (Dice, 1 is best)", ("structure", *phases), tuple(rows)
    )


def _volume_table(data: DemoData) -> Table:
    rows = []
    for side in ("lv", "rv"):
        for name in QUANTITIES:
            found, true = (getattr(getattr(d, side), name) for d in (data.predicted, data.truth))
            rows.append((title(f"{side}_{name}"), _number(found), _number(true)))
    return Table("Volumes of mask and drawing", ("quantity", "mask", "drawing"), tuple(rows))


def _work_table(run: RunRecord) -> Table:
    row = (
        run.quality.verdict,
        f"{run.mean_steps:.2f}",
        str(run.recipe.loops),
        str(run.frames),
        f"{run.times.predicting_seconds:.1f}",
    )
    columns = ("quality check", "mean loops used", "loops allowed", "frames", "seconds")
    return Table(f"Segmentation by {run.model}", columns, (row,))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _hints(output: Path) -> tuple[str, ...]:
    """What to open, and what to do next."""
    case = output / NAME
    rows = (
        (f"{case}_preview.png", "every slice with its mask, loops used and experts"),
        (f"{case}_report.html", "the clinical report, in a browser"),
        (f"cardioseg view {case} --open", "the beating heart, layer by layer, in a browser"),
        ("cardioseg segment YOUR_IMAGE -o out", "the same for your own image"),
    )
    width = max(len(what) for what, _ in rows)
    return ("", NOTICE, "What to open next:", *(f"  {what:{width}}  {why}" for what, why in rows))
