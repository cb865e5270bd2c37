"""A model's card, generated from its metadata and metrics."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cardioseg.core.atomic import write_text

CITATION = (
    "O. Bernard, A. Lalande, C. Zotti, F. Cervenansky, et al. “Deep Learning Techniques for "
    "Automatic MRI Cardiac Multi-structures Segmentation and Diagnosis: Is the Problem Solved?” "
    "IEEE Transactions on Medical Imaging 37(11), 2514–2525, 2018, doi 10.1109/TMI.2018.2837502"
)
MNMS_CITATION = (
    "V. M. Campello, P. Gkontra, C. Izquierdo, et al. “Multi-Centre, Multi-Vendor and "
    "Multi-Disease Cardiac Segmentation: The M&Ms Challenge.” IEEE Transactions on Medical Imaging "
    "40(12), 3543–3554, 2021, doi 10.1109/TMI.2021.3090082"
)
SCANNERS = {
    False: """\
- ACDC comes from the scanners of one hospital (1.5 T and 3 T, Dijon) and five groups of patients.
  Elsewhere contrast, field of view, coverage and reading conventions differ, and accuracy may too.
  Check the pictures.
""",
    True: """\
- ACDC comes from one hospital, and the M&Ms subjects from scanners of two vendors. Elsewhere
  contrast, field of view, coverage and reading conventions differ, and accuracy may too. Check the
  pictures.
- ACDC's and M&Ms' readers stop at different basal slices; the model has learned both.
""",
}
LIMITS = """\
- Papillary muscles belong to the cavity, as in ACDC. The model has not seen long-axis views, late
  enhancement or parametric maps.
- Where several places look like a heart, those nearer the middle of the image are preferred.
- Loops are counted per token (8 × 8 voxels of 1.5 mm); overlapping windows and orientations are
  averaged, then rounded.
