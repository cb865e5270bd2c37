"""Shared by the benchmark scripts: model, validation volumes, and Dice on the native grid."""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from cardioseg.bundle import Model, load_model
from cardioseg.core.atomic import write_json
from cardioseg.core.case import Case
from cardioseg.core.errors import UsageError
from cardioseg.core.exits import OWN, Depth, ExitRule
from cardioseg.data.manifest import Entry, Manifest, load_case
from cardioseg.data.splits import read_split
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.preprocess import resize
from cardioseg.inference.predictor import Maps, predict_maps

RESULTS = Path(__file__).parent / "results"
PhasedCase = TypeVar("PhasedCase", Entry, Case)


@dataclass(frozen=True)
class HeldOut:
    """One validation volume.

    Attributes:
        entry: its manifest entry.
        image: (U, V, W) on the working grid.
        label: (U, V, W) on the working grid.
        reference: (X, Y, Z) label on the native grid.
    """

    entry: Entry
    image: np.ndarray
    label: np.ndarray
    reference: np.ndarray


@dataclass(frozen=True)
class Score:
    """Accuracy and cost of a model on some volumes.

    Attributes:
        dice: mean and standard deviation over patients per structure; mean over structures.
        steps: mean loops used.
        gflop: per volume, of matrix products and convolutions.
        cpu_seconds: per volume, of the whole process.
        patients: number of patients.
        each: mean Dice over structures, for every volume.
    """

    dice: dict[str, Any]
    steps: float
    gflop: float
    cpu_seconds: float
    patients: int
    each: tuple[float, ...]

    @property
    def volumes(self) -> int:
        """Number of volumes."""
        return len(self.each)

    def summary(self) -> dict[str, Any]:
        """Dice and mean loops used, rounded."""
        return {"dice": self.dice, "mean_steps": round(self.steps, 3)}


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Options of all scripts that measure a model."""
    parser = data_arguments(description)
    parser.add_argument(
        "--side", choices=("val", "train"), default="val", help="which patients to score"
    )
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--name", help="name of the result file; the model's by default")
    return parser


def data_arguments(description: str | None) -> argparse.ArgumentParser:
    """Options of all scripts."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prepared", type=Path, help="folder made by cardioseg prepare")
    parser.add_argument(
        "--split", type=Path, required=True, help="JSON with train and val patients"
    )
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="use every n-th volume; odd, so that both phases occur",
    )
    parser.add_argument("--views", choices=("none", "flips", "all"), default="none")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    return parser


def volumes(options: argparse.Namespace) -> Iterator[HeldOut]:
    """The chosen volumes, one at a time."""
    manifest, chosen = entries(options, getattr(options, "side", "val"))
    for entry in thinned(chosen, options.every):
        yield held_out(manifest, entry)


def thinned(cases: Sequence[PhasedCase], every: int) -> Sequence[PhasedCase]:
    """Every n-th case.

    Raises:
        UsageError: only one phase would be left; ED and ES alternate, so n must be odd.
    """
    kept = cases[::every]
    phases = {case.phase for case in kept}
    if len(kept) > 1 and len(phases) == 1 < len({case.phase for case in cases}):
        found = f"{every}, which leaves {phases.pop()} only"
        raise UsageError(
            "--every", found=found, expected="volumes of both phases", cure="take an odd number"
        )
    return kept


def entries(options: argparse.Namespace, side: str) -> tuple[Manifest, list[Entry]]:
    """The prepared data set, and its cases on one side of the split, "train" or "val"."""
    manifest = Manifest.read(options.prepared)
    return manifest, on_side(manifest.entries, options.split, side)


def on_side(cases: Sequence[PhasedCase], split: Path, side: str) -> list[PhasedCase]:
    """The cases of patients on one side of a split file, "train" or "val"."""
    read = read_split(split, [case.patient for case in cases])
    patients = read.train if side == "train" else read.val
    return [case for case in cases if case.patient in patients]


