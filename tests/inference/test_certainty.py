"""Entropy and loops of a volume in a few numbers, and the verdict of ``segment`` on them."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import (
    NETWORK,
    cardioseg,
    names_in,
    run_record,
    save_image,
    save_tiny_model,
    stored,
    voxels,
)

from cardioseg.inference.certainty import RIM, entropy_measures, halting_measures
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import write_truth

NAMES = ("background", "RV", "MYO", "LV")


def probabilities(mask, sure):
    """(4, U, V, W): ``sure`` for the mask's class, the rest shared."""
    one_hot = np.stack([mask == value for value in range(4)]).astype(np.float32)
    return one_hot * sure + (1 - one_hot) * (1 - sure) / 3


@pytest.fixture
def mask():
    found = np.zeros((20, 20, 3), np.uint8)
    found[8:12, 8:12] = 3
    found[6:8, 8:12] = 2
    return found


def test_entropy_runs_from_sure_to_every_class_alike(mask):
    sure = entropy_measures(probabilities(mask, 1.0), NAMES)
    assert [sure[name] for name in ("entropy", "entropy_lv", "entropy_myo")] == pytest.approx(
        [0, 0, 0], abs=1e-6
    )
    assert sure["entropy_rv"] == "the mask has no RV"
    unsure = entropy_measures(probabilities(mask, 0.2501), NAMES)
    assert unsure["entropy"] == pytest.approx(1, abs=1e-4)


@given(st.floats(0.26, 1.0))
def test_entropy_lies_between_0_and_1_and_falls_as_the_network_grows_sure(sure):
    mask = np.pad(np.full((4, 4, 2), 1, np.uint8), ((6, 6), (6, 6), (0, 0)))
    found = [
        entropy_measures(probabilities(mask, p), NAMES)["entropy"]
        for p in (sure, min(1.0, sure + 0.05))
    ]
    assert 1 >= found[0] + 1e-6 >= found[1] >= -1e-6


def test_only_the_heart_and_its_rim_count(mask):
    near, far = probabilities(mask, 0.9), probabilities(mask, 0.9)
    far[:, :4, :4] = 0.25
    near[:, 6 - RIM, 9, 1] = 0.25
    expected = entropy_measures(probabilities(mask, 0.9), NAMES)["entropy"]
    assert entropy_measures(far, NAMES)["entropy"] == pytest.approx(expected)
    assert entropy_measures(near, NAMES)["entropy"] > expected


def test_an_empty_mask_has_no_entropy():
    empty = probabilities(np.zeros((8, 8, 2), np.uint8), 0.9)
    assert set(entropy_measures(empty, NAMES).values()) == {
        f"the mask has no {name}" for name in NAMES[1:]
    } | {"the mask is empty"}


def test_loops_inside_and_outside_the_heart(mask):
    steps = np.where(mask > 0, 5.0, 1.0)
    found = halting_measures(steps, mask > 0)
    assert found == {"steps_heart": 5.0, "steps_background": 1.0, "halting_spread": 4.0}
    assert halting_measures(steps, mask > 9)["steps_heart"] == "the mask is empty"
    assert (
        halting_measures(steps, mask > 0, why_constant="one loop")["halting_spread"] == "one loop"
    )