- More loops than in training are an extrapolation; the run record notes it."""


def write_card(folder: Path) -> None:
    """Write README.md of a model folder from its metadata.json and metrics.json."""
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    metrics_file = folder / "metrics.json"
    metrics = json.loads(metrics_file.read_text(encoding="utf-8")) if metrics_file.is_file() else {}
    write_text(folder / "README.md", card_text(folder.name, metadata, metrics))


def card_text(name: str, metadata: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    training = metadata.get("training", {})
    parts = [
        f"# {name}",
        f"{metadata.get('description', '')}\n\n**Research use only. Not a medical device.**",
        "## What it is\n\n" + _facts(metadata),
        "## Data and licence\n\n" + _licence(training),
        *_results(metrics),
        "## Limits\n\n" + SCANNERS[bool(training.get("mnms_subjects"))] + LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _facts(metadata: Mapping[str, Any]) -> str:
    training = metadata.get("training", {})
    origin = f", started from {training['started_from']}" if "started_from" in training else ""
    rows = [
        ("parameters", f"{metadata.get('parameters', 0):,}"),
        ("labels", metadata.get("label_classes", "")),
        ("input", metadata.get("image_classes", "")),
        (
            "training",
            f"{training.get('steps', '?')} steps, {training.get('minutes', '?')} minutes{origin}",
        ),
        ("weights (SHA-256)", f"`{metadata.get('weights_sha256', '')}`"),
    ]
    return _table(("", ""), rows)


def _licence(training: Mapping[str, Any]) -> str:
    subjects = training.get("mnms_subjects")
    others = f", on {subjects} subjects of M&Ms" if subjects else ""
    cited = f"> {CITATION}" + (f"\n>\n> {MNMS_CITATION}" if subjects else "")
    return (
        f"Trained on {training.get('patients', '?')} patients of ACDC's training set "
        f"({training.get('split', '')}){others} and on synthetic hearts. ACDC is licensed under "
        "CC BY-NC-SA 4.0, and so are these weights: attribution, no commercial use, share alike. "
        f"Please cite:\n\n{cited}"
    )


def _results(metrics: Mapping[str, Any]) -> Iterable[str]:
    if "validation" in metrics:
        yield "## Validation\n\n" + _validation(metrics["validation"])
    if "vendors" in metrics:
        yield "## Other scanners\n\n" + _vendors(metrics["vendors"]["result"])
    if "depth" in metrics:
        yield "## Loops\n\n" + _depth(metrics["depth"])
    if "maps" in metrics:
        yield "## Loops and experts by region\n\n" + _maps(metrics["maps"])
    if "orientations" in metrics:
        yield "## Storage orientations\n\n" + _orientations(metrics["orientations"])
    if "speed" in metrics:
        yield "## Speed\n\n" + _table(
            ("", ""), [(key, str(value)) for key, value in metrics["speed"]["result"].items()]
        )


def _validation(data: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{row['dice']:.4f}", f"{row['hd95_mm']:.2f}", f"{row['assd_mm']:.2f}")
        for name, row in data["structures"].items()
    ]
    rows.append(("mean", f"{data['mean_dice']:.4f}", "", ""))
    functions = [
        (f"{side} ejection fraction", f"{row['bias']:+.2f}", f"{row['mae']:.2f}", f"{row['r']:.3f}")
        for side, row in data["ef"].items()
    ]
    return "\n\n".join(
        (
            f"{data['patients']} held-out patients, {data['volumes']} volumes, native grid.",
            _table(("structure", "Dice", "HD95 (mm)", "ASSD (mm)"), rows),
            _table(("", "bias (points)", "mean absolute error", "r"), functions),
        )
    )


def _vendors(result: Mapping[str, Any]) -> str:
    rows = [
        (vendor, f"{row['volumes']}", *(f"{row[n]:.4f}" for n in ("RV", "MYO", "LV", "mean", "sd")))
        for vendor, row in result.items()
    ]
    text = "Dice on M&Ms subjects that were held out, ten for each vendor, native grid.\n\n"
    return text + _table(("", "volumes", "RV", "MYO", "LV", "mean", "sd of volumes"), rows)


def _depth(data: Mapping[str, Any]) -> str:
    rows = []
    for key, row in data["result"].items():
        exits, _, budget = key.removeprefix("exit ").partition(", ")
        rule = "fixed" if exits == "off" else exits
        loops = budget.removesuffix(" loops")
        rows.append((rule, loops, f"{row['dice']['mean']:.4f}", f"{row['mean_steps']:.2f}"))
    told = f"{every_nth(data['every']).capitalize()}volume, orientations averaged: {data['views']}."
    columns = ("exit rule", "loop budget", "mean Dice", "mean loops used")
    return told + "\n\n" + _table(columns, rows)


def _maps(data: Mapping[str, Any]) -> str:
    steps = [
        (kind, f"{row['mean']:.2f} ± {row['sd']:.2f}")
        for kind, row in data["result"]["steps"].items()
    ]
    text = _table(("patches", "loops used"), steps)
    shares = data["result"].get("expert_share_by_class")
    if shares:
        columns = ("class", *(f"expert {i + 1}" for i in range(len(next(iter(shares.values()))))))
        text += "\n\n" + _table(
            columns,
            [(name, *(f"{100 * share:.0f} %" for share in row)) for name, row in shares.items()],
        )
    return text


def _orientations(data: Mapping[str, Any]) -> str:
    rows = [
        (key, f"{row['mean']:.4f}") for key, row in data["result"].items() if isinstance(row, dict)
    ]
    text = f"{every_nth(data['every']).capitalize()}volume. Largest difference between two means: "
    text += f"{data['result']['largest difference']:.4f}"
    of_one = data["result"].get("largest difference of a volume")
    text += "." if of_one is None else f"; within one volume: {of_one:.4f}."
    return text + "\n\n" + _table(("slices stored", "mean Dice"), rows)


def every_nth(number: int) -> str:
    """Which volumes were measured, as text: "every 3rd ", or "every " for 1."""
    return "every " if number == 1 else f"every {number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') } "


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
