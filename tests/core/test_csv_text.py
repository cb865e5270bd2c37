"""CSV text: formulas, control characters, odd Unicode, empty cells."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardioseg.core.csv_text import FORMULA, csv_text


def cells(text):
    """The cells of the only row."""
    return list(csv.reader(io.StringIO(text)))[1]


@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://x","y")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        "  =1",
        "\x1b=1",
        "\uff1d1+1",
    ],
)
def test_a_formula_becomes_text(name):
    assert cells(csv_text(["case"], [{"case": name}]))[0].startswith("'")


def test_numbers_keep_their_sign_and_names_their_letters():
    row = {"a": -3.5, "b": -2, "c": "anna-1", "d": None, "e": "心臓, 2"}
    assert cells(csv_text([*row, "f"], [row])) == ["-3.5", "-2", "anna-1", "", "心臓, 2", ""]


def test_escape_codes_and_lone_surrogates_are_replaced():
    assert cells(csv_text(["a"], [{"a": "x\x1b[31m\x9b\udce9y"}])) == ["x [31m ?y"]


@given(st.text())
def test_no_text_gives_a_formula_a_line_or_a_control_character(text):
    written = csv_text(["a", "b"], [{"a": text, "b": 1}])
    cell = cells(written)[0]
    assert written.count("\n") == 2
    assert not cell.lstrip().startswith(FORMULA)
    assert all(c.isprintable() or ord(c) >= 0xA0 for c in cell)
