"""The nnU-Net v2 layout: dataset.json, imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz.

The format has no patients. A trailing ``_frameNN``, ``_ED`` or ``_ES`` is taken as the phase, and
the rest as the patient, so that a split never separates two phases of one heart.
"""

import json
import re
from pathlib import Path
from typing import Any

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError, LabelError
from cardioseg.core.labels import LabelTable

PHASE = re.compile(r"^(?P<patient>.+?)[_-](?P<phase>frame\d+|ed|es)$", re.IGNORECASE)


def read_dataset(path: Path) -> dict[str, Any]:
    """Read ``dataset.json``.

    Raises:
        InputError: it is not JSON, or has no label table.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            path,
            found=f"unreadable JSON ({error})",
            expected="nnU-Net's dataset.json",
            cure="repair the file",
        ) from None
    if not isinstance(data, dict) or not isinstance(data.get("labels"), dict):
        raise InputError(
            path,
            found="no labels",
            expected='"labels": {"background": 0, …}',
            cure="add the label table",
        )
    return data


def label_table(path: Path, data: dict[str, Any]) -> LabelTable:
    """The label table of a ``dataset.json``.

    Raises:
        LabelError: the values have gaps, or are nnU-Net's region lists.
    """
    try:
        return LabelTable.from_mapping(data["labels"])
    except (TypeError, ValueError) as error:
        raise LabelError(
            path,
            found=str(error),
            expected="consecutive integers from 0 (region lists are not supported)",
            cure="renumber the labels",
        ) from None


def nnunet_cases(root: Path) -> tuple[list[Case], LabelTable]:
    """Labelled cases and class names; only the first channel (``_0000``) is used.

    Raises:
        InputError: ``dataset.json`` is unreadable, or an image is missing.
        LabelError: its labels are invalid.
    """
    path = root / "dataset.json"
    data = read_dataset(path)
    ending = str(data.get("file_ending", ".nii.gz"))
    labels = sorted((root / "labelsTr").glob(f"*{ending}"))
    return [_case(root, label, ending) for label in labels], label_table(path, data)


def _case(root: Path, label: Path, ending: str) -> Case:
    name = label.name[: -len(ending)]
    image = root / "imagesTr" / f"{name}_0000{ending}"
    if not image.is_file():
        raise InputError(
            image,
            found="no such file",
            expected=f"the image of {label.name}",
            cure="add it, or remove the label",
        )
    match = PHASE.match(name)
    patient, phase = (match["patient"], match["phase"]) if match else (name, "")
    return Case(patient, phase, image, label, "", name)
