"""Finding the cases of a data set in the ACDC, nnU-Net or CSV layout."""

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
    """The layout, cases and class names of a data set."""

    kind: str
    cases: tuple[Case, ...]
    labels: LabelTable


def find_cases(path: Path) -> Source:
    """Recognise the layout of a data set and list its cases.

    Raises:
        InputError: no such folder, an unknown layout, no labelled case, or two cases of one name.
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
        raise InputError(
            path,
            found="no labelled case",
            expected="patientXXX/ folders (ACDC), dataset.json (nnU-Net) or a CSV file",
            cure="pass the folder that holds patient001/ or dataset.json, or a CSV file",
        )
    _check_names(path, source.cases)
    return source


def _check_names(path: Path, cases: tuple[Case, ...]) -> None:
    counts = Counter(case.name for case in cases)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise InputError(
            path,
            found=f"{len(twice)} case names twice ({twice[0]} …)",
            expected="one image per name",
            cure="rename the files, or pass one folder of them",
        )
