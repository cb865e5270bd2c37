"""The phantom is the reference of other tests, so its mask is checked against geometry."""

import dataclasses

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.ndimage import label as connected

from cardioseg.core.errors import OutputError
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.phantom.config import PhantomConfig, random_config
from cardioseg.phantom.draw import Phantom, contraction, draw, half_ellipsoid_ml
from cardioseg.phantom.files import GROUPS, write_acdc, write_cine, write_truth

RV, MYO, LV = (ACDC_LABELS.value(name) for name in ("RV", "MYO", "LV"))
# Thin slices from the base plane on, so that the sum over slices approximates the integral.
FINE = PhantomConfig(
    shape=(160, 160, 52),
    spacing_mm=(1.2, 1.2, 2.0),
    frames=2,
    base_mm=1.0,
    tilt=(0.0, 0.0),
    irregularity=0.03,
)


def volume_ml(phantom: Phantom, value: int) -> np.ndarray:
    """(T,) volume of a structure in ml."""
    return (phantom.label == value).sum(axis=(0, 1, 2)) * np.prod(phantom.spacing_mm) / 1000


@pytest.fixture(scope="module")
def cine() -> Phantom:
    return draw(PhantomConfig())


@pytest.fixture(scope="module")
def fine() -> Phantom:
    return draw(FINE)


def test_shapes_types_and_phases(cine: Phantom) -> None:
    assert cine.image.shape == cine.label.shape == (216, 256, 10, 12)
    assert (cine.image.dtype, cine.label.dtype) == (np.float32, np.uint8)
    assert np.isfinite(cine.image).all()
    assert cine.image.min() >= 0
    assert (cine.ed, cine.es) == (0, 4)
    assert cine.frame_s == pytest.approx(0.9 / 12)
    assert set(np.unique(cine.label)) == {0, RV, MYO, LV}


def test_lv_volumes_are_those_of_the_half_ellipsoid(fine: Phantom) -> None:
    end_diastolic = half_ellipsoid_ml(FINE.radius_mm, FINE.length_mm)
    assert end_diastolic == pytest.approx(2 / 3 * np.pi * 2.4**2 * 8.5)
    measured = volume_ml(fine, LV)
    assert measured[fine.ed] == pytest.approx(end_diastolic, rel=0.02)
    assert 1 - measured[fine.es] / measured[fine.ed] == pytest.approx(FINE.ejection, abs=0.02)


def test_the_wall_thickens_and_keeps_its_volume(fine: Phantom) -> None:
    outer = half_ellipsoid_ml(FINE.radius_mm + FINE.wall_mm, FINE.length_mm + 0.8 * FINE.wall_mm)
    expected = outer - half_ellipsoid_ml(FINE.radius_mm, FINE.length_mm)
    assert volume_ml(fine, MYO) == pytest.approx([expected, expected], rel=0.04)


def test_the_clinical_grid_stays_close_to_the_truth(cine: Phantom) -> None:
    measured, config = volume_ml(cine, LV), PhantomConfig()
    assert measured[cine.ed] == pytest.approx(
        half_ellipsoid_ml(config.radius_mm, config.length_mm), rel=0.06
    )
    assert 1 - measured[cine.es] / measured[cine.ed] == pytest.approx(config.ejection, abs=0.06)
    assert 80 < volume_ml(cine, RV)[cine.ed] < 200
    assert volume_ml(cine, RV)[cine.es] < 0.7 * volume_ml(cine, RV)[cine.ed]


def test_lv_volume_has_one_minimum_at_end_systole(cine: Phantom) -> None:
    volume = volume_ml(cine, LV)
    assert int(volume.argmin()) == cine.es
    assert int(volume.argmax()) == cine.ed
    assert (np.diff(volume[: cine.es + 1]) < 0).all()
    assert (np.diff(volume[cine.es :]) > 0).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 25, 30])
def test_contraction_rises_once_and_falls_once(frames: int) -> None:
    curve = contraction(frames)
    es = int(curve.argmax())
    assert len(curve) == frames
    assert curve[0] == 0
    assert curve.max() == pytest.approx(min(frames - 1, 1))
    assert (np.diff(curve[: es + 1]) > 0).all()
    assert (np.diff(curve[es:]) < 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_every_random_heart_is_whole(seed: int) -> None:
    config = random_config(seed)
    phantom = draw(config)
    assert set(np.unique(phantom.label)) == {0, RV, MYO, LV}
    assert (phantom.ed, phantom.es, config.frames) == (0, 1, 2)
    for k, t in np.ndindex(phantom.label.shape[2:]):
        plane = phantom.label[:, :, k, t]
        ring = binary_dilation(plane == LV) & (plane != LV)
        assert (plane[ring] == MYO).all(), (
            f"LV of slice {k}, frame {t} touches something other than its wall"
        )
        assert all(connected(plane == value)[1] <= 1 for value in (RV, LV))
        assert not (plane == RV).any() or (plane == MYO).any()


def test_random_settings_stay_in_their_ranges() -> None:
    configs = [random_config(seed) for seed in range(200)]
    assert all(0.9 <= c.spacing_mm[0] <= 1.9 and 5 <= c.spacing_mm[2] <= 10 for c in configs)
    assert all(
        160 <= min(c.shape[:2]) <= max(c.shape[:2]) <= 300 and 6 <= c.shape[2] <= 12
        for c in configs
    )
    assert all(0.15 <= c.ejection <= 0.75 and 6 <= c.wall_mm <= 18 for c in configs)
    assert len({c.shape for c in configs}) > 150
    assert {c.apex_first for c in configs} == {c.mirrored for c in configs} == {True, False}


def test_tissues_have_the_contrast_of_a_cine(cine: Phantom) -> None:
    image, label = cine.image[..., 0], cine.label[..., 0]
    blood, wall = image[label == LV].mean(), image[label == MYO].mean()
    air = image[:8, :8].mean()
    assert wall < 0.55 * blood
    assert air < 0.15 * wall
    assert image[label == RV].std() > 0.05 * blood


def test_the_heart_ends_before_the_stack_does(cine: Phantom) -> None:
    present = {value: (cine.label[..., 0] == value).any(axis=(0, 1)) for value in (RV, MYO, LV)}
    assert not present[LV][0], "the first slice lies above the valve plane"
    assert cine.image[:, :, 0].max() > 200, "yet it shows blood"
    assert present[RV].sum() < present[LV].sum() <= present[MYO].sum()
    apex_area, middle_area = ((cine.label[:, :, k, 0] == LV).sum() for k in (8, 4))
    assert 0 < apex_area < 0.6 * middle_area


def test_equal_settings_give_equal_voxels_and_other_seeds_do_not() -> None:
    config = PhantomConfig(shape=(96, 96, 3), spacing_mm=(2.5, 2.5, 25.0), frames=2)
    first, again, other = draw(config), draw(config), draw(dataclasses.replace(config, seed=1))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.label, again.label)
    assert not np.array_equal(first.image, other.image)
    assert not np.array_equal(first.label, other.label)


