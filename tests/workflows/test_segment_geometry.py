"""``cardioseg segment`` writes its maps on the image's own grid, for every header and format."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from tiny import (
    GEOMETRY,
    MAPS,
    SHAPE,
    TABLES,
    names_in,
    results,
    run_record,
    save_image,
    stored,
    voxels,
)

from cardioseg.phantom.files import acdc_header


def oblique(order=(0, 1, 2), codes=(1, 1), mirrored=(1, 1, 1), spacing=(1.5, 1.5, 8.0)):
    """A header with axes in any order, turned, with either form."""
    affine = np.eye(4)
    turned = Rotation.from_euler("xyz", (20, -35, 50), degrees=True).as_matrix() * mirrored
    affine[:3, :3] = (turned * (1.5, 1.5, 8.0))[:, order]
    affine[:3, 3] = (-31.25, 17.5, 203.0)
    header = nib.Nifti1Header()
    header.set_data_shape([SHAPE[axis] for axis in order])
    header.set_zooms([spacing[axis] for axis in order])
    header.set_qform(affine, code=codes[0])
    header.set_sform(affine, code=codes[1])
    header.set_xyzt_units("mm", "sec")
    return header


def trap():
    header = acdc_header((1.5, 1.5, 8.0))
    header.set_data_shape(SHAPE)
    header.set_zooms((1.5, 1.5, 8.0))
    return header


def in_metres():
    header = nib.Nifti1Header()
    header.set_data_shape(SHAPE)
    header.set_zooms((0.0015, 0.0015, 0.008))
    header.set_sform(np.diag([0.0015, 0.0015, 0.008, 1]), code=1)
    header.set_xyzt_units("meter", "msec")
    return header


HEADERS = {
    "oblique": (oblique, (0, 1, 2)),
    "only a qform": (lambda: oblique(codes=(1, 0)), (0, 1, 2)),
    "only an sform": (lambda: oblique(codes=(0, 2)), (0, 1, 2)),
    "mirrored": (lambda: oblique(mirrored=(-1, 1, 1)), (0, 1, 2)),
    "slices first": (lambda: oblique(order=(2, 0, 1)), (2, 0, 1)),
    "slices second": (lambda: oblique(order=(0, 2, 1)), (0, 2, 1)),
    "ACDC's trap": (trap, (0, 1, 2)),
    "metres": (in_metres, (0, 1, 2)),
}


@pytest.mark.parametrize(("header", "order"), HEADERS.values(), ids=HEADERS)
def test_every_map_has_the_images_geometry_bit_for_bit(segment, out, tmp_path, header, order):
    array = voxels()
    path = save_image(tmp_path / "heart.nii.gz", array.transpose(order), header=header())
    segment(path, "--save", "probs,routing")
    source = nib.load(path).header
    for kind in (*MAPS, "probs", "routing"):
        result = nib.load(out / f"heart_{kind}.nii.gz")
        assert result.shape[:3] == tuple(source.get_data_shape())
        for field in GEOMETRY:
            assert result.header[field].tobytes() == source[field].tobytes(), (kind, field)
        assert result.header["pixdim"][:4].tobytes() == source["pixdim"][:4].tobytes()
    segment(save_image(tmp_path / "plain.nii.gz", array), output=tmp_path / "plain")
    plain = stored(tmp_path / "plain" / "plain_mask.nii.gz").transpose(order)
    assert np.array_equal(stored(out / "heart_mask.nii.gz"), plain), (
        "the header decides where a mask lies, not what is in it"
    )


def test_acdcs_trap_is_named_in_the_record(segment, out, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz", voxels(), header=trap())
    segment(path)
    facts = run_record(out, "heart")
    assert (facts["spacing_mm"], facts["recipe"]["trust"]) == ([1.5, 1.5, 8.0], "pixdim")
    assert any("pixdim" in warning for warning in facts["warnings"])
    segment(path, "--trust", "affine", output=tmp_path / "other")
    assert run_record(tmp_path / "other", "heart")["spacing_mm"] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_other_formats_give_nifti_at_the_same_place(segment, out, tmp_path, ending):
    array = voxels()
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing((1.5, 1.5, 8.0))
    image.SetOrigin((12.0, -30.0, 55.0))
    image.SetDirection(
        Rotation.from_euler("xyz", (20, -35, 50), degrees=True).as_matrix().ravel().tolist()
    )
    sitk.WriteImage(image, str(tmp_path / f"heart{ending}"))
    segment(tmp_path / f"heart{ending}")
    assert names_in(out) == results("heart") | TABLES
    affine = nib.load(out / "heart_mask.nii.gz").affine
    for index in ((0, 0, 0), (39, 0, 2), (7, 35, 1)):
        lps = np.array(image.TransformIndexToPhysicalPoint(index))
        assert affine[:3] @ (*index, 1) == pytest.approx(lps * (-1, -1, 1), abs=1e-3)
    segment(save_image(tmp_path / "plain.nii.gz", array), output=tmp_path / "plain")
    assert np.array_equal(
        stored(out / "heart_mask.nii.gz"), stored(tmp_path / "plain" / "plain_mask.nii.gz")
    )
