"""What the benchmark scripts share: a model, the validation volumes of a prepared data set, and Dice in the native grid."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cardioseg.bundle import Model, load_model
from cardioseg.core.atomic import write_json
from cardioseg.data.manifest import Entry, Manifest, load_case
from cardioseg.data.splits import read_split
from cardioseg.imaging.preprocess import resize
from cardioseg.inference.predictor import Maps, predict_maps
from cardioseg.metrics import overlap_dice

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class HeldOut:
    """One validation volume: (U, V, W) image and label on the working grid, (X, Y, Z) reference on the native one."""

    entry: Entry
    image: np.ndarray
    label: np.ndarray
    reference: np.ndarray


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path, help="folder made by cardioseg prepare")
    parser.add_argument("--split", type=Path, required=True, help="JSON with train and val patients")
    parser.add_argument("--side", choices=("val", "train"), default="val", help="which patients to score")
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--every", type=int, default=1, help="take every n-th volume")
    parser.add_argument("--views", choices=("none", "flips", "all"), default="none")
    parser.add_argument("--name", help="name of the result file")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser


def volumes(options: argparse.Namespace) -> Iterator[HeldOut]:
    """The chosen volumes, one at a time."""
    manifest = Manifest.read(options.prepared)
    split = read_split(options.split, [entry.patient for entry in manifest.entries])
    patients = split.val if options.side == "val" else split.train
    chosen = [entry for entry in manifest.entries if entry.patient in patients]
    for entry in chosen[:: options.every]:
        arrays = load_case(manifest.folder, entry)
        yield HeldOut(entry, arrays["image"].astype(np.float32), arrays["label"], arrays["reference"])


def model_of(options: argparse.Namespace) -> Model:
    """The model asked for, on as many threads as asked for."""
    torch.set_num_threads(options.threads)
    return load_model(options.model)


def predict(model: Model, image: np.ndarray, *, loops: int | None, views: str) -> Maps:
    """Maps of one volume with the model's windows and the views asked for."""
    windows = model.windows.model_copy(update={"views": views})
    return predict_maps(
        model.network,
        image,
        neighbours=model.preparation.neighbours,
        loops=loops,
        windows=windows,
        device=torch.device("cpu"),
    )


def native_dice(maps: Maps, volume: HeldOut, model: Model) -> dict[str, float | None]:
    """Dice per structure on the native grid."""
    mask = resize(maps.probabilities, volume.reference.shape).argmax(0)
    return {
        name: overlap_dice(mask == value, volume.reference == value)
        for value, name in enumerate(model.labels.structures, start=1)
    }


def mean_and_spread(rows: list[dict[str, float | None]]) -> dict[str, Any]:
    """Mean and standard deviation over volumes, per structure, and the mean over structures."""
    summary: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        summary[name] = {"mean": round(float(np.mean(values)), 4), "sd": round(float(np.std(values)), 4)}
    summary["mean"] = round(float(np.mean([summary[name]["mean"] for name in rows[0]])), 4)
    return summary


def keep(name: str, options: argparse.Namespace, model: Model, result: Any) -> None:
    """Write a result with what it depends on, and print it."""
    facts = {
        "model": model.name,
        "model_sha256": model.sha256,
        "views": options.views,
        "side": options.side,
        "every": options.every,
    }
    write_json(RESULTS / f"{options.name or name}.json", {**facts, "result": result})
    print(json.dumps(result, indent=1))