# ------------------------------------------------------------------------------ on the command line


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Random weights: what they draw is no heart."""
    return save_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def segment(folder, model, *more, shape=(40, 36, 7)):
    image = save_image(folder / "heart.nii.gz", voxels(shape))
    return cardioseg("segment", image, "-o", folder / "out", "--model", model, "--quiet", *more)


def test_a_run_record_carries_the_verdict_its_reasons_and_all_measures(tmp_path, model):
    done = segment(tmp_path, model)
    facts = run_record(tmp_path / "out", "heart")["quality"]
    assert (done.code, facts["verdict"]) == (0, "fail")
    assert {"rule", "where", "severity", "value", "limit", "at", "text"} == set(facts["reasons"][0])
    measures = facts["measures"]["mask"]["values"]
    assert 0 < measures["entropy"] < 1
    assert 1 <= measures["steps_background"] <= 2
    assert {"lv_slices", "roughness", "entropy_lv", "halting_spread"} <= set(measures)
    assert "quality" in done.out
    assert f"heart: quality fail: {facts['reasons'][0]['text']}" in done.err


def test_strict_turns_a_fail_into_an_exit_code_and_writes_all_the_same(tmp_path, model):
    assert segment(tmp_path, model, "--strict").code == 7
    files = names_in(tmp_path / "out")
    assert "heart_run.json" in files
    assert segment(tmp_path, model).code == 0
    kept = segment(tmp_path, model, "--strict", "--json")
    assert (kept.code, json.loads(kept.out)["data"]["cases"][0]["state"]) == (7, "kept")
    assert names_in(tmp_path / "out") == files


def test_a_case_that_could_not_be_done_counts_more_than_a_verdict(tmp_path, model):
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    save_image(tmp_path / "heart.nii.gz", voxels((40, 36, 7)))
    assert (
        cardioseg(
            "segment", tmp_path, "-o", tmp_path / "out", "--model", model, "--quiet", "--strict"
        ).code
        == 3
    )


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        ({}, ["--loops", "1"], "the budget is one loop"),
        ({"network": NETWORK | {"halting": "none"}}, [], "every token runs every loop"),
    ],
)
def test_a_map_that_must_be_constant_is_no_finding(tmp_path, changes, options, expected):
    model = save_tiny_model(tmp_path / "tiny", **changes)
    segment(tmp_path, model, *options)
    quality = run_record(tmp_path / "out", "heart")["quality"]
    assert quality["measures"]["mask"]["reasons"]["halting_spread"] == expected
    assert "halting_spread" not in {reason["rule"] for reason in quality["reasons"]}


def test_a_cine_is_judged_at_ed_and_es(tmp_path, model):
    image = save_image(tmp_path / "beat.nii.gz", voxels((40, 36, 7, 4)))
    assert (
        cardioseg("segment", image, "-o", tmp_path / "out", "--model", model, "--quiet").code == 0
    )
    record = run_record(tmp_path / "out", "beat")
    measures = record["quality"]["measures"]
    assert set(measures) == {"ED", "ES", "ED and ES", "cine"}
    assert measures["cine"]["values"]["frames"] == 4
    assert measures["ED"]["values"]["lv_ml"] >= measures["ES"]["values"]["lv_ml"]


def test_two_phases_of_a_patient_are_judged_together(tmp_path, model):
    for phase in ("ED", "ES"):
        save_image(tmp_path / f"anna_{phase}.nii.gz", voxels((40, 36, 7), seed=1))
    done = cardioseg("segment", tmp_path, "-o", tmp_path / "out", "--model", model, "--quiet")
    assert done.code == 0
    clinical = json.loads((tmp_path / "out" / "anna_clinical.json").read_text(encoding="utf-8"))
    assert (
        clinical["quality"]["measures"]["ES"]
        == run_record(tmp_path / "out", "anna_ES")["quality"]["measures"]["mask"]
    )
    with (tmp_path / "out" / "study.csv").open(encoding="utf-8") as table:
        assert next(csv.DictReader(table))["quality"] == "fail"
    assert clinical["quality"]["verdict"] == "fail", "one image for both"
    assert "anna: quality fail" in done.err


# ------------------------------------------------------------------------------------------ measure


@pytest.fixture(scope="module")
def beat(tmp_path_factory):
    """The masks of a phantom's beat: the cine, and both phases."""
    config = PhantomConfig(shape=(110, 120, 10), spacing_mm=(2.0, 2.0, 10.0), frames=10)
    phantom, folder = draw(config), tmp_path_factory.mktemp("beat")
    paths = [folder / "heart.nii.gz", folder / "heart_ED.nii.gz", folder / "heart_ES.nii.gz"]
    write_truth(paths[0], phantom)
    for path, frame in zip(paths[1:], (phantom.ed, phantom.es), strict=True):
        save_image(path, phantom.label[..., frame], spacing=config.spacing_mm)
    return paths


def test_a_measured_heart_carries_the_verdict_on_its_masks(beat, tmp_path):
    cine, ed, es = beat
    for arguments in ([cine], ["--ed", ed, "--es", es]):
        done = cardioseg("measure", *arguments, "--strict", "--json", "-o", tmp_path, "--overwrite")
        found = json.loads(done.out)
        assert (done.code, found["data"]["quality"]["verdict"]) == (0, "pass")
        assert not [line for line in found["warnings"] if "quality" in line]
        assert (
            json.loads((tmp_path / "heart_clinical.json").read_text(encoding="utf-8"))["quality"]
            == found["data"]["quality"]
        )


def test_a_mask_corrected_for_the_worse_is_measured_and_fails(beat, tmp_path):
    _, ed, es = beat
    torn = stored(ed).copy()
    torn[:, :, 4] = 0
    bad = save_image(tmp_path / "heart_ED.nii.gz", torn, spacing=(2.0, 2.0, 10.0))
    codes = [
        cardioseg("measure", "--ed", bad, "--es", es, *strict).code for strict in ([], ["--strict"])
    ]
    assert codes == [0, 7]
    shown = cardioseg("measure", "--ed", bad, "--es", es)
    assert "heart: quality fail" in shown.err
    assert "(ED)" in shown.err
    assert "quality fail" in shown.out
