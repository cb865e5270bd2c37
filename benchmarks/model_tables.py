"""Sections of docs/results.md about trained models.

Depth, exit rules, halting, experts, similarity of loops, pruning, changed images, tuning.
"""

from collections.abc import Callable, Sequence
from typing import Any

from page_parts import MISSING, STRUCTURES, Result, Results, markdown, measured

DEPTH_ROWS = {
    "rdvit-2d": "shipped, random loops",
    "rdvit-100-0": "random loops",
    "fixed-loops": "fixed loops (4)",
}
MODELS = ("rdvit-2d",)
LOOPED = ("rdvit-2d", "bvit-100-0")
CORE = ("core FLOPs", "core CPU time")
STEPS = (("cosine", "cosine"), ("change", "relative_change"))


def depth_text(results: Results) -> str:
    """Table 3."""
    found = {name: results.get("depth", name) for name in DEPTH_ROWS}
    counts = sorted({count for row in found.values() if row for count in _counts(row)})
    lines = [
        [f"{name}: {how}", exits, *_depth_cells(found[name], exits, counts)]
        for name, how in DEPTH_ROWS.items()
        for exits in ("off", "learned")
    ]
    columns = ("network", "exit", *(map(str, counts) if counts else ("loops",)))
    return (
        "Mean Dice by loop budget. Beyond the largest loop count in training (8, or the fixed one) "
        "a network extrapolates. Exit off: every token runs every loop.\n\n"
        f"{markdown(columns, lines)}\n\n{measured(found)}"
    )


def _counts(row: Result) -> list[int]:
    """Loop budgets of a depth result, whose keys read "exit off, 4 loops"."""
    return [int(key.split(", ")[1].split()[0]) for key in row["result"]]


def _depth_cells(row: Result | None, exits: str, counts: list[int]) -> list[str]:
    """Mean Dice by loop budget, or "not run yet"."""
    result = row["result"] if row else {}
    cells = [result.get(f"exit {exits}, {count} loops") for count in counts]
    if not any(cells):
        return [MISSING, *[""] * (len(counts) - 1)]
    return [f"{cell['dice']['mean']:.4f}" if cell else "" for cell in cells]


def _of_each(
    results: Results, table: str, names: Sequence[str], part: Callable[[str, Result], str]
) -> str:
    """The section of each model with a result, with its weights; else "not run yet"."""
    found = {name: results.get(table, name) for name in names}
    shown = (
        f"{name}: {MISSING}."
        if row is None
        else f"{part(name, row['result'])}\n\n{measured({name: row})}"
        for name, row in found.items()
    )
    return "\n\n".join(shown)


def exits_text(results: Results) -> str:
    """Accuracy and cost of exit rules."""
    return (
        "Core: the looped part alone on whole slices, relative to every token running every loop "
        "(process CPU time, smallest of interleaved rounds). Saved: share of FLOPs saved divided "
        "by share of CPU time saved; the goal is at most 1.3.\n\n"
        + _of_each(results, "exits", MODELS, _exits_part)
    )


def _exits_part(name: str, result: Result) -> str:
    dense = result["rules"]["fixed"]["dice"]["mean"]
    lines = []
    for rule, found in result["rules"].items():
        core, dice = result["core"].get(rule), found["dice"]["mean"]
        shares = (
            [f"{core['flops_share']:.3f}", f"{core['cpu_share']:.3f}", _kept_saving(core)]
            if core
            else ["", "", ""]
        )
        costs = [f"{found['mean_steps']:.2f}", f"{found['gflop']:.1f}"]
        lines.append([rule, f"{dice:.4f}", f"{dice - dense:+.4f}", *costs, *shares])
    return markdown(
        (f"{name}: exit", "mean Dice", "against fixed", "loops", "GFLOP / volume", *CORE, "saved"),
        lines,
    )


def _kept_saving(core: dict[str, float]) -> str:
    saved = 1 - core["cpu_share"]
    if saved <= 0 or core["flops_share"] >= 1:
        return "–"
    return f"{(1 - core['flops_share']) / saved:.2f}"


def robustness_text(results: Results) -> str:
    """Dice on changed images."""
    opening = "The same volumes, changed as other scanners might change them. ± is over patients."
    return f"{opening}\n\n{_of_each(results, 'robustness', MODELS, _robustness_part)}"


def _robustness_part(name: str, result: Result) -> str:
    lines = [
        [way, f"{cells['mean']:.3f}", *(_mean_sd(cells[c]) for c in STRUCTURES)]
        for way, cells in result.items()
    ]
    return markdown((f"{name}: images", "mean Dice", *STRUCTURES), lines)


def halting_text(results: Results) -> str:
    """Table 4."""
    return (
        "AUROC for separating patches within 3 mm of a structure's true boundary from the others; "
        "0.5 is chance. ± is over patients. “Equal budget” maps reassign the same loop counts, "
        "either "
        "by edge strength or at random.\n\n" + _of_each(results, "halting", MODELS, _halting_part)
    )


def _halting_part(name: str, result: Result) -> str:
    lines = []
    for where in ("slices with it", "within 30 mm"):
        for kind, cells in result[where].items():
            lines.append([where, kind, *(_mean_sd(cells[c]) for c in STRUCTURES)])
    kind, cells = next(iter(result["rank correlation with distance"].items()))
    lines.append(["rank correlation", kind, *(_mean_sd(cells[c]) for c in STRUCTURES)])
    return markdown((f"{name}: patches", "map", *STRUCTURES), lines)


