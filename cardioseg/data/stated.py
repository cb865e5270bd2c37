"""Masks whose own header names their values, read into another table of names."""

from pathlib import Path

import numpy as np

from cardioseg.core.errors import LabelError
from cardioseg.core.labels import LabelTable
from cardioseg.data.labels import SYNONYMS, label_values, labels_in


def values_by_name(array: np.ndarray, labels: LabelTable, *, path: Path) -> np.ndarray:
    """The values of a mask as indices into ``labels``.

    They are found by the names in the file's header (``.seg.nrrd``), else by ``labels``.

    Raises:
        LabelError: a value has no name, or the header names a structure that ``labels`` lacks.
    """
    own = labels_in(path)
    if own is None:
        return label_values(array, labels, path=path)
    stored = label_values(array, own, path=path)
    turn = np.arange(256, dtype=np.uint8)
    for index in np.unique(stored[stored > 0]).tolist():
        if index < len(own):
            turn[index] = _index(own.names[index], own.stored[index], labels, path)
    return np.asarray(turn[stored])


def _index(name: str, value: int, labels: LabelTable, path: Path) -> int:
    """The index of a structure by its name, else by its value in the file."""
    names = [_plain(known) for known in labels.names]
    if _plain(name) in names:
        return names.index(_plain(name))
    if _plain(name) not in ("LV", "MYO", "RV") and value in labels.stored:
        return labels.stored.index(value)
    expected, cure = ", ".join(labels.structures), "name the structures alike, or pass --labels"
    raise LabelError(path, found=f"segment {name}", expected=expected, cure=cure)


def _plain(name: str) -> str:
    return SYNONYMS.get(name.casefold(), name.upper())
