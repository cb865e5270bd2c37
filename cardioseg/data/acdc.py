"""The ACDC layout: patientXXX/ with Info.cfg, patientXXX_frameYY.nii.gz and …_frameYY_gt.nii.gz."""

import re
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError
from cardioseg.core.walk import files_below

PATIENT = re.compile(r"patient(\d+)$")
FRAME_NUMBER = re.compile(r"[0-9]{1,6}")
FRAME = re.compile(r"_frame(\d+)$")


def read_info(folder: Path) -> dict[str, str]:
    """Read ``Info.cfg`` as text by key.

    The keys are ED and ES (frames counted from 1), Group, Height in cm and Weight in kg.

    Raises:
        InputError: the file is missing or states no ED and ES frame.
    """
    path = folder / "Info.cfg"
    if not path.is_file():
        raise InputError(
            path,
            found="no such file",
            expected="ACDC's Info.cfg with ED, ES and Group",
            cure="copy it from the data set",
        )
    info = dict(
        re.findall(r"(\w+)\s*:\s*(\S+)", path.read_text(encoding="utf-8", errors="replace"))
    )
    if not all(FRAME_NUMBER.fullmatch(info.get(phase, "")) for phase in ("ED", "ES")):
        raise InputError(
            path,
            found=f"keys {', '.join(sorted(info)) or 'none'}",
            expected="lines such as 'ED: 1' and 'ES: 12'",
            cure="restore the file",
        )
    return info


def acdc_cases(root: Path) -> list[Case]:
    """Every labelled frame below ``root``, at any depth, sorted by patient."""
    parents = {path.parent for path in files_below(root)}
    folders = sorted(path for path in parents if PATIENT.fullmatch(path.name))
    return [case for folder in folders for case in _patient_cases(folder)]


def _patient_cases(folder: Path) -> list[Case]:
    labels = sorted(folder.glob(f"{folder.name}_frame*_gt.nii*"))
    if not labels:
        return []
    info = read_info(folder)
    phases = {int(info["ED"]): "ED", int(info["ES"]): "ES"}
    return [_case(folder, label, phases, info.get("Group", "")) for label in labels]


def _case(folder: Path, label: Path, phases: dict[int, str], group: str) -> Case:
    image = label.with_name(label.name.replace("_gt.nii", ".nii"))
    name = image.name.split(".nii")[0]
    if not image.is_file():
        raise InputError(
            image,
            found="a mask without its image",
            expected="both",
            cure="copy the image, or remove the mask",
        )
    frame = FRAME.search(name)
    number = int(frame.group(1)) if frame else 0
    return Case(folder.name, phases.get(number, str(number)), image, label, group, name)
