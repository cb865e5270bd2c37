"""Table: what the quality verdict says about a model's masks of held-out hearts, by vendor.

    python benchmarks/verdicts.py ACDC/training --split ACDC/split.json
    python benchmarks/verdicts.py MNMS/table.csv --split benchmarks/mnms_split.json

A heart is bad if the mean Dice of its ED or its ES mask is below 0.8; its EF is off if it differs
from that of the expert's masks by more than ten points. The verdict is the worst of ED, ES and
pair.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from held_out import RESULTS, on_side

from cardioseg.bundle import Model, load_model
from cardioseg.clinical.quality import Quality, check_pair, check_volume
from cardioseg.clinical.volumes import ventricular_function
from cardioseg.core.atomic import write_json
from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.data.acdc import acdc_cases
from cardioseg.data.table import table_cases
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.imaging.open import open_image, read
from cardioseg.inference.native import predict_volume

BAD_DICE = 0.8
EF_OFF = 10.0  # percentage points
ORDER = ("pass", "warn", "fail")
Row = dict[str, Any]


def mean_dice(found: Volume, reference: Volume) -> float:
    """Mean of RV, MYO and LV; a structure that only one mask has counts as 0."""
    values = range(1, len(ACDC_LABELS))
    scores = [overlap_dice(found.array == v, reference.array == v) or 0.0 for v in values]
    return float(np.mean(scores))


def judged(model: Model, phases: dict[str, Case]) -> Row:
    """Dice, error of the EF, verdict and failed or warned rules of one heart."""
    masks: dict[str, Volume] = {}
    truth: dict[str, Volume] = {}
    found: list[Quality] = []
    for phase in ("ED", "ES"):
        case = phases[phase]
        volume = open_image(case.image).frame(0)
        predicted = predict_volume(model, volume, name=case.name).prediction
        masks[phase], truth[phase] = predicted.mask, read(case.label)
        found.append(check_volume(predicted.mask, model.labels, certainty=predicted.certainty))
    found.append(check_pair(masks["ED"], masks["ES"], model.labels))
    fractions = [
        ventricular_function(pair["ED"], pair["ES"], ACDC_LABELS).lv.ef_percent
        for pair in (masks, truth)
    ]
    return {
        "dice": min(mean_dice(masks[phase], truth[phase]) for phase in masks),
        "ef_error": None if None in fractions else fractions[0] - fractions[1],
        "verdict": max((quality.verdict for quality in found), key=ORDER.index),
        "rules": sorted({reason.rule for quality in found for reason in quality.findings}),
    }


def counts(rows: list[Row]) -> dict[str, str]:
    """Kind of heart → how many of them fail, and how many fail or warn."""
    bad = [row for row in rows if row["dice"] < BAD_DICE]
    off = [row for row in rows if row["ef_error"] is None or abs(row["ef_error"]) > EF_OFF]
    good = [row for row in rows if row not in bad and row not in off]
    return {
        name: f"{sum(r['verdict'] == 'fail' for r in kind)} fail, "
        f"{sum(r['verdict'] == 'warn' for r in kind)} warn of {len(kind)}"
        for name, kind in (("bad masks", bad), ("EF off", off), ("good", good))
    }


def options() -> argparse.Namespace:
    """The call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="ACDC's patients, or a CSV of subjects")
    parser.add_argument("--split", type=Path, required=True, help="JSON with train and val")
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    return parser.parse_args()


def main() -> None:
    """Judge the validation hearts and print a row for each group of hearts."""
    asked = options()
    torch.set_num_threads(asked.threads)
    model, acdc = load_model(asked.model), asked.source.is_dir()
    cases = acdc_cases(asked.source) if acdc else table_cases(asked.source)
    hearts: dict[tuple[str, str], dict[str, Case]] = defaultdict(dict)
    for case in on_side(cases, asked.split, "val"):
        hearts["ACDC" if acdc else case.group, case.patient][case.phase] = case
    groups: dict[str, list[Row]] = defaultdict(list)
    for (group, _), phases in sorted(hearts.items()):
        groups[group].append(judged(model, phases))
    for group, rows in groups.items():
        facts = {"model": model.name, "model_sha256": model.sha256, "hearts": rows}
        name = f"{model.name}-{group.replace(' ', '-')}.json"
        write_json(asked.results / "verdicts" / name, facts)
        print(group, counts(rows))


if __name__ == "__main__":
    main()
