"""Who trains and who validates, always by patient.

A split file is JSON: ``{"train": [...], "val": [...], "fractions": [{"10": [...], "25": [...]}, …]}``. Patients are names, or
numbers that stand for ``patientNNN``. Every other list beside ``train`` and ``val`` is a part of its own, such as ``test``: no
patient is in two. ``fractions`` are nested draws of the training patients for data-efficiency runs, by percent.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from cardioseg.core.errors import InputError, UsageError

FOLDS = 5
FOLD_SEED = 1234
FRACTIONS = "fractions"


@dataclass(frozen=True)
class Split:
    """Patients of each side.

    Attributes:
        train: who trains.
        val: who validates.
        origin: where the split came from (name and hash), for the record.
        absent_val: who would validate, but is not in the data set.
    """

    train: frozenset[str]
    val: frozenset[str]
    origin: str
    absent_val: frozenset[str] = frozenset()


def read_split(
    path: Path, patients: Iterable[str], *, fraction: str | None = None, draw: int = 0
) -> Split:
    """The split of a file, checked against the patients at hand.

    Args:
        path: split file.
        patients: names in the data set.
        fraction: train on a part only: a key of ``fractions`` ("10"), or the same as "10%" or "0.1".
        draw: which of the draws.

    Raises:
        InputError: unreadable, a patient in two parts, or no patient of the data set named.
        UsageError: an unknown fraction or draw, or a fraction that may mean two.
    """
    try:
        raw = path.read_bytes()
        data: Mapping[str, Any] = json.loads(raw)
        parts = {
            name: _names(values)
            for name, values in data.items()
            if isinstance(values, list) and name != FRACTIONS
        }
        train, val = parts["train"], parts["val"]
        draws = [
            {str(key): _names(values) for key, values in drawn.items()}
            for drawn in data.get(FRACTIONS) or []
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            path,
            found=f"an unreadable split ({error!r})",
            expected='{"train": [...], "val": [...]}',
            cure="repair the file",
        ) from None
    _disjoint(path, parts)
    origin = f"{path.name} sha256:{hashlib.sha256(raw).hexdigest()[:16]}"
    if fraction is not None:
        key = _fraction_key(path, draws, fraction, draw)
        train, origin = _part(path, train, draws[draw][key]), f"{origin} fraction {key} draw {draw}"
    known = set(patients)
    if not train & known:
        raise InputError(
            path,
            found="no training patient of this data set",
            expected=f"names such as {min(known, default='')}",
            cure="pass the data set's own split",
        )
    return Split(frozenset(train & known), frozenset(val & known), origin, frozenset(val - known))


def fold_split(patients: Iterable[str], groups: Mapping[str, str], fold: int) -> Split:
    """Fold ``fold`` of five, stratified by group, the same for everybody with the same patients."""
    if not 0 <= fold < FOLDS:
        raise UsageError(
            "--fold",
            found=str(fold),
            expected=f"0 to {FOLDS - 1}",
            cure="choose one of the five folds",
        )
    ordered = sorted(set(patients))
    random.Random(FOLD_SEED).shuffle(ordered)
    ordered.sort(key=lambda patient: groups.get(patient, ""))
    val = frozenset(patient for index, patient in enumerate(ordered) if index % FOLDS == fold)
    return Split(frozenset(ordered) - val, val, f"fold {fold} of {FOLDS}, seed {FOLD_SEED}")


def _names(values: Sequence[Any]) -> set[str]:
    return {f"patient{value:03d}" if isinstance(value, int) else str(value) for value in values}


def _disjoint(path: Path, parts: Mapping[str, set[str]]) -> None:
    for one, other in combinations(parts, 2):
        both = sorted(parts[one] & parts[other])
        if both:
            raise InputError(
                path,
                found=f"{len(both)} patients in {one} and {other} ({both[0]} …)",
                expected="every patient in one part",
                cure="remove them from one",
            )


def _part(path: Path, train: set[str], part: set[str]) -> set[str]:
    if part - train:
        raise InputError(
            path,
            found=f"{min(part - train)} in a fraction only",
            expected="fractions of the training patients",
            cure="repair the file",
        )
    return part


def _fraction_key(
    path: Path, draws: Sequence[Mapping[str, set[str]]], fraction: str, draw: int
) -> str:
    """The key of the draw that ``fraction`` means."""
    if not draws:
        cure = "leave the option out, or add fractions to the file"
        raise UsageError(
            "--fraction",
            found=fraction,
            expected=f"a split file with fractions ({path.name} has none)",
            cure=cure,
        )
    if not 0 <= draw < len(draws):
        raise UsageError(
            "--draw",
            found=str(draw),
            expected=f"0 to {len(draws) - 1}",
            cure=f"choose a draw of {path.name}",
        )
    percents = _percents(fraction)
    meant = [
        key
        for key in draws[draw]
        if key == fraction or _percents(f"{key.removesuffix('%')}%") & percents
    ]
    if len(meant) != 1:
        found = f"{fraction}, which may be {' or '.join(meant)}" if meant else fraction or "nothing"
        raise UsageError(
            "--fraction",
            found=found,
            expected=f"one of {', '.join(draws[draw]) or 'none'} (percent, as {path.name} names them)",
            cure="say it in percent, such as 10%" if meant else "choose one of them",
        )
    return meant[0]


def _percents(text: str) -> set[float]:
    """What a fraction may mean: "10" and "10%" are 10 %, "0.1" may be 10 % or a tenth of one."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return set()
    return {number} if text.endswith("%") or number > 1 else {number, round(100 * number, 6)}
