"""Dice, HD95, ASSD against naive definitions, missing structures, agreement and function."""

from itertools import product

import numpy as np
import pytest

from cardioseg.clinical.volumes import ejection_fraction, mass_g, ventricular_function, volume_ml
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.core.volume import Volume
from cardioseg.evaluation.metrics import overlap_dice, score_case, surface_distances
from cardioseg.evaluation.statistics import Agreement, Spread, agreement, summarise

SPACING = (1.4, 1.6, 9.5)


def blob(shape, centre, radius_mm, spacing=SPACING):
    """A ball in mm, so an ellipsoid in voxels."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return np.linalg.norm((grid - np.array(centre)) * np.array(spacing), axis=-1) <= radius_mm


def naive_surface(mask):
    """Voxels with a face neighbour outside the mask or the image, in voxel indices, one by one."""
    found = []
    for voxel in np.argwhere(mask):
        for axis, step in product(range(3), (-1, 1)):
            neighbour = voxel.copy()
            neighbour[axis] += step
            inside = all(0 <= n < size for n, size in zip(neighbour, mask.shape, strict=True))
            if not inside or not mask[tuple(neighbour)]:
                found.append(voxel)
                break
    return np.array(found, dtype=float)


def naive_scores(prediction, reference, spacing):
    """Dice, HD95 and ASSD by comparing every surface voxel with every other."""
    a, b = naive_surface(prediction) * spacing, naive_surface(reference) * spacing
    table = np.linalg.norm(a[:, None] - b[None], axis=-1)
    to_b, to_a = table.min(axis=1), table.min(axis=0)
    dice = 2 * (prediction & reference).sum() / (prediction.sum() + reference.sum())
    hd95 = max(np.percentile(to_b, 95), np.percentile(to_a, 95))
    return dice, hd95, (to_b.sum() + to_a.sum()) / (len(to_b) + len(to_a))


@pytest.mark.parametrize("seed", range(6))
def test_scores_equal_the_definitions_on_random_masks(seed):
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(5, 14, 3))
    spacing = tuple(float(s) for s in random.uniform(0.5, 10, 3))
    reference = random.integers(0, 4, shape).astype(np.uint8)
    prediction = np.where(
        random.random(shape) < 0.3, random.integers(0, 4, shape), reference
    ).astype(np.uint8)
    prediction[prediction == 1] *= random.random((prediction == 1).sum()) < 0.1
    scores = score_case(prediction, reference, spacing_mm=spacing, labels=ACDC_LABELS)
    for name, score in scores.items():
        value = ACDC_LABELS.value(name)
        expected = naive_scores(prediction == value, reference == value, spacing)
        assert (score.dice, score.hd95_mm, score.assd_mm) == pytest.approx(expected, abs=1e-9)
        assert score.predicted_ml == pytest.approx(
            (prediction == value).sum() * np.prod(spacing) / 1000
        )
        assert not score.missed


def test_scores_equal_the_definitions_on_shifted_blobs():
    shape = (28, 26, 7)
    reference, prediction = blob(shape, (12, 12, 3), 14), blob(shape, (15, 11, 4), 12)
    score = score_case(
        prediction.astype(np.uint8),
        reference.astype(np.uint8),
        spacing_mm=SPACING,
        labels=ACDC_LABELS,
    )["RV"]
    assert (score.dice, score.hd95_mm, score.assd_mm) == pytest.approx(
        naive_scores(prediction, reference, SPACING), abs=1e-9
    )


@pytest.mark.parametrize(("axis", "distance"), [(0, 1.4), (1, 1.6), (2, 9.5)])
def test_one_voxel_one_step_away_is_one_spacing_away(axis, distance):
    prediction, reference = np.zeros((2, 5, 5, 5), np.uint8)
    reference[2, 2, 2] = 3
    prediction[tuple(2 + (axis == n) for n in range(3))] = 3
    score = score_case(prediction, reference, spacing_mm=SPACING, labels=ACDC_LABELS)["LV"]
    assert (score.dice, score.hd95_mm, score.assd_mm) == pytest.approx((0, distance, distance))
    assert not score.missed, "both masks have the structure, wherever it lies"


def test_equal_masks_are_perfect_also_where_they_touch_the_border():
    mask = np.ones((4, 4, 1), np.uint8)
    score = score_case(mask, mask, spacing_mm=SPACING, labels=ACDC_LABELS)["RV"]
    assert (score.dice, score.hd95_mm, score.assd_mm, score.missed) == (1, 0, 0, False)


@pytest.mark.parametrize("empty", ["prediction", "reference"])
def test_a_structure_that_one_mask_lacks_is_missed_at_the_diagonal(empty):
    masks = {
        "prediction": np.full((10, 20, 5), 2, np.uint8),
        "reference": np.full((10, 20, 5), 2, np.uint8),
    }
    masks[empty] = np.zeros((10, 20, 5), np.uint8)
    score = score_case(**masks, spacing_mm=SPACING, labels=ACDC_LABELS)["MYO"]
    diagonal = np.sqrt((10 * 1.4) ** 2 + (20 * 1.6) ** 2 + (5 * 9.5) ** 2)
    assert (score.dice, score.hd95_mm, score.assd_mm, score.missed) == (
        0,
        pytest.approx(diagonal),
        pytest.approx(diagonal),
        True,
    )
    assert getattr(score, f"{'predicted' if empty == 'prediction' else 'reference'}_ml") == 0


def test_a_structure_that_neither_mask_has_is_left_out():
    empty = np.zeros((4, 4, 4), np.uint8)
    score = score_case(empty, empty, spacing_mm=SPACING, labels=ACDC_LABELS)["LV"]
    assert (score.dice, score.hd95_mm, score.assd_mm, score.missed) == (None, None, None, False)
    assert summarise([None, 0.5, 1.0, None]).mean == 0.75
    assert summarise([None]).mean is None


def test_masks_of_two_shapes_and_empty_surfaces_are_refused():
    with pytest.raises(ValueError, match="shape"):
        score_case(np.zeros((2, 2, 2)), np.zeros((2, 2, 3)), spacing_mm=SPACING, labels=ACDC_LABELS)
    empty, full = np.zeros((2, 2, 2), bool), np.ones((2, 2, 2), bool)
    assert overlap_dice(empty, empty) is None
    with pytest.raises(ValueError, match="empty"):
        surface_distances(empty, full, spacing_mm=SPACING)


def test_summary_of_known_values():
    assert summarise([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(
        n=5, mean=3.0, sd=round(np.sqrt(2.5), 6), median=3.0, p5=1.2, p95=4.8
    )


def test_agreement_of_known_values():
    found = agreement([102.0, 98.0, 105.0, 99.0, None], [100.0, 100.0, 100.0, 100.0, 50.0])
    assert (found.bias, found.mae, found.n, found.failed) == (1.0, 2.5, 4, 1)
    sd = np.sqrt((1 + 9 + 16 + 4) / 3)
    assert found.sd == pytest.approx(sd, abs=1e-6)
    assert (found.lower, found.upper) == pytest.approx((1 - 1.96 * sd, 1 + 1.96 * sd), abs=1e-5)
    assert found.r is None, "the reference does not vary"
    assert agreement([1.0, 3.0, 2.0], [1.0, 2.0, 3.0]).r == pytest.approx(0.5)


def test_agreement_with_too_few_pairs_is_none_not_zero():
    assert agreement([None], [1.0]) == Agreement(n=0, failed=1, reasons={})
    assert agreement([None], [1.0]).bias is None
    one = agreement([3.0], [1.0])
    assert (one.bias, one.sd, one.lower) == (2.0, None, None)


def grid(array, spacing=(1.0, 1.0, 10.0)):
    return Volume(np.asarray(array, np.uint8), np.diag((*spacing, 1.0)), spacing)


def test_function_from_two_masks():
    ed, es = np.zeros((2, 20, 20, 10), np.uint8)
    ed[:10], es[:4] = 3, 3  # 2000 and 800 voxels of 10 mm³
    ed[10:15], es[10:15] = 2, 2
    ed[15:19], es[15:18] = 1, 1
    found = ventricular_function(grid(ed), grid(es), ACDC_LABELS)
    lv = {"edv_ml": 20.0, "esv_ml": 8.0, "sv_ml": 12.0, "ef_percent": 60.0, "mass_g": 10.5}
    assert found.lv.model_dump() == lv
    rv = {"edv_ml": 8.0, "esv_ml": 6.0, "sv_ml": 2.0, "ef_percent": 25.0}
    assert found.rv.model_dump() == rv
    assert found.reasons == {}


def test_structures_go_by_name_not_by_number():
    ed, es = np.zeros((2, 20, 20, 10), np.uint8)
    ed[:10], es[:4] = 1, 1
    other = LabelTable(("background", "LV", "MYO", "RV"))
    assert ventricular_function(grid(ed), grid(es), other).lv.ef_percent == 60.0
    nnunet = LabelTable(("background", "LVC", "MLV"))
    found = ventricular_function(grid(ed), grid(es), nnunet)
    assert found.lv.ef_percent == 60.0
    assert found.rv.ef_percent is None
    assert "RV" in found.reasons["rv.ef_percent"]


def test_what_cannot_be_computed_is_none_with_a_reason():
    empty = grid(np.zeros((4, 4, 4)))
    found = ventricular_function(empty, empty, LabelTable(("background", "LV")))
    assert (found.lv.edv_ml, found.lv.ef_percent, found.lv.mass_g) == (0.0, None, None)
    assert "EDV" in found.reasons["lv.ef_percent"]
    assert "MYO" in found.reasons["lv.mass_g"]
    assert ejection_fraction(0.0, 10.0) is None
    assert ejection_fraction(100.0, 100.0) == 0.0


def test_volume_uses_every_axis_of_the_spacing():
    assert volume_ml(np.full((10, 10, 10), 2), 2, (1.5, 2.0, 8.0)) == pytest.approx(24.0)
    assert mass_g(100.0) == pytest.approx(105.0)
