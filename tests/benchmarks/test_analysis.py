"""Analyses: known answers for the statistics; hooks see every loop and leave the network alone."""

import numpy as np
import pytest
import torch
from analysis.association import (
    auroc,
    counted,
    normalised_mutual_information,
    permutation_null,
    rank_correlation,
    same_values,
)
from analysis.loops import (
    between_loops,
    counted_passes,
    linear_cka,
    mean_cosine,
    recorded_states,
    relative_change,
)
from analysis.pruning import (
    expert_off,
    kept_units,
    overlap,
    pruned,
    unit_count,
    unit_importance,
)
from tiny import NETWORK

from cardioseg.bundle import build_network
from cardioseg.core.errors import UsageError
from cardioseg.core.exits import ExitRule

FRAME = {
    key: NETWORK[key]
    for key in ("channels", "classes", "patch_size", "width", "heads", "stem_channels")
}
LOOPED = {
    "rdvit": NETWORK,
    "rdvit, no experts": {**NETWORK, "experts": 0},
    "bvit": {**FRAME, "name": "bvit"},
}
ALL = ExitRule("fixed")
LOOPS = 3


@pytest.fixture(params=LOOPED)
def network(request):
    torch.manual_seed(1)
    return build_network(LOOPED[request.param], source="test").eval()


@pytest.fixture
def image():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def logits(network, image):
    return network(image, loops=LOOPS, exits=ALL).logits


# -------------------------------------------------------------------------------------- association


def test_auroc_of_known_rankings():
    positive = np.array([True, True, False, False])
    assert auroc(np.array([4, 3, 2, 1]), positive) == 1
    assert auroc(np.array([1, 2, 3, 4]), positive) == 0
    assert auroc(np.array([5, 5, 5, 5]), positive) == 0.5
    assert auroc(np.array([4, 2, 2, 1]), positive) == pytest.approx((2 + 1 + 0.5) / 4)
    assert auroc(np.array([1, 2]), np.array([True, True])) is None


def test_rank_correlation_sees_order_only():
    a = np.array([1.0, 2, 3, 9])
    assert rank_correlation(a, a**3) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones(4)) is None


def test_an_equal_budget_is_the_same_numbers_elsewhere():
    steps, edges = np.array([1, 8, 1, 2]), np.array([0.5, 0.1, 0.9, 0.2])
    assert same_values(steps, edges).tolist() == [2, 1, 8, 1]


def test_mutual_information_of_known_tables():
    assert normalised_mutual_information(np.eye(3)) == pytest.approx(1)
    assert normalised_mutual_information(np.ones((3, 3))) == pytest.approx(0)
    assert normalised_mutual_information(np.array([[3, 4], [0, 0]])) is None
    assert counted(np.array([0, 1, 1]), np.array([2, 0, 0]), (2, 3)).tolist() == [
        [0, 0, 1],
        [2, 0, 0],
    ]


def test_the_null_keeps_groups_apart_and_is_small_where_nothing_is_shared():
    random = np.random.default_rng(0)
    groups = np.repeat([0, 1], 500)
    free = permutation_null(
        random.integers(3, size=1000),
        random.integers(3, size=1000),
        groups,
        rounds=20,
        random=random,
    )
    assert max(free) < 0.02
    # Where the image alone decides both, shuffling within images keeps all of it.
    assert permutation_null(groups, groups, groups, rounds=3, random=random) == pytest.approx(
        [1, 1, 1]
    )


# -------------------------------------------------------------------------------------------- loops


def test_cka_is_blind_to_rotation_and_scale():
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    rotation = torch.linalg.qr(torch.randn(6, 6)).Q
    assert linear_cka(x, 3 * x @ rotation + 2) == pytest.approx(1, abs=1e-5)
    assert linear_cka(x, torch.randn(50, 6)) < 0.5
    assert (mean_cosine(x, 2 * x), mean_cosine(x, -x), relative_change(x, 2 * x)) == pytest.approx(
        (1, -1, 0.5)
    )


def test_states_are_those_of_the_same_tokens_in_every_loop(network, image):
    before = logits(network, image)
    with recorded_states(network, per_pass=10) as states:
        assert torch.allclose(logits(network, image), before, atol=1e-5)
        logits(network, image[:1])
    assert states.loops == LOOPS
    assert states.of(0).shape == (20, NETWORK["width"])
    table = np.array(between_loops(states, linear_cka))
    assert np.allclose(np.diag(table), 1)
    assert np.allclose(table, table.T)
    full = []
    hook = network.block.register_forward_hook(
        lambda *given: full.append(given[2][0].flatten(0, 1))
    )
    with counted_passes(network):
        logits(network, image)
    hook.remove()
    for row in states.of(1)[:10]:
        assert (full[1] - row).abs().amax(1).min() < 1e-5, "a token of loop 2, nothing else"


