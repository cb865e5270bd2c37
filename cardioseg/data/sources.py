"""Finding the cases of a data set in the ACDC, nnU-Net or CSV layout."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.errors import InputError, LabelError, UsageError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.data.acdc import acdc_cases
from cardioseg.data.labels import parse_labels
from cardioseg.data.nnunet import label_table, nnunet_cases, read_dataset
from cardioseg.data.table import table_cases


@dataclass(frozen=True)
class Source:
    """The layout, cases and class names of a data set."""

    kind: str
    cases: tuple[Case, ...]
    labels: LabelTable


def find_cases(path: Path, *, labels: str | None = None) -> Source:
    """Recognise the layout of a data set and list its cases.

    Args:
        path: ACDC or nnU-Net folder, or CSV file.
        labels: meaning of the masks' values, such as "RV=1,MYO=2,LV=3"; None takes ACDC's for an
            ACDC folder, else those of a dataset.json in the folder or beside the table.

    Raises:
        InputError: no such folder, an unknown layout, no labelled case, or two cases of one name.
        LabelError: a table with masks does not say what their values mean.
        UsageError: ``labels`` is invalid or contradicts dataset.json.
    """
    asked = None if labels is None else parse_labels(labels)
    if not path.exists():
        raise InputError(
            path,
            found="no such folder",
            expected="an ACDC or nnU-Net folder, or a CSV file",
            cure="check the path",
        )
    if path.is_file():
        rows = tuple(table_cases(path))
        source = Source("csv", rows, _table_labels(path, rows, asked))
    elif (path / "dataset.json").is_file():
        cases, named = nnunet_cases(path)
        source = Source("nnunet", tuple(cases), _agreeing(named, asked, path / "dataset.json"))
    else:
        source = Source("acdc", tuple(acdc_cases(path)), asked or ACDC_LABELS)
    if not source.cases:
        raise InputError(
            path,
            found="no labelled case",
            expected="patientXXX/ folders (ACDC), dataset.json (nnU-Net) or a CSV file",
            cure="pass the folder that holds patient001/ or dataset.json, or a CSV file",
        )
    _check_names(path, source.cases)
    return source


def _table_labels(path: Path, cases: tuple[Case, ...], asked: LabelTable | None) -> LabelTable:
    """What the values of a table's masks mean; ACDC's names where there is no mask.

    Raises:
        LabelError: there are masks, and nothing says what their values mean.
    """
    beside = path.with_name("dataset.json")
    if beside.is_file():
        return _agreeing(label_table(beside, read_dataset(beside)), asked, beside)
    if asked is None and any(case.label is not None for case in cases):
        raise LabelError(
            path,
            found="masks whose values have no names",
            expected="--labels, or a dataset.json beside the table",
            cure="pass --labels RV=1,MYO=2,LV=3 with your own names and values",
        )
    return asked or ACDC_LABELS


def _agreeing(named: LabelTable, asked: LabelTable | None, path: Path) -> LabelTable:
    """The table of a dataset.json, unless ``--labels`` contradicts it."""
    if asked is None or (asked.structures, asked.stored) == (named.structures, named.stored):
        return named
    found, expected = (
        ", ".join(f"{name}={v}" for name, v in zip(table.names[1:], table.stored[1:], strict=True))
        for table in (asked, named)
    )
    cure = "drop the option, or correct the file"
    raise UsageError("--labels", found=found, expected=f"{expected}, as in {path}", cure=cure)


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
