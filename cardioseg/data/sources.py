"""Which cases a folder holds: ACDC, nnU-Net or a CSV table, told apart by what is there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.data.acdc import acdc_cases
from cardioseg.data.nnunet import nnunet_cases
from cardioseg.data.table import table_cases


@dataclass(frozen=True)
class Source:
    """The cases of a data set and the names of its classes."""

    kind: str
    cases: tuple[Case, ...]
    labels: LabelTable


def find_cases(path: Path) -> Source:
    """Read the layout of a data set.

    Raises:
        InputError: no such folder, an unknown layout, no case in it, or two cases of one name.
    """
    if not path.exists():
        raise InputError(
            path,
            found="no such folder",
            expected="an ACDC or nnU-Net folder, or a CSV file",
            cure="check the path",
        )
    if path.is_file():
        source = Source("csv", tuple(table_cases(path)), ACDC_LABELS)
    elif (path / "dataset.json").is_file():
        cases, labels = nnunet_cases(path)
        source = Source("nnunet", tuple(cases), labels)
    else:
        source = Source("acdc", tuple(acdc_cases(path)), ACDC_LABELS)
    if not source.cases:
        cure = "point at the folder that holds patient001/, dataset.json, or a CSV file"
        raise InputError(
            path,
            found="no labelled case",
            expected="patientXXX/ folders (ACDC), dataset.json (nnU-Net) or a CSV file",
            cure=cure,
        )
    _names_differ(path, source.cases)
    return source


def _names_differ(path: Path, cases: tuple[Case, ...]) -> None:
    counts = Counter(case.name for case in cases)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        found = f"{len(twice)} case names twice ({twice[0]} …)"
        raise InputError(
            path,
            found=found,
            expected="one image per name",
            cure="rename the files, or point at one folder of them",
        )
