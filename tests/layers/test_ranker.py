"""The ranker's depths, gates and losses."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cardioseg.layers import ranker


def scores_of(seed: int, depths: int = 5, spread: float = 3.0) -> torch.Tensor:
    return spread * torch.randn(2, 7, depths, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 10_000), st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_a_gate_opens_at_the_first_loop_and_closes_once(seed: int, depths: int) -> None:
    gate = ranker.depth_gate(scores_of(seed, depths))
    assert (gate[..., 0] - 1).abs().max() < 1e-5
    assert (gate.diff(dim=-1) < 1e-5).all()
    assert (((gate - 0).abs() < 1e-5) | ((gate - 1).abs() < 1e-5)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_expected_depth_lies_between_one_and_all(seed: int) -> None:
    depth = ranker.expected_depth(scores_of(seed))
    assert (depth >= 1 - 1e-5).all()
    assert (depth <= 5 + 1e-5).all()


def test_expected_depth_of_a_certain_ranker_is_its_choice() -> None:
    scores = scores_of(0, spread=500.0)
    assert torch.allclose(
        ranker.expected_depth(scores), ranker.chosen_depth(scores).float(), atol=1e-3
    )


def test_the_gate_gives_the_ranker_a_gradient() -> None:
    torch.manual_seed(0)
    scores = scores_of(1).requires_grad_()
    (ranker.depth_gate(scores) * torch.randn(2, 7, 5)).sum().backward()
    assert scores.grad is not None
    assert scores.grad.abs().sum() > 0


def test_use_loss_is_one_for_even_use_and_depths_for_a_collapse() -> None:
    even = 100 * torch.eye(4).repeat(1, 2, 1)
    assert ranker.use_loss(even).item() == pytest.approx(1.0, abs=1e-4)
    collapsed = 100 * torch.eye(4)[:1].repeat(1, 8, 1)
    assert ranker.use_loss(collapsed).item() == pytest.approx(4.0, abs=1e-4)


def test_stability_loss_is_the_mean_squared_log_sum_exp() -> None:
    scores = scores_of(2)
    naive = torch.log(torch.exp(scores).sum(-1)) ** 2
    assert ranker.stability_loss(scores).item() == pytest.approx(naive.mean().item(), rel=1e-5)


def test_budget_loss_pulls_the_mean_depth_to_the_budget() -> None:
    scores = torch.zeros(1, 6, 8, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.2)
    for _ in range(150):
        loss = ranker.budget_loss(scores, 0.25)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ranker.expected_depth(scores).mean().item() / 8 == pytest.approx(0.25, abs=0.02)


def test_the_oracle_teaches_when_a_token_is_done() -> None:
    torch.manual_seed(0)
    scores = torch.zeros(1, 2, 4, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.2)
    for step in range(300):
        loop = 1 + step % 3
        settled = torch.tensor(
            [[1.0, float(loop >= 3)]]
        )  # the first token is done at once, the second after three loops
        loss = ranker.oracle_loss(scores, settled, loop)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ranker.chosen_depth(scores).tolist() == [[1, 3]]


def test_edges_have_energy_and_flat_patches_none() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[:, 1, :, 12:] = 1.0
    energy = ranker.edge_energy(image, (8, 8)).view(2, 2)
    assert (energy[:, 0] == 0).all()
    assert (energy[:, 1] > 0).all()
    assert ranker.edge_energy(image.new_ones(1, 1, 16, 16, 4), (8, 8, 1)).abs().max() < 1e-6


def test_edges_of_a_volume_are_those_of_its_slices() -> None:
    torch.manual_seed(0)
    volume = torch.randn(2, 1, 16, 8, 3)
    together = ranker.edge_energy(volume, (8, 8, 1)).view(2, 2, 1, 3)
    for index in range(3):
        assert torch.allclose(
            together[..., index],
            ranker.edge_energy(volume[..., index], (8, 8)).view(2, 2, 1),
            atol=1e-6,
        )
