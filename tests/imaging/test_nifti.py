"""One reader and one rule for geometry: grids survive bit for bit, headers that lie are noticed."""

import gzip
import resource
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from small_images import save, voxels
from tiny import GEOMETRY

from cardioseg.core.errors import InputError, OutputError
from cardioseg.core.volume import Volume
from cardioseg.imaging.image import stem
from cardioseg.imaging.nifti import write
from cardioseg.imaging.open import open_image, read
from cardioseg.phantom import files as phantom_files


@st.composite
def grids(draw):
    """A NIfTI header of any tool: oblique, axes permuted and mirrored, qform, sform or both."""
    spacing = draw(st.tuples(*[st.floats(0.25, 10, width=32)] * 3))
    rotation = Rotation.from_euler(
        "xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True
    ).as_matrix()
    order = draw(st.permutations(range(3)))
    mirrored = np.diag(draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)))
    affine = np.eye(4)
    affine[:3, :3] = (rotation @ np.eye(3)[order] @ mirrored) * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    header = draw(st.sampled_from([nib.Nifti1Header, nib.Nifti2Header]))(
        endianness=draw(st.sampled_from("<>"))
    )
    shape = draw(st.tuples(*[st.integers(2, 7)] * 3)) + draw(st.sampled_from([(), (1,), (3,)]))
    forms = draw(st.sampled_from([(1, 1), (1, 0), (0, 2), (2, 1), (4, 3)]))
    header.set_data_shape(shape)
    header.set_zooms((*spacing, *[0.05] * (len(shape) - 3)))
    header.set_qform(affine, code=forms[0])
    header.set_sform(affine, code=forms[1])
    header.set_xyzt_units(
        *draw(st.sampled_from([("mm", "sec"), ("mm", "unknown"), ("unknown", "unknown")]))
    )
    header.set_data_dtype(np.int16)
    return affine, header


@given(grid=grids(), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_a_mask_lies_where_the_image_lies(grid, seed, tmp_path_factory):
    affine, header = grid
    folder = tmp_path_factory.mktemp("grid")
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    nib.save(kind(voxels(header.get_data_shape()), None, header), folder / "image.nii")
    image = open_image(folder / "image.nii")
    volume = image.frame(image.frames - 1)
    mask = voxels(volume.shape, seed, np.uint8) % 4
    write(folder / "mask.nii.gz", volume.with_array(mask))

    source, result = nib.load(folder / "image.nii"), nib.load(folder / "mask.nii.gz")
    for name in GEOMETRY:
        assert source.header[name].tobytes() == result.header[name].tobytes(), name
    assert source.header["pixdim"][:4].tobytes() == result.header["pixdim"][:4].tobytes()
    assert type(result.header) is type(source.header)
    assert result.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(result.dataobj), mask)
    landmarks = np.c_[np.random.default_rng(seed).uniform(0, volume.shape, (5, 3)), np.ones(5)].T
    for found in (result.affine, volume.affine, read(folder / "mask.nii.gz").affine):
        assert np.abs((found - affine) @ landmarks).max() < 1e-3
    assert volume.spacing == pytest.approx(np.linalg.norm(affine[:3, :3], axis=0), rel=1e-5)
    assert not volume.notes


# --------------------------------------------------------------------------------- headers that lie


@pytest.fixture
def trap(tmp_path):
    """As ACDC stores it: the affine says 1 mm, only pixdim knows 1.5 × 1.5 × 8."""
    path = tmp_path / "patient001_frame01.nii.gz"
    phantom_files.save(path, voxels((10, 12, 4)), phantom_files.acdc_header((1.5, 1.5, 8.0)))
    assert np.allclose(np.abs(np.diag(nib.load(path).affine)), 1), "the trap is set"
    return path


def test_acdcs_spacing_is_pixdim_and_the_decision_is_noted(trap):
    volume = read(trap)
    assert volume.spacing == (1.5, 1.5, 8.0)
    assert volume.voxel_ml == pytest.approx(0.018)
    assert np.linalg.norm(volume.affine[:3, :3], axis=0) == pytest.approx(volume.spacing)
    assert np.array_equal(np.sign(volume.affine[:3, :3]), np.diag([-1, -1, 1])), (
        "directions stay the affine's"
    )
    (note,) = volume.notes
    assert all(part in note for part in ("1.5 × 1.5 × 8 mm", "1 × 1 × 1 mm", "pixdim was"))


def test_trust_affine_turns_the_rule_round(trap):
    volume = read(trap, trust="affine")
    assert volume.spacing == (1.0, 1.0, 1.0)
    assert "affine was used" in volume.notes[0]


