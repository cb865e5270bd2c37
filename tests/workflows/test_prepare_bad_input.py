"""What ``prepare`` refuses: each file is named, with what was found in it and what to do."""

import nibabel as nib
import numpy as np
import pytest
from small_data import SHAPE, SPACING, write_patient, write_patients
from small_prepare import CONFIG, prepare_beside, rewrite

from cardioseg.core.errors import GeometryError, InputError, LabelError, OutputError
from cardioseg.workflows.prepare import prepare


@pytest.fixture
def raw(tmp_path):
    return write_patients(tmp_path / "raw", 3)


@pytest.mark.parametrize("workers", [1, 2])
def test_unknown_labels_are_named_with_their_counts(raw, workers):
    path = raw / "patient002/patient002_frame01_gt.nii.gz"

    def spoil(mask):
        mask[:2, 0, 0], mask[5, 5, 1] = 7, 200
        return mask

    rewrite(path, spoil)
    with pytest.raises(LabelError) as caught:
        prepare_beside(raw, workers=workers)
    assert caught.value.file == str(path)
    assert caught.value.found == "values 7 (2 voxels), 200 (1 voxels)"
    assert caught.value.expected == "0 background, 1 RV, 2 MYO, 3 LV"


@pytest.mark.parametrize(("value", "found"), [(1.5, "1.5 (1 voxels)"), (-1.0, "-1 (1 voxels)")])
def test_values_that_are_no_labels_are_refused(raw, value, found):
    def spoil(mask):
        mask = mask.astype(np.float32)
        mask[0, 0, 0] = value
        return mask

    rewrite(raw / "patient001/patient001_frame01_gt.nii.gz", spoil)
    with pytest.raises(LabelError) as caught:
        prepare_beside(raw)
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("change", "spacing", "found"),
    [
        (lambda mask: mask[:, :-1], SPACING, "(64, 59, 5)"),
        (lambda mask: mask, (3.0, 3.1, 18.0), "3.000 × 3.100 × 18.000 mm"),
    ],
)
def test_an_image_and_a_mask_on_two_grids_are_a_geometry_error(raw, change, spacing, found):
    path = raw / "patient001/patient001_frame09_gt.nii.gz"
    rewrite(path, change, spacing=spacing)
    with pytest.raises(GeometryError) as caught:
        prepare_beside(raw)
    assert caught.value.file == str(path)
    assert found in caught.value.found
    assert str(SHAPE) in caught.value.expected


def test_broken_and_constant_images_are_named(raw):
    path = raw / "patient001/patient001_frame01.nii.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="unreadable data") as caught:
        prepare_beside(raw)
    assert caught.value.file == str(path)
    path.write_bytes(whole)
    rewrite(path, np.ones_like)
    with pytest.raises(InputError, match="constant image") as caught:
        prepare_beside(raw)
    assert caught.value.file == str(path)


def test_a_mask_that_lies_elsewhere_is_refused(raw):
    path = raw / "patient001/patient001_frame01_gt.nii.gz"
    image = nib.load(path)
    shifted = image.affine.copy()
    shifted[0, 3] += 50
    image.set_sform(shifted, code=2)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, image.header), path)
    with pytest.raises(GeometryError, match=r"50\.00 mm away") as caught:
        prepare_beside(raw)
    assert caught.value.file == str(path)


def test_a_data_set_without_a_mask_is_empty(tmp_path):
    write_patient(tmp_path / "raw", 1)
    (tmp_path / "cases.csv").write_text("image\nraw/patient001/patient001_frame01.nii.gz\n")
    with pytest.raises(InputError, match="no labelled case"):
        prepare(tmp_path / "cases.csv", output=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no labelled case"):
        prepare(tmp_path / "empty", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_is_an_output_error(raw):
    (raw.parent / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        prepare(raw, output=raw.parent / "file" / "prepared", config=CONFIG)
    assert str(raw.parent / "file") in caught.value.file
