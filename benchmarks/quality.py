r"""Table: false alarms of the quality rules on expert masks, and the bad masks that they catch.

A mask is bad when its mean Dice is below 0.8. Bad masks come from an under-trained model, and from
the shipped model on images with added noise, blur or breath-hold shifts. A warning or failure on a
mask with a Dice of 0.8 or more is a false alarm. The limits were chosen on training patients
(``--side train``) and expert masks; quote the table of validation patients.

    cardioseg train PREPARED -o RUN --split split.json \
        --set training.batch=8 --set training.steps=250
    python benchmarks/quality.py ACDC/training --split split.json \
        --ways truth shipped one-loop noise blur breath-holds
    python benchmarks/quality.py ACDC/training --split split.json \
        --ways under-trained --model RUN/model
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from held_out import RESULTS, on_side, thinned
from scipy.ndimage import gaussian_filter

from cardioseg.bundle import Model, load_model
from cardioseg.clinical.quality import Quality, check_pair, check_volume
from cardioseg.core.atomic import write_json
from cardioseg.core.case import Case
from cardioseg.core.exits import Depth
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.data.acdc import acdc_cases
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.open import open_image, read
from cardioseg.inference.native import predict_volume

BAD = 0.8  # masks with a lower Dice are bad
WAYS = ("truth", "shipped", "one-loop", "noise", "blur", "breath-holds", "under-trained")
FARTHEST = 12  # largest shift of a slice by a breath-hold, in voxels
Row = dict[str, Any]


def damaged(
    image: np.ndarray, reference: np.ndarray, way: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Image and reference (X, Y, Z), damaged in a way."""
    image = image.astype(np.float32)
    if way == "noise":
        image = image + rng.normal(0, 0.6 * image.std(), image.shape).astype(np.float32)
    if way == "blur":
        image = gaussian_filter(image, (4, 4, 0))
    if way == "breath-holds":
        moves = [tuple(rng.integers(-FARTHEST, FARTHEST + 1, 2)) for _ in range(image.shape[2])]
        image, reference = (
            np.stack([np.roll(array[:, :, k], move, (0, 1)) for k, move in enumerate(moves)], 2)
            for array in (image, reference)
        )
    return image, reference


def judged(model: Model, case: Case, way: str) -> Row:
    """Dice and verdict of one volume."""
    volume, reference = open_image(case.image).frame(0), read(case.label).array
    array, reference = damaged(
        volume.array, reference, way, np.random.default_rng(int(case.patient[-3:]))
    )
    depth, windows = (
        Depth(1 if way == "one-loop" else None),
        model.windows.model_copy(update={"views": "none"}),
    )
    found = predict_volume(
        model, replace(volume, array=array), depth=depth, windows=windows, name=case.name
    ).prediction
    quality = check_volume(found.mask, model.labels, certainty=found.certainty)
    dice = {
        name: overlap_dice(found.mask.array == value, reference == value)
        for value, name in enumerate(ACDC_LABELS.structures, start=1)
    }
    entropy = {
        name: value
        for name, value in quality.measures["mask"].values.items()
        if name.startswith("entropy")
    }
    return {
        "dice": {name: round(value or 0.0, 4) for name, value in dice.items()},
        **verdict(quality),
        **entropy,
    }


def verdict(quality: Quality) -> Row:
    """Verdict, and severity by rule."""
    return {
        "verdict": quality.verdict,
        "rules": {found.rule: found.severity for found in quality.findings},
    }


def truth(cases: list[Case]) -> Iterator[Row]:
    """The verdict on every pair of expert masks."""
    for patient in sorted({case.patient for case in cases}):
        phases = {case.phase: read(case.label) for case in cases if case.patient == patient}
        yield verdict(check_pair(phases["ED"], phases["ES"], ACDC_LABELS))


def table(rows: list[Row]) -> dict[str, Any]:
    """Bad masks caught and good masks flagged, for the whole volume and each structure."""
    return {
        "mean of the three": _caught(rows, None),
        **{name: _caught(rows, name) for name in ACDC_LABELS.structures},
    }


