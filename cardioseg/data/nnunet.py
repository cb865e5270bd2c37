"""The nnU-Net layout: dataset.json, imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz.

Version 1 is read too (labels as {"0": "background"}, ``modality``, images without ``_0000``). The
format has no patients. A trailing ``_frameNN``, ``_ED`` or ``_ES`` is taken as the phase, and the
rest as the patient, so that a split never separates two phases of one heart.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError, LabelError
from cardioseg.core.json_text import read_json
from cardioseg.core.labels import LabelTable
from cardioseg.imaging.image import ENDINGS

PHASE = re.compile(r"^(?P<patient>.+?)[_-](?P<phase>frame\d+|ed|es)$", re.IGNORECASE)


def read_dataset(path: Path) -> dict[str, Any]:
    """Read ``dataset.json``.

    Raises:
        InputError: it is not JSON, or has no label table.
    """
    try:
        data = read_json(path)
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


def label_table(path: Path, data: Mapping[str, Any]) -> LabelTable:
    """The label table of a ``dataset.json``.

    Raises:
        LabelError: as ``LabelTable.from_mapping``.
    """
    try:
        return LabelTable.from_mapping(data["labels"])
    except ValueError as error:
        raise LabelError(
            path,
            found=str(error),
            expected="one whole number for each name, the background 0; regions are not supported",
            cure="correct the label table",
        ) from None


def nnunet_cases(root: Path) -> tuple[list[Case], LabelTable]:
    """Labelled cases and class names.

    Raises:
        InputError: ``dataset.json`` is unreadable or states several channels or an unknown
            ``file_ending``, or an image is missing.
        LabelError: its labels are invalid.
    """
    path = root / "dataset.json"
    data = read_dataset(path)
    ending = _ending(path, data)
    _check_channels(path, data)
    labels = sorted(
        file
        for file in (root / "labelsTr").glob("*")
        if file.name.endswith(ending) and not file.name.startswith(".")
    )
    return [_case(root, label, ending) for label in labels], label_table(path, data)


def _ending(path: Path, data: Mapping[str, Any]) -> str:
    """``file_ending``."""
    ending = data.get("file_ending", ".nii.gz")
    if not isinstance(ending, str) or ending.lower() not in ENDINGS:
        raise InputError(
            path,
            found=f"file_ending = {str(ending)[:40]!r}",
            expected=f"one of {', '.join(ENDINGS)}",
            cure="convert the images, or correct file_ending",
        )
    return ending


def _check_channels(path: Path, data: Mapping[str, Any]) -> None:
    """Refuse a data set with several channels, because a network here sees one image."""
    channels = data.get("channel_names") or data.get("modality")
    names = list(channels.values()) if isinstance(channels, dict) else channels
    if not isinstance(names, list) or len(names) <= 1:
        return
    raise InputError(
        path,
        found=f"{len(names)} channels ({', '.join(str(name)[:20] for name in names)})",
        expected="one image per case",
        cure="make a data set of one channel: its images as CASE_0000, one entry in channel_names",
    )


def _case(root: Path, label: Path, ending: str) -> Case:
    name = label.name[: -len(ending)]
    image = _image(root / "imagesTr", label, name, ending)
    match = PHASE.match(name)
    patient, phase = (match["patient"], match["phase"]) if match else (name, "")
    return Case(patient, phase, image, label, "", name)


def _image(folder: Path, label: Path, name: str, ending: str) -> Path:
    image, plain = folder / f"{name}_0000{ending}", folder / f"{name}{ending}"
    second = folder / f"{name}_0001{ending}"
    if image.is_file() and second.is_file():
        raise InputError(
            second,
            found=f"a second channel of {name}",
            expected="one image per case",
            cure="remove it, or make a data set of one channel",
        )
    if image.is_file() or plain.is_file():
        return image if image.is_file() else plain
    raise InputError(
        image,
        found="no such file",
        expected=f"the image of {label.name}",
        cure="add it, or remove the label",
    )
