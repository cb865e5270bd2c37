"""DICOM folders as images: geometry, order, values, and what is refused."""

from dataclasses import replace

import dicom_data as made
import numpy as np
import pydicom
import pytest
from pydicom.uid import MPEG2MPML, HTJ2KLossless

from cardioseg.core.errors import GeometryError, InputError
from cardioseg.imaging.dicom.voxels import check_voxels
from cardioseg.imaging.open import open_image

LPS_TO_RAS = np.array([-1, -1, 1])


def folder(tmp_path, series, **changes):
    made.save(tmp_path / "study", made.images(series), **changes)
    return tmp_path / "study"


def check_all(image):
    for path in image.files:
        check_voxels(path)


# ------------------------------------------------------------------------------- geometry and order


@pytest.mark.parametrize("kind", ["one file an image", "one file a cine"])
def test_a_marked_voxel_lies_where_the_headers_put_it(tmp_path, kind):
    series = made.cine()
    x, y, z, t = 17, 6, 2, 5
    series.array[x, y, z, t] = 3000
    if kind == "one file an image":
        made.save(tmp_path / "study", made.images(series))
    else:
        made.save(tmp_path / "study", [made.enhanced(series)])
    image = open_image(tmp_path / "study")
    assert image.shape == series.array.shape
    found = np.argwhere(made.voxels_of(image) == 3000)
    assert found.shape == (1, 4)
    assert found[0][3] == t
    world = image.affine @ [*found[0][:3], 1]
    assert world[:3] == pytest.approx(LPS_TO_RAS * series.position(x, y, z), abs=1e-3)
    assert image.spacing == pytest.approx(series.spacing, abs=1e-4), (
        "the distance of the slices, not their thickness"
    )
    assert np.linalg.norm(image.affine[:3, :3], axis=0) == pytest.approx(image.spacing, abs=1e-4)


@pytest.mark.parametrize("upwards", [True, False])
def test_all_voxels_come_back_in_order_whatever_the_files_are_called(tmp_path, upwards):
    series = made.cine()
    if not upwards:  # numbered from the other end of the heart
        series = replace(series, axes=series.axes * (1, -1, -1))
    image = open_image(folder(tmp_path, series))
    assert np.array_equal(made.voxels_of(image), series.array)
    other = open_image(folder(tmp_path / "renamed", series, seed=77))
    assert [path.read_bytes()[-960:] for path in image.files] == [
        path.read_bytes()[-960:] for path in other.files
    ]


def test_one_frame_is_read_at_a_time(tmp_path):
    series = made.cine()
    paths = made.save(tmp_path / "study", made.images(series))
    image = open_image(tmp_path / "study")
    image.check_whole()
    paths[0].unlink()  # of the first phase
    assert image.frame(1).array.shape == (24, 20, 5)
    with pytest.raises(InputError, match="unreadable voxels"):
        image.frame(0)


def test_time_and_heart_rate_are_those_of_the_headers(tmp_path):
    image = open_image(folder(tmp_path, made.cine()))
    assert image.heart_rate_bpm == 75
    steps = [(800 + 7 * z) / 9 / 1000 for z in range(5)]
    assert image.frame_seconds == pytest.approx(np.mean(steps), rel=1e-3)
    made.save(tmp_path / "enhanced", [made.enhanced(made.cine())])
    image = open_image(tmp_path / "enhanced")
    assert (image.heart_rate_bpm, image.frame_seconds) == (
        75,
        pytest.approx(np.mean(steps), rel=1e-3),
    )


def test_slope_and_intercept_are_applied(tmp_path):
    series = made.cine(slope=0.5, intercept=-20.0)
    for name, files in (("single", made.images(series)), ("multi", [made.enhanced(series)])):
        made.save(tmp_path / name, files)
        image = open_image(tmp_path / name)
        assert image.frame(3).array.dtype == np.float32
        assert np.array_equal(image.frame(3).array, series.array[..., 3] * 0.5 - 20)


