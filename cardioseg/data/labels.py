"""Names of the values in a mask, from ``--labels`` or a ``dataset.json`` beside or above it."""

import re
from pathlib import Path

import numpy as np

from cardioseg.core.errors import LabelError, UsageError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.data.nnunet import label_table, read_dataset

LABEL_TOLERANCE = 1e-3
VALUES_SHOWN = 5
NAMED = re.compile(r"\s*([^=,]*[^=,\s])\s*=\s*(\d{1,3})\s*")


def parse_labels(text: str) -> LabelTable:
    """Parse ``RV=1,MYO=2,LV=3``; 0 is the background.

    Raises:
        UsageError: another syntax, or values other than 1, 2, 3, … without a gap.
    """
    parts = [NAMED.fullmatch(part) for part in text.split(",")]
    mapping = {part[1]: int(part[2]) for part in parts if part is not None}
    cure = "name each structure once, as in RV=1,MYO=2,LV=3"
    if None in parts or len(mapping) != len(parts):
        raise UsageError(
            "--labels", found=repr(text), expected="NAME=VALUE, separated by commas", cure=cure
        )
    try:
        return LabelTable.from_mapping({"background": 0} | mapping)
    except ValueError as error:
        raise UsageError(
            "--labels",
            found=str(error),
            expected="values from 1 without a gap, as 0 is the background",
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


def label_values(array: np.ndarray, labels: LabelTable, *, path: Path) -> np.ndarray:
    """Round ``array`` to uint8 label values.

    Raises:
        LabelError: a value is not an integer or has no name in ``labels``.
    """
    values, counts = np.unique(array, return_counts=True)
    named = (
        (values > -0.5)
        & (values < len(labels) - 0.5)
        & np.isclose(values, np.rint(values), rtol=0, atol=LABEL_TOLERANCE)
    )
    if not named.all():
        unknown = [
            f"{value:g} ({count} voxels)"
            for value, count in zip(values[~named], counts[~named], strict=True)
        ]
        more = f" and {len(unknown) - VALUES_SHOWN} more" if len(unknown) > VALUES_SHOWN else ""
        raise LabelError(
            path,
            found=f"values {', '.join(unknown[:VALUES_SHOWN])}{more}",
            expected=", ".join(f"{value} {name}" for value, name in enumerate(labels.names)),
            cure="relabel the mask, or name the values in a dataset.json beside it",
        )
    return np.asarray(np.rint(array), dtype=np.uint8)
