"""Names of the values in a mask, from ``--labels`` or a ``dataset.json`` beside or above it."""

import re
from pathlib import Path

import numpy as np

from cardioseg.core.errors import LabelError, UsageError
from cardioseg.core.labels import ACDC_LABELS, BACKGROUND, IGNORED, PALETTE, LabelTable
from cardioseg.data.nnunet import label_table, read_dataset
from cardioseg.imaging.nrrd import segment_names

LABEL_TOLERANCE = 1e-3
VALUES_SHOWN = 5
SYNONYMS = {  # segment names as people write them in 3D Slicer
    **dict.fromkeys(("left ventricle", "lv cavity", "lv blood pool", "lv endo", "lvc"), "LV"),
    **dict.fromkeys(("right ventricle", "rv cavity", "rv blood pool", "rv endo", "rvc"), "RV"),
    **dict.fromkeys(("myocardium", "lv myocardium", "lv myo", "lvm", "myo"), "MYO"),
    **dict.fromkeys(("lv",), "LV"),
    **dict.fromkeys(("rv",), "RV"),
}
NAMED = re.compile(r"\s*([^=,]*[^=,\s])\s*=\s*(\d{1,8})\s*")


def parse_labels(text: str) -> LabelTable:
    """Parse ``RV=1,MYO=2,LV=3``; 0 is the background, and the values may have gaps.

    Raises:
        UsageError: another syntax, a name or value twice, or 0 as the value of a structure.
    """
    parts = [NAMED.fullmatch(part) for part in text.split(",")]
    mapping = {part[1]: int(part[2]) for part in parts if part is not None}
    cure = "name each structure once, as in RV=1,MYO=2,LV=3"
    if None in parts or len(mapping) != len(parts):
        raise UsageError(
            "--labels", found=repr(text), expected="NAME=VALUE, separated by commas", cure=cure
        )
    try:
        return LabelTable.from_mapping({BACKGROUND: 0} | mapping)
    except ValueError as error:
        raise UsageError(
            "--labels",
            found=str(error),
            expected="a different value from 1 for each name, as 0 is the background",
            cure=cure,
        ) from None


def labels_beside(folder: Path) -> LabelTable:
    """The table of a ``dataset.json`` in the folder or its parent, else ACDC's.

    Raises:
        InputError, LabelError: the file is unreadable or its labels are invalid.
    """
    for path in (folder / "dataset.json", folder.parent / "dataset.json"):
        if path.is_file():
            return label_table(path, read_dataset(path))
    return ACDC_LABELS


def labels_in(mask: Path) -> LabelTable | None:
    """The table that a mask's own header states (``.seg.nrrd``); None if it names no structure.

    Raises:
        InputError, LabelError: the header is broken, or its names contradict each other.
    """
    if not mask.name.lower().endswith((".nrrd", ".nhdr")) or not mask.is_file():
        return None
    stated = {SYNONYMS.get(name.casefold(), name): v for v, name in segment_names(mask).items()}
    if not any(name.upper() in PALETTE for name in stated):
        return None
    try:
        return LabelTable.from_mapping({BACKGROUND: 0} | stated)
    except ValueError as error:
        cure = "correct the segments' names and values, or export the label map as NIfTI"
        expected = "one name and one value for each segment"
        raise LabelError(mask, found=str(error), expected=expected, cure=cure) from None


def check_header_names(mask: Path, labels: LabelTable) -> None:
    """Require that a mask's own header does not name its values otherwise.

    Raises:
        LabelError: a structure has another value in the header than in ``labels``.
    """
    own = labels_in(mask)
    if own is None:
        return
    stated, asked = _upper(own), _upper(labels)
    if _contradict(stated, asked):
        listed = ", ".join(f"{name}={value}" for name, value in sorted(stated.items()) if value)
        raise LabelError(
            mask,
            found=f"the segments {listed} in the header",
            expected=", ".join(f"{name}={value}" for name, value in asked.items() if value),
            cure="leave --labels out, or correct it or the header",
        )


def _upper(labels: LabelTable) -> dict[str, int]:
    return {name.upper(): value for name, value in zip(labels.names, labels.stored, strict=True)}


def _contradict(stated: dict[str, int], asked: dict[str, int]) -> bool:
    """Whether a structure has two values, or a value is two structures that are known by name."""
    if any(stated[name] != asked[name] for name in stated.keys() & asked.keys()):
        return True
    by_value = {value: name for name, value in stated.items()}
    pairs = [(name, by_value[value]) for name, value in asked.items() if value in by_value]
    return any(pair[0] != pair[1] and set(pair) <= set(PALETTE) for pair in pairs)


def label_values(array: np.ndarray, labels: LabelTable, *, path: Path) -> np.ndarray:
    """The values of a mask file as uint8 indices into ``labels``; ignored voxels as ``IGNORED``.

    A mask that holds indices instead of the table's values, such as cardioseg's own mask beside a
    reference with the values 200, 500 and 600, is read as it is, where the two cannot be confused.

    Raises:
        LabelError: a value is not an integer or has no name in ``labels``, or the file's header
            names its values otherwise.
    """
    check_header_names(path, labels)
    values, counts = np.unique(array, return_counts=True)
    indices = _indices(values, labels)
    if None in indices:
        as_is = _indices(values, LabelTable(labels.names)) if _apart(labels) else indices
        if None in as_is:
            unnamed = np.array([index is None for index in indices])
            raise _unnamed(values[unnamed], counts[unnamed], labels, path)
        indices = as_is
    found = np.asarray(indices, dtype=np.uint8)
    if np.array_equal(found, np.rint(values)):
        return np.asarray(np.rint(array), dtype=np.uint8)
    return found[np.searchsorted(values, array)]


def _indices(values: np.ndarray, labels: LabelTable) -> list[int | None]:
    """The index of each value; None for a value without a name."""
    known: dict[int, int] = {value: index for index, value in enumerate(labels.stored)}
    if labels.ignored is not None:
        known[labels.ignored] = IGNORED
    finite = np.isfinite(values)
    nearest = np.rint(np.where(finite, values, 0))
    whole = finite & np.isclose(values, nearest, rtol=0, atol=LABEL_TOLERANCE)
    pairs = zip(nearest.tolist(), whole.tolist(), strict=True)
    return [known.get(int(value)) if ok else None for value, ok in pairs]


def _apart(labels: LabelTable) -> bool:
    """Whether no index is also the value of another name."""
    names = range(len(labels))
    return all(
        value == index or value not in names for index, value in enumerate(labels.stored)
    ) and (labels.ignored not in names)


def _unnamed(values: np.ndarray, counts: np.ndarray, labels: LabelTable, path: Path) -> LabelError:
    listed = [f"{value:g} ({count} voxels)" for value, count in zip(values, counts, strict=True)]
    more = f" and {len(listed) - VALUES_SHOWN} more" if len(listed) > VALUES_SHOWN else ""
    return LabelError(
        path,
        found=f"values {', '.join(listed[:VALUES_SHOWN])}{more}",
        expected=", ".join(
            f"{value} {name}" for value, name in zip(labels.stored, labels.names, strict=True)
        ),
        cure="relabel the mask, or name the values in a dataset.json beside it",
    )
