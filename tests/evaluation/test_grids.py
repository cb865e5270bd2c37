"""Masks of one grid stored in another orientation, at another position, or without a position."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from cardioseg.core.errors import EXIT_INPUT, EXIT_OK, EXIT_SOME_FAILED, GeometryError
from cardioseg.evaluation.grids import place
from cardioseg.imaging.open import read
from cardioseg.workflows.evaluate import EvaluationRequest, evaluate, evaluate_masks

SPACING = np.array([1.5, 1.4, 8.0])
ORIGIN = (-80.0, 35.0, 12.0)


def oblique(angle=0.4):
    """A rotation about two axes."""
    c, s = np.cos(angle), np.sin(angle)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return about_z @ about_x


def affine_of(directions, origin=ORIGIN):
    affine = np.eye(4)
    affine[:3, :3] = directions * SPACING
    affine[:3, 3] = origin
    return affine


def heart():
    """An asymmetric heart, so that no turn maps it onto itself."""
    mask = np.zeros((20, 24, 7), np.uint8)
    mask[3:9, 5:12, 1:6] = 1
    mask[9:12, 5:16, 1:6] = 2
    mask[12:17, 8:14, 2:5] = 3
    return mask


def save(path, array, affine, zooms=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, affine)
    if zooms is not None:
        image.header["pixdim"][1:4] = zooms
    nib.save(image, path)
    return path


def turned(array, affine, order, signs):
    """Array and affine stored with other axes; every voxel keeps its position."""
    orientation = np.array([[order.index(axis), signs[axis]] for axis in range(3)], float)
    moved = nib.orientations.apply_orientation(array, orientation)
    return moved, affine @ nib.orientations.inv_ornt_aff(orientation, array.shape)


TURNS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


@pytest.mark.parametrize("directions", [np.eye(3), oblique(), oblique(1.2)])
def test_every_signed_permutation_is_undone(tmp_path, directions):
    affine = affine_of(directions)
    reference = read(save(tmp_path / "ref.nii", heart(), affine))
    for order, signs in TURNS:
        path = save(tmp_path / "pred.nii", *turned(heart(), affine, order, signs))
        placed = place(read(path), reference)
        assert placed is not None, (order, signs)
        assert np.array_equal(placed.array, heart()), (order, signs)
        assert placed.apart_mm == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_copy_has_dice_1_and_is_named(tmp_path, axis):
    signs = [1, 1, 1]
    signs[axis] = -1
    reference = save(tmp_path / "ref/a.nii.gz", heart(), affine_of(oblique()))
    save(tmp_path / "pred/a.nii.gz", *turned(heart(), affine_of(oblique()), (0, 1, 2), signs))
    report = evaluate_masks(EvaluationRequest(tmp_path / "pred", reference.parent, None))
    assert (report.exit_code, report.data.mean_dice) == (EXIT_OK, 1.0)
    assert report.data.reordered == ("a",)
    assert not report.data.apart


def test_a_flip_of_the_unit_affine_trap_is_undone(tmp_path):
    """ACDC's header: a unit affine, the spacing in pixdim only."""
    unit = np.diag([-1.0, -1.0, 1.0, 1.0])
    reference = save(tmp_path / "ref.nii.gz", heart(), unit, SPACING)
    for signs in product((1, -1), repeat=3):
        flipped = turned(heart(), unit, (0, 1, 2), signs)
        prediction = save(tmp_path / "pred.nii.gz", *flipped, SPACING)
        assert evaluate(prediction, reference).mean_dice == 1.0, signs


@pytest.mark.parametrize("shift_mm", [(5, 0, 0), (0, -0.9, 0), (0, 0, 8), (0, 0, -4.5)])
@pytest.mark.parametrize("origin", [ORIGIN, (0, 0, 0)])
def test_positions_more_than_half_a_voxel_apart_are_not_comparable(tmp_path, shift_mm, origin):
    here, there = affine_of(np.eye(3), origin), affine_of(np.eye(3), np.add(origin, shift_mm))
    reference = save(tmp_path / "ref.nii.gz", heart(), here)
    prediction = save(tmp_path / "pred.nii.gz", heart(), there)
    with pytest.raises(GeometryError) as error:
        evaluate(prediction, reference)
    assert error.value.exit_code == EXIT_INPUT
    found = evaluate(prediction, reference, by_index=True)
    assert found.mean_dice == 1.0


@pytest.mark.parametrize("shift_mm", [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 3)])
def test_positions_within_half_a_voxel_are_the_same(tmp_path, shift_mm):
    reference = save(tmp_path / "ref.nii.gz", heart(), affine_of(oblique()))
    moved = affine_of(oblique(), np.add(ORIGIN, oblique() @ np.array(shift_mm)))
    found = evaluate(save(tmp_path / "pred.nii.gz", heart(), moved), reference)
    assert (found.mean_dice, found.reordered) == (1.0, ())


def test_a_rotated_grid_is_not_comparable(tmp_path):
    reference = save(tmp_path / "ref.nii.gz", heart(), affine_of(oblique(0.4)))
    prediction = save(tmp_path / "pred.nii.gz", heart(), affine_of(oblique(0.6)))
    with pytest.raises(GeometryError):
        evaluate(prediction, reference)


def test_in_a_folder_the_one_elsewhere_fails_and_the_others_are_scored(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / f"ref/{name}.nii.gz", heart(), affine_of(oblique()))
        save(tmp_path / f"pred/{name}.nii.gz", heart(), affine_of(oblique()))
    save(tmp_path / "pred/b.nii.gz", heart(), affine_of(oblique(), (0, 0, 9.0)))
    request = EvaluationRequest(tmp_path / "pred", tmp_path / "ref", None)
    report = evaluate_masks(request)
    assert (report.exit_code, list(report.data.failed)) == (EXIT_SOME_FAILED, ["b"])


BARE = {
    "no sform and no qform": (None, None),
    "the identity at the origin": (np.diag([-1.5, -1.4, 8.0, 1.0]), None),
    "a unit affine": (np.diag([-1.0, -1.0, 1.0, 1.0]), SPACING),
}


@pytest.mark.parametrize(("affine", "zooms"), BARE.values(), ids=BARE)
def test_a_header_without_a_position_is_compared_by_index_and_named(tmp_path, affine, zooms):
    reference = save(tmp_path / "ref/a.nii.gz", heart(), affine_of(oblique()))
    save(tmp_path / "pred/a.nii.gz", heart(), affine, SPACING if affine is None else zooms)
    report = evaluate_masks(EvaluationRequest(tmp_path / "pred", reference.parent, None))
    assert (report.exit_code, report.data.mean_dice) == (EXIT_OK, 1.0)
    assert list(report.data.apart) == ["a"]


def test_one_slice_and_a_flat_affine_have_axes_too(tmp_path):
    affine = affine_of(oblique())
    reference = save(tmp_path / "ref.nii", heart()[:, :, 3:4], affine)
    moved = turned(heart()[:, :, 3:4], affine, (1, 0, 2), (-1, 1, 1))
    assert evaluate(save(tmp_path / "pred.nii", *moved), reference).mean_dice == 1.0
