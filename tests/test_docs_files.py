"""docs/files.md names every column and quality measure that ``segment`` writes."""

import csv
import re
from pathlib import Path

import pytest
from drawn_hearts import acdc_patient, draw_masks, heart, segment_into

from cardioseg.cli.json_keys import page
from cardioseg.results.schemas import RECORDS, files

RADII_MM = (25.0, 22.0, 18.0, 16.0, 17.0, 19.0, 22.0, 24.0)  # of the LV over a beat
DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "files.md").read_text(encoding="utf-8")


def described(title: str) -> set[str]:
    """Names in backquotes in the first cells of a section's table."""
    section = re.search(
        rf"^(#+) {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert section, title
    first_cells = re.findall(r"^\| (.*?) \|", section[2], re.MULTILINE)
    return {name for cell in first_cells for name in re.findall(r"`(.+?)`", cell)}


@pytest.fixture
def written(model, out, tmp_path, monkeypatch):
    draw_masks(monkeypatch)
    acdc_patient(tmp_path / "in", 7)
    segment_into(out, model)(heart(tmp_path / "anna.nii.gz", *RADII_MM), tmp_path / "in")
    return out


def test_columns_are_described(written):
    with (written / "study.csv").open(encoding="utf-8") as file:
        assert set(next(csv.reader(file))) == described("study.csv")
    with (written / "anna_curve.csv").open(encoding="utf-8") as file:
        assert set(next(csv.reader(file))) == described("X_curve.csv")


def test_the_keys_of_json_are_those_of_the_verbs():
    expected = page()
    assert (DOCS / "json.md").read_text(encoding="utf-8") == expected, (
        "run python -m cardioseg.cli.json_keys > docs/json.md"
    )


@pytest.mark.parametrize("path", files(RECORDS))
def test_schemas_and_their_page_are_those_of_the_records(path):
    expected = files(RECORDS)[path]
    assert (DOCS / path).read_text(encoding="utf-8") == expected, (
        "run python -m cardioseg.results.schemas docs"
    )