def _caught(rows: list[Row], structure: str | None) -> dict[str, Any]:
    dice = [
        float(np.mean([*row["dice"].values()])) if structure is None else row["dice"][structure]
        for row in rows
    ]
    counts: dict[str, Any] = {}
    for kind, of_kind in (("bad", [d < BAD for d in dice]), ("good", [d >= BAD for d in dice])):
        verdicts = Counter(row["verdict"] for row, mine in zip(rows, of_kind, strict=True) if mine)
        counts[kind] = {
            "n": sum(of_kind),
            "fail": verdicts["fail"],
            "fail or warn": verdicts["fail"] + verdicts["warn"],
        }
    return counts


def fired(rows: list[Row]) -> dict[str, Any]:
    """Number of bad and good volumes on which each rule fired, including notes."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        kind = "bad" if np.mean([*row["dice"].values()]) < BAD else "good"
        for rule, severity in row["rules"].items():
            found.setdefault(rule, Counter())[f"{kind}: {severity}"] += 1
    return {rule: dict(sorted(counts.items())) for rule, counts in sorted(found.items())}


def options() -> argparse.Namespace:
    """The command-line options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("acdc", type=Path, help="folder with ACDC's patients")
    parser.add_argument(
        "--split", type=Path, required=True, help="JSON with train and val patients"
    )
    parser.add_argument(
        "--side", choices=("val", "train"), default="val", help="which patients to segment"
    )
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=WAYS,
        default=[],
        help="ways to run; the table shows all that have results",
    )
    parser.add_argument("--model", default="rdvit-2d", help="model; for under-trained, that one")
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="use every n-th volume; odd, so that both phases occur",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    return parser.parse_args()


def main() -> None:
    """Run the chosen ways, then print the table of all ways with results."""
    asked = options()
    torch.set_num_threads(asked.threads)
    folder, cases = asked.results / "quality", acdc_cases(asked.acdc)
    mine = thinned(on_side(cases, asked.split, asked.side), asked.every)
    for way in asked.ways:
        if way == "truth":
            pairs = list(truth(cases))
            counts = Counter(
                f"{rule}: {severity}" for row in pairs for rule, severity in row["rules"].items()
            )
            verdicts = Counter(row["verdict"] for row in pairs)
            write_json(
                folder / "truth.json",
                {"pairs": len(pairs), "verdicts": dict(verdicts), "rules": dict(counts)},
            )
            continue
        model = load_model(asked.model)
        rows = [judged(model, case, way) for case in mine]
        facts = {
            "model": model.name,
            "model_sha256": model.sha256,
            "side": asked.side,
            "every": asked.every,
            "views": "none",
        }
        write_json(folder / f"{asked.side}-{way}.json", {**facts, "way": way, "rows": rows})
    show(folder, asked.side)


def show_way(way: str, counts: dict[str, Any]) -> None:
    """Print the lines of a way."""
    for what, kinds in counts.items():
        cells = (
            f"{kind}: fail {c['fail']}, fail or warn {c['fail or warn']} of {c['n']}"
            for kind, c in kinds.items()
        )
        print(f"{way:20} {what:18}", *(f"{cell:42}" for cell in cells))


def show(folder: Path, side: str) -> None:
    """Print the tables."""
    files = [path for way in WAYS if (path := folder / f"{side}-{way}.json").is_file()]
    ways = {path.stem: json.loads(path.read_text(encoding="utf-8"))["rows"] for path in files}
    ways["all"] = [row for rows in ways.values() for row in rows]
    if (folder / "truth.json").is_file():
        print("expert masks", (folder / "truth.json").read_text(encoding="utf-8"))
    for way, rows in ways.items():
        if rows:
            show_way(way, table(rows))
    print(json.dumps(fired(ways["all"]), indent=1))


if __name__ == "__main__":
    main()
