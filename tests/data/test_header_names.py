"""Names in the header of a ``.seg.nrrd`` mask decide, and a contradiction is an error."""

import numpy as np
import pytest
import SimpleITK as sitk

from cardioseg.core.errors import EXIT_INPUT, InputError, LabelError
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.data.labels import label_values, labels_in, parse_labels
from cardioseg.imaging.open import read
from cardioseg.results.masks import labels_of

SLICER = {"LV": 1, "MYO": 2, "RV": 3}


def segments(path, names):
    array = (np.arange(8 * 7 * 4) % 4).astype(np.uint8).reshape(4, 7, 8)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.5, 1.5, 8.0))
    for index, (name, value) in enumerate(names.items()):
        image.SetMetaData(f"Segment{index}_Name", name)
        image.SetMetaData(f"Segment{index}_LabelValue", str(value))
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize(
    "names", [SLICER, {"left ventricle": 1, "Myocardium": 2, "Right ventricle": 3}]
)
def test_names_in_the_header_are_used(tmp_path, names):
    path = segments(tmp_path / "x.seg.nrrd", names)
    table = labels_of(path)
    assert [table.value(name) for name in ("LV", "MYO", "RV")] == [1, 2, 3]
    array = read(path).array
    np.testing.assert_array_equal(label_values(array, table, path=path), array)


@pytest.mark.parametrize("asked", ["RV=1,MYO=2,LV=3", "RV=1", "lv=3,myo=2"])
def test_labels_that_contradict_the_header_are_an_error(tmp_path, asked):
    path = segments(tmp_path / "x.seg.nrrd", SLICER)
    with pytest.raises(LabelError) as caught:
        label_values(read(path).array, parse_labels(asked), path=path)
    assert caught.value.exit_code == EXIT_INPUT


def test_the_default_table_cannot_swap_named_segments(tmp_path):
    path = segments(tmp_path / "x.nrrd", SLICER)
    with pytest.raises(LabelError):
        label_values(read(path).array, ACDC_LABELS, path=path)


def test_names_that_are_no_structures_decide_nothing(tmp_path):
    path = segments(tmp_path / "x.seg.nrrd", {"Segment_1": 1, "Segment_2": 2, "Segment_3": 3})
    assert labels_in(path) is None
    assert labels_of(path) is ACDC_LABELS


def test_two_segments_of_one_value_are_an_error(tmp_path):
    path = segments(tmp_path / "x.seg.nrrd", {"LV": 1, "RV": 1})
    with pytest.raises(InputError) as caught:
        labels_of(path)
    assert caught.value.exit_code == EXIT_INPUT