def held_out(manifest: Manifest, entry: Entry) -> HeldOut:
    """A case with the arrays that scoring needs."""
    arrays = load_case(manifest.folder, entry)
    return HeldOut(entry, arrays["image"].astype(np.float32), arrays["label"], arrays["reference"])


def model_of(options: argparse.Namespace) -> Model:
    """The model of the options, on their number of threads."""
    torch.set_num_threads(options.threads)
    return load_model(options.model)


def predict(
    model: Model, image: np.ndarray, *, loops: int | None, views: str, exits: ExitRule = OWN
) -> Maps:
    """Maps of one volume, with the model's windows averaged over ``views``."""
    windows = model.windows.model_copy(update={"views": views})
    return predict_maps(
        model.network,
        image,
        neighbours=model.preparation.neighbours,
        windows=windows,
        device=torch.device("cpu"),
        depth=Depth(loops, exits),
    )


def score(
    model: Model,
    chosen: Iterable[HeldOut],
    *,
    views: str,
    loops: int | None = None,
    exits: ExitRule = OWN,
) -> Score:
    """Dice, loops, FLOPs and CPU time of a model over volumes."""
    rows, patients, costs = [], [], []
    for volume in chosen:
        started = time.process_time()
        maps = predict(model, volume.image, loops=loops, views=views, exits=exits)
        costs.append(
            (float(maps.steps.mean()), maps.flops["total"] / 1e9, time.process_time() - started)
        )
        rows.append(native_dice(maps, volume, model))
        patients.append(volume.entry.patient)
    steps, gflop, seconds = (float(column) for column in np.mean(costs, axis=0))
    each = tuple(
        float(np.mean([value for value in row.values() if value is not None])) for row in rows
    )
    return Score(mean_and_spread(rows, patients), steps, gflop, seconds, len(set(patients)), each)


def native_dice(maps: Maps, volume: HeldOut, model: Model) -> dict[str, float | None]:
    """Dice per structure on the native grid."""
    mask = resize(maps.probabilities, volume.reference.shape).argmax(0)
    return {
        name: overlap_dice(mask == value, volume.reference == value)
        for value, name in enumerate(model.labels.structures, start=1)
    }


def mean_and_spread(
    rows: Sequence[dict[str, float | None]], patients: Sequence[str]
) -> dict[str, Any]:
    """Mean and standard deviation over patients, per structure, and the mean over structures.

    Args:
        rows: Dice of each volume by structure; None is left out.
        patients: of each volume; the volumes of a patient are averaged first.
    """
    summary: dict[str, Any] = {}
    for name in rows[0]:
        groups = [
            [row[name] for row, owner in zip(rows, patients, strict=True) if owner == one]
            for one in sorted(set(patients))
        ]
        means = [
            float(np.mean(known))
            for group in groups
            if (known := [value for value in group if value is not None])
        ]
        summary[name] = {
            "mean": round(float(np.mean(means)), 4),
            "sd": round(float(np.std(means)), 4),
        }
    summary["mean"] = round(float(np.mean([summary[name]["mean"] for name in rows[0]])), 4)
    return summary


def patches(field: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Cut (U, V, W) into whole in-plane patches, slice by slice: (patches, voxels per patch)."""
    u, v = (n // s * s for n, s in zip(field.shape[:2], size, strict=False))
    cut = field[:u, :v].reshape(u // size[0], size[0], v // size[1], size[1], -1)
    return cut.transpose(4, 0, 2, 1, 3).reshape(-1, size[0] * size[1])


def keep(name: str, options: argparse.Namespace, model: Model, result: Any) -> None:
    """Write a result with the model and options that it depends on, and print it."""
    facts = {
        "model": model.name,
        "model_sha256": model.sha256,
        "views": options.views,
        "side": options.side,
        "every": options.every,
    }
    write_json(
        options.results / name / f"{options.name or model.name}.json", {**facts, "result": result}
    )
    print(json.dumps(result, indent=1))
