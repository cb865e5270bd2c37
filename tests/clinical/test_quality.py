"""Each rule fires on a mask made to break it, and none on a heart that is right."""

from dataclasses import replace

import numpy as np
import pytest
from broken_hearts import (
    BREAKERS,
    LV,
    MYO,
    RV,
    a_second_heart,
    few_slices,
    middle,
    ragged,
    torn_by_a_breath,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cardioseg.clinical.measures import Measures
from cardioseg.clinical.quality import Quality, check_cine, check_pair, check_volume
from cardioseg.clinical.rules import CINE_RULES, MASK_RULES, PAIR_RULES
from cardioseg.clinical.shape import shape_measures
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.core.volume import Volume
from cardioseg.imaging.components import remove_specks
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw

SPACING = (2.0, 2.0, 10.0)
SURE = {
    "entropy": 0.1,
    "entropy_rv": 0.1,
    "entropy_myo": 0.1,
    "entropy_lv": 0.1,
    "halting_spread": 5.0,
}
UNSURE = dict.fromkeys(SURE, 0.9) | {"halting_spread": 0.0}


def volume(array, spacing=SPACING):
    """A mask on a plain grid."""
    return Volume(array.astype(np.uint8), np.diag([*spacing, 1.0]), spacing)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """(X, Y, Z, T) labels of a phantom; ED is frame 0, ES frame 3."""
    return draw(PhantomConfig(shape=(110, 120, 10), spacing_mm=SPACING, frames=8)).label


@pytest.fixture
def mask(truth) -> np.ndarray:
    """The phantom at ED, to be broken."""
    return truth[..., 0].copy()


def fired(quality, severity=None):
    """Names of the rules that were broken."""
    return {found.rule for found in quality.findings if severity in (None, found.severity)}


def test_a_right_heart_passes(truth):
    for frame in range(truth.shape[3]):
        quality = check_volume(volume(truth[..., frame]), ACDC_LABELS, certainty=SURE)
        assert (quality.verdict, quality.findings) == ("pass", ())
    pair = check_pair(volume(truth[..., 0]), volume(truth[..., 3]), ACDC_LABELS)
    assert (pair.verdict, fired(pair)) == ("pass", set())
    cine = check_cine([volume(truth[..., t]) for t in range(8)], ACDC_LABELS, ed=0, es=3)
    assert (cine.verdict, fired(cine)) == ("pass", set())


@pytest.mark.parametrize("rule", BREAKERS)
def test_a_broken_mask_breaks_its_rule(mask, rule):
    breaker, severity = BREAKERS[rule]
    breaker(mask)
    quality = check_volume(volume(mask), ACDC_LABELS)
    found = next((found for found in quality.findings if found.rule == rule), None)
    assert found is not None, f"only {fired(quality)}"
    assert found.severity == severity
    assert (found.value > found.limit) != (
        rule in {"lv_slices", "lv_length_mm", "lv_small", "rv_small"}
    )
    assert quality.verdict in (severity, "fail")


def test_an_lv_of_litres_and_an_unsure_network_break_theirs(mask):
    large = check_volume(volume(mask, (6.0, 6.0, 20.0)), ACDC_LABELS)
    assert {"lv_large", "rv_large"} <= fired(large, "fail")
    unsure = check_volume(volume(mask), ACDC_LABELS, certainty=UNSURE)
    assert fired(unsure) == set(UNSURE)
    assert (unsure.verdict, fired(unsure, "fail")) == ("fail", {"entropy"})


def test_every_rule_has_a_mask_that_breaks_it():
    others = {"area_step", "lv_large", "rv_large", "stack_slices", "stack_length_mm", *UNSURE}
    assert {rule.name for rule in MASK_RULES} == {*BREAKERS, *others}
    together = {"overlap", "grids_differ", "patients_differ", "area_step_ed"}
    assert {rule.name for rule in PAIR_RULES} == {name for name, _ in PAIRS} | together
    assert {rule.name for rule in CINE_RULES} == {"failing_frames", "misfit_frames"}


def shrunk(mask, value, share):
    """The mask with the last part of a structure's voxels turned into background."""
    smaller = mask.copy()
    voxels = np.flatnonzero(mask == value)
    smaller.ravel()[voxels[round(share * len(voxels)) :]] = 0
    return smaller


# Rule → what of each structure is left at ES.
PAIRS = [
    ("lv_ef_percent", {}),
    ("rv_ef_percent", {LV: 0.5}),
    ("lv_ef_high", {LV: 0.05, RV: 0.5}),
    ("rv_ef_high", {LV: 0.5, RV: 0.05}),
    ("mass_falls", {MYO: 0.6}),
    ("rv_ejects_less", {LV: 0.2, RV: 0.95}),
    ("rv_ejects_more", {LV: 0.95, RV: 0.3}),
    ("mass_grows", {}),
]


@pytest.mark.parametrize(("rule", "left"), PAIRS)
def test_two_phases_that_do_not_fit_break_their_rule(mask, rule, left):
    es = mask.copy()
    for value, share in left.items():
        es = shrunk(es, value, share)
    ed = shrunk(mask, MYO, 0.5) if rule == "mass_grows" else mask
    assert rule in fired(check_pair(volume(ed), volume(es), ACDC_LABELS))


def test_swapped_phases_fail(truth):
    quality = check_pair(volume(truth[..., 3]), volume(truth[..., 0]), ACDC_LABELS)
    assert {"lv_ef_percent", "rv_ef_percent"} <= fired(quality, "fail")


def test_a_cine_counts_its_other_frames_that_fail(truth):
    frames = [volume(truth[..., t]) for t in range(8)]
    frames[5] = volume(np.zeros_like(truth[..., 5]))
    quality = check_cine(frames, ACDC_LABELS, ed=0, es=3, certainty=[SURE] * 8)
    assert (quality.verdict, fired(quality)) == ("warn", {"failing_frames", "misfit_frames"})
    cine = quality.measures["cine"]
    assert cine.values == {"frames": 8, "failing_frames": 1, "misfit_frames": 1}
    assert cine.at == {"failing_frames": (6,), "misfit_frames": (6,)}
    assert quality.measures["ES"].values["entropy"] == 0.1


def test_an_empty_mask_fails_once_and_computes_nothing_else(mask):
    quality = check_volume(volume(np.zeros_like(mask)), ACDC_LABELS)
    assert fired(quality) == {"missing_structures"}
    measures = quality.measures["mask"]
    assert measures.values["open_ring"] is None
    assert "LV" in measures.reasons["open_ring"]
    assert all(
        (value is None) == (name in measures.reasons) for name, value in measures.values.items()
    )


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_stack_that_cannot_hold_a_ventricle_fails(mask, count):
    index, _ = middle(mask)
    first = index - count // 2
    quality = check_volume(volume(mask[:, :, first : first + count]), ACDC_LABELS)
    assert "stack_slices" in fired(quality, "fail")
    assert "lv_slices" in quality.measures["mask"].reasons


def test_a_thin_stack_fails(mask):
    quality = check_volume(volume(mask, (2.0, 2.0, 4.0)), ACDC_LABELS)
    assert "stack_length_mm" in fired(quality, "fail")


def test_slices_missing_from_the_middle_are_named():
    config = PhantomConfig(shape=(110, 120, 20), spacing_mm=(2.0, 2.0, 5.0), frames=2)
    mask = draw(config).label[..., 0]
    whole = check_volume(volume(mask, (2.0, 2.0, 5.0)), ACDC_LABELS)
    index, _ = middle(mask)
    for missing in (3, 4):
        kept = np.delete(mask, range(index, index + missing), axis=2)
        quality = check_volume(volume(kept, (2.0, 2.0, 5.0)), ACDC_LABELS)
        step = quality.measures["mask"].values["area_step"]
        assert step > 3 * whole.measures["mask"].values["area_step"]
        assert quality.measures["mask"].at["area_step"] == (index, index + 1)
    assert "area_step" in fired(quality, "warn")


def test_reasons_name_slices(mask):
    two = mask.copy()
    BREAKERS["open_slices"][0](two)
    bare = [
        w + 1 for w in range(10) if (two[..., w] == LV).any() and not (two[..., w] == MYO).any()
    ]
    reason = next(
        r for r in check_volume(volume(two), ACDC_LABELS).reasons if r.rule == "open_slices"
    )
    assert reason.at == tuple(bare)
    assert all(str(w) in reason.text for w in (bare[0], bare[-1]))


def test_hearts_that_do_not_lie_together_are_named(mask):
    elsewhere = np.roll(mask, 40, axis=0)
    assert "overlap" in fired(check_pair(volume(mask), volume(elsewhere), ACDC_LABELS), "fail")
    shorter = volume(mask[:, :, :-1])
    assert "grids_differ" in fired(check_pair(volume(mask), shorter, ACDC_LABELS), "warn")


def test_other_structures_are_checked_for_what_holds_of_all(mask):
    quality = check_volume(volume(mask), LabelTable(("background", "aorta", "spleen", "liver")))
    assert quality.verdict == "pass"
    assert "LV" in quality.measures["mask"].reasons["lv_slices"]
    mask[0, 0, 0] = 1
    assert fired(
        check_volume(volume(mask), LabelTable(("background", "aorta", "spleen", "liver")))
    ) == {"border_voxels"}


def test_another_order_of_labels_and_another_spelling_change_nothing(mask):
    other = np.array([0, 3, 2, 1], np.uint8)[mask]
    mine, theirs = (
        shape_measures(volume(array), labels)
        for array, labels in (
            (mask, ACDC_LABELS),
            (other, LabelTable(("background", "LVC", "MLV", "RVC"))),
        )
    )
    assert mine == theirs


def same(a: Measures, b: Measures):
    return (
        a.reasons == b.reasons
        and a.values.keys() == b.values.keys()
        and list(a.values.values()) == pytest.approx(list(b.values.values()), abs=1e-5)
    )


@pytest.mark.parametrize("breaker", [None, torn_by_a_breath, a_second_heart, ragged])
def test_how_the_slices_are_stored_changes_nothing(mask, breaker):
    if breaker:
        breaker(mask)
    expected = shape_measures(volume(mask), ACDC_LABELS)
    for stored in (mask[::-1], mask[:, ::-1], mask[:, :, ::-1], np.rot90(mask)):
        assert same(shape_measures(volume(stored), ACDC_LABELS), expected)
    slices_first = volume(np.moveaxis(mask, 2, 0), (10.0, 2.0, 2.0))
    assert same(shape_measures(slices_first, ACDC_LABELS), expected)


def test_a_torn_ventricle_is_flagged_and_kept(mask):
    torn_by_a_breath(mask)
    cleaned, removed = remove_specks(mask)
    assert np.array_equal(cleaned, mask)
    assert removed == {}
    quality = check_volume(volume(cleaned), ACDC_LABELS)
    assert quality.verdict == "warn", "a real heart can look so; only a person can tell"
    assert "slice_shift_mm" in fired(quality)


@settings(max_examples=60)
@given(arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 8)] * 3), elements=st.integers(0, 3)))
def test_any_mask_gets_a_verdict_that_json_can_hold(array):
    quality = check_pair(volume(array), volume(array[::-1]), ACDC_LABELS)
    assert Quality.model_validate_json(quality.model_dump_json()) == quality
    severities = [reason.severity for reason in quality.reasons]
    assert severities == sorted(severities, key=["fail", "warn"].index)
    assert quality.verdict == (severities[0] if severities else "pass")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_noise_never_passes(seed):
    noise = np.random.default_rng(seed).integers(0, 4, (24, 24, 8))
    assert check_volume(volume(noise), ACDC_LABELS).verdict == "fail"


def test_a_rule_says_its_value_and_its_limit(mask):
    few_slices(mask)
    reason = check_volume(volume(mask), ACDC_LABELS).reasons[0]
    found = (reason.rule, reason.where, reason.severity, reason.value, reason.limit)
    assert found == ("lv_slices", "mask", "warn", 4, 6)
    assert "4 slices" in reason.text


@pytest.mark.acdc
def test_expert_masks_pass(acdc):
    from cardioseg.data.acdc import acdc_cases
    from cardioseg.imaging.open import read

    cases = [case for case in acdc_cases(acdc) if "training" in case.label.parts][::10][:20]
    assert len(cases) == 20
    for case in cases:
        quality = check_volume(replace(read(case.label), notes=()), ACDC_LABELS)
        assert quality.verdict == "pass", (case.name, quality.reasons)
