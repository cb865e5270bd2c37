"""Who trains and who validates, always by patient.

A split file is JSON: ``{"train": [...], "val": [...], "fractions": [{"10": [...], "25": [...]}, …]}``. Patients are names, or
numbers that stand for ``patientNNN``. ``fractions`` are nested draws of the training patients for data-efficiency runs.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardioseg.core.errors import InputError, UsageError

FOLDS = 5
FOLD_SEED = 1234


@dataclass(frozen=True)
class Split:
    """Patients of each side, and where the split came from (name and hash, for the record)."""

    train: frozenset[str]
    val: frozenset[str]
    origin: str


def read_split(path: Path, patients: Iterable[str], *, fraction: str | None = None, draw: int = 0) -> Split:
    """The split of a file, checked against the patients at hand.

    Args:
        path: split file.
        patients: names in the data set.
        fraction: a key of ``fractions`` ("10"): train on that part only.
        draw: which of the draws.

    Raises:
        InputError: unreadable, a patient on both sides, an unknown fraction or draw, or no patient of the data set named.
    """
    try:
        raw = path.read_bytes()
        data: Mapping[str, Any] = json.loads(raw)
        train, val = _names(data["train"]), _names(data["val"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, found=f"an unreadable split ({error!r})", expected='{"train": [...], "val": [...]}', cure="repair the file"
        ) from None
    _disjoint(path, train, val)
    if fraction is not None:
        part = _fraction(path, data, fraction, draw)
        if part - train:
            raise InputError(
                path,
                found=f"{min(part - train)} in a fraction only",
                expected="fractions of the training patients",
                cure="repair the file",
            )
        train = part
    known = set(patients)
    if not train & known:
        raise InputError(
            path,
            found="no training patient of this data set",
            expected=f"names such as {min(known, default='')}",
            cure="pass the data set's own split",
        )
    origin = f"{path.name} sha256:{hashlib.sha256(raw).hexdigest()[:16]}" + (
        f" fraction {fraction} draw {draw}" if fraction else ""
    )
    return Split(frozenset(train & known), frozenset(val & known), origin)


def fold_split(patients: Iterable[str], groups: Mapping[str, str], fold: int) -> Split:
    """Fold ``fold`` of five, stratified by group, the same for everybody with the same patients."""
    if not 0 <= fold < FOLDS:
        raise UsageError("--fold", found=str(fold), expected=f"0 to {FOLDS - 1}", cure="choose one of the five folds")
    ordered = sorted(set(patients))
    random.Random(FOLD_SEED).shuffle(ordered)
    ordered.sort(key=lambda patient: groups.get(patient, ""))
    val = frozenset(patient for index, patient in enumerate(ordered) if index % FOLDS == fold)
    return Split(frozenset(ordered) - val, val, f"fold {fold} of {FOLDS}, seed {FOLD_SEED}")


def _names(values: Sequence[Any]) -> set[str]:
    return {f"patient{value:03d}" if isinstance(value, int) else str(value) for value in values}


def _disjoint(path: Path, train: set[str], val: set[str]) -> None:
    both = sorted(train & val)
    if both:
        raise InputError(
            path,
            found=f"{len(both)} patients in train and val ({both[0]} …)",
            expected="every patient in one part",
            cure="remove them from one",
        )


def _fraction(path: Path, data: Mapping[str, Any], fraction: str, draw: int) -> set[str]:
    draws = data.get("fractions", [])
    if not 0 <= draw < len(draws) or fraction not in draws[draw]:
        choices = ", ".join(sorted(draws[0])) if draws else "none"
        raise InputError(
            path,
            found=f"fraction {fraction}, draw {draw}",
            expected=f"fractions {choices}, draws 0 to {len(draws) - 1}",
            cure="choose one of them",
        )
    return _names(draws[draw][fraction])
