"""``cardioseg segment --loops --exit --compute``: how many loops tokens use."""

import pytest
from tiny import NETWORK, cardioseg, run_record, save_image, save_tiny_model, stored

from cardioseg.core.errors import EXIT_OK, EXIT_USAGE


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    settings = {**NETWORK, "loops": 4, "max_loops": 4}
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", network=settings)


@pytest.fixture
def image(tmp_path):
    return save_image(tmp_path / "heart.nii.gz")


def segment(image, output, model, *arguments):
    return cardioseg("segment", image, "--output", output, "--model", model, "--quiet", *arguments)


def record(image, output, model, *arguments):
    done = segment(image, output, model, *arguments)
    assert done.code == EXIT_OK, done.err
    return run_record(output, "heart")


def test_a_share_of_the_loops_is_used_and_paid_for(image, tmp_path, model):
    full = record(image, tmp_path / "full", model, "--exit", "fixed")
    part = record(image, tmp_path / "part", model, "--compute", "0.3")
    assert full["mean_steps"] == 4
    assert part["mean_steps"] == pytest.approx(1.2, abs=0.15)
    assert full["flops"]["core"] == full["flops"]["core_dense"] == part["flops"]["core_dense"]
    assert part["flops"]["core"] < 0.7 * part["flops"]["core_dense"], (
        "the exit head weighs much in so small a network"
    )
    assert part["flops"]["total"] < full["flops"]["total"]
    assert stored(tmp_path / "full" / "heart_halting.nii.gz").min() == 4
    halting = stored(tmp_path / "part" / "heart_halting.nii.gz")
    assert halting.min() < halting.max()


def test_the_record_names_the_rule_and_other_rules_make_other_results(image, tmp_path, model):
    own = record(image, tmp_path / "out", model)
    assert own["recipe"]["exit"] == {"rule": "learned", "threshold": None, "compute": None}
    again = segment(image, tmp_path / "out", model, "--exit", "accel:0.3")
    assert again.code != EXIT_OK
    assert "pass --overwrite" in again.err
    other = record(image, tmp_path / "other", model, "--exit", "accel:0.3")
    assert other["recipe"]["exit"] == {"rule": "accel", "threshold": 0.3, "compute": None}
    assert other["recipe"] != own["recipe"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--exit", "never"), "one of fixed, act, learned"),
        (("--exit", "ranker"), "ranker with tiny"),
        (("--exit", "entropy:low"), "entropy:low"),
        (("--exit", "entropy:0.1", "--compute", "0.5"), "drop one"),
        (("--exit", "fixed", "--compute", "0.5"), "--loops"),
        (("--compute", "1.2"), "at most 1"),
        (("--compute", "0.2"), "at least 0.25"),
        (("--loops", "0"), "1 to 255"),
        (("--loops", "256"), "1 to 255"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    image, tmp_path, model, arguments, says
):
    done = segment(image, tmp_path / "out", model, *arguments)
    assert done.code == EXIT_USAGE
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
