"""ACT keeps its sums for any scores, and the oracle calls only settled patches settled."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cardioseg.layers.halting import ACT, HaltingHead, LinearHaltingHead, settled_target

SCORES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 24), st.integers(1, 7)),
    elements=st.floats(-40, 40, width=32),
)
THRESHOLDS = st.floats(0.01, 0.999)


def run_account(probabilities, threshold):
    """Weights (T, N) and the account after the last loop, of probabilities (T, N)."""
    account, weights = ACT.start(probabilities[0][None], threshold), []
    for loop, probability in enumerate(probabilities):
        weight, account = account.step(probability[None], last=loop == len(probabilities) - 1)
        weights.append(weight[0])
    return torch.stack(weights), account


def naive_account(probabilities, threshold):
    """Weights, steps and remainder of one token as in Graves: halt at the first crossing."""
    weights, spent = [0.0] * len(probabilities), np.float32(0)
    for loop, p in enumerate(probabilities):
        if spent + p >= np.float32(threshold) or loop == len(probabilities) - 1:
            weights[loop] = 1 - spent
            return weights, loop + 1, 1 - spent
        weights[loop] = p
        spent = spent + p
    raise AssertionError


@given(SCORES, THRESHOLDS)
def test_weights_sum_to_one_for_every_score_and_loop_count(scores, threshold):
    weights, account = run_account(torch.from_numpy(scores).sigmoid(), threshold)
    assert torch.allclose(weights.sum(0), torch.ones(scores.shape[1]), atol=1e-5)
    assert (weights >= 0).all()
    assert not account.active.any()


@given(SCORES, THRESHOLDS)
def test_steps_lie_between_one_and_the_budget_and_count_the_loops_with_weight(scores, threshold):
    weights, account = run_account(torch.from_numpy(scores).sigmoid(), threshold)
    steps = account.steps[0]
    assert ((steps >= 1) & (steps <= len(scores))).all()
    after = torch.arange(len(scores))[:, None] >= steps
    assert (weights[after] == 0).all(), "a halted token still leaks weight"


@given(SCORES, THRESHOLDS)
def test_the_account_is_graves_token_by_token(scores, threshold):
    probabilities = torch.from_numpy(scores).sigmoid()
    weights, account = run_account(probabilities, threshold)
    for token in range(scores.shape[1]):
        expected, steps, remainder = naive_account(probabilities[:, token].numpy(), threshold)
        assert weights[:, token].numpy() == pytest.approx(expected, abs=1e-5)
        assert (account.steps[0, token], account.remainder[0, token]) == (
            steps,
            pytest.approx(remainder, abs=1e-5),
        )


def test_a_token_that_never_crosses_keeps_the_size_of_its_state():
    weights, _ = run_account(torch.full((8, 1), 0.047), 0.99)
    assert weights.sum() == pytest.approx(1.0), "the published code leaves 0.38 here"
    assert weights[-1] == pytest.approx(1 - 7 * 0.047, abs=1e-5)


def test_ponder_is_loops_plus_remainder_and_its_gradient_asks_for_earlier_halting():
    probabilities = torch.tensor(
        [[0.3, 0.995, 0.2], [0.4, 0.5, 0.2], [0.6, 0.5, 0.2]], requires_grad=True
    )
    _, account = run_account(probabilities, 0.99)
    assert account.ponder.item() == pytest.approx(((3 + 0.3) + (1 + 1.0) + (3 + 0.6)) / 3)
    account.ponder.backward()
    # More probability before the last loop means less remainder; nothing else carries a gradient.
    assert probabilities.grad.numpy() == pytest.approx(
        np.array([[-1, 0, -1], [-1, 0, -1], [0, 0, 0]]) / 3
    )


def test_the_head_sees_direction_and_relative_step_not_scale():
    torch.manual_seed(0)
    head = HaltingHead(16)
    state, before = torch.randn(2, 2, 5, 16)
    assert torch.allclose(head(1000 * state, 1000 * before), head(state, before), atol=1e-3)
    assert not torch.allclose(
        head(state, before), head(state, state - 0.01 * (state - before)), atol=1e-2
    )


def test_the_published_head_is_a_weight_per_channel_and_a_bias():
    head = LinearHaltingHead(16)
    state, before = torch.randn(2, 2, 5, 16)
    assert torch.allclose(
        head(state, before), state @ head.score.weight[0] + head.score.bias, atol=1e-6
    )


def test_the_head_is_finite_where_a_loop_moved_nothing():
    head = HaltingHead(8)
    state = torch.randn(1, 3, 8, requires_grad=True)
    score = head(state, state.detach().clone())
    score.sum().backward()
    assert torch.isfinite(score).all()
    assert torch.isfinite(state.grad).all()
    assert torch.isfinite(head(torch.zeros(1, 3, 8), torch.zeros(1, 3, 8))).all()


@pytest.mark.parametrize(("patch", "grid"), [((4, 4), (2, 3)), ((1, 4, 4), (3, 2, 2))])
def test_one_changed_voxel_unsettles_its_patch_and_no_other(patch, grid):
    torch.manual_seed(0)
    size = [g * p for g, p in zip(grid, patch, strict=True)]
    final = torch.randn(2, 3, *size)
    early = final.clone()
    voxel = [s - 1 for s in size]
    early[(1, slice(None), *voxel)] = (
        torch.tensor([9.0, -9.0, 0.0]) - final[(1, slice(None), *voxel)]
    )
    settled = settled_target(early, final, patch, 0.05)
    tokens = int(np.prod(grid))
    assert settled.shape == (2, tokens)
    assert settled[0].tolist() == [1.0] * tokens
    assert settled[1].tolist() == [1.0] * (tokens - 1) + [0.0]


def test_settled_goes_by_probability_not_by_score():
    final = torch.zeros(1, 2, 4, 4)
    final[:, 0] = 20
    assert settled_target(final + 7, final, (4, 4), 0.01).item() == 1, (
        "a shift of all scores changes no probability"
    )
    assert settled_target(2 * final, final, (4, 4), 0.01).item() == 1, (
        "sure and surer look the same"
    )
    early = torch.zeros(1, 2, 4, 4)
    assert settled_target(early, final, (4, 4), 0.49).item() == 0
    assert settled_target(early, final, (4, 4), 0.51).item() == 1


def test_the_target_carries_no_gradient():
    early, final = (torch.randn(1, 2, 4, 4, requires_grad=True) for _ in range(2))
    assert not settled_target(early, final, (4, 4), 0.5).requires_grad
