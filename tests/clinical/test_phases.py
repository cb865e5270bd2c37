"""ED and ES from volume curves: known beats, late beats, and curves that raise doubts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardioseg.clinical.phases import ES_BETWEEN, find_phases, misfit_frames, smoothed
from cardioseg.phantom.draw import contraction


def beat(frames, *, edv=150.0, ejection=0.6):
    return edv * (1 - ejection * contraction(frames))


@given(frames=st.integers(10, 50), ejection=st.floats(0.08, 0.8), edv=st.floats(50, 400))
def test_a_beat_that_starts_at_the_trigger_is_found_without_doubt(frames, ejection, edv):
    found = find_phases(beat(frames, edv=edv, ejection=ejection))
    assert (found.ed, found.es) == (0, int(np.argmax(contraction(frames))))
    assert (found.source, found.confidence, found.reasons) == ("volume curve", "high", ())


@given(frames=st.integers(12, 40), late=st.integers(1, 39))
def test_a_beat_that_starts_late_is_the_same_beat_and_says_so(frames, late):
    late %= frames
    curve = beat(frames)
    turned, straight = find_phases(np.roll(curve, late)), find_phases(curve)
    assert (turned.es - straight.es) % frames == late
    assert smoothed(np.roll(curve, late)) == pytest.approx(np.roll(smoothed(curve), late))
    if 0.15 < late / frames < 0.85:
        assert (turned.ed, turned.confidence) == (int(np.argmax(turned.smoothed_ml)), "medium")
        assert abs(turned.ed - late) <= 1
        assert turned.reasons == (f"ED is frame {turned.ed + 1}, not the first",)


def test_noise_of_a_segmentation_moves_neither_phase_far():
    curve = beat(30)
    for seed in range(20):
        found = find_phases(curve + np.random.default_rng(seed).normal(0, 2.0, 30))
        assert found.ed == 0
        assert abs(found.es - int(np.argmin(curve))) <= 1


def test_the_first_frame_is_ed_where_it_is_nearly_the_largest():
    curve = beat(30)
    curve[-1] = curve[0] + 1.5
    assert find_phases(curve).ed == 0
    curve[-2:] = curve[0] + 30
    assert find_phases(curve).ed >= 28


def test_a_trigger_long_before_the_beat_is_not_taken_for_ed():
    """As in ACDC's patient090: the ventricle still is full when it should have begun to empty."""
    curve = [90.1, 89.3, 90.5, 82.7, 81.1, 75.2, 81.1, 68.1, 60.1, 54.2, 53.3, 64.8]
    found = find_phases(curve)
    assert (found.ed, found.es) == (2, 10)
    assert found.reasons == ("ED is frame 3, not the first",)


def doubt(curve):
    found = find_phases(curve)
    assert found.confidence == "low"
    return " / ".join(found.reasons)


def test_a_flat_curve_is_doubted():
    assert "changes by only 0.0 %" in doubt(np.full(20, 100.0))
    assert "changes by only" in doubt(beat(20, ejection=0.03))


def test_a_minimum_at_the_wrong_time_is_doubted():
    early = np.interp(np.arange(30), (0, 4, 24, 29), (150, 60, 148, 150))
    low, high = (round(100 * share) for share in ES_BETWEEN)
    assert f"ES lies 17 % of the beat after ED, not {low} to {high} %" in doubt(early)


def test_a_second_minimum_is_doubted():
    curve = beat(30)
    curve[21:26] = 62.0, 61.0, 60.0, 61.0, 62.0
    assert "is a second minimum" in doubt(curve)


def test_a_frame_that_jumps_is_doubted():
    curve = beat(30)
    curve[5] = 0
    assert "frame 6" in doubt(curve)


@pytest.mark.parametrize("frame", [0, 1, 7, 11, 25])
def test_a_frame_that_does_not_fit_is_neither_ed_nor_es(frame):
    """As in patient090's cine, where one wrong mask became end-diastole."""
    for wrong in (-60.0, 60.0):
        curve = beat(30)
        curve[frame] += wrong
        found = find_phases(curve)
        assert misfit_frames(curve) == (frame,)
        assert frame not in (found.ed, found.es)
        assert abs(found.es - int(np.argmin(beat(30)))) <= 1
        assert f"frame {frame + 1} " in doubt(curve)


@pytest.mark.parametrize("frames", [8, 10, 12, 15, 20, 25, 30, 50])
def test_a_right_curve_has_no_misfit(frames):
    assert misfit_frames(beat(frames)) == ()


def test_few_frames_are_remarked():
    found = find_phases(beat(6))
    assert (found.confidence, found.reasons) == (
        "medium",
        ("6 frames are few: ES may fall between two",),
    )


@pytest.mark.parametrize(
    ("curve", "reason"), [([120.0], "one frame shows no beat"), ([0.0] * 8, "no LV in any frame")]
)
def test_no_beat_is_none_with_a_reason(curve, reason):
    found = find_phases(curve)
    assert (found.ed, found.es, found.confidence, found.reasons) == (None, None, "none", (reason,))


def test_what_somebody_chose_is_taken():
    curve = beat(20)
    found = find_phases(curve, ed=2, es=9)
    assert (found.ed, found.es, found.source, found.confidence, found.reasons) == (
        2,
        9,
        "given",
        "high",
        (),
    )
    half = find_phases(curve, es=9)
    assert (half.ed, half.es, half.source) == (0, 9, "given and volume curve")
    swapped = find_phases(curve, ed=7, es=0)
    assert swapped.confidence == "low"
    assert swapped.reasons == ("the LV is larger at ES (frame 1) than at ED (frame 8)",)
