"""The gate for images: what no verb may read on from, whatever reader opens it."""

import gzip
import struct
import zlib

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from small_images import save, voxels

from cardioseg.core.errors import EXIT_INPUT, GeometryError, InputError
from cardioseg.imaging import limits
from cardioseg.imaging.memory import image_from_array, image_from_nibabel
from cardioseg.imaging.nifti import write
from cardioseg.imaging.open import open_image, read
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw

SHAPE = (20, 18, 6)
OFFSETS = {"dim1": (42, "<h"), "x": (80, "<f"), "z": (88, "<f"), "t": (92, "<f")}
OFFSETS |= {"vox_offset": (108, "<f")}


def edited(path, array=None, **changes):
    """A NIfTI file with header fields overwritten."""
    save(path, voxels(SHAPE) if array is None else array)
    content = bytearray(gzip.decompress(path.read_bytes()))
    for name, value in changes.items():
        offset, kind = OFFSETS[name]
        struct.pack_into(kind, content, offset, value)
    path.write_bytes(gzip.compress(bytes(content)))
    return path


def itk(path, array=None, *, packed=False):
    image = sitk.GetImageFromArray((voxels(SHAPE) if array is None else array).T, isVector=False)
    image.SetSpacing((1.4, 1.5, 8.0, 1.0)[: image.GetDimension()])
    sitk.WriteImage(image, str(path), packed)
    return path


def replaced(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def refused(path, kind=InputError):
    with pytest.raises(kind) as caught:
        open_image(path).frame(0)
    assert caught.value.exit_code == EXIT_INPUT
    return caught.value


# ---------------------------------------------------------------------------------------- integrity


def test_no_flipped_bit_of_a_packed_file_changes_voxels_unseen(tmp_path):
    path = save(tmp_path / "x.nii.gz", voxels(SHAPE, dtype=np.uint8) % 4)
    whole, content = read(path).array, path.read_bytes()
    for index in range(10, len(content), 7):
        flipped = bytearray(content)
        flipped[index] ^= 1 << index % 8
        path.write_bytes(flipped)
        try:
            found = read(path).array
        except InputError:
            continue
        np.testing.assert_array_equal(found, whole, err_msg=f"byte {index}")


@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
def test_no_flipped_bit_of_packed_itk_voxels_changes_them_unseen(tmp_path, ending):
    path = itk(tmp_path / f"x{ending}", packed=True)
    content = path.read_bytes()
    for index in range(len(content) - 200, len(content), 9):
        path.write_bytes(content[:index] + bytes([content[index] ^ 4]) + content[index + 1 :])
        refused(path)


def test_the_checksum_is_read_once_whoever_reads(tmp_path, monkeypatch):
    path, passes = save(tmp_path / "x.nii.gz", voxels((20, 18, 6, 5))), []
    plain = gzip.open
    monkeypatch.setattr(gzip, "open", lambda *a, **k: passes.append(1) or plain(*a, **k))
    image = open_image(path)
    image.check_whole()
    for index in range(5):
        np.testing.assert_array_equal(image.frame(index).array, voxels((20, 18, 6, 5))[..., index])
    assert passes == [1]


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_more_voxels_than_the_header_states_are_refused(tmp_path, ending):
    path = save(tmp_path / f"x{ending}", voxels(SHAPE))
    raw = path.read_bytes() if ending == ".nii" else gzip.decompress(path.read_bytes())
    raw += bytes(2 * 20 * 18)
    path.write_bytes(raw if ending == ".nii" else gzip.compress(raw))
    refused(path)


def test_a_nibabel_image_of_a_damaged_file_is_refused(tmp_path):
    path = save(tmp_path / "x.nii.gz", voxels(SHAPE))
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    with pytest.raises(InputError):
        image_from_nibabel(nib.load(path)).frame(0)


# ----------------------------------------------------------------------------------------- geometry

HEADERS = {
    "voxels inside the header": {"vox_offset": 0.0},
    "voxels at the last header byte": {"vox_offset": 348.0},
    "slices 1 m apart": {"z": 1000.0},
    "slices 35 mm apart": {"z": 35.0},
    "astronomical in-plane": {"x": 3.4e38},
    "micrometres called millimetres": {"x": 0.01},
    "negative": {"x": -1.4},
    "no number": {"z": float("nan")},
    "one voxel wide": {"dim1": 1},
}


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS)
def test_implausible_headers_are_input_errors(tmp_path, changes):
    refused(edited(tmp_path / "x.nii.gz", **changes))


