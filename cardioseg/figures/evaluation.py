"""The two figures of an evaluation: Dice as box plots; volumes and EF as Bland-Altman plots."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.evaluation.metrics import StructureScore
from cardioseg.evaluation.patients import QUANTITIES, PatientFunction
from cardioseg.evaluation.scores import ScoredCase
from cardioseg.evaluation.statistics import agreement
from cardioseg.evaluation.tables import title
from cardioseg.figures.agg import DPI, default_style, new_figure, write_png
from cardioseg.figures.palette import GROUPS, INK, MISSED, ZERO_LINE, group_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@default_style()
def draw_dice(path: Path, cases: Sequence[ScoredCase]) -> None:
    """Box plots of Dice per structure, over all volumes and per group.

    Every volume is a point; volumes where only one mask has the structure are crosses.
    """
    structures = list(cases[0].scores)
    panels = _dice_panels(cases)
    figure = _figure(2.2 + 0.62 * len(structures) * len(panels), 4.2)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (name, chosen) in zip(axes, panels.items(), strict=True):
        _dice_panel(axis, chosen, structures)
        axis.set_title(f"{name} (n = {len(chosen)})", fontsize=9)
    axes[0].set_ylabel("Dice")
    if any(score.missed for case in cases for score in case.scores.values()):
        words = "× missed: only one of the two masks has the structure"
        figure.supxlabel(words, fontsize=8, color=MISSED)
    write_png(path, figure)


@default_style()
def draw_bland_altman(path: Path, patients: Sequence[PatientFunction]) -> None:
    """Difference against mean, with bias and limits of agreement.

    One panel per quantity, one row per ventricle.
    """
    rows = [
        [quantity for quantity in QUANTITIES if quantity.startswith(ventricle)]
        for ventricle in ("lv_", "rv_")
    ]
    groups = sorted({patient.group for patient in patients})
    colours = group_colours(groups)
    columns = max(map(len, rows))
    figure = _figure(3.1 * columns, 6.4)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, quantities in zip(grid, rows, strict=True):
        for axis in axes[len(quantities) :]:
            axis.axis("off")
        for axis, quantity in zip(axes, quantities, strict=False):
            _bland_altman_panel(axis, patients, quantity, colours)
    if any(groups):
        handles, names = grid[0][0].get_legend_handles_labels()
        grid[-1][-1].legend(handles, names, loc="center", title="group", frameon=False)
    write_png(path, figure)


def _dice_panels(cases: Sequence[ScoredCase]) -> dict[str, list[ScoredCase]]:
    """Title of a panel → its cases: all volumes, then every group when there are several."""
    groups = sorted({case.pair.group for case in cases} - {""})
    panels = {"all volumes": list(cases)}
    if len(groups) > 1:
        for group in groups:
            panels[group] = [case for case in cases if case.pair.group == group]
    return panels


def _dice_panel(axis: "Axes", cases: Sequence[ScoredCase], structures: Sequence[str]) -> None:
    for position, structure in enumerate(structures, start=1):
        _dice_box(axis, position, [case.scores[structure] for case in cases])
    ticks = [_tick(name, cases) for name in structures]
    axis.set_xticks(range(1, len(structures) + 1), ticks, fontsize=8)
    axis.set_xlim(0.4, len(structures) + 0.6)
    axis.set_ylim(-0.03, 1.01)
    axis.grid(axis="y", alpha=0.3)


def _dice_box(axis: "Axes", position: int, scores: Sequence[StructureScore]) -> None:
    """One structure: a box, points, and crosses for what was missed."""
    found, missed = (
        np.array([s.dice for s in scores if s.dice is not None and s.missed is state])
        for state in (False, True)
    )
    if not len(found) + len(missed):
        return
    median = {"color": INK.light, "linewidth": 1.2}
    values = [np.append(found, missed)]
    axis.boxplot(values, positions=[position], widths=0.6, showfliers=False, medianprops=median)
    colour = GROUPS[(position - 1) % len(GROUPS)]
    axis.plot(position + _spread(len(found)), found, ".", color=colour, markersize=4, alpha=0.6)
    axis.plot(position + _spread(len(missed)), missed, "x", color=MISSED, markersize=6)


def _tick(structure: str, cases: Sequence[ScoredCase]) -> str:
    missed = sum(case.scores[structure].missed for case in cases)
    return f"{structure}\n{missed} ×" if missed else structure


def _spread(count: int) -> np.ndarray:
    """Horizontal offsets that keep equal values visible; the same in every run."""
    return np.array([0.18 * np.sin(2.4 * index) for index in range(count)])


def _bland_altman_panel(
    axis: "Axes", patients: Sequence[PatientFunction], quantity: str, colours: dict[str, str]
) -> None:
    for group, colour in colours.items():
        members = [patient for patient in patients if patient.group == group]
        pairs = np.array(list(_pairs(members, quantity))).reshape(-1, 2)
        style: dict[str, Any] = {"color": colour, "markersize": 4, "alpha": 0.75}
        mean, difference = pairs.mean(axis=1), pairs[:, 0] - pairs[:, 1]
        axis.plot(mean, difference, "o", label=group or "no group", **style)
    predicted, reference = (
        [getattr(patient, source)[quantity] for patient in patients]
        for source in ("predicted", "reference")
    )
    found = agreement(predicted, reference)
    axis.axhline(0, color=ZERO_LINE, linewidth=0.8)
    for value, dashes in ((found.bias, "-"), (found.lower, "--"), (found.upper, "--")):
        _line(axis, value, dashes)
    failed = f", {found.failed} failed" if found.failed else ""
    r = "" if found.r is None else f", r = {found.r:.3f}"
    axis.set_title(f"{title(quantity)}\nn = {found.n}{failed}{r}", fontsize=9)
    axis.set_xlabel("mean of both", fontsize=8)
    axis.set_ylabel("prediction − reference", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.margins(0.12)


def _pairs(patients: Sequence[PatientFunction], quantity: str) -> Iterator[tuple[float, float]]:
    for patient in patients:
        predicted, reference = patient.predicted[quantity], patient.reference[quantity]
        if predicted is not None and reference is not None:
            yield predicted, reference


def _line(axis: "Axes", value: float | None, dashes: str) -> None:
    if value is None:
        return
    axis.axhline(value, color=INK.light, linestyle=dashes, linewidth=0.9)
    at = axis.get_yaxis_transform()
    axis.text(1.01, value, f"{value:.1f}", transform=at, ha="left", va="center", fontsize=7)


def _figure(width: float, height: float) -> "Figure":
    """A figure in inches; matplotlib arranges its panels."""
    return new_figure(DPI * width, DPI * height, layout="constrained")