def test_without_trigger_times_the_instance_numbers_sort_and_a_note_says_so(tmp_path):
    series = made.cine()
    files = made.images(series)
    for data in files:
        del data.TriggerTime
    made.save(tmp_path / "study", files)
    image = open_image(tmp_path / "study")
    assert np.array_equal(made.voxels_of(image), series.array)
    assert image.frame_seconds is None
    assert "instance number" in image.notes[0]
    for index, data in enumerate(files):  # phases the other way round
        data.TemporalPositionIdentifier = 9 - index // 5
    made.save(tmp_path / "study", files)
    image = open_image(tmp_path / "study")
    assert np.array_equal(made.voxels_of(image), series.array[..., ::-1])
    assert "temporal position" in image.notes[0]


def test_a_compressed_series_unpacks_to_the_same_values(tmp_path):
    series = made.cine()
    made.save(tmp_path / "study", [made.compressed(data) for data in made.images(series)])
    image = open_image(tmp_path / "study")
    assert np.array_equal(made.voxels_of(image), series.array)
    check_all(image)


def test_slices_that_wander_in_plane_are_read_and_noted(tmp_path):
    series = made.cine()
    files = made.images(series)
    for data in files:
        if float(data.TriggerTime) and np.allclose(
            data.ImagePositionPatient, series.position(0, 0, 2), atol=1e-3
        ):
            data.ImagePositionPatient = [f"{value:.6f}" for value in series.position(3, 0, 2)]
    made.save(tmp_path / "study", files)
    image = open_image(tmp_path / "study")
    assert np.array_equal(made.voxels_of(image), series.array)
    assert "shifted in-plane by up to" in image.notes[0]


def test_a_single_image_is_a_slice(tmp_path):
    made.save(tmp_path / "study", [made.image(made.cine(), 0, 0)])
    image = open_image(tmp_path / "study")
    assert (image.shape, image.frames, image.spacing[2]) == ((24, 20, 1), 1, 6)
    assert "slice distance" in image.notes[0]


# ---------------------------------------------------------------------------------- what is refused


def without(series, lost):
    return [made.image(series, z, t) for t in range(9) for z in range(5) if not lost(z, t)]


def doubled(series, again):
    return made.images(series) + [
        made.image(series, z, t) for t in range(9) for z in range(5) if again(z, t)
    ]


def re_acquired(series):
    return made.images(series) + made.images(
        made.one_slice(replace(series, rr_ms=913.0), 1, number=40)
    )


def elsewhere(series):
    near = replace(made.one_slice(series, 1, number=12), origin=tuple(series.position(0, 0, 1.3)))
    return made.images(series) + made.images(near)


def turned(series):
    other = replace(series, axes=made.FOUR_CHAMBER)
    return made.images(series) + made.images(made.one_slice(other, 0, number=12))


def larger(series):
    return made.images(series) + made.images(made.cine((32, 32, 1, 9)))


def finer(series):
    return made.images(series) + made.images(
        replace(made.one_slice(series, 0, number=12), spacing=(1.0, 1.0, 9.6))
    )


def untimed(series):
    files = made.images(series)
    for data in files:
        del data.TriggerTime, data.InstanceNumber
    return files


REFUSED = {
    "a phase of a slice is missing": (
        lambda s: without(s, lambda z, t: (z, t) == (1, 4)),
        ["missing", "slice 2 of 5 has 8"],
    ),
    "a slice is missing": (
        lambda s: without(s, lambda z, t: z == 2),
        ["missing", "19.2 mm between slices 2 and 3"],
    ),
    "a slice is doubled": (
        lambda s: doubled(s, lambda z, t: z == 2),
        ["9", "of 54", "slice 3 (series 12)"],
    ),
    "a phase is doubled": (
        lambda s: doubled(s, lambda z, t: t == 0),
        ["5", "of 50", "5 slices"],
    ),
    "a slice was scanned again": (
        re_acquired,
        ["slice 2 of 5 has 18", "series 12, 40"],
    ),
    "a slice lies between two": (elsewhere, ["2.9 mm between slices 2 and 3"]),
    "two orientations": (turned, ["orientations", "45 + 9 of 54"]),
    "two sizes": (larger, ["sizes", "45 of 24 × 20, 9 of 32 × 32"]),
    "two pixel spacings": (
        finer,
        ["spacings", "45 of 1.400 × 1.250 mm, 9 of 1.000 × 1.000 mm"],
    ),
    "nothing to sort by": (untimed, ["nothing to sort them by"]),
}


