"""Images in memory have the geometry, the voxels and the results of the same image in a file."""

import nibabel as nib
import numpy as np
import pytest

from cardioseg.core.digest import sha256
from cardioseg.core.errors import GeometryError, InputError
from cardioseg.imaging.memory import image_digest, image_from_array, image_from_nibabel
from cardioseg.imaging.nifti import write
from cardioseg.imaging.open import open_image

SPACING = (1.4, 1.5, 8.0)
OBLIQUE = np.array(
    [
        [0.0, -1.5, 0.0, 5.0],
        [1.4, 0.0, 0.0, -7.0],
        [0.0, 0.0, 8.0, 3.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def voxels(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4), (6, 5, 4, 3), (6, 5, 4, 1)])
def test_an_array_keeps_voxels_and_geometry(shape):
    array = voxels(*shape)
    image = image_from_array(array, spacing_mm=SPACING, affine=OBLIQUE, name="case")
    assert image.frames == (shape[3] if len(shape) == 4 else 1)
    assert image.spacing == SPACING
    assert image.files == ()
    for index in range(image.frames):
        volume = image.frame(index)
        expected = array[..., index] if len(shape) == 4 else array
        np.testing.assert_array_equal(volume.array, expected.reshape(volume.shape))
        np.testing.assert_allclose(volume.affine, OBLIQUE, rtol=1e-12)


def test_an_array_without_an_affine_lies_along_the_axes():
    image = image_from_array(voxels(6, 5), spacing_mm=SPACING[:2])
    np.testing.assert_array_equal(image.affine, np.diag([1.4, 1.5, 1.0, 1.0]))


def test_frame_seconds_reach_the_header_of_results(tmp_path):
    array = voxels(6, 5, 4, 3)
    image = image_from_array(array, spacing_mm=SPACING, affine=OBLIQUE, frame_seconds=0.05)
    volume = image.frame(0).with_array(np.zeros((6, 5, 4), np.uint8))
    write(tmp_path / "mask.nii.gz", volume)
    header = nib.load(tmp_path / "mask.nii.gz").header
    assert image.frame_seconds == 0.05
    assert header.get_zooms() == pytest.approx(SPACING)
    np.testing.assert_allclose(header.get_sform(), OBLIQUE, rtol=1e-6)


def test_time_between_the_frames_of_one_volume_says_nothing():
    assert (
        image_from_array(voxels(6, 5, 4), spacing_mm=SPACING, frame_seconds=1).frame_seconds is None
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"spacing_mm": (1, 1)},
        {"spacing_mm": (1, 1, 0)},
        {"spacing_mm": (1, 1, float("nan"))},
        {"spacing_mm": SPACING, "affine": np.eye(3)},
        {"spacing_mm": SPACING, "affine": np.full((4, 4), np.nan)},
        {"spacing_mm": SPACING, "affine": np.eye(4)},
        {"spacing_mm": SPACING, "frame_seconds": -1},
    ],
)
def test_geometry_that_makes_no_sense_is_refused(bad):
    with pytest.raises(GeometryError):
        image_from_array(voxels(6, 5, 4, 3), **bad)


@pytest.mark.parametrize("shape", [(6,), (6, 5, 4, 3, 2), (6, 0, 4)])
def test_shapes_that_are_no_image_are_refused(shape):
    with pytest.raises(GeometryError):
        image_from_array(np.zeros(shape), spacing_mm=SPACING)


@pytest.mark.parametrize("dtype", [np.complex64, object, "U1"])
def test_voxels_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(InputError):
        image_from_array(np.zeros((6, 5), dtype), spacing_mm=SPACING)


def test_infinite_voxels_of_an_array_are_refused_when_read():
    with pytest.raises(InputError):
        image_from_array(np.full((6, 5), np.inf), spacing_mm=SPACING).frame(0)