def test_the_trap_is_written_back_as_it_was(trap, tmp_path):
    write(tmp_path / "mask.nii.gz", read(trap).with_array(voxels((10, 12, 4), dtype=np.uint8)))
    source, result = nib.load(trap).header, nib.load(tmp_path / "mask.nii.gz").header
    assert all(source[name].tobytes() == result[name].tobytes() for name in (*GEOMETRY, "pixdim"))


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("meter", 1000.0), ("micron", 0.001)])
def test_units_become_millimetres(tmp_path, unit, factor):
    image = nib.Nifti1Image(
        voxels((4, 5, 6)), np.diag([1.5 / factor, 1.5 / factor, 8 / factor, 1.0])
    )
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "image.nii")
    volume = read(tmp_path / "image.nii")
    assert volume.spacing == pytest.approx((1.5, 1.5, 8.0))
    assert np.diag(volume.affine)[:3] == pytest.approx((1.5, 1.5, 8.0))
    assert not volume.notes


def test_scaled_intensities_are_read_and_a_mask_escapes_the_scaling(tmp_path):
    image = nib.Nifti1Image(np.linspace(-1, 3, 120).reshape(4, 5, 6).astype(np.float32), np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "image.nii.gz")
    assert nib.load(tmp_path / "image.nii.gz").dataobj.slope != 1
    volume = read(tmp_path / "image.nii.gz")
    assert volume.array.ravel() == pytest.approx(np.linspace(-1, 3, 120), abs=1e-4)
    mask = (np.arange(120).reshape(4, 5, 6) % 4).astype(np.uint8)
    write(tmp_path / "mask.nii.gz", volume.with_array(mask))
    assert nib.load(tmp_path / "mask.nii.gz").get_data_dtype() == np.uint8
    assert np.array_equal(nib.load(tmp_path / "mask.nii.gz").get_fdata().astype(int), mask)
    assert np.array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "mask.nii.gz"))).T, mask
    )


def test_nothing_personal_is_carried_over(tmp_path):
    image = nib.Nifti1Image(voxels((4, 5, 6)), np.eye(4))
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        image.header[field] = b"Jane Doe 1950"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    nib.save(image, tmp_path / "image.nii")
    write(
        tmp_path / "mask.nii.gz",
        read(tmp_path / "image.nii").with_array(voxels((4, 5, 6), dtype=np.uint8)),
    )
    assert b"Jane" in (tmp_path / "image.nii").read_bytes()
    assert b"Jane" not in gzip.decompress((tmp_path / "mask.nii.gz").read_bytes())


# ----------------------------------------------------------------------------------- shapes, frames


def test_a_single_slice_stays_a_single_slice(tmp_path):
    path = save(tmp_path / "slice.nii.gz", voxels((6, 7)))
    volume = read(path)
    assert (volume.shape, volume.spacing) == ((6, 7, 1), pytest.approx((1.4, 1.5, 1.0)))
    assert np.array_equal(volume.array[:, :, 0], voxels((6, 7)))
    write(tmp_path / "mask.nii.gz", volume.with_array(voxels((6, 7, 1), dtype=np.uint8)))
    assert nib.load(tmp_path / "mask.nii.gz").shape == (6, 7)


@pytest.mark.parametrize("shape", [(6, 7, 4, 1), (6, 7, 4, 1, 1), (6, 7, 4, 1, 1, 1)])
def test_trailing_axes_of_one_are_no_axes(tmp_path, shape):
    path = save(tmp_path / "image.nii", voxels(shape))
    assert open_image(path).shape == (6, 7, 4)
    assert np.array_equal(read(path).array, voxels(shape).reshape(6, 7, 4))


@pytest.mark.parametrize("shape", [(6, 7, 4, 3), (6, 7, 4, 3, 1), (6, 7, 1, 3)])
def test_frames_come_one_at_a_time(tmp_path, shape):
    path, array = save(tmp_path / "cine.nii.gz", voxels(shape)), voxels(shape).reshape(shape[:4])
    image = open_image(path)
    assert (image.shape, image.frames) == (shape[:4], 3)
    assert all(np.array_equal(image.frame(t).array, array[..., t]) for t in range(3))
    with pytest.raises(InputError, match="3 frames"):
        read(path)


@pytest.mark.parametrize(
    ("unit", "step", "seconds"), [("sec", 0.04, 0.04), ("msec", 40.0, 0.04), ("unknown", 1.0, None)]
)
def test_frame_time_is_known_only_when_the_file_says_so(tmp_path, unit, step, seconds):
    image = nib.Nifti1Image(voxels((4, 5, 6, 3)), np.eye(4))
    image.header.set_zooms((1, 1, 1, step))
    image.header.set_xyzt_units("mm", unit)
    nib.save(image, tmp_path / "cine.nii")
    assert open_image(tmp_path / "cine.nii").frame_seconds == (seconds and pytest.approx(seconds))
    assert open_image(save(tmp_path / "still.nii", voxels((4, 5, 6)))).frame_seconds is None


