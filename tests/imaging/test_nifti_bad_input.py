"""Files that are no images, or not whole: each is named, with what was found and what to do."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import save, voxels, with_zooms

from cardioseg.core.errors import EXIT_INPUT, GeometryError, InputError
from cardioseg.imaging.open import open_image, read


def truncated(path, keep, ending):
    whole = save(path.with_name(f"whole{ending}"), voxels((20, 20, 8)))
    path.write_bytes(whole.read_bytes()[: int(keep * whole.stat().st_size)])


def zoomed(path, **zooms):
    path.write_bytes(with_zooms(save(path, voxels((4, 5, 6))), **zooms))


def rgb(path):
    save(path, np.zeros((4, 4, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))


def itk(path, array, *, vector=False, keep=1.0):
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])


def spoilt(value):
    array = np.ones((4, 5, 6), np.float32)
    array[1, 2, 3] = array[0, 0, 0] = value
    return array


BAD = {
    "truncated gz": (
        "x.nii.gz",
        lambda p: truncated(p, 0.6, ".nii.gz"),
        InputError,
        "unreadable data",
    ),
    "gz cut in the header": (
        "x.nii.gz",
        lambda p: truncated(p, 0.01, ".nii.gz"),
        InputError,
        "unreadable data",
    ),
    "truncated nii": ("x.nii", lambda p: truncated(p, 0.9, ".nii"), InputError, "unreadable data"),
    "nii cut in the header": (
        "x.nii",
        lambda p: truncated(p, 0.02, ".nii"),
        InputError,
        "unreadable data",
    ),
    "empty file": ("x.nii.gz", lambda p: p.touch(), InputError, "an empty file"),
    "empty nrrd": ("x.nrrd", lambda p: p.touch(), InputError, "an empty file"),
    "missing": ("x.nii.gz", lambda p: None, InputError, "no such file"),
    "text as gz": ("x.nii.gz", lambda p: p.write_text("hello"), InputError, "unreadable data"),
    "text as nii": ("x.nii", lambda p: p.write_text("hello" * 200), InputError, "unreadable data"),
    "text as nrrd": ("x.nrrd", lambda p: p.write_text("hello"), InputError, "unreadable data"),
    "another format": (
        "x.png",
        lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200)),
        InputError,
        "PNG",
    ),
    "rgb": ("x.nii.gz", rgb, InputError, "RGB voxels"),
    "complex": (
        "x.nii",
        lambda p: save(p, np.zeros((4, 4, 2), np.complex64)),
        InputError,
        "complex voxels",
    ),
    "vectors": (
        "x.mha",
        lambda p: itk(p, np.zeros((2, 4, 5, 3), np.uint8), vector=True),
        InputError,
        "several values",
    ),
    "5-D": ("x.nii", lambda p: save(p, voxels((4, 5, 3, 2, 2))), GeometryError, "(4, 5, 3, 2, 2)"),
    "time on the fifth axis": (
        "x.nii",
        lambda p: save(p, voxels((4, 5, 3, 1, 2))),
        GeometryError,
        "(4, 5, 3, 1, 2)",
    ),
    "5-D nrrd": (
        "x.nrrd",
        lambda p: itk(p, voxels((2, 2, 3, 4, 5))),
        GeometryError,
        "(5, 4, 3, 2, 2)",
    ),
    "1-D": ("x.nii", lambda p: save(p, voxels((9,))), GeometryError, "(9,)"),
    "zero spacing": ("x.nii", lambda p: zoomed(p, x=0.0), GeometryError, "spacing 0 × 1.5 × 8 mm"),
    "zero slice spacing": (
        "x.nii",
        lambda p: zoomed(p, z=0.0),
        GeometryError,
        "spacing 1.4 × 1.5 × 0 mm",
    ),
    "spacing not a number": (
        "x.nii",
        lambda p: zoomed(p, y=float("nan")),
        GeometryError,
        "spacing 1.4 × nan × 8 mm",
    ),
    "NaN": ("x.nii.gz", lambda p: save(p, spoilt(np.nan)), InputError, "2 NaN or infinite voxels"),
    "infinity": (
        "x.nii.gz",
        lambda p: save(p, spoilt(-np.inf)),
        InputError,
        "2 NaN or infinite voxels",
    ),
    "NaN in mha": (
        "x.mha",
        lambda p: itk(p, spoilt(np.nan)),
        InputError,
        "2 NaN or infinite voxels",
    ),
    "truncated nrrd": (
        "x.nrrd",
        lambda p: itk(p, voxels((8, 20, 20)), keep=0.7),
        InputError,
        "unreadable data",
    ),
    "truncated mha": (
        "x.mha",
        lambda p: itk(p, voxels((8, 20, 20)), keep=0.7),
        InputError,
        "unreadable data",
    ),
}


@pytest.mark.parametrize(("name", "make", "kind", "found"), BAD.values(), ids=BAD)
def test_bad_files_are_named_with_what_was_found_and_what_to_do(tmp_path, name, make, kind, found):
    path = tmp_path / "Ordner mit ö" / name
    path.parent.mkdir()
    make(path)
    with pytest.raises(InputError) as caught:
        read(path)
    error = caught.value
    assert type(error) is kind
    assert error.exit_code == EXIT_INPUT
    assert found in error.found
    assert str(error).startswith(f"{path}: found ")
    assert "\n" not in str(error)
    assert error.expected
    assert error.cure


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(InputError):
        read(tmp_path)


def test_trusting_the_affine_gets_round_a_zero_pixdim(tmp_path):
    zoomed(tmp_path / "x.nii", z=0.0)
    with pytest.raises(GeometryError, match="pass --trust affine"):
        read(tmp_path / "x.nii")
    assert read(tmp_path / "x.nii", trust="affine").spacing == pytest.approx((1.4, 1.5, 8.0))


def test_opening_reads_no_voxels(tmp_path):
    truncated(tmp_path / "x.nii", 0.9, ".nii")
    image = open_image(tmp_path / "x.nii")
    assert image.shape == (20, 20, 8)
    with pytest.raises(InputError):
        image.frame(0)
