"""Training and validation patients, from a split file or by fold.

A split file is JSON: ``{"train": [...], "val": [...], "fractions": [{"10": [...], …}, …]}``.
Patients are names, or numbers that stand for ``patientNNN``. Other lists, such as ``test``, are
further parts; no patient may be in two parts. ``fractions`` holds draws of training patients for
data-efficiency runs, by percent. nnU-Net's ``splits_final.json`` is a list of such objects, one a
fold, with case names instead of patients.
"""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from cardioseg.core.errors import InputError, UsageError
from cardioseg.core.json_text import parse_json

FOLDS = 5
FOLD_SEED = 1234
FRACTIONS = "fractions"
Fractions = dict[str, set[str]]  # percent → training patients of one draw


@dataclass(frozen=True)
class Split:
    """Training and validation patients of a data set.

    Attributes:
        train: training patients.
        val: validation patients.
        origin: file name and hash, or the fold, for the run record.
        absent_val: validation patients that are not in the data set.
    """

    train: frozenset[str]
    val: frozenset[str]
    origin: str
    absent_val: frozenset[str] = frozenset()


def read_split(
    path: Path,
    patients: Iterable[str],
    *,
    fraction: str | None = None,
    draw: int = 0,
    training: bool = True,
) -> Split:
    """Read a split file and keep the patients of a data set.

    Args:
        path: split file.
        patients: the data set's patients.
        fraction: a key of ``fractions`` to train on: "10", "10%" or "0.1".
        draw: index of the draw, from 0.
        training: the data set must hold a training patient.

    Raises:
        InputError: unreadable, a patient in two parts, or no training patient of the data set.
        UsageError: an unknown fraction or draw, or an ambiguous fraction.
    """
    digest, parts, draws = _read(path)
    _check_disjoint(path, parts)
    train, val = parts["train"], parts["val"]
    origin = f"{path.name} sha256:{digest[:16]}"
    if fraction is not None:
        key = _fraction_key(path, draws, fraction, draw)
        train = _checked_draw(path, train, draws[draw][key])
        origin = f"{origin} fraction {key} draw {draw}"
    known = set(patients)
    if training and not train & known:
        raise _no_patient(path, known)
    return Split(frozenset(train & known), frozenset(val & known), origin, frozenset(val - known))


def _read(path: Path) -> tuple[str, dict[str, set[str]], list[Fractions]]:
    """SHA-256, patients by part, and draws of a split file."""
    try:
        raw = path.read_bytes()
        data: Mapping[str, Any] = parse_json(raw)
        parts = {
            name: _names(values)
            for name, values in data.items()
            if isinstance(values, list) and name != FRACTIONS
        }
        draws = [
            {str(key): _names(values) for key, values in drawn.items()}
            for drawn in data.get(FRACTIONS) or []
        ]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(path, repr(error)) from None
    for name in ("train", "val"):
        if name not in parts:
            raise _unreadable(path, f"no list {name}")
    return hashlib.sha256(raw).hexdigest(), parts, draws


def read_folds(path: Path, cases: Mapping[str, str], fold: int | None) -> Split | None:
    """Read a fold of nnU-Net's ``splits_final.json``; None if ``path`` is another split file.

    Args:
        path: split file.
        cases: case name → patient of the data set.
        fold: index of the fold.

    Raises:
        InputError: unreadable, a patient on both sides, or no training case of the data set.
        UsageError: no fold, or one that the file lacks; or a fold for another split file.
    """
    try:
        raw = path.read_bytes()
        folds = parse_json(raw)
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from None
    if not isinstance(folds, list):
        if fold is not None:
            cure = "drop --fold, or pass nnU-Net's splits_final.json"
            expected = "one of --split and --fold"
            raise UsageError("--fold", found=f"{fold}, and {path}", expected=expected, cure=cure)
        return None
    if fold is None or not 0 <= fold < len(folds):
        expected = f"0 to {len(folds) - 1}, a fold of {path.name}"
        raise UsageError("--fold", found=str(fold), expected=expected, cure="choose one of them")
    train, val = (_patients(path, folds[fold], side, cases) for side in ("train", "val"))
    _check_disjoint(path, {"train": train, "val": val})
    known = set(cases.values())
    if not train & known:
        raise _no_patient(path, cases)
    origin = f"{path.name} sha256:{hashlib.sha256(raw).hexdigest()[:16]} fold {fold}"
    return Split(frozenset(train & known), frozenset(val & known), origin, frozenset(val - known))


def _patients(path: Path, fold: Any, side: str, cases: Mapping[str, str]) -> set[str]:
    """Patients of the case names on one side of a fold; unknown names stand for themselves."""
    names = fold.get(side) if isinstance(fold, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _unreadable(path, f"no list {side} of case names")
    return {cases.get(name, name) for name in names}


def _no_patient(path: Path, names: Iterable[str]) -> InputError:
    return InputError(
        path,
        found="no training patient of this data set",
        expected=f"names such as {min(names, default='')}",
        cure="pass the split of this data set",
    )


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(
        path,
        found=f"an unreadable split ({reason})",
        expected='{"train": [...], "val": [...]}',
        cure="repair the file",
    )


def fold_split(patients: Iterable[str], groups: Mapping[str, str], fold: int) -> Split:
    """Fold ``fold`` of five, stratified by group; depends only on patients and groups.

    Raises:
        UsageError: no such fold.
    """
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
    """Patients of a list.

    Raises:
        TypeError: an element is neither a name nor a number.
    """
    wrong = [
        value for value in values if isinstance(value, bool) or not isinstance(value, int | str)
    ]
    if wrong or not isinstance(values, list):
        raise TypeError(f"{str(wrong[:1] or values)[:40]} among the patients")
    return {f"patient{value:03d}" if isinstance(value, int) else str(value) for value in values}


def _check_disjoint(path: Path, parts: Mapping[str, set[str]]) -> None:
    for one, other in combinations(parts, 2):
        both = sorted(parts[one] & parts[other])
        if both:
            raise InputError(
                path,
                found=f"{len(both)} patients in {one} and {other} ({both[0]} …)",
                expected="every patient in one part",
                cure="remove them from one",
            )


def _checked_draw(path: Path, train: set[str], part: set[str]) -> set[str]:
    if part - train:
        raise InputError(
            path,
            found=f"{min(part - train)} in a fraction but not in train",
            expected="fractions of the training patients",
            cure="repair the file",
        )
    return part


def _check_draw(path: Path, draws: int, fraction: str, draw: int) -> None:
    if not draws:
        raise UsageError(
            "--fraction",
            found=fraction,
            expected=f"a split file with fractions ({path.name} has none)",
            cure="leave the option out, or add fractions to the file",
        )
    if not 0 <= draw < draws:
        expected, cure = f"0 to {draws - 1}", f"choose a draw of {path.name}"
        raise UsageError("--draw", found=str(draw), expected=expected, cure=cure)


def _fraction_key(
    path: Path, draws: Sequence[Mapping[str, set[str]]], fraction: str, draw: int
) -> str:
    """The key of ``draws[draw]`` that ``fraction`` stands for."""
    _check_draw(path, len(draws), fraction, draw)
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
            expected=f"one of {', '.join(draws[draw]) or 'none'} (percent, from {path.name})",
            cure="state it in percent, such as 10%" if meant else "choose one of them",
        )
    return meant[0]


def _percents(text: str) -> set[float]:
    """Possible percents of a text: "10" and "10%" are 10 %; "0.1" is 10 % or 0.1 %."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return set()
    return {number} if text.endswith("%") or number > 1 else {number, round(100 * number, 6)}
