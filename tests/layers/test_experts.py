"""Experts: sorted dispatch against two loops, routing that sums to 1, load balancing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from cardioseg.layers.experts import Experts


def layer(routed=4, shared=1, top_k=1, seed=0):
    torch.manual_seed(seed)
    return Experts(8, routed=routed, shared=shared, top_k=top_k, hidden=12)


def naive_forward(experts, x):
    """Every token by itself, its experts one after the other."""
    out, routing = torch.zeros_like(x), torch.zeros(*x.shape[:2], len(experts.routed))
    for batch in range(x.shape[0]):
        for index in range(x.shape[1]):
            token = x[batch, index]
            scores = torch.softmax(experts.router.weight @ token + experts.balance, 0)
            chosen = sorted(range(len(scores)), key=lambda e: -scores[e])[: experts.top_k]
            total = sum(scores[e] for e in chosen)
            for e in chosen:
                gate = scores[e] if experts.top_k == 1 else scores[e] / total
                out[batch, index] += gate * experts.routed[e](token)
                routing[batch, index, e] = scores[e] / total
            if experts.shared is not None:
                out[batch, index] += experts.shared(token)
    return out, routing


@given(
    seed=st.integers(0, 99),
    top_k=st.integers(1, 3),
    shared=st.integers(0, 2),
    tokens=st.integers(1, 9),
    biased=st.booleans(),
)
@settings(max_examples=40)
@torch.no_grad()
def test_sorted_dispatch_is_the_double_loop(seed, top_k, shared, tokens, biased):
    experts = layer(routed=5, shared=shared, top_k=top_k, seed=seed)
    if biased:
        experts.balance.copy_(torch.linspace(-0.2, 0.2, 5))
    x = torch.randn(2, tokens, 8)
    out, routing = experts(x)
    expected_out, expected_routing = naive_forward(experts, x)
    assert_close(out, expected_out, atol=1e-5, rtol=1e-5)
    assert_close(routing, expected_routing, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_routing_sums_to_one_over_as_many_experts_as_chosen(top_k):
    _, routing = layer(top_k=top_k)(torch.randn(3, 20, 8))
    assert_close(routing.sum(-1), torch.ones(3, 20))
    assert ((routing > 0).sum(-1) == top_k).all()


@pytest.mark.parametrize("top_k", [1, 2])
def test_the_router_learns_from_the_output(top_k):
    experts = layer(top_k=top_k)
    out, routing = experts(torch.randn(2, 30, 8))
    assert not routing.requires_grad
    out.square().mean().backward()
    assert (experts.router.weight.grad.abs().sum(1) > 0).all(), (
        "with one expert per token a renormalised gate teaches nothing"
    )


def test_every_chosen_expert_and_the_shared_one_get_a_gradient():
    experts = layer()
    out, routing = experts(torch.randn(4, 64, 8))
    out.square().mean().backward()
    assert (routing.flatten(0, 1).sum(0) > 0).all(), "256 random tokens reach every expert"
    assert all(p.grad.abs().sum() > 0 for p in experts.parameters())


def test_rebalance_moves_tokens_from_the_busy_expert_to_the_idle_one():
    experts = layer(routed=3)
    x = torch.randn(4, 50, 8) + 0.5
    with torch.no_grad():
        experts.router.weight[0] += 0.5  # on tokens around 0.5, expert 0 wins nearly always
    load = experts(x)[1].mean((0, 1))
    assert load[0] > 0.6
    for _ in range(100):
        experts.rebalance(experts(x)[1].mean((0, 1)), rate=0.01)
    assert experts.balance[0] < 0 < experts.balance[load.argmin()]
    after = experts(x)[1].mean((0, 1))
    assert after[0] < load[0] - 0.1
    assert after.min() > load.min() + 0.05


def test_one_step_of_rebalance_goes_by_sign_and_stops_at_the_limit():
    experts = layer(routed=4)
    experts.rebalance(torch.tensor([0.7, 0.25, 0.05, 0.0]), rate=0.1)
    assert experts.balance.tolist() == pytest.approx([-0.1, 0.0, 0.1, 0.1])
    for _ in range(9):
        experts.rebalance(torch.tensor([0.7, 0.25, 0.05, 0.0]), rate=0.1, limit=0.5)
    assert experts.balance.tolist() == pytest.approx([-0.5, 0.0, 0.5, 0.5])


def test_a_score_near_one_for_every_token_is_outweighed():
    """A bias on the scores, bounded by 0.5, could not do this: one expert took every token."""
    experts = layer(routed=3)
    x = torch.randn(4, 50, 8) + 0.5
    with torch.no_grad():
        experts.router.weight[0] += 1.0
    assert experts(x)[1][..., 0].mean() > 0.8, "the test needs a collapse"
    for _ in range(400):
        experts.rebalance(experts(x)[1].mean((0, 1)))
    assert experts(x)[1].mean((0, 1)).max() < 0.5


@torch.no_grad()
def test_the_balance_counts_in_choice_and_gate():
    experts = layer(routed=3, shared=0)
    x = torch.randn(1, 6, 8)
    experts.balance[2] = 5.0
    out, routing = experts(x)
    assert (routing[..., 2] == 1).all()
    scores = (experts.router(x) + experts.balance).softmax(-1)
    assert_close(out, scores[..., 2:] * experts.routed[2](x))


def test_the_balance_is_saved_with_the_weights_but_not_trained():
    experts = layer()
    assert "balance" in experts.state_dict()
    assert "balance" not in dict(experts.named_parameters())


@pytest.mark.parametrize("top_k", [0, 5])
def test_top_k_must_fit_the_experts(top_k):
    with pytest.raises(ValueError, match=f"top_k {top_k}"):
        layer(routed=4, top_k=top_k)
