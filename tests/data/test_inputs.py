"""Which files of a call are images, and what their cases are called."""

import json

import nibabel as nib
import numpy as np
import pytest

from cardioseg.core.errors import InputError, UsageError
from cardioseg.core.walk import files_below
from cardioseg.data.inputs import find_inputs
from cardioseg.data.pairs import find_pairs
from cardioseg.data.sources import find_cases


def image(path, *, labels=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(0).integers(0, 4 if labels else 500, (9, 8, 4)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.diag([1.5, 1.5, 8, 1])), path)
    return path


# ---- names


def test_files_of_one_name_get_the_names_of_their_folders(tmp_path):
    for name in ("1001/sa", "1002/sa", "1002/other", "site/1/a/x", "site/2/a/x"):
        image(tmp_path / f"{name}.nii.gz")
    assert set(find_inputs([tmp_path]).images) == {"1001_sa", "1002_sa", "other", "1_a_x", "2_a_x"}
    files = [tmp_path / "1001" / "sa.nii.gz", tmp_path / "1002" / "sa.nii.gz"]
    assert list(find_inputs(files).images) == ["1001_sa", "1002_sa"]


def test_one_file_twice_is_one_case(tmp_path):
    path = image(tmp_path / "a" / "sa.nii.gz")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert list(find_inputs([path, path, tmp_path / "b" / "sa.nii.gz"]).images) == ["sa"]


def test_two_formats_of_one_name_cannot_be_told_apart(tmp_path):
    image(tmp_path / "x.nii.gz")
    image(tmp_path / "x.nii")
    with pytest.raises(UsageError):
        find_inputs([tmp_path])


def test_masks_of_one_name_pair_by_folder(tmp_path):
    for patient in ("1001", "1002"):
        image(tmp_path / "ref" / patient / "sa_gt.nii.gz")
        image(tmp_path / "out" / f"{patient}_sa_mask.nii.gz")
    pairing = find_pairs(tmp_path / "out", tmp_path / "ref")
    assert [pair.name for pair in pairing.pairs] == ["1001_sa", "1002_sa"]
    assert all(pair.prediction is not None for pair in pairing.pairs)


def table(folder, text):
    path = folder / "cases.csv"
    path.write_text(text)
    return path


def test_a_table_names_cases_by_folder_or_by_its_column(tmp_path):
    for patient in ("1001", "1002"):
        image(tmp_path / patient / "sa.nii.gz")
    rows = "1001/sa.nii.gz{}\n1002/sa.nii.gz{}\n"
    cases = find_cases(table(tmp_path, "image\n" + rows.format("", ""))).cases
    assert [case.name for case in cases] == ["1001_sa", "1002_sa"]
    assert len({case.patient for case in cases}) == 2
    cases = find_cases(table(tmp_path, "image,case\n" + rows.format(",anna", ",bert"))).cases
    assert [case.name for case in cases] == ["anna", "bert"]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "x" * 500])
def test_a_case_name_is_no_path(tmp_path, name):
    image(tmp_path / "sa.nii.gz")
    with pytest.raises(InputError):
        find_cases(table(tmp_path, f"image,case\nsa.nii.gz,{name}\n"))


def test_a_path_of_5000_characters_is_an_input_error(tmp_path):
    with pytest.raises(InputError):
        find_cases(table(tmp_path, "image\n" + "x" * 5000 + "\n"))


# ---- links


def test_loops_of_links_end_and_linked_folders_count(tmp_path):
    image(tmp_path / "real" / "a.nii.gz")
    root = tmp_path / "in"
    root.mkdir()
    (root / "patient").symlink_to(tmp_path / "real")
    (root / "loop").symlink_to(root)
    (root / "again").symlink_to(".")
    (tmp_path / "real" / "back").symlink_to(root)
    assert [path.name for path in files_below(root)] == ["a.nii.gz"]
    assert list(find_inputs([root]).images) == ["a"]
    assert find_pairs(root, root).pairs[0].name == "a"


def test_links_between_many_folders_are_walked_once(tmp_path):
    for one in range(9):
        image(tmp_path / str(one) / f"x{one}.nii.gz")
        for other in range(9):
            (tmp_path / str(one) / f"to{other}").symlink_to(tmp_path / str(other))
    assert len(list(files_below(tmp_path))) == 9


def test_real_folders_come_before_links(tmp_path):
    image(tmp_path / "z" / "x.nii.gz")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert [path.parent.name for path in files_below(tmp_path)] == ["z"]


def test_linked_acdc_patients_are_found(tmp_path):
    folder = tmp_path / "store" / "patient001"
    for name in ("frame01", "frame01_gt"):
        image(folder / f"patient001_{name}.nii.gz")
    (folder / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: NOR\n")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "patient001").symlink_to(folder)
    assert [case.name for case in find_cases(tmp_path / "set").cases] == ["patient001_frame01"]


# ---- label maps


def test_of_an_nnunet_data_set_only_images_are_segmented(tmp_path):
    image(tmp_path / "imagesTr" / "anna_0000.nii.gz")
    image(tmp_path / "imagesTs" / "bert_0000.nii.gz")
    image(tmp_path / "labelsTr" / "anna.nii.gz", labels=True)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "LV": 1}}))
    assert set(find_inputs([tmp_path]).images) == {"anna", "bert"}


@pytest.mark.parametrize(
    "name", ["p_seg", "p_gt", "p_mask", "segmentation", "p-label", "labels/p2"]
)
def test_label_maps_are_left_out_and_counted(tmp_path, name):
    image(tmp_path / "p.nii.gz")
    image(tmp_path / f"{name}.nii.gz", labels=True)
    found = find_inputs([tmp_path])
    assert list(found.images) == ["p"]
    assert any(name.rpartition("/")[2] in note for note in found.notes)


def test_an_image_called_mask_is_an_image(tmp_path):
    image(tmp_path / "heart_mask.nii.gz")
    found = find_inputs([tmp_path])
    assert (list(found.images), found.notes) == (["heart_mask"], ())


def test_phases_in_separate_files_are_noted(tmp_path):
    for step in (0, 324, 648):
        image(tmp_path / f"cine_t{step}.nii.gz")
    image(tmp_path / "other.nii.gz")
    found = find_inputs([tmp_path])
    assert len(found.images) == 4
    assert len(found.notes) == 1
    assert "cine" in found.notes[0]
