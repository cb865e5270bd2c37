"""Cines frame by frame, predicted cases only, splits of held-out patients, the same call again."""

import json

import numpy as np
import pytest
from test_grids import affine_of, heart, oblique, save

from cardioseg.core.errors import EXIT_OK, InputError, OutputError
from cardioseg.evaluation.summary import Evaluation
from cardioseg.workflows.evaluate import EvaluationRequest, evaluate, evaluate_masks

AFFINE = affine_of(oblique())
EMPTY = np.zeros_like(heart())


def smaller():
    """The heart with a smaller LV."""
    mask = heart()
    mask[12:14][mask[12:14] == 3] = 2
    return mask


def cine(*frames):
    return np.stack(frames, axis=-1)


# ------------------------------------------------------------------------------------------- cines


def test_a_cine_is_scored_in_the_frames_that_the_reference_annotates(tmp_path):
    frames = [EMPTY, heart(), EMPTY, smaller(), EMPTY]
    save(tmp_path / "ref/anna.nii.gz", cine(*frames), AFFINE)
    save(tmp_path / "pred/anna.nii.gz", cine(*[heart()] * 3, smaller(), heart()), AFFINE)
    found = evaluate(tmp_path / "pred", tmp_path / "ref", output=tmp_path / "out")
    assert (found.volumes, found.patients, found.mean_dice) == (2, 1, 1.0)
    rows = (tmp_path / "out/cases.csv").read_text().splitlines()[1:]
    told = {tuple(row.split(",")[:3]) for row in rows}
    assert told == {("anna_frame02", "anna", "ED"), ("anna_frame04", "anna", "ES")}


def test_es_may_come_before_ed(tmp_path):
    save(tmp_path / "a.nii.gz", cine(smaller(), EMPTY, heart()), AFFINE)
    found = evaluate(tmp_path / "a.nii.gz", tmp_path / "a.nii.gz")
    assert (found.volumes, found.patients) == (2, 1)


def test_cines_of_another_length_or_one_volume_fail(tmp_path):
    reference = save(tmp_path / "ref.nii.gz", cine(heart(), smaller()), AFFINE)
    for mask in (cine(heart(), smaller(), heart()), heart()):
        with pytest.raises(InputError):
            evaluate(save(tmp_path / "pred.nii.gz", mask, AFFINE), reference)


def test_a_cine_without_any_label_is_no_reference(tmp_path):
    reference = save(tmp_path / "ref.nii.gz", cine(EMPTY, EMPTY), AFFINE)
    with pytest.raises(InputError):
        evaluate(reference, reference)


def test_a_frame_that_is_not_predicted_is_missed(tmp_path):
    reference = save(tmp_path / "ref.nii.gz", cine(heart(), smaller()), AFFINE)
    found = evaluate(save(tmp_path / "pred.nii.gz", cine(heart(), EMPTY), AFFINE), reference)
    assert [scores.missed for scores in found.structures.values()] == [1, 1, 1]
    assert found.mean_dice == 0.5


# ---------------------------------------------------------------------------------- predicted cases


@pytest.fixture
def ten(tmp_path):
    """Ten references, of which two are predicted."""
    for index in range(10):
        save(tmp_path / f"ref/p{index}.nii.gz", heart(), AFFINE)
    for index in range(2):
        save(tmp_path / f"pred/p{index}.nii.gz", heart(), AFFINE)
    return tmp_path / "pred", tmp_path / "ref"


def test_only_predicted_leaves_the_others_out_and_says_how_many(ten):
    every = evaluate_masks(EvaluationRequest(*ten, None))
    assert (every.data.mean_dice, len(every.data.missing), every.data.predicted) == (0.2, 8, 2)
    some = evaluate_masks(EvaluationRequest(*ten, None, only_predicted=True))
    assert (some.data.mean_dice, some.data.volumes, len(some.data.left_out)) == (1.0, 2, 8)
    for report in (every, some):
        assert "2 of 10" in report.tables[0].title


def test_a_prediction_that_fails_still_counts_as_empty(ten):
    (ten[0] / "p1.nii.gz").write_bytes(b"")
    found = evaluate(*ten, only_predicted=True)
    assert (found.mean_dice, found.volumes, found.predicted, found.references) == (0.5, 2, 1, 10)


# ------------------------------------------------------------------------------------------ splits


def test_a_reference_of_held_out_patients_only_is_scored_and_said(ten, tmp_path):
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["a", "b"], "val": ["p0", "p1", "elsewhere"]}))
    report = evaluate_masks(EvaluationRequest(*ten, None, split=split))
    assert (report.exit_code, report.data.volumes) == (EXIT_OK, 2)
    about = [line for line in report.warnings if line.startswith("split.json")]
    assert len(about) == 2


def test_a_split_of_other_patients_is_an_error(ten, tmp_path):
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["a"], "val": ["b"]}))
    with pytest.raises(InputError):
        evaluate(*ten, split=split)


# -------------------------------------------------------------------------------- the same call


def test_the_same_call_again_is_no_error_and_another_result_is(ten, tmp_path):
    out = tmp_path / "out"
    evaluate(*ten, output=out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    report = evaluate_masks(EvaluationRequest(*ten, out))
    assert report.exit_code == EXIT_OK
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert set(report.files) == set(before)
    with pytest.raises(OutputError):
        evaluate(*ten, output=out, only_predicted=True)
    assert Evaluation.read(out / "metrics.json").volumes == 10, "left as it was"


# ------------------------------------------------------------------- stacks that hold no ventricle


@pytest.mark.parametrize("slices", [1, 3, 5])
def test_a_stack_that_cannot_hold_a_ventricle_has_no_function(tmp_path, slices):
    for phase, mask in {"ED": heart(), "ES": smaller()}.items():
        save(tmp_path / f"ref/anna_{phase}.nii.gz", mask[:, :, 2 : 2 + slices], AFFINE)
    found = evaluate(tmp_path / "ref", tmp_path / "ref", output=tmp_path / "out")
    assert (found.mean_dice, found.patients) == (1.0, 1), "overlap needs no whole ventricle"
    assert all(quantity.n == 0 for quantity in found.agreement.values())
    assert all(quantity.reasons["anna"] for quantity in found.agreement.values())
    cells = (tmp_path / "out/patients.csv").read_text().splitlines()[1].split(",")
    assert not any(cells[2:-1])


def test_structures_that_no_mask_shows_are_named(tmp_path):
    mask = heart()
    mask[mask == 1] = 0
    path = save(tmp_path / "a.nii.gz", mask, AFFINE)
    report = evaluate_masks(EvaluationRequest(path, path, None))
    assert any(line.endswith("RV") for line in report.warnings)