def test_apex_first_turns_the_stack_over() -> None:
    config = PhantomConfig(shape=(96, 96, 6), spacing_mm=(2.5, 2.5, 16.0), frames=1, shift_mm=0)
    up, down = draw(config), draw(dataclasses.replace(config, apex_first=True))
    assert np.array_equal(up.label, down.label[:, :, ::-1])


def test_acdc_files_carry_the_header_trap(tmp_path) -> None:
    write_acdc(tmp_path, patients=2, first=7, seed=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["patient007", "patient008"]
    folder = tmp_path / "patient007"
    names = ("frame01", "frame01_gt", "frame02", "frame02_gt")
    assert sorted(p.name for p in folder.iterdir()) == [
        "Info.cfg",
        *(f"patient007_{n}.nii.gz" for n in names),
    ]
    expected = random_config(3 * 100_003 + 7)
    for path in folder.glob("*.nii.gz"):
        file = nib.load(path)
        header = file.header
        assert file.shape == expected.shape
        assert (
            int(header["sform_code"]),
            int(header["qform_code"]),
            int(header["xyzt_units"]),
        ) == (2, 0, 0)
        assert np.array_equal(file.affine, np.diag([-1.0, -1.0, 1.0, 1.0]))
        assert header.get_zooms() == pytest.approx(expected.spacing_mm, rel=1e-6)
        is_mask = "_gt" in path.name
        assert file.get_data_dtype() in ([np.uint8] if is_mask else [np.int16, np.float32])
        assert np.isnan(header["scl_slope"])
        assert not is_mask or set(np.unique(file.dataobj)) == {0, RV, MYO, LV}


def test_acdc_info_reads_like_acdcs(tmp_path) -> None:
    write_acdc(tmp_path, patients=1)
    assert [path.name for path in tmp_path.iterdir()] == ["patient901"], (
        "no number that ACDC has: 1 to 150"
    )
    facts = [
        line.split(": ") for line in (tmp_path / "patient901/Info.cfg").read_text().splitlines()
    ]
    assert [key for key, _ in facts] == ["ED", "ES", "Group", "Height", "NbFrame", "Weight"]
    values = dict(facts)
    assert (values["ED"], values["ES"], values["NbFrame"]) == ("1", "2", "2")
    assert values["Group"] in GROUPS
    assert values["Height"].endswith(".0")
    assert values["Weight"].endswith(".0")


def test_acdc_files_are_the_same_for_the_same_seed(tmp_path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_acdc(tmp_path / name, patients=1, seed=seed)
    one, same, other = (
        np.asarray(nib.load(tmp_path / n / "patient901/patient901_frame01.nii.gz").dataobj)
        for n in "abc"
    )
    assert np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_cine_and_truth_share_an_oblique_grid(tmp_path, cine: Phantom) -> None:
    write_cine(tmp_path / "heart – ä.nii.gz", cine)
    write_truth(tmp_path / "truth.nii.gz", cine)
    image, truth = nib.load(tmp_path / "heart – ä.nii.gz"), nib.load(tmp_path / "truth.nii.gz")
    assert (image.get_data_dtype(), truth.get_data_dtype()) == (np.int16, np.uint8)
    assert image.header.get_zooms() == pytest.approx((*cine.spacing_mm, cine.frame_s), rel=1e-6)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert np.array_equal(image.affine, truth.affine)
    assert nib.affines.voxel_sizes(image.affine) == pytest.approx(cine.spacing_mm, rel=1e-5)
    assert image.header.get_qform() == pytest.approx(image.affine, abs=1e-3)
    assert (np.abs(image.affine[:3, 2] / 10) < 0.8).all(), "no world axis runs along the slices"
    assert np.array_equal(np.asarray(truth.dataobj), cine.label)
    assert np.abs(np.asarray(image.dataobj) - cine.image).max() <= 0.5


def test_an_unwritable_folder_is_an_output_error(tmp_path, cine: Phantom) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_truth(tmp_path / "file" / "truth.nii.gz", cine)