def saved(path, array, *, pixdim=None):
    image = nib.Nifti1Image(array, OBLIQUE)
    image.header.set_xyzt_units("mm", "sec")
    if pixdim is not None:
        image.header["pixdim"][1:4] = pixdim
    nib.save(image, path)
    return path


@pytest.mark.parametrize("trust", ["pixdim", "affine"])
def test_a_nibabel_image_is_settled_as_its_file_is(tmp_path, trust):
    path = saved(tmp_path / "a.nii.gz", voxels(6, 5, 4, 3), pixdim=(2, 2, 9))
    of_file, of_image = (
        open_image(path, trust=trust),
        image_from_nibabel(nib.load(path), trust=trust),
    )
    assert of_image.path.name == "a"
    for attribute in ("shape", "frames", "spacing", "frame_seconds", "notes", "header"):
        assert getattr(of_image, attribute) == getattr(of_file, attribute), attribute
    assert of_image.notes, "two spacings are noted"
    np.testing.assert_array_equal(of_image.affine, of_file.affine)
    np.testing.assert_array_equal(of_image.frame(2).array, of_file.frame(2).array)


def test_results_of_a_nibabel_image_have_the_bytes_of_its_files_results(tmp_path):
    path = saved(tmp_path / "a.nii.gz", voxels(6, 5, 4))
    mask = np.ones((6, 5, 4), np.uint8)
    for name, image in (("f", open_image(path)), ("m", image_from_nibabel(nib.load(path)))):
        write(tmp_path / f"{name}.nii.gz", image.frame(0).with_array(mask))
    one, other = (nib.load(tmp_path / f"{name}.nii.gz") for name in "fm")
    assert one.header == other.header


def test_a_pixdim_of_zero_is_seen_although_nibabel_mends_it(tmp_path):
    path = saved(tmp_path / "a.nii.gz", voxels(6, 5, 4), pixdim=(0, 1.5, 8))
    with pytest.raises(GeometryError):
        image_from_nibabel(nib.load(path))


def test_a_nibabel_image_made_in_memory_is_read():
    header = nib.Nifti1Header()
    header.set_data_shape((6, 5, 4))
    header.set_zooms(SPACING)
    for image in (
        nib.Nifti1Image(voxels(6, 5, 4), OBLIQUE),
        nib.Nifti1Image(voxels(6, 5, 4), None, header),
    ):
        opened = image_from_nibabel(image, name="mine")
        assert (opened.path.name, opened.spacing) == ("mine", pytest.approx(SPACING))
        assert opened.header is not image.header
    assert image_from_nibabel(image).path.name == "image"


def test_what_is_no_spatial_image_is_refused():
    with pytest.raises(InputError):
        image_from_nibabel(voxels(6, 5, 4))


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    path = saved(tmp_path / "a.nii.gz", voxels(6, 5, 4))
    assert image_digest(open_image(path)) == sha256(path)


def test_the_digest_in_memory_depends_on_voxels_spacing_type_and_shape_alone():
    array = voxels(6, 5, 4, 3)
    first = image_digest(image_from_array(array, spacing_mm=SPACING))
    changed = array.copy()
    changed[0, 0, 0, 0] += 1
    same = [
        image_from_array(np.asfortranarray(array), spacing_mm=SPACING, name="other"),
        image_from_array(array.astype(">i2"), spacing_mm=SPACING, affine=OBLIQUE),
        image_from_array(array, spacing_mm=SPACING, frame_seconds=0.04),
    ]
    different = [
        image_from_array(changed, spacing_mm=SPACING),
        image_from_array(array.astype(np.int32), spacing_mm=SPACING),
        image_from_array(array, spacing_mm=(1.4, 1.5, 8.1)),
        image_from_array(array.reshape(5, 6, 4, 3), spacing_mm=SPACING),
        image_from_array(array[..., 0], spacing_mm=SPACING),
    ]
    assert {image_digest(image) for image in same} == {first}
    assert len({image_digest(image) for image in different} | {first}) == len(different) + 1
