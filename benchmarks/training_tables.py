"""Tables of docs/results.md from training rows: data, volumes, loops over training, ablation."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import ablation
import data_table
import volume_table
from page_parts import MISSING, STRUCTURES, Result, Results, markdown, spread

if TYPE_CHECKING:
    from rows import Row

DATA_COLUMNS = (
    "network",
    "patients",
    "runs",
    "mean Dice",
    "RV",
    "MYO",
    "LV",
    "parameters",
    "GFLOP / volume",
    "CPU s / volume",
)
PUBLISHED = {
    ("rdvit", "10"): 0.774,
    ("vit", "10"): 0.762,
    ("rdvit", "100"): 0.882,
    ("vit", "100"): 0.872,
}
PUBLISHED_3D = {
    "rdvit-3d-moe": "0.812 (3.0 M)",
    "rdvit-3d": "0.795",
    "vit-3d": "0.817 (about 5.7 M)",
}


def run_cells(found: Sequence[Result], planned: int) -> list[str]:
    """Number of runs, Dice, parameters and costs, or "not run yet"."""
    if not found:
        return [f"0 of {planned}", MISSING, *[""] * 6]
    structures = (spread([row["dice"][name]["mean"] for row in found]) for name in STRUCTURES)
    return [
        f"{len(found)} of {planned}",
        spread([row["dice"]["mean"] for row in found]),
        *structures,
        f"{found[0]['parameters'] / 1e6:.2f} M",
        spread([row["gflop_per_volume"] for row in found], 1),
        spread([row["cpu_seconds_per_volume"] for row in found], 1),
    ]


def budget(found: Sequence[Result]) -> str:
    """The budget of the runs of a table, as text."""
    if not found:
        return "No row has been run yet."
    steps = sorted({row["training"]["steps"] for row in found})
    minutes = sorted(round(row["training"]["minutes"]) for row in found)
    lasted = f"{minutes[0]} to {minutes[-1]}" if minutes[0] < minutes[-1] else f"{minutes[0]}"
    batches = {
        next(s for s in reversed(row["training"]["recipe"]) if s.startswith("training.batch="))
        for row in found
    }
    each = {(row["patients"], row["volumes"], row["views"]) for row in found}
    told = "; ".join(
        f"{patients} patients, {count} volumes, orientations averaged: {views}"
        for patients, count, views in sorted(each)
    )
    return (
        f"Budget of each run: {' or '.join(map(str, steps))} steps ({', '.join(sorted(batches))}), "
        f"{lasted} minutes. Scored on {told}."
    )


def data_text(results: Results) -> str:
    """Table 1."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in data_table.rows():
        system, fraction, _ = row.name.rsplit("-", 2)
        groups.setdefault((system, fraction), []).append(row)
    lines = []
    for (system, fraction), rows in sorted(groups.items(), key=lambda item: int(item[0][1])):
        lines.append(
            [system, f"{fraction} %", *run_cells(results.of(data_table.TABLE, rows), len(rows))]
        )
        if (system, fraction) in PUBLISHED:
            lines.append(
                [
                    f"{system}, published",
                    f"{fraction} %",
                    "",
                    f"{PUBLISHED[system, fraction]:.3f}",
                    *[""] * 6,
                ]
            )
    text = budget(results.of(data_table.TABLE, data_table.rows()))
    note = (
        "± is the standard deviation over draws (10 %) or seeds (100 %). Published: arXiv "
        "2605.03999, "
        "slice-level Dice, without seeds or spread; protocols differ."
    )
    return f"{text} {note}\n\n" + markdown(DATA_COLUMNS, lines)


def volume_text(results: Results) -> str:
    """Table 2."""
    rows = volume_table.rows()
    lines = [
        [row.name, *run_cells(results.of(volume_table.TABLE, [row]), 1), PUBLISHED_3D[row.name]]
        for row in rows
    ]
    note = (
        "Each run starts from the 2-D row of the same network, whose steps are not counted. The "
        "shipped model started from a better one: [its card](../models/rdvit-3d-moe/README.md)."
    )
    return f"{budget(results.of(volume_table.TABLE, rows))} {note}\n\n" + markdown(
        (DATA_COLUMNS[0], *DATA_COLUMNS[2:], "published mean Dice"), lines
    )


def ponder_text(results: Results) -> str:
    """Table 6, first half."""
    lines = []
    for table, name, how in (
        (data_table.TABLE, ablation.UNCHANGED[0], "learned exit"),
        (ablation.TABLE, "act", "ACT"),
        (ablation.TABLE, "act-light", "ACT, a tenth of the ponder cost"),
        (ablation.TABLE, "paper", "published form, ACT"),
    ):
        row = results.get(table, name)
        history = row["history"] if row else []
        told = ", ".join(f"{entry['steps']:.2f}" for entry in history) or MISSING
        lines.append([f"{name}: {how}", told, ", ".join(str(entry["step"]) for entry in history)])
    lines.append(["RD-ViT, published", "2.6 → 1.4", "not given"])
    return "Mean loops used on validation volumes.\n\n" + markdown(
        ("network", "loops used", "after steps"), lines
    )


def ablation_text(results: Results) -> str:
    """Table 6, second half."""
    base = results.of(
        data_table.TABLE, [row for row in data_table.rows() if row.name in ablation.UNCHANGED]
    )
    lines = [
        [
            f"unchanged ({', '.join(ablation.UNCHANGED)})",
            *run_cells(base, len(ablation.UNCHANGED)),
            "",
        ]
    ]
    for row in ablation.rows():
        found = results.of(ablation.TABLE, [row])
        change = (
            f"{found[0]['dice']['mean'] - fmean(one['dice']['mean'] for one in base):+.4f}"
            if found and base
            else ""
        )
        lines.append([f"{row.name}: {', '.join(row.settings)}", *run_cells(found, 1), change])
    note = "One run each. ± is over seeds; a change of that size means nothing."
    return f"{budget(results.of(ablation.TABLE, ablation.rows()))} {note}\n\n" + markdown(
        ("network", *DATA_COLUMNS[2:], "against unchanged"), lines
    )
