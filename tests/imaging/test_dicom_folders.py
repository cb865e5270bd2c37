"""Cases in a folder with DICOM files, and their names, which never identify the patient."""

import unicodedata
from dataclasses import replace

import dicom_data as made
import pytest
from pydicom.uid import CTImageStorage
from tiny import save_image

from cardioseg.core.errors import InputError, UsageError
from cardioseg.data.inputs import find_inputs
from cardioseg.imaging.open import open_image

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
    return {name: path.name for name, path in find_inputs(inputs).images.items()}


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
    "name",
    ["19640229", "1964-02-29", "29.02.1964", "02_29_1964", "p_29-2-64", "29Feb1964", "x640229"],
)
def test_a_folder_called_after_the_birth_date_lends_no_name(tmp_path, name):
    assert next(iter(found(save(tmp_path / name)))).startswith("dicom_")


@pytest.mark.parametrize("name", ["20240102", "1964", "case_2902", "16402291"])
def test_a_folder_called_after_another_date_or_number_keeps_its_name(tmp_path, name):
    assert found(save(tmp_path / name)) == {name: name}


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


def test_two_studies_in_one_folder_are_one_case_that_cannot_be_opened(tmp_path):
    save(tmp_path / "all")
    for path in sorted(save(tmp_path / "other", OTHER).rglob("IM*")):
        path.rename(tmp_path / "all" / path.parent.name / f"{path.name}b")
    assert found(tmp_path / "all") == {"all": "all"}
    with pytest.raises(InputError, match="2 studies"):
        open_image(tmp_path / "all")


def test_two_studies_of_one_name_are_a_wrong_call(tmp_path):
    save(tmp_path / "a" / "SAX")
    save(tmp_path / "b" / "SAX", OTHER)
    with pytest.raises(UsageError, match="a second image named SAX"):
        found(tmp_path / "a" / "SAX", tmp_path / "b" / "SAX")


def test_a_folder_of_pictures_alone_holds_no_case(tmp_path):
    made.save(tmp_path / "all", [made.screenshot(CINE)])
    with pytest.raises(InputError, match="no image"):
        found(tmp_path / "all")


# ------------------------------------------------------------------------------- damaged studies


def unknown_vr(data):
    """The file with an invalid value representation at its first element after the file header."""
    at = data.index(b"\x08\x00\x05\x00CS")
    return data[: at + 4] + b"\x00\xff" + data[at + 6 :]


DAMAGE = {
    "header cut at 400 bytes": lambda data: data[:400],
    "unknown VR": unknown_vr,
    "empty": lambda data: b"",
    "cut at 100 bytes": lambda data: data[:100],
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_leaves_the_studies_beside_it_as_they_are(tmp_path, damage):
    save(tmp_path / "scans" / "p1")
    path = sorted(save(tmp_path / "scans" / "p2", OTHER).rglob("IM*"))[1]
    path.write_bytes(damage(path.read_bytes()))
    assert found(tmp_path / "scans") == {"p1": "p1", "p2": "p2"}
    open_image(tmp_path / "scans" / "p1")
    with pytest.raises(InputError) as refused:
        open_image(tmp_path / "scans" / "p2")
    assert path.name in refused.value.found


def test_a_study_of_damaged_files_alone_is_a_case_of_its_own(tmp_path):
    save(tmp_path / "scans" / "p1")
    for path in save(tmp_path / "scans" / "p2", OTHER).rglob("IM*"):
        path.write_bytes(path.read_bytes()[:400])
    assert found(tmp_path / "scans") == {"p1": "p1", "p2": "p2"}
    with pytest.raises(InputError) as refused:
        open_image(tmp_path / "scans" / "p2")
    assert "4 files" in refused.value.found


def test_a_damaged_multi_frame_file_beside_others_is_a_case_of_its_own(tmp_path):
    for name, series in (("a", CINE), ("b", OTHER)):
        path = tmp_path / "scans" / name / f"{name}.dcm"
        path.parent.mkdir(parents=True)
        made.enhanced(series).save_as(path, enforce_file_format=True)
    path = tmp_path / "scans" / "c.dcm"
    path.write_bytes((tmp_path / "scans" / "a" / "a.dcm").read_bytes()[:400])
    assert found(tmp_path / "scans") == {"a": "a", "b": "b", "c": "c.dcm"}


def test_images_of_another_modality_are_a_case_that_is_refused(tmp_path):
    save(tmp_path / "scans" / "p1")
    files = made.images(OTHER)
    for data in files:
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
        data.Modality, data.PatientID = "CT", "another"
    made.save(tmp_path / "scans" / "p2", files)
    assert found(tmp_path / "scans") == {"p1": "p1", "p2": "p2"}
    with pytest.raises(InputError, match="does not look like a short-axis cine"):
        open_image(tmp_path / "scans" / "p2")
