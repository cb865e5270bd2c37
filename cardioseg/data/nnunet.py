"""nnU-Net v2 data sets: dataset.json, imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz.

The format has no patients. A trailing ``_frameNN``, ``_ED`` or ``_ES`` is taken as the phase of the patient before it, so
that two phases of one heart cannot fall on two sides of a split.
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
    """``dataset.json``; InputError when it is no JSON object."""
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
    """Class names in order of value; LabelError for gaps and for nnU-Net's region labels."""
    try:
        return LabelTable.from_mapping(data["labels"])
    except (TypeError, ValueError) as error:
        expected = "consecutive integers from 0 (region lists are not supported)"
        raise LabelError(
            path, found=str(error), expected=expected, cure="renumber the labels"
        ) from None


def nnunet_cases(root: Path) -> tuple[list[Case], LabelTable]:
    """Labelled cases and class names; only the first channel (``_0000``) is read."""
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
