"""Names of mask values: parsed, found beside a mask, and checked against its voxels."""

import json
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.errors import InputError, LabelError, UsageError
from cardioseg.core.labels import ACDC_LABELS, IGNORED, LabelTable
from cardioseg.data.labels import label_values, labels_beside, parse_labels

MASK = Path("mask.nii.gz")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("RV=1,MYO=2,LV=3", ("RV", "MYO", "LV")),
        (" LV = 2 , left atrium=1", ("left atrium", "LV")),
        ("scar=1", ("scar",)),
    ],
)
def test_names_and_values_become_a_table(text, names):
    assert parse_labels(text) == LabelTable(("background", *names))


@pytest.mark.parametrize(
    "text", ["", "RV", "RV=", "=1", "RV=1,", "RV=0", "RV=1,LV=1", "RV=99999999"]
)
def test_a_table_that_cannot_be_parsed_is_a_wrong_call(text):
    with pytest.raises(UsageError):
        parse_labels(text)


def test_a_name_twice_is_a_wrong_call():
    with pytest.raises(UsageError):
        parse_labels("RV=1,RV=2")


def save_table(folder, labels):
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))


def test_the_table_beside_a_mask_comes_before_the_one_above_and_acdcs(tmp_path):
    folder = tmp_path / "labelsTr"
    folder.mkdir()
    assert labels_beside(folder) is ACDC_LABELS
    save_table(tmp_path, {"background": 0, "LV": 1})
    assert labels_beside(folder).structures == ("LV",)
    save_table(folder, {"background": 0, "RV": 1})
    assert labels_beside(folder).structures == ("RV",)


def test_a_broken_table_beside_a_mask_is_refused(tmp_path):
    save_table(tmp_path, {"background": 0, "LV": [1, 2]})
    with pytest.raises(LabelError):
        labels_beside(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputError):
        labels_beside(tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_values_that_have_a_name_become_uint8(dtype):
    array = np.array([[0, 1], [2, 3]], dtype)
    found = label_values(array, ACDC_LABELS, path=MASK)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array)


def test_a_rounding_error_of_a_float_is_mended():
    array = np.array([0.0004, 2.9996])
    np.testing.assert_array_equal(label_values(array, ACDC_LABELS, path=MASK), [0, 3])


@pytest.mark.parametrize("value", [-1, 4, 0.5, 1.01, np.nan, np.inf])
def test_values_without_a_name_are_listed_with_their_number(value):
    array = np.array([0, 1, value, value], dtype=np.float64)
    with pytest.raises(LabelError) as caught:
        label_values(array, ACDC_LABELS, path=MASK)
    assert f"{value:g} (2 voxels)" in caught.value.found


def test_no_more_than_five_unknown_values_are_listed():
    with pytest.raises(LabelError) as caught:
        label_values(np.arange(12), ACDC_LABELS, path=MASK)
    assert "8 (1 voxels)" in caught.value.found
    assert "9 (1 voxels)" not in caught.value.found
    assert "3 more" in caught.value.found


MYOPS = LabelTable.from_mapping({"background": 0, "MYO": 200, "LV": 500, "RV": 600})


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_values_with_gaps_become_indices(dtype):
    array = np.array([[0, 200], [500, 600]], dtype)
    np.testing.assert_array_equal(label_values(array, MYOPS, path=MASK), [[0, 1], [2, 3]])


def test_indices_are_read_too_where_they_cannot_be_confused_with_values():
    np.testing.assert_array_equal(label_values(np.arange(4), MYOPS, path=MASK), [0, 1, 2, 3])
    with pytest.raises(LabelError):
        label_values(np.array([0, 1, 200]), MYOPS, path=MASK)
    shifted = LabelTable.from_mapping({"background": 0, "LV": 2, "RV": 5})
    with pytest.raises(LabelError):
        label_values(np.array([0, 1, 2]), shifted, path=MASK)


def test_a_value_of_258_is_not_the_value_2():
    table = LabelTable.from_mapping({"background": 0, "RV": 1, "LV": 258})
    np.testing.assert_array_equal(label_values(np.array([1, 258]), table, path=MASK), [1, 2])
    with pytest.raises(LabelError):
        label_values(np.array([0, 258]), ACDC_LABELS, path=MASK)


def test_ignored_voxels_are_marked():
    table = LabelTable.from_mapping({"background": 0, "LV": 1, "ignore": 2})
    assert table.structures == ("LV",)
    found = label_values(np.array([0, 1, 2]), table, path=MASK)
    np.testing.assert_array_equal(found, [0, 1, IGNORED])
