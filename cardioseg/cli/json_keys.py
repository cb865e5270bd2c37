"""The documentation's page of what each verb prints with ``--json``, from the verbs' records.

    python -m cardioseg.cli.json_keys > docs/json.md

A test compares the page with what this module makes.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cardioseg.core.record import Record, StoredRecord
from cardioseg.evaluation.summary import Evaluation
from cardioseg.results.schemas import RECORDS, keys, sentence
from cardioseg.workflows.check import CheckData
from cardioseg.workflows.demo import DemoData
from cardioseg.workflows.doctor import DoctorData
from cardioseg.workflows.measure_report import MeasureData
from cardioseg.workflows.models import ModelDetails, ModelExported, ModelList, ModelsVerified
from cardioseg.workflows.ponder import PonderData
from cardioseg.workflows.prepare import PrepareData
from cardioseg.workflows.segment_report import SegmentData
from cardioseg.workflows.train import TrainData
from cardioseg.workflows.view import ViewData

if TYPE_CHECKING:
    from pydantic import BaseModel

VERBS: dict[str, type[Record]] = {
    "segment": SegmentData,
    "measure": MeasureData,
    "evaluate": Evaluation,
    "view": ViewData,
    "view --ponder": PonderData,
    "check": CheckData,
    "prepare": PrepareData,
    "train": TrainData,
    "models list": ModelList,
    "models show": ModelDetails,
    "models verify": ModelsVerified,
    "models export": ModelExported,
    "doctor": DoctorData,
    "demo": DemoData,
}
HEAD = """\
# Keys of --json

Made by `python -m cardioseg.cli.json_keys`; do not edit by hand.

Every command prints one object: `schema`, `version`, `verb`, `exit_code`, `data`, `warnings`,
`files`, and `error` if the command failed. This page lists the keys of `data`.
"""


def page() -> str:
    """The page with a section for each verb."""
    return "\n".join((HEAD, *(_section(verb, kind) for verb, kind in VERBS.items())))


def _section(verb: str, kind: type[Record]) -> str:
    stored = _stored_base(kind)
    known = set() if stored is None else set(stored[1].model_fields)
    rows = [
        f"| `{key}` | {shape} | {text} |"
        for key, shape, text in _keys(kind)
        if key.split(".")[0].removesuffix("[]") not in known
    ]
    parts = [f"## {verb}", sentence(kind)]
    if stored is not None:
        parts.append(f"All keys of {_link(stored[0])}{', and:' if rows else '.'}")
    if rows:
        parts.append("\n".join(("| key | type | meaning |", "|---|---|---|", *rows)))
    return "\n\n".join(parts) + "\n"


def _stored_base(kind: type[Record]) -> tuple[str, type[StoredRecord]] | None:
    """File name and class of the stored record that ``kind`` is or extends."""
    found = ((name, record) for name, record in RECORDS.items() if issubclass(kind, record))
    return next(found, None)


def _keys(kind: type[Record]) -> Iterator[tuple[str, str, str]]:
    """As ``schemas.keys``, but a stored record inside is a link to its own keys."""
    names: dict[type[BaseModel], str] = {record: name for name, record in RECORDS.items()}
    for key, shape, text, record in keys(kind, linked=tuple(names)):
        yield key, shape, text if record is None else f"{text}: {_link(names[record])}"


def _link(file: str) -> str:
    anchor = file.lower().replace(".", "")
    return f"[{file}](records.md#{anchor})"


if __name__ == "__main__":
    sys.stdout.write(page())