@pytest.mark.parametrize(("changes", "field"), [({"x": 50.0}, "pixdim[1]"), ({"z": 99.0}, "[3]")])
def test_the_header_field_is_named(tmp_path, changes, field):
    assert field in refused(edited(tmp_path / "x.nii.gz", **changes), GeometryError).found


@pytest.mark.parametrize("step", [-0.05, float("nan"), float("inf"), 60.0])
def test_a_time_step_that_cannot_be_is_refused(tmp_path, step):
    path = tmp_path / "x.nii.gz"
    image = nib.Nifti1Image(voxels((20, 18, 6, 4)), np.diag([1.4, 1.5, 8, 1]))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<f", content, OFFSETS["t"][0], step)
    path.write_bytes(gzip.compress(bytes(content)))
    refused(path, GeometryError)


@pytest.mark.parametrize("spacing", [(1.4, 1.4, 1000.0), (0.01, 0.01, 8.0), (1.4, 40.0, 8.0)])
def test_arrays_pass_the_same_gate(spacing):
    with pytest.raises(GeometryError):
        image_from_array(voxels(SHAPE), spacing_mm=spacing)


def test_axes_in_one_plane_are_refused(tmp_path):
    path = itk(tmp_path / "x.mha")
    refused(replaced(path, b"1 0 0 0 1 0 0 0 1", b"1 0 0 1 0 0 0 0 1"), GeometryError)


# ---------------------------------------------------------------------------------------- time axis


@pytest.fixture(scope="module")
def cine():
    return np.asarray(draw(PhantomConfig(shape=(64, 64, 6), frames=8, seed=3)).image)


def test_exchanged_slices_and_frames_are_refused(tmp_path, cine):
    refused(save(tmp_path / "x.nii.gz", np.swapaxes(cine, 2, 3)), GeometryError)
    with pytest.raises(GeometryError):
        image_from_array(np.swapaxes(cine, 2, 3), spacing_mm=(1.5, 1.5, 8)).frame(0)
    itk(tmp_path / "x.nrrd", np.swapaxes(cine, 2, 3))
    refused(tmp_path / "x.nrrd", GeometryError)


def test_true_cines_masks_and_noise_pass(tmp_path, cine):
    for array in (cine, np.asarray(cine > np.median(cine), np.uint8), cine[:, :, :2]):
        assert open_image(save(tmp_path / "x.nii.gz", array)).frame(0).shape == array.shape[:3]
    noise = np.random.default_rng(0).integers(0, 99, (30, 30, 5, 6)).astype(np.int16)
    open_image(save(tmp_path / "noise.nii", noise)).frame(0)


def test_a_mask_labelled_at_two_frames_passes(tmp_path, cine):
    mask = np.asarray(cine > np.median(cine), np.uint8)
    mask[..., 1:4] = 0
    mask[..., 5:] = 0
    open_image(save(tmp_path / "x.nii.gz", mask)).frame(0)


# --------------------------------------------------------------------------------------------- size


def test_size_is_checked_before_voxels_are_read(tmp_path, monkeypatch):
    path = save(tmp_path / "x.nii.gz", voxels(SHAPE))
    count = int(np.prod(SHAPE))
    monkeypatch.setenv(limits.MAX_VOXELS, str(count - 1))
    with pytest.raises(GeometryError):
        open_image(path)
    monkeypatch.setenv(limits.MAX_VOXELS, str(count))
    assert open_image(path).shape == SHAPE
    monkeypatch.delenv(limits.MAX_VOXELS)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<8h", raw, 40, 3, 4096, 4096, 64, 1, 1, 1, 1)
    path.write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(GeometryError):
        open_image(path)


