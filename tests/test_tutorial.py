"""The tutorial runs as Jupyter runs it, and the outputs that it shows are those of this code."""

import re

import pytest
from notebooks import TUTORIAL, executed, outputs, read, words

MOST_BYTES = 1_500_000
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
TOLERANCE = {"rel": 0.01, "abs": 0.1}  # another processor may turn a few voxels at a border


@pytest.fixture(scope="module")
def stored():
    return read()


@pytest.fixture(scope="module")
def fresh(stored):
    return executed(stored)


def numbers(text: str) -> list[float]:
    return [float(found) for found in NUMBER.findall(text)]


def test_the_stored_outputs_are_those_of_this_code(stored, fresh):
    pairs = list(zip(outputs(stored), outputs(fresh), strict=True))
    assert len(pairs) > 10
    for old, new in pairs:
        assert old.output_type == new.output_type
        assert set(old.get("data", ())) == set(new.get("data", ()))
        assert NUMBER.sub("#", words(old)) == NUMBER.sub("#", words(new)), "run `make notebook`"
        assert numbers(words(new)) == pytest.approx(numbers(words(old)), **TOLERANCE)


def test_every_code_cell_was_run_without_a_warning(stored, fresh):
    for notebook in (stored, fresh):
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]


def test_a_result_shows_itself(fresh):
    shown = [
        output.data["text/html"]
        for output in outputs(fresh)
        if "text/html" in output.get("data", ())
    ]
    assert len(shown) == 1
    assert "data:image/" in shown[0]
    assert "Research use only" in shown[0]
    assert "<td>" in shown[0]


def test_the_file_is_small_and_names_no_machine(stored):
    assert TUTORIAL.stat().st_size < MOST_BYTES
    text = "".join(words(output) for output in outputs(stored))
    assert not re.search(r"(?<![\w.<])/\w+/|\\Users\\", text)
    assert stored.metadata.language_info == {"name": "python"}