def test_maps_and_cines_are_written_with_a_fourth_axis(tmp_path):
    source = nib.Nifti1Image(voxels((4, 5, 6, 3)), np.eye(4))
    source.header.set_zooms((1, 1, 1, 0.05))
    nib.save(source, tmp_path / "cine.nii")
    volume = open_image(tmp_path / "cine.nii").frame(0)
    maps = np.random.default_rng(0).random((4, 5, 6, 3)).astype(np.float32)
    for name, frames, step in (("probabilities", None, 1.0), ("cine", 3, 0.05)):
        write(
            tmp_path / f"{name}.nii.gz",
            Volume(maps, volume.affine, volume.spacing, volume.header),
            frames=frames,
        )
        result = nib.load(tmp_path / f"{name}.nii.gz")
        assert np.array_equal(np.asarray(result.dataobj), maps)
        assert result.header.get_zooms()[3] == pytest.approx(step)


# ------------------------------------------------------------------------------- NRRD and MetaImage


def oblique_itk(array):
    """An ITK image (LPS) of (X, Y, Z[, T]) voxels on an oblique grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T), isVector=False)
    spatial = Rotation.from_euler("xyz", (25, -40, 70), degrees=True).as_matrix()
    direction = np.eye(array.ndim)
    direction[:3, :3] = spatial
    image.SetDirection(direction.ravel().tolist())
    image.SetSpacing((1.25, 1.5, 9.0, 1.0)[: array.ndim])
    image.SetOrigin((-17.0, 42.0, 130.0, 0.0)[: array.ndim])
    return image


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mhd", ".nhdr"])
def test_itk_formats_turn_from_lps_to_ras(tmp_path, ending):
    array = voxels((6, 7, 4))
    image, path = oblique_itk(array), tmp_path / f"Bild ä{ending}"
    sitk.WriteImage(image, str(path))
    volume = read(path)
    assert np.array_equal(volume.array, array)
    assert volume.spacing == pytest.approx((1.25, 1.5, 9.0))
    write(tmp_path / "mask.nii.gz", volume.with_array(array.astype(np.uint8)))
    for index in ((0, 0, 0), (5, 0, 0), (0, 6, 0), (2, 3, 3)):
        x, y, z = image.TransformIndexToPhysicalPoint(index)
        assert (volume.affine @ (*index, 1))[:3] == pytest.approx((-x, -y, z), abs=1e-3)
        assert (nib.load(tmp_path / "mask.nii.gz").affine @ (*index, 1))[:3] == pytest.approx(
            (-x, -y, z), abs=1e-3
        )


def test_an_itk_cine_has_frames_and_a_slice_is_a_volume(tmp_path):
    array = voxels((6, 7, 4, 3))
    sitk.WriteImage(oblique_itk(array), str(tmp_path / "cine.nrrd"))
    image = open_image(tmp_path / "cine.nrrd")
    assert (image.shape, image.frames, image.spacing) == (
        (6, 7, 4, 3),
        3,
        pytest.approx((1.25, 1.5, 9.0)),
    )
    frames = [image.frame(t) for t in range(3)]
    assert all(np.array_equal(frame.array, array[..., t]) for t, frame in enumerate(frames))
    sitk.WriteImage(sitk.GetImageFromArray(array[:, :, 0, 0].T), str(tmp_path / "slice.mha"))
    assert np.array_equal(read(tmp_path / "slice.mha").array, array[:, :, :1, 0])


# ------------------------------------------------------------------------------------------ writing


def small():
    return Volume(voxels((4, 5, 6), dtype=np.uint8), np.diag([1.5, 1.5, 8, 1]), (1.5, 1.5, 8.0))


def test_paths_with_spaces_and_accents_work(tmp_path):
    path = tmp_path / "Ergebnisse für Müller" / "心臓 1.nii.gz"
    write(path, small())
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert np.array_equal(read(path).array, small().array)
    assert stem(path) == "心臓 1"


@pytest.mark.parametrize(
    ("name", "expected"), [("a.b.nii.gz", "a.b"), ("A.NII", "A"), ("x.mha", "x"), ("y.txt", "y")]
)
def test_the_stem_is_the_name_without_the_ending(name, expected):
    assert stem(Path(name)) == expected


def test_a_folder_that_cannot_be_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        write(tmp_path / "file" / "mask.nii.gz", small())
    assert str(tmp_path / "file") in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_half_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "mask.nii.gz"
    write(path, small())
    before = path.read_bytes()
    noise = np.random.default_rng(0).random((64, 64, 8)).astype(np.float32)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # as when the disk is full
    try:
        with pytest.raises(OutputError):
            write(path, Volume(noise, np.eye(4), (1.0, 1.0, 1.0)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mask.nii.gz"], "no partial file stays"


def test_a_volume_keeps_its_grid_or_says_so():
    with pytest.raises(ValueError, match="shape"):
        small().with_array(np.zeros((4, 5, 7), np.uint8))