@pytest.mark.parametrize(("files", "found"), REFUSED.values(), ids=REFUSED)
def test_a_grid_with_a_hole_or_a_double_is_refused_and_says_where(tmp_path, files, found):
    made.save(tmp_path / "study", files(made.cine(rr_ms=800.0)))
    with pytest.raises(GeometryError) as refused:
        open_image(tmp_path / "study", series=(12, 40) if "series 12, 40" in found else ())
    assert all(part in refused.value.found for part in found)
    assert refused.value.cure


def broken_file(tmp_path, spoil):
    paths = made.save(tmp_path / "study", made.images(made.cine()))
    spoil(paths[7])
    return tmp_path / "study", paths[7]


def cut_off(bytes_left):
    return lambda path: path.write_bytes(path.read_bytes()[:bytes_left])


def change(**values):
    def spoil(path):
        data = pydicom.dcmread(path)
        for keyword, value in values.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        data.save_as(path)

    return spoil


def test_a_file_without_all_its_voxels_is_named(tmp_path):
    study, path = broken_file(tmp_path, cut_off(-100))
    image = open_image(study)
    with pytest.raises(InputError, match="860 bytes of voxels instead of 960") as refused:
        check_all(image)
    assert str(path) in str(refused.value)


def test_a_file_without_voxels_is_named(tmp_path):
    study, path = broken_file(tmp_path, change(PixelData=None))
    with pytest.raises(InputError, match="no voxels") as refused:
        check_all(open_image(study))
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (cut_off(600), "without rows and columns"),
        (change(PixelSpacing=None), "no pixel spacing"),
        (change(PixelSpacing=[0, 1.25]), "pixel spacing 0 × 1.25 mm"),
        (change(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "orientation 1, 0, 0, 1, 0, 0"),
        (change(ImagePositionPatient=None), "no position"),
    ],
)
def test_a_damaged_header_is_named(tmp_path, spoil, found):
    study, _ = broken_file(tmp_path, spoil)
    with pytest.raises(InputError) as refused:
        open_image(study)
    assert found in refused.value.found


@pytest.mark.parametrize("syntax", [HTJ2KLossless, MPEG2MPML])
def test_a_compression_without_decoder_is_named_with_its_cure(tmp_path, syntax):
    made.save(
        tmp_path / "study", [made.marked_as(syntax, data) for data in made.images(made.cine())]
    )
    with pytest.raises(InputError, match="voxels compressed as") as refused:
        open_image(tmp_path / "study")
    assert "cardioseg[dicom]" in refused.value.cure


def test_compressed_voxels_that_do_not_unpack_are_named(tmp_path):
    files = [made.compressed(data) for data in made.images(made.cine())]
    files[3].PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
    path = made.save(tmp_path / "study", files)[3]
    image = open_image(tmp_path / "study")
    with pytest.raises(InputError, match="unreadable data") as refused:
        check_all(image)
    assert str(path) in str(refused.value)


def test_a_folder_without_mr_images_says_what_it_holds(tmp_path):
    made.save(tmp_path / "study", [made.screenshot(made.cine())])
    (tmp_path / "study" / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="1 file "):
        open_image(tmp_path / "study")


def test_other_files_among_the_images_are_passed_over(tmp_path):
    series = made.cine()
    study = folder(tmp_path, series)
    made.save(study / "extra", [made.screenshot(series)])
    (study / "report.pdf").write_bytes(b"%PDF-1.4")
    (study / ".hidden").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 99)
    (study / "empty").write_bytes(b"")
    assert np.array_equal(made.voxels_of(open_image(study)), series.array)
