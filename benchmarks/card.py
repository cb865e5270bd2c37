"""Gather the results into a model's metrics.json and write its card.

    python benchmarks/card.py models/rdvit-2d --scores scores/metrics.json

``--scores`` is the metrics.json of ``cardioseg evaluate`` on the validation patients.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from cardioseg.bundle import read_metadata
from cardioseg.core.atomic import write_json
from cardioseg.evaluation.summary import Evaluation
from cardioseg.training.card import write_card

RESULTS = Path(__file__).parent / "results"
TABLES = ("vendors", "depth", "maps", "orientations", "speed")


def validation(scores: Evaluation) -> dict[str, Any]:
    """The part of an evaluation that the card shows."""
    structures = {
        name: {
            "dice": rounded(row.dice.mean, 4),
            "hd95_mm": rounded(row.hd95_mm.mean, 4),
            "assd_mm": rounded(row.assd_mm.mean, 4),
            "dice_sd": rounded(row.dice.sd, 4),
        }
        for name, row in scores.structures.items()
    }
    ef = {side: scores.agreement[f"{side}_ef_percent"] for side in ("lv", "rv")}
    return {
        "patients": scores.patients,
        "volumes": scores.volumes,
        "mean_dice": rounded(scores.mean_dice, 4),
        "structures": structures,
        "ef": {
            side.upper(): {
                "bias": rounded(row.bias, 3),
                "mae": rounded(row.mae, 3),
                "r": rounded(row.r, 3),
            }
            for side, row in ef.items()
        },
    }


def rounded(value: float | None, digits: int) -> float | None:
    """A number to some digits; None stays None."""
    return None if value is None else round(value, digits)


def main() -> None:
    """Write metrics.json and README.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--scores", type=Path)
    options = parser.parse_args()
    digest = read_metadata(options.model)["weights_sha256"]
    metrics: dict[str, Any] = {}
    if options.scores:
        metrics["validation"] = validation(Evaluation.read(options.scores))
    for table in TABLES:
        path = RESULTS / table / f"{options.model.name}.json"
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if data.get("model_sha256") == digest:
            metrics[table] = data
    write_json(options.model / "metrics.json", metrics)
    write_card(options.model)


if __name__ == "__main__":
    main()