# --------------------------------------------------------------------------------- NRRD, MetaImage


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"NDims = 3", b"NDims = -1"),
        (b"NDims = 3", b"NDims = 99999999999"),
        (b"DimSize = 20", b"DimSize = -20"),
        (b"DimSize = 20", b"DimSize = 4000000000"),
        (b"ElementSpacing = 1", b"ElementSpacing = nan"),
        (b"ElementSpacing", b"ElementSpacinX"),
        (b"MET_SHORT", b"MET_OTHER"),
        (b"= LOCAL", b"= /etc/passwd"),
        (b"= LOCAL", b"= ../x.raw"),
        (b"= LOCAL", b"= LIST"),
    ],
)
def test_damaged_metaimage_headers_are_input_errors(tmp_path, old, new):
    refused(replaced(itk(tmp_path / "x.mha"), old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"space directions:", b"# directions:"),
        (b"dimension: 3", b"dimension: 0"),
        (b"sizes: 20 18 6", b"sizes: 20 18"),
        (b"type: short", b"type: block"),
        (b"encoding: raw", b"encoding: hex"),
        (b"endian: little\n", b""),
        (b"encoding: raw", b"data file: /etc/passwd\nencoding: raw"),
        (b"encoding: raw", b"data file: ..\\x\nencoding: raw"),
    ],
)
def test_damaged_nrrd_headers_are_input_errors(tmp_path, old, new):
    refused(replaced(itk(tmp_path / "x.nrrd"), old, new))


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.uint64, np.float32, np.float64])
@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nhdr", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_voxels_and_positions_are_those_that_itk_reads(tmp_path, kind, ending, packed):
    image = sitk.GetImageFromArray(voxels((4, 5, 6, 7)[::-1][:3], dtype=kind) % 100)
    image.SetSpacing((1.3, 1.7, 8.1))
    image.SetOrigin((3.25, -4.5, 5.0))
    image.SetDirection((0.0, 0.6, -0.8, 1.0, 0.0, 0.0, 0.0, -0.8, -0.6))
    path = tmp_path / f"x{ending}"
    sitk.WriteImage(image, str(path), packed)
    volume, again = read(path), sitk.ReadImage(str(path))
    stored = sitk.GetArrayFromImage(again)
    assert volume.array.dtype == stored.dtype
    np.testing.assert_array_equal(volume.array, stored.T)
    place = (*again.TransformIndexToPhysicalPoint((3, 2, 1)), 1)
    np.testing.assert_allclose(volume.affine @ (3, 2, 1, 1), np.multiply(place, (-1, -1, 1, 1)))


def test_a_detached_header_names_a_file_of_its_own_folder(tmp_path):
    path = itk(tmp_path / "x.mhd", packed=False)
    assert set(open_image(path).files) == {path, tmp_path / "x.raw"}
    (tmp_path / "x.raw").rename(tmp_path / "y.raw")
    refused(path)


def test_a_zlib_stream_with_bytes_missing_is_refused(tmp_path):
    path = itk(tmp_path / "x.mha", packed=True)
    path.write_bytes(path.read_bytes()[:-3])
    refused(path)
    header, _, _ = itk(tmp_path / "y.mha").read_bytes().partition(b"LOCAL\n")
    header = header.replace(b"CompressedData = False", b"CompressedData = True") + b"LOCAL\n"
    (tmp_path / "z.mha").write_bytes(header + zlib.compress(voxels(SHAPE).T.tobytes()[:-10]))
    refused(tmp_path / "z.mha")


# ------------------------------------------------------------------------------------------ privacy


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_no_text_of_a_header_reaches_a_mask(tmp_path, kind):
    image = kind(voxels(SHAPE), np.diag([1.4, 1.5, 8, 1]))
    fields = image.header.structarr.dtype
    kept = ("magic", "regular")
    texts = [n for n in fields.names if fields[n].kind == "S" and n not in kept]
    for name in texts:
        image.header[name] = b"DOE^JANE19700101"[: fields[name].itemsize]
    nib.save(image, tmp_path / "x.nii")
    volume = read(tmp_path / "x.nii")
    write(tmp_path / "mask.nii.gz", volume.with_array(voxels(SHAPE, dtype=np.uint8)))
    written = nib.load(tmp_path / "mask.nii.gz").header
    assert texts
    assert all(not written[name].item() for name in texts)
    assert b"DOE" not in gzip.decompress((tmp_path / "mask.nii.gz").read_bytes())
