"""nnU-Net's ``splits_final.json``: case names by fold."""

import json

import pytest

from cardioseg.core.errors import InputError, UsageError
from cardioseg.data.splits import read_folds, read_split

CASES = {"anna_ED": "anna", "anna_ES": "anna", "bert_ED": "bert", "carl": "carl"}
FOLDS = [
    {"train": ["anna_ED", "anna_ES", "bert_ED"], "val": ["carl"]},
    {"train": ["carl"], "val": ["anna_ED", "anna_ES", "dora_ED"]},
    {"train": ["anna_ED", "carl"], "val": ["anna_ES"]},
    {"train": ["zoe"], "val": []},
]


def write(folder, content=FOLDS):
    path = folder / "splits_final.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_cases_stand_for_their_patients(tmp_path):
    first, second = (read_folds(write(tmp_path), CASES, fold) for fold in (0, 1))
    assert (first.train, first.val) == ({"anna", "bert"}, {"carl"})
    assert (second.train, second.val, second.absent_val) == ({"carl"}, {"anna"}, {"dora_ED"})
    assert first.origin != second.origin


def test_a_patient_on_both_sides_is_refused(tmp_path):
    with pytest.raises(InputError, match="anna"):
        read_folds(write(tmp_path), CASES, 2)


def test_a_fold_of_other_cases_is_refused(tmp_path):
    with pytest.raises(InputError, match="no training patient"):
        read_folds(write(tmp_path), CASES, 3)


@pytest.mark.parametrize("fold", [None, -1, 4])
def test_the_fold_must_be_in_the_file(tmp_path, fold):
    with pytest.raises(UsageError, match="0 to 3"):
        read_folds(write(tmp_path), CASES, fold)


def test_other_split_files_take_no_fold(tmp_path):
    path = write(tmp_path, {"train": ["anna"], "val": []})
    assert read_folds(path, CASES, None) is None
    with pytest.raises(UsageError):
        read_folds(path, CASES, 0)


@pytest.mark.parametrize(
    "content",
    ["[1]", '[{"train": "anna_ED", "val": []}]', '[{"train": [["a"]], "val": []}]', "[" * 200_000],
    ids=range(4),
)
def test_a_broken_file_is_named(tmp_path, content):
    with pytest.raises(InputError, match="unreadable split"):
        read_folds(write(tmp_path, content), CASES, 0)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        '{"train": [1e400], "val": []}',
        '{"train": [null], "val": []}',
        '{"train": [[1]], "val": []}',
        '{"train": [1.5], "val": []}',
        '{"train": [true], "val": []}',
        '{"train": ["a"], "val": [], "fractions": [{"10": "abc"}]}',
        '{"train": ["a"], "val": [], "fractions": 3}',
    ],
    ids=range(8),
)
def test_wrong_types_in_a_split_file_are_named(tmp_path, content):
    with pytest.raises(InputError, match="unreadable split"):
        read_split(write(tmp_path, content), ["a"])
