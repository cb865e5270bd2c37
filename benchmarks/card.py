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
from cardioseg.training.card import write_card

RESULTS = Path(__file__).parent / "results"
TABLES = ("depth", "maps", "orientations", "speed")


def validation(scores: dict[str, Any]) -> dict[str, Any]:
    """The part of an evaluation that the card shows."""
    structures = {
        name: {key: round(row[key]["mean"], 4) for key in ("dice", "hd95_mm", "assd_mm")}
        | {"dice_sd": round(row["dice"]["sd"], 4)}
        for name, row in scores["structures"].items()
    }
    ef = {side: scores["agreement"][f"{side}_ef_percent"] for side in ("lv", "rv")}
    return {
        "patients": scores["patients"],
        "volumes": scores["volumes"],
        "mean_dice": round(scores["mean_dice"], 4),
        "structures": structures,
        "ef": {
            side.upper(): {key: round(row[key], 3) for key in ("bias", "mae", "r")}
            for side, row in ef.items()
        },
    }


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
        metrics["validation"] = validation(json.loads(options.scores.read_text(encoding="utf-8")))
    for table in TABLES:
        path = RESULTS / table / f"{options.model.name}.json"
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if data.get("model_sha256") == digest:
            metrics[table] = data
    write_json(options.model / "metrics.json", metrics)
    write_card(options.model)


if __name__ == "__main__":
    main()
