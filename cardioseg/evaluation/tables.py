"""Tables and warnings of an evaluation, for a person."""

from collections.abc import Iterator

from cardioseg.core.report import Table, few
from cardioseg.evaluation.statistics import Agreement
from cardioseg.evaluation.summary import Evaluation, GroupScores, StructureScores

OVERLAP = (
    "structure",
    "Dice",
    "sd",
    "median",
    "5th pct",
    "HD95 mm",
    "median",
    "ASSD mm",
    "median",
    "missed",
)
AGREEMENT = ("quantity", "bias", "sd", "lower limit", "upper limit", "r", "MAE", "n", "failed")
GROUP_BIASES = {"lv_ef_percent": "LV EF bias", "rv_ef_percent": "RV EF bias"}


def tables(found: Evaluation) -> tuple[Table, ...]:
    """Overlap and distance; agreement if a patient has ED and ES; groups if there are any."""
    every = [_overlap_table(found)]
    if found.patients:
        every.append(_agreement_table(found))
    if found.groups:
        every.append(_group_table(found))
    return tuple(every)


def warnings(found: Evaluation) -> tuple[str, ...]:
    """What to know before using the means, one line each."""
    return (*_unusable(found), *_positions(found), *_incomplete(found))


def _unusable(found: Evaluation) -> Iterator[str]:
    """Predictions that are missing or failed."""
    for names, what in ((found.missing, "are missing"), (tuple(found.failed), "failed")):
        if names:
            counts = f"{len(names)} of {found.volumes} predictions {what}"
            yield f"{counts} and count as empty: {few(names)}"
    if found.left_out:
        yield f"{len(found.left_out)} cases without a prediction were not scored"


def _positions(found: Evaluation) -> Iterator[str]:
    """Predictions whose headers differ from those of their references."""
    if found.reordered:
        names = few(found.reordered)
        yield f"{len(found.reordered)} predictions are stored with other axes: {names}"
    if found.apart:
        yield _apart(found.apart)


def _incomplete(found: Evaluation) -> Iterator[str]:
    """What could not be compared."""
    unseen = [name for name, scores in found.structures.items() if not scores.dice.n]
    if unseen:
        yield f"no mask shows {', '.join(unseen)}"
    if found.unmatched:
        yield f"{len(found.unmatched)} predictions have no reference: {few(found.unmatched)}"
    if found.without_ed_and_es:
        counts = f"{len(found.without_ed_and_es)} patients have no known ED and ES"
        yield f"{counts}, so no EF: {few(found.without_ed_and_es)}"


def _apart(apart: dict[str, float]) -> str:
    """The warning about headers that state another position."""
    far = f"{len(apart)} predictions lie up to {max(apart.values()):.3g} mm from their references"
    return f"{far} by their headers; voxels were compared by index: {few(tuple(apart))}"


def title(quantity: str) -> str:
    """Heading of a quantity: "LV EF (%)" for "lv_ef_percent"."""
    ventricle, name, unit = quantity.split("_")
    word = name if name == "mass" else name.upper()
    return f"{ventricle.upper()} {word} ({'%' if unit == 'percent' else unit})"


def _overlap_table(found: Evaluation) -> Table:
    rows = [_overlap_row(name, scores) for name, scores in found.structures.items()]
    rows.append(("mean", _number(found.mean_dice, 4), *("",) * 8))
    return Table(f"Overlap and distance, {_counts(found)}", OVERLAP, tuple(rows))


def _counts(found: Evaluation) -> str:
    """The number of volumes; if some have no usable prediction, how many have one."""
    if found.predicted == found.references:
        return f"{found.volumes} volumes"
    scored = "only these are scored" if found.left_out else "the others count as empty"
    return f"{found.predicted} of {found.references} volumes predicted; {scored}"


def _overlap_row(name: str, scores: StructureScores) -> tuple[str, ...]:
    dice, hd95, assd = scores.dice, scores.hd95_mm, scores.assd_mm
    return (
        name,
        *_numbers(4, dice.mean, dice.sd, dice.median, dice.p5),
        *_numbers(2, hd95.mean, hd95.median, assd.mean, assd.median),
        str(scores.missed),
    )


def _agreement_table(found: Evaluation) -> Table:
    rows = tuple(_agreement_row(*item) for item in found.agreement.items())
    heading = f"Agreement (prediction - reference), {found.patients} patients"
    return Table(heading, AGREEMENT, rows)


def _agreement_row(quantity: str, found: Agreement) -> tuple[str, ...]:
    return (
        title(quantity),
        *_numbers(2, found.bias, found.sd, found.lower, found.upper),
        _number(found.r, 4),
        _number(found.mae, 2),
        str(found.n),
        str(found.failed),
    )


def _group_table(found: Evaluation) -> Table:
    dice = (f"Dice {name}" for name in found.structures)
    columns = ("group", "volumes", *dice, "mean Dice", *GROUP_BIASES.values(), "missed")
    return Table("By group", columns, tuple(_group_row(*item) for item in found.groups.items()))


def _group_row(group: str, found: GroupScores) -> tuple[str, ...]:
    scores = found.structures.values()
    return (
        group,
        str(found.volumes),
        *_numbers(4, *(score.dice.mean for score in scores), found.mean_dice),
        *_numbers(2, *(found.agreement[quantity].bias for quantity in GROUP_BIASES)),
        str(sum(score.missed for score in scores)),
    )


def _numbers(decimals: int, *values: float | None) -> tuple[str, ...]:
    return tuple(_number(value, decimals) for value in values)


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
