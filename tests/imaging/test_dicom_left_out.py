"""Files that are left out: counted, named by what is wrong, and an error where a slice is lost."""

from dataclasses import replace

import dicom_data as made
import numpy as np
import pydicom
import pytest

from cardioseg.core.errors import InputError
from cardioseg.imaging.open import open_image

SERIES = made.cine((16, 14, 6, 8))
PHASES = SERIES.array.shape[3]


def change(**values):
    def spoil(path):
        data = pydicom.dcmread(path)
        for keyword, value in values.items():
            if value is None:
                del data[keyword]
            else:
                setattr(data, keyword, value)
        data.save_as(path)

    return spoil


def cut(length):
    return lambda path: path.write_bytes(path.read_bytes()[:length])


DAMAGE = {
    "empty": cut(0),
    "cut below 132 bytes": cut(100),
    "cut in the file header": cut(200),
    "cut at 400 bytes": cut(400),
    "cut at 600 bytes": cut(600),
    "cut to half": cut(900),
    "no position": change(ImagePositionPatient=None),
    "position of two numbers": change(ImagePositionPatient=[1, 2]),
    "no orientation": change(ImageOrientationPatient=None),
    "65535 rows": change(Rows=65535),
    "4000 rows": change(Rows=4000),
    "no rows": change(Rows=None),
    "slope 0": change(RescaleSlope=0, RescaleIntercept=0),
    "zeros": lambda path: path.write_bytes(bytes(1500)),
}


def end_slice(tmp_path, series=SERIES):
    """A study, and the files of the slice at its end."""
    made.save(tmp_path / "study", made.images(series))
    paths = sorted((tmp_path / "study").rglob("IM*"))
    z = series.array.shape[2] - 1
    last = series.position(0, 0, z)
    of_end = [
        path
        for path in paths
        if np.allclose(pydicom.dcmread(path).ImagePositionPatient, last, atol=0.01)
    ]
    assert len(of_end) == PHASES
    return of_end


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE)
def test_an_end_slice_that_cannot_be_read_is_an_error_that_counts_its_files(tmp_path, spoil):
    lost = end_slice(tmp_path)
    for path in lost:
        spoil(path)
    with pytest.raises(InputError) as refused:
        open_image(tmp_path / "study")
    assert f"{PHASES} files" in refused.value.found
    assert any(path.name in refused.value.found for path in lost)


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE)
def test_so_is_an_end_slice_that_has_a_series_and_a_folder_of_its_own(tmp_path, spoil):
    for z in range(6):
        one = made.one_slice(SERIES, z, number=30 + z)
        paths = made.save(tmp_path / "study" / f"sax{z}", made.images(one), seed=z)
    for path in paths:
        spoil(path)
    with pytest.raises(InputError) as refused:
        open_image(tmp_path / "study")
    assert f"{PHASES} files" in refused.value.found


def test_damaged_files_of_another_series_are_noted(tmp_path):
    made.save(tmp_path / "study" / "cine", made.images(SERIES))
    scout = made.cine((16, 14, 4, 1), number=3)
    paths = made.save(tmp_path / "study" / "scout", made.images(scout), seed=1)
    cut(0)(paths[0])
    change(ImagePositionPatient=None)(paths[1])
    image = open_image(tmp_path / "study")
    assert np.array_equal(made.voxels_of(image), SERIES.array)
    note = next(note for note in image.notes if "left out" in note)
    assert all(part in note for part in ("2 files", "1 empty", "1 no position"))
    assert not any(path.name in note for path in paths)


def test_other_objects_are_counted_and_texts_are_ignored(tmp_path):
    made.save(tmp_path / "study", made.images(SERIES))
    made.save(tmp_path / "study" / "extra", [made.screenshot(SERIES)])
    for name in ("README", "VERSION", "0/LOCKFILE"):
        (tmp_path / "study" / name).write_text("exported by a viewer\n")
    image = open_image(tmp_path / "study")
    assert [note for note in image.notes if "left out" in note] == [
        "1 file left out: 1 Secondary Capture Image Storage"
    ]


def test_identical_copies_are_left_out(tmp_path):
    paths = made.save(tmp_path / "study", made.images(SERIES))
    for path in paths[:5]:
        (path.parent / f"copy of {path.name}").write_bytes(path.read_bytes())
    image = open_image(tmp_path / "study")
    assert np.array_equal(made.voxels_of(image), SERIES.array)
    assert any("5 files" in note and "copies" in note for note in image.notes)


def test_another_image_under_the_same_identifier_is_no_copy(tmp_path):
    files = made.images(SERIES)
    for data in files:  # as some anonymisers write
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    made.save(tmp_path / "study", files)
    assert np.array_equal(made.voxels_of(open_image(tmp_path / "study")), SERIES.array)


def test_absent_instance_numbers_are_noted(tmp_path):
    for path in end_slice(tmp_path):
        path.unlink()
    image = open_image(tmp_path / "study")
    assert any("instance numbers" in note for note in image.notes)


def test_values_that_the_standard_forbids_are_noted_once(tmp_path, recwarn):
    made.save(tmp_path / "study", made.images(SERIES))
    for path in (tmp_path / "study").rglob("IM*"):
        data = path.read_bytes()
        identifier = str(pydicom.dcmread(path).StudyInstanceUID).encode()
        path.write_bytes(data.replace(identifier, b"2.01" + identifier[4:]))
    image = open_image(tmp_path / "study")
    assert sum("DICOM standard" in note for note in image.notes) <= 1
    assert not recwarn.list


def test_nothing_of_the_description_is_told(tmp_path):
    secret = "Doe John 4711"  # noqa: S105 - stands for a patient's name
    made.save(tmp_path / "study", made.images(replace(SERIES, description=secret)))
    again = made.cine((16, 14, 6, 8), seed=2, number=13, description=secret)
    made.save(tmp_path / "study" / "more", made.images(again), seed=2)
    with pytest.raises(InputError) as refused:
        open_image(tmp_path / "study")
    assert "Doe" not in str(refused.value)
    assert all(part in refused.value.found for part in ("12 (6 slices", "13 (6 slices"))
