"""Cases in a folder with DICOM files, and their names, which never identify the patient."""

import unicodedata
from dataclasses import replace

import dicom_data as made
import pytest
from tiny import save_image

from cardioseg.core.errors import InputError, UsageError
from cardioseg.data.inputs import find_images

OTHER = replace(made.cine((24, 20, 2, 2)), study="1.2.3.4")
CINE = made.cine((24, 20, 2, 2))


def save(folder, series=CINE, **changes):
    files = made.images(series)
    for data in files:
        for keyword, value in changes.items():
            setattr(data, keyword, value)
    made.save(folder, files)
    return folder


def found(*inputs):
    return {name: path.name for name, path in find_images(inputs).items()}


def test_each_study_is_a_case_called_after_its_topmost_folder(tmp_path):
    save(tmp_path / "scans" / "p1" / "SAX")
    save(tmp_path / "scans" / "p1" / "LAX", replace(CINE, number=13))
    save(tmp_path / "scans" / "p2" / "deep" / "er", OTHER)
    assert found(tmp_path / "scans") == {"p1": "p1", "p2": "p2"}
    assert found(tmp_path / "scans" / "p2") == {"p2": "p2"}
    assert found(tmp_path / "scans" / "p1" / "SAX") == {"SAX": "SAX"}


def test_image_files_and_studies_may_lie_in_one_folder(tmp_path):
    save_image(tmp_path / "scans" / "heart.nii.gz")
    save(tmp_path / "scans" / "p1")
    save(tmp_path / "scans" / "p2", OTHER)
    assert found(tmp_path / "scans") == {"heart": "heart.nii.gz", "p1": "p1", "p2": "p2"}


def test_a_list_may_name_studies(tmp_path):
    save(tmp_path / "p1")
    (tmp_path / "list.txt").write_text("p1\n")
    assert found(tmp_path / "list.txt") == {"p1": "p1"}


def test_a_multi_frame_file_is_a_case(tmp_path):
    path = tmp_path / "cine.dcm"
    made.enhanced(CINE).save_as(path, enforce_file_format=True)
    assert found(path) == {"cine": "cine.dcm"}


@pytest.mark.parametrize(
    "name",
    [
        "Anneliese",
        "anneliese_scan2",
        "2024-ÄRGER",
        "scan_of_ärger",
        "MRN-4711-0815",
        "x mrn-4711-0815",
    ],
)
def test_a_folder_called_after_the_patient_lends_no_name(tmp_path, name):
    (case,) = found(save(tmp_path / name))
    assert case.startswith("dicom_")
    assert len(case) == len("dicom_") + 8
    assert (case,) == tuple(found(save(tmp_path / "again" / name))), "the same study, the same name"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (unicodedata.normalize("NFD", "Ärger 2024"), {}),
        ("Arger_2024", {}),
        ("STRASSE 1", {"PatientName": "Straße^Max"}),
        ("LiMin", {"PatientName": "Li^Min"}),
        ("王小明", {"PatientName": "Wang^XiaoMing=王^小明"}),
        ("MRN_4711_0815", {}),
        ("scan MRN47110815", {}),
        ("4711", {"PatientID": "004711"}),
    ],
)
def test_a_name_is_known_however_it_is_written(tmp_path, name, changes):
    assert next(iter(found(save(tmp_path / name, **changes)))).startswith("dicom_")


@pytest.mark.parametrize("name", ["limes", "case_12", "p1"])
def test_a_folder_that_only_resembles_a_short_name_keeps_its_own(tmp_path, name):
    assert found(save(tmp_path / name, PatientName="Li^Mo", PatientID="12345")) == {name: name}


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientName": "SCD0001", "PatientID": "SCD0001"},
        {"PatientName": "SCD0001", "PatientID": "A7"},
        {"PatientName": "", "PatientID": ""},
        {"PatientName": "Doe^SCD0001", "PatientID": "SCD0001", "PatientIdentityRemoved": "YES"},
    ],
)
def test_a_pseudonym_is_a_good_name(tmp_path, changes):
    assert found(save(tmp_path / "SCD0001", **changes)) == {"SCD0001": "SCD0001"}


def test_a_file_called_after_the_patient_lends_no_name(tmp_path):
    path = tmp_path / "aerger ärger.dcm"
    made.enhanced(CINE).save_as(path, enforce_file_format=True)
    assert next(iter(found(path))).startswith("dicom_")


def test_two_studies_in_one_folder_have_to_be_sorted(tmp_path):
    save(tmp_path / "all")
    save(tmp_path / "all" / "sub", OTHER)
    with pytest.raises(InputError, match="files of several studies"):
        found(tmp_path / "all")


def test_two_studies_of_one_name_are_a_wrong_call(tmp_path):
    save(tmp_path / "a" / "SAX")
    save(tmp_path / "b" / "SAX", OTHER)
    with pytest.raises(UsageError, match="a second image named SAX"):
        found(tmp_path / "a" / "SAX", tmp_path / "b" / "SAX")


def test_a_folder_of_pictures_alone_holds_no_case(tmp_path):
    made.save(tmp_path / "all", [made.screenshot(CINE)])
    with pytest.raises(InputError, match="no image"):
        found(tmp_path / "all")
