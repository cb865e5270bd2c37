"""Table: Dice on M&Ms subjects by vendor, on the image's own grid.

    python benchmarks/vendors.py MNMS/table.csv --split benchmarks/mnms_split.json --model rdvit-2d

The table has the columns image, label, patient, phase and group (the vendor). The split names ten
validation subjects of each vendor, drawn with seed 0.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from held_out import RESULTS, on_side

from cardioseg.bundle import Model, load_model
from cardioseg.core.atomic import write_json
from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.data.table import table_cases
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.open import open_image, read
from cardioseg.inference.native import predict_volume


def dice(model: Model, case: Case) -> list[float]:
    """Dice of RV, MYO and LV of one volume; 0 for a structure that only one mask has."""
    assert case.label is not None
    found = predict_volume(model, open_image(case.image).frame(0), name=case.name).prediction.mask
    reference = read(case.label).array
    values = range(1, len(ACDC_LABELS))
    return [overlap_dice(found.array == v, reference == v) or 0.0 for v in values]


def row(scores: list[list[float]]) -> dict[str, Any]:
    """Means of a vendor, and the spread of the volumes' mean Dice."""
    table = np.array(scores)
    names = ACDC_LABELS.structures
    return {
        "volumes": len(table),
        **{n: round(float(x), 4) for n, x in zip(names, table.mean(0), strict=True)},
        "mean": round(float(table.mean()), 4),
        "sd": round(float(table.mean(1).std(ddof=1)), 4),
    }


def options() -> argparse.Namespace:
    """The call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="CSV of the subjects")
    parser.add_argument("--split", type=Path, required=True, help="JSON with train and val")
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    return parser.parse_args()


def main() -> None:
    """Score the validation subjects and print a row for each vendor."""
    asked = options()
    torch.set_num_threads(asked.threads)
    model, scores = load_model(asked.model), dict[str, list[list[float]]]()
    for case in on_side(table_cases(asked.table), asked.split, "val"):
        scores.setdefault(case.group, []).append(dice(model, case))
    result = {vendor: row(found) for vendor, found in sorted(scores.items())}
    facts = {"model": model.name, "model_sha256": model.sha256, "result": result}
    write_json(asked.results / "vendors" / f"{model.name}.json", facts)
    for vendor, found in result.items():
        print(vendor, found)


if __name__ == "__main__":
    main()