def _mean_sd(cell: dict[str, float] | None) -> str:
    return "–" if cell is None else f"{cell['mean']:.3f} ± {cell['sd']:.3f}"


def experts_text(results: Results) -> str:
    """Table 5."""
    return _of_each(results, "experts", MODELS, _experts_part)


def _experts_part(name: str, result: Result) -> str:
    count = len(next(iter(result["share_by_class"].values())))
    experts = [f"expert {number + 1}" for number in range(count)]
    shares = [
        (c, *(f"{100 * share:.0f} %" for share in line))
        for c, line in result["share_by_class"].items()
    ]
    facts = [
        (
            where,
            f"{a['nmi']:.3f}",
            f"{a['null_mean']:.4f}, at most {a['null_largest']:.4f}",
            f"{a['p']:.3f}",
            str(a["patches"]),
        )
        for where, a in result["association"].items()
    ]
    lost = [
        (key, *(f"{cells[c]:+.4f}" for c in STRUCTURES))
        for key, cells in result["dice_lost"].items()
        if key != "dice"
    ]
    parts = (
        f"### {name}\n\nShare of the routed work by the patch's majority class:",
        markdown(("class", *experts), shares),
        "Normalised mutual information of expert and class, and of 200 shuffles within each slice:",
        markdown(("", "found", "by chance", "p", "patches"), facts),
        "Dice lost without an expert; rerouted: to the router's next choice; silenced: no output.",
        markdown(("", *STRUCTURES), lost),
    )
    return "\n\n".join(parts)


def similarity_text(results: Results) -> str:
    """Similarity of token states between loops."""
    opening = "Linear CKA of the states of the same tokens; 1 is the same up to rotation and scale."
    return f"{opening}\n\n{_of_each(results, 'similarity', LOOPED, _similarity_part)}"


def _similarity_part(name: str, result: Result) -> str:
    loops = [str(number + 1) for number in range(result["loops"])]
    lines = [(f"CKA, loop {number}", *_numbers(result["cka"][int(number) - 1])) for number in loops]
    lines += [
        (f"{what} to the previous loop", "", *_numbers(_steps(result[key]))) for what, key in STEPS
    ]
    return markdown((f"{name}: loop", *loops), lines)


def pruning_text(results: Results) -> str:
    """Dice without parts of the looped block."""
    return (
        "Mean Dice when the least important heads or hidden units of the looped block are "
        "silenced: "
        "different ones in each loop (per step), the same in every loop (shared), or random ones "
        "(mean of three draws). Overlap: of the units pruned in either loop, the share pruned in "
        "both. Importance is the slope of the loss along the unit's output, on windows of training "
        "patients.\n\n" + _of_each(results, "pruning", LOOPED, _pruning_part)
    )


def _pruning_part(name: str, result: Result) -> str:
    lines = [line for kind in ("heads", "hidden") for line in _pruning_lines(kind, result[kind])]
    text = f"{name}, {result['loops']} loops, unpruned: {result['whole']:.4f}."
    columns = (
        "units",
        "share pruned",
        "per step",
        "shared",
        "random",
        "overlap of neighbouring loops",
    )
    single = result["heads"]["single"]
    heads = [f"head {number + 1}" for number in range(len(single[0]))]
    alone = [
        (str(loop + 1), *(f"{value:+.4f}" for value in row)) for loop, row in enumerate(single)
    ]
    return (
        f"{text}\n\n{markdown(columns, lines)}\n\n"
        "Dice lost with one head silent in one loop:\n\n"
        f"{markdown(('loop', *heads), alone)}"
    )


def _pruning_lines(kind: str, rows: dict[str, Any]) -> list[tuple[str, ...]]:
    shares = [key.split()[0] for key in rows if key.endswith("overlap")]
    return [
        (
            f"{kind} ({rows['units']})",
            share,
            *(f"{rows[f'{share} {how}']:.4f}" for how in ("per step", "shared", "random")),
            " ".join(_numbers(_steps(rows[f"{share} overlap"]), 2)),
        )
        for share in shares
    ]


def _steps(table: list[list[float]]) -> list[float]:
    """The first off-diagonal: each loop against the previous one."""
    return [table[index][index + 1] for index in range(len(table) - 1)]


def _numbers(values: list[float], digits: int = 3) -> list[str]:
    return [f"{value:.{digits}f}" for value in values]


def tuning_text(results: Results) -> str:
    """Tuning, by trained weights and optimiser."""
    found = results.get("tuning", "rdvit-2d")
    if found is None:
        return MISSING
    about, rows = found["result"]["about"], found["result"]["rows"]
    group = about["group"]
    names = {
        "group": f"held-out {group} ({about['volumes']['group']} volumes)",
        "others": f"held-out others ({about['volumes']['others']})",
        "turned": f"{group}, inverted contrast",
    }
    lines = [
        [how, *(f"{row[name]['dice']['mean']:.4f}" if name in row else "" for name in names)]
        for how, row in rows.items()
    ]
    return (
        f"{about['patients']} patients of group {group}, {about['steps']} steps, one run each. "
        "For the last column, training and test images have inverted contrast.\n\n"
        + markdown(("what trains", *names.values()), lines)
        + "\n\n"
        + measured({"rdvit-2d": found})
    )
