"""Parts of the results page: result files, Markdown tables, and what was measured."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardioseg.training.card import every_nth

if TYPE_CHECKING:
    from rows import Row

ROOT = Path(__file__).parents[1]
MISSING = "not run yet"
STRUCTURES = ("RV", "MYO", "LV")

Result = dict[str, Any]


class Results:
    """The result files of a folder: ``results/<table>/<name>.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, table: str, name: str) -> Result | None:
        """A result; None where it does not exist."""
        path = self.folder / table / f"{name}.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def of(self, table: str, rows: Iterable["Row"]) -> list[Result]:
        """The existing results of some rows."""
        return [found for row in rows if (found := self.get(table, row.name)) is not None]


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def spread(values: Sequence[float], digits: int = 4) -> str:
    """A number, or mean ± standard deviation of several."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def measured(found: Mapping[str, Result | None]) -> str:
    """The weights and volumes behind some results, as text."""
    told = [
        f"{name}: {every_nth(row['every'])}{row['side']} volume, orientations averaged: "
        f"{row['views']}, weights "
        f"{row['model_sha256'][:12]}{_outdated(name, row['model_sha256'])}"
        for name, row in found.items()
        if row
    ]
    return "; ".join(told) + "." if told else ""


def _outdated(name: str, sha256: str) -> str:
    """A remark where the shipped model of that name has other weights."""
    path = ROOT / "models" / name / "metadata.json"
    if (
        not path.is_file()
        or json.loads(path.read_text(encoding="utf-8"))["weights_sha256"] == sha256
    ):
        return ""
    return " (not the shipped weights)"
