"""Splits by patient: parts and fractions of a file, and disjoint, stratified, stable folds."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardioseg.core.errors import EXIT_INPUT, EXIT_USAGE, InputError, UsageError
from cardioseg.data.acdc import acdc_cases
from cardioseg.data.splits import FOLDS, fold_split, read_split

PATIENTS = [f"patient{number:03d}" for number in range(1, 11)]
# The layout of the data set's own file: numbers for patients, and nested draws by percent.
LAYOUT = {
    "train": [1, 2, 3, 4, 6, 7, 8, 9],
    "val": [5, 10],
    "fractions": [{"25": [2, 7], "50": [2, 3, 7, 9]}, {"25": [1, 8], "50": [1, 4, 6, 8]}],
}


def write(tmp_path, **changes):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(LAYOUT | changes))
    return path


def names(*numbers):
    return {f"patient{number:03d}" for number in numbers}


def test_numbers_stand_for_patients(tmp_path):
    split = read_split(write(tmp_path), PATIENTS)
    assert split.train == names(1, 2, 3, 4, 6, 7, 8, 9)
    assert split.val == names(5, 10)
    assert split.origin.startswith("split.json sha256:")


def test_names_stand_for_themselves(tmp_path):
    split = read_split(
        write(tmp_path, train=["anna", 2], val=["bert"]), ["anna", "bert", "patient002"]
    )
    assert (split.train, split.val) == ({"anna", "patient002"}, {"bert"})


def test_only_patients_at_hand_are_kept(tmp_path):
    split = read_split(write(tmp_path), ["patient001", "patient005", "patient099"])
    assert (split.train, split.val) == (names(1), names(5))


def test_fractions_train_on_a_part_and_validate_on_everybody(tmp_path):
    path = write(tmp_path)
    assert read_split(path, PATIENTS, fraction="25").train == names(2, 7)
    split = read_split(path, PATIENTS, fraction="50", draw=1)
    assert (split.train, split.val) == (names(1, 4, 6, 8), names(5, 10))
    assert split.origin.endswith("fraction 50 draw 1")
    assert split.origin.split()[1] == read_split(path, PATIENTS).origin.split()[1], (
        "the same file, the same hash"
    )


def test_the_hash_tells_two_files_apart(tmp_path):
    first = read_split(write(tmp_path), PATIENTS).origin
    assert read_split(write(tmp_path, val=[5]), PATIENTS).origin != first


@pytest.mark.parametrize(
    ("changes", "asked", "found"),
    [
        ({"val": [5, 10, 3, 4]}, {}, "2 patients in train and val (patient003 …)"),
        ({"val": ["patient003"]}, {}, "1 patients in train and val"),
        ({"fractions": [{"25": [2, 5]}]}, {"fraction": "25"}, "patient005"),
        ({"test": [7, 11]}, {}, "1 patients in train and test (patient007 …)"),
        ({"test": [10, 5, 11]}, {}, "2 patients in val and test (patient005 …)"),
        ({"test": [11], "more": ["patient011"]}, {}, "1 patients in test and more (patient011 …)"),
        ({"fractions": {"25": [2, 7]}}, {"fraction": "25"}, "an unreadable split"),
        ({"fractions": [{"25": 2}]}, {"fraction": "25"}, "an unreadable split"),
        ({"train": [91, 92]}, {}, "no training patient of this data set"),
        ({"train": None}, {}, "an unreadable split"),
    ],
)
def test_splits_that_do_not_add_up_are_named(tmp_path, changes, asked, found):
    path = write(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_split(path, PATIENTS, **asked)
    assert found in caught.value.found
    assert (caught.value.file, caught.value.exit_code) == (str(path), EXIT_INPUT)


def test_further_parts_and_fractions_are_no_overlap(tmp_path):
    split = read_split(write(tmp_path, test=[11, 12], name="the split", version=3), PATIENTS)
    assert (len(split.train), len(split.val)) == (8, 2)


def test_validation_patients_that_the_data_lack_are_told(tmp_path):
    path = write(tmp_path)
    assert read_split(path, PATIENTS).absent_val == frozenset()
    split = read_split(path, ["patient001", "patient005"], fraction=None)
    assert (split.val, split.absent_val) == (names(5), names(10))


@pytest.mark.parametrize("fraction", ["25", "25%", "0.25", "25.0", ".25"])
def test_a_fraction_may_be_a_percentage_or_a_share(tmp_path, fraction):
    split = read_split(write(tmp_path), PATIENTS, fraction=fraction)
    assert split.train == names(2, 7)
    assert split.origin.endswith("fraction 25 draw 0"), "one record whatever was typed"


KEYS = {"1": [1], "100": [1, 2], "0.5": [3], "50": [4], "half": [6]}


@pytest.mark.parametrize(
    ("fraction", "train"),
    [
        ("1%", [1]),
        ("100", [1, 2]),
        ("100%", [1, 2]),
        ("1.0%", [1]),
        ("0.5%", [3]),
        ("50", [4]),
        ("50%", [4]),
        ("half", [6]),
    ],
)
def test_percent_tells_two_fractions_apart(tmp_path, fraction, train):
    assert read_split(
        write(tmp_path, fractions=[KEYS]), PATIENTS, fraction=fraction
    ).train == names(*train)


@pytest.mark.parametrize(
    ("changes", "asked", "option", "found", "expected"),
    [
        (
            {},
            {"fraction": "30"},
            "--fraction",
            "30",
            "one of 25, 50 ",
        ),
        ({}, {"fraction": "a lot"}, "--fraction", "a lot", "25, 50"),
        ({}, {"fraction": "nan"}, "--fraction", "nan", "25, 50"),
        ({}, {"fraction": ""}, "--fraction", "nothing", "25, 50"),
        (
            {"fractions": [KEYS]},
            {"fraction": "1"},
            "--fraction",
            "1, which may be 1 or 100",
            "1, 100, 0.5, 50, half",
        ),
        (
            {"fractions": [KEYS]},
            {"fraction": "0.5"},
            "--fraction",
            "0.5, which may be 0.5 or 50",
            "1, 100, 0.5, 50, half",
        ),
        (
            {"fractions": []},
            {"fraction": "25"},
            "--fraction",
            "25",
            "fractions (split.json has none)",
        ),
        (
            {"fractions": None},
            {"fraction": "25"},
            "--fraction",
            "25",
            "fractions (split.json has none)",
        ),
        ({}, {"fraction": "25", "draw": 2}, "--draw", "2", "0 to 1"),
        ({}, {"fraction": "25", "draw": -1}, "--draw", "-1", "0 to 1"),
    ],
)
def test_a_fraction_that_is_not_there_is_the_options_fault(
    tmp_path, changes, asked, option, found, expected
):
    with pytest.raises(UsageError) as caught:
        read_split(write(tmp_path, **changes), PATIENTS, **asked)
    assert (caught.value.file, caught.value.exit_code, caught.value.found) == (
        option,
        EXIT_USAGE,
        found,
    )
    assert expected in caught.value.expected


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"train": [1]}'])
def test_a_file_that_is_no_split_is_named(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(InputError, match="unreadable split"):
        read_split(tmp_path / "split.json", PATIENTS)
    with pytest.raises(InputError, match="unreadable split"):
        read_split(tmp_path / "none.json", PATIENTS)


GROUPINGS = st.dictionaries(
    st.from_regex("patient[0-9]{3}", fullmatch=True),
    st.sampled_from("ABC"),
    min_size=1,
    max_size=40,
)


@given(GROUPINGS, st.randoms())
def test_folds_are_disjoint_complete_stratified_and_do_not_depend_on_order(groups, random):
    patients = [patient for patient in groups for _ in range(2)]
    folds = [fold_split(patients, groups, fold) for fold in range(FOLDS)]
    assert Counter(patient for fold in folds for patient in fold.val) == Counter(
        dict.fromkeys(groups, 1)
    )
    assert all(fold.train == groups.keys() - fold.val for fold in folds)
    for group in set(groups.values()):
        sizes = [sum(groups[patient] == group for patient in fold.val) for fold in folds]
        assert max(sizes) - min(sizes) <= 1
    random.shuffle(patients)
    assert fold_split(patients, groups, 2) == folds[2]


def test_folds_are_shuffled_within_groups():
    patients = [f"patient{number:03d}" for number in range(100)]
    val = fold_split(patients, {}, 0).val
    assert len(val) == 20
    assert val != set(patients[::5])


@pytest.mark.parametrize("fold", [-1, FOLDS])
def test_there_are_five_folds(fold):
    with pytest.raises(UsageError, match="0 to 4"):
        fold_split(PATIENTS, {}, fold)


@pytest.mark.acdc
def test_acdcs_own_split_is_read_as_it_is(acdc):
    cases = acdc_cases(acdc)
    split = read_split(acdc / "split.json", [case.patient for case in cases])
    assert (len(split.train), len(split.val)) == (80, 20)
    groups = {case.patient: case.group for case in cases}
    assert set(Counter(groups[patient] for patient in split.val).values()) == {4}
    for fraction, size in (("10", 8), ("25", 20), ("50", 40)):
        parts = [
            read_split(acdc / "split.json", groups, fraction=fraction, draw=draw).train
            for draw in range(3)
        ]
        assert all(len(part) == size and part < split.train for part in parts)
        assert len(set(parts)) == 3