def test_the_network_is_left_as_it_was(network, image):
    with counted_passes(network) as passes:
        logits(network, image)
        logits(network, image)
        assert (passes.number, network.skips) == (LOOPS - 1, False)
    with (
        pytest.raises(RuntimeError, match="stop"),
        pruned(network, "heads", torch.zeros(LOOPS, network.block.attention.heads)),
    ):
        raise RuntimeError("stop")
    assert network.skips
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_network_without_a_looped_block_is_refused():
    with (
        pytest.raises(UsageError, match="ViT"),
        counted_passes(build_network({**FRAME, "name": "vit"}, source="")),
    ):
        pass


# ------------------------------------------------------------------------------------------ pruning


@pytest.mark.parametrize("kind", ["heads", "hidden"])
def test_importance_is_the_slope_of_the_loss_along_what_a_unit_puts_out(network, image, kind):
    def loss(values, label):
        return (values - label).square().mean()

    network.double()
    batch = (image.double(), torch.ones(2, 1, 32, 32, dtype=torch.float64))
    turned = (-batch[0], batch[1])
    alone = [
        unit_importance(network, kind, [one], loops=LOOPS, loss=loss) for one in (batch, turned)
    ]
    assert torch.allclose(
        unit_importance(network, kind, [batch, turned], loops=LOOPS, loss=loss), sum(alone) / 2
    )
    found = alone[0]
    units = sum(unit_count(network.block, kind))
    assert found.shape == (LOOPS, units)
    sides, step = [], 1e-4
    for sign in (1, -1):
        factors = torch.ones(LOOPS, units, dtype=torch.float64)
        factors[1, 1] += sign * step
        with pruned(network, kind, factors):
            sides.append(loss(logits(network, batch[0]), batch[1]).item())
    assert found[1, 1].item() == pytest.approx(abs(sides[0] - sides[1]) / (2 * step), rel=1e-3)
    assert found[1, 1] > 0


@pytest.mark.parametrize("kind", ["heads", "hidden"])
def test_silenced_units_add_nothing_in_their_loop_only(network, image, kind):
    units = sum(unit_count(network.block, kind))
    keep = torch.ones(LOOPS, units)
    as_it_is = logits(network, image)
    with pruned(network, kind, keep):
        assert torch.allclose(logits(network, image), as_it_is, atol=1e-5), (
            "factors of 1 change nothing"
        )
    keep[1] = 0
    with recorded_states(network, per_pass=64) as whole:
        logits(network, image)
    with pruned(network, kind, keep), recorded_states(network, per_pass=64) as less:
        logits(network, image)
    assert torch.allclose(whole.of(0), less.of(0), atol=1e-5)
    assert not torch.allclose(whole.of(1), less.of(1), atol=1e-4)
    with pruned(network, kind, keep[:2]):
        beyond = logits(network, image)
    keep[2] = 0
    with pruned(network, kind, keep):
        assert torch.equal(beyond, logits(network, image)), "loops past the table take its last row"


def test_units_go_by_loop_or_by_all_loops_together():
    importance = torch.tensor([[1.0, 2, 3, 4], [4.0, 3, 2, 1], [4.0, 4, 1, 1]])
    alone = kept_units(importance, 0.5, "per step")
    assert alone.tolist() == [[0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    # Sums over loops: 9, 9, 6, 6, the third and fourth the least.
    assert kept_units(importance, 0.5, "shared").tolist() == [[1, 1, 0, 0]] * 3
    random = kept_units(importance, 0.5, "random", seed=1)
    assert random.sum(1).tolist() == [2, 2, 2]
    assert torch.equal(random, kept_units(importance, 0.5, "random", seed=1))
    assert overlap(alone)[1] == [0, 1, 1]


# ------------------------------------------------------------------------------------------ experts


@pytest.mark.parametrize("rerouted", [True, False])
@torch.no_grad()
def test_an_expert_can_be_done_without(image, rerouted):
    torch.manual_seed(1)
    network = build_network(NETWORK, source="test").eval()
    output = network(image, loops=LOOPS, exits=ALL)
    busiest = int(output.routing.sum((0, 2, 3)).argmax())
    with expert_off(network, busiest, rerouted=rerouted):
        without = network(image, loops=LOOPS, exits=ALL)
    assert not torch.allclose(without.logits, output.logits)
    assert bool((without.routing[:, busiest] == 0).all()) == rerouted
    assert torch.equal(logits(network, image), output.logits)
