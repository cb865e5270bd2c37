"""RD-ViT beyond the contract of all networks: halting, random depth, presets, experts."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import build, image_for, stir
from torch.testing import assert_close

from cardioseg.core.config import validate
from cardioseg.core.errors import ConfigError
from cardioseg.networks import ARCHITECTURES, RDViT, RDViTConfig


def rdvit(**changes):
    return stir(build("rdvit", changes))


# ------------------------------------------------------------------------------------------ halting


@torch.no_grad()
@pytest.mark.parametrize("skips", [True, False])
def test_with_a_tiny_threshold_every_token_halts_after_one_loop_whatever_the_budget(skips):
    network = rdvit(halting_threshold=1e-6).eval()
    network.skips = skips
    one, eight = network(image_for(network), loops=1), network(image_for(network), loops=8)
    assert (eight.steps == 1).all()
    assert torch.equal(one.logits, eight.logits)
    assert torch.equal(one.routing, eight.routing)


@torch.no_grad()
def test_with_a_threshold_near_one_every_token_uses_the_budget():
    network = rdvit(halting_threshold=1 - 1e-7).eval()
    free = rdvit(halting="none").eval()
    free.load_state_dict(network.state_dict(), strict=False)
    for loops in (1, 2, 5):
        output = network(image_for(network), loops=loops)
        assert (output.steps == loops).all()
        assert_close(output.logits, free(image_for(network), loops=loops).logits)


@torch.no_grad()
def test_halted_tokens_keep_their_state_and_their_step_count():
    network = rdvit().eval()
    network.skips = (
        False  # skipped tokens keep their state by not being touched; masked ones must be put back
    )
    image = image_for(network, batch=1, size=(32, 32))
    states = []
    real = network._one_loop
    network._one_loop = lambda h, *rest: states.append(h.clone()) or real(h, *rest)
    network.halting.score.bias += 4.0 - torch.median(scores_after_one_loop(network, image))
    states.clear()
    steps = network(image, loops=6).steps.flatten()
    assert 1 <= steps.min() < steps.max(), "some tokens halt before others"
    assert len(states) == steps.max()
    for token, halted in enumerate(steps.int().tolist()):
        after = [state[0, token] for state in states[halted:]]
        assert all(torch.equal(state, after[0]) for state in after)
        before = [state[0, token] for state in states[: halted + 1]]
        assert all(not torch.equal(a, b) for a, b in itertools.pairwise(before))


@torch.no_grad()
def scores_after_one_loop(network, image):
    """Halting logits of every token after the first loop."""
    tokens, e, rotary = network._prelude(image)
    drive, start = network.injection.drive(e), torch.zeros_like(e)
    h, _ = network._one_loop(start, drive, rotary, 0)
    assert tokens.sequence.shape == h.shape
    return network.halting(h, start)


@torch.no_grad()
def test_more_budget_never_takes_steps_away():
    network = rdvit(halting_threshold=0.55).eval()
    image = image_for(network, size=(32, 32))
    counts = [network(image, loops=loops).steps for loops in (1, 2, 4, 8)]
    assert all((more >= fewer).all() for fewer, more in itertools.pairwise(counts))
    assert all(
        torch.equal(fewer, more.clamp(max=n))
        for n, fewer, more in zip((1, 2, 4), counts, counts[1:], strict=False)
    )


def test_oracle_halting_learns_beside_the_loop_and_not_through_it():
    network = rdvit(halting="oracle", halting_threshold=1e-6).train()
    output = network(image_for(network), loops=3)
    assert (output.steps == 3).all(), "in training no token stops"
    assert len(output.early) == 1, "a quarter of two images, at least one"
    output.penalties["halting"].backward()
    reached = {
        name
        for name, p in network.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert reached == {
        name for name, _ in network.named_parameters() if name.startswith("halting.")
    }


def test_under_act_the_gradient_reaches_the_block_however_early_all_tokens_halt():
    network = rdvit(halting="act", experts=0, gradient_loops=1, max_loops=8).train()
    torch.nn.init.constant_(network.halting.score.bias, 20.0)
    output = network(image_for(network), loops=8)
    assert output.steps.max() == 1
    output.logits.square().mean().backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in network.block.attention.parameters()
    )


def test_act_asks_a_price_for_loops():
    network = rdvit(halting="act").train()
    output = network(image_for(network), loops=4)
    assert 2 <= output.penalties["ponder"].item() <= 5, "loops plus remainder"
    output.penalties["ponder"].backward()
    assert network.halting.score.bias.grad.item() < 0, "a higher score halts earlier and costs less"
    assert not rdvit(halting="none").train()(image_for(network), loops=4).penalties


@torch.no_grad()
def test_act_mixes_the_states_of_the_loops_with_weights_that_sum_to_one():
    network = rdvit(halting="act", halting_threshold=0.9).eval()
    image = image_for(network, batch=1)
    _, e, rotary = network._prelude(image)
    trace = network._unroll(e, rotary, 5, None)
    h, drive = torch.zeros_like(e), network.injection.drive(e)
    expected = torch.zeros_like(e)
    spent, active = torch.zeros(e.shape[:2]), torch.ones(e.shape[:2], dtype=torch.bool)
    for loop in range(5):
        after, _ = network._one_loop(h, drive, rotary, loop)
        after = torch.where(active[..., None], after, h)
        p = network.halting(after, h).sigmoid()
        halts = active & ((spent + p >= 0.9) | (loop == 4))
        weight = torch.where(halts, 1 - spent, p) * active
        expected += weight[..., None] * after
        spent, active, h = spent + weight, active & ~halts, after
    assert_close(trace.state, expected)
    assert_close(spent, torch.ones_like(spent))


# -------------------------------------------------------------------------------------------- loops


def test_training_draws_its_loops_and_repeats_them_from_torchs_generator():
    network = build("rdvit", {"mean_loops": 3.0, "max_loops": 5}).train()
    image = image_for(network, batch=1, size=(8, 8))

    def depths():
        torch.manual_seed(3)
        return [int(network(image).steps.max()) for _ in range(40)]

    drawn = depths()
    assert set(drawn) == {1, 2, 3, 4, 5}
    assert depths() == drawn
    fixed = build("rdvit", {"random_depth": False}).train()
    assert {int(fixed(image).steps.max()) for _ in range(3)} == {3}


@torch.no_grad()
@given(loops=st.integers(1, 9))
@settings(max_examples=9)
def test_the_budget_is_what_was_asked_for(loops):
    network = rdvit(halting="none").eval()
    assert (network(image_for(network), loops=loops).steps == loops).all()


@torch.no_grad()
@pytest.mark.parametrize(
    "changes",
    [{}, {"lora_rank": 2}, {"lora": "full", "lora_rank": 2}, {"injection": "rdt", "lora_rank": 2}],
)
def test_keys_and_values_do_not_know_the_loop(changes):
    network = rdvit(**changes).eval()
    _, e, rotary = network._prelude(image_for(network, batch=1))
    h = torch.randn_like(e)
    drive = network.injection.drive(e) if network.config.injection == "parcae" else e
    seen = []
    hook = network.block.attention.key_value.register_forward_hook(
        lambda *call: seen.append(call[2])
    )
    outputs = [network._one_loop(h, drive, rotary, loop)[0] for loop in (0, 1, 7)]
    hook.remove()
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])
    assert torch.equal(outputs[0], outputs[1]) == ("lora_rank" not in changes), (
        "LoRA differs by loop, after the block"
    )


@torch.no_grad()
def test_the_paper_preset_has_no_norm_around_the_core_and_a_linear_head():
    published, ours = rdvit(preset="paper"), rdvit()
    for name in ("prelude_norm", "core_norm"):
        assert not list(getattr(published, name).parameters())
        assert list(getattr(ours, name).parameters())
    assert {name for name, _ in published.halting.named_parameters()} == {
        "score.weight",
        "score.bias",
    }


def test_the_paper_preset_knows_its_loop_and_so_rules_out_exact_skipping():
    network = rdvit(preset="paper", experts=0).eval()
    assert (network.config.loop_index, network.config.halting, network.config.stem) == (
        True,
        "act",
        "patch",
    )
    _, e, rotary = network._prelude(image_for(network, batch=1))
    assert not torch.equal(
        network._one_loop(e, e, rotary, 0)[0], network._one_loop(e, e, rotary, 1)[0]
    )


@torch.no_grad()
def test_rank_zero_is_a_network_without_lora():
    plain, ranked = build("rdvit", {"lora_rank": 0}).eval(), build("rdvit", {"lora_rank": 2}).eval()
    missing, unexpected = plain.load_state_dict(ranked.state_dict(), strict=False)
    assert not missing
    assert all(name.startswith("lora.") for name in unexpected)
    assert torch.equal(plain(image_for(plain)).logits, ranked(image_for(plain)).logits), (
        "an adapter starts as none"
    )


@torch.no_grad()
def test_states_beyond_the_trained_loops_settle_and_do_not_drift():
    network = rdvit(halting="none").eval()
    image = image_for(network)
    logits = [network(image, loops=loops).logits for loops in (8, 16, 32)]
    assert (logits[2] - logits[1]).abs().max() < (logits[1] - logits[0]).abs().max() + 1e-4


# ------------------------------------------------------------------------------------------ experts


def test_rebalance_follows_the_class_weighted_load():
    network = rdvit(experts=3).train()
    routing, weights = torch.zeros(1, 3, 2, 2), torch.ones(1, 2, 2)
    routing[0, 0, 0] = routing[0, 1, 1] = 1  # experts 0 and 1 have two tokens each
    weights[0, 0] = 0.1  # but those of expert 0 are background
    network.rebalance(routing, weights, rate=0.01)
    assert network.block.experts.balance.tolist() == pytest.approx([0.01, -0.01, 0.01])
    build("rdvit", {"experts": 0}).rebalance(routing, weights, rate=0.01)


# ----------------------------------------------------------------------------------------- settings


def test_what_ships_has_at_most_four_million_parameters():
    assert sum(p.numel() for p in RDViT(RDViTConfig()).parameters()) <= 4_000_000


def test_a_preset_fills_in_only_what_is_not_set():
    config = RDViTConfig(preset="paper", halting="oracle")
    assert (config.stem, config.injection, config.halting) == ("patch", "rdt", "oracle")
    assert RDViTConfig(**RDViTConfig(preset="paper").model_dump()) == RDViTConfig(preset="paper")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_unknown_settings_are_named(name):
    with pytest.raises(ConfigError, match=r"widht.*width"):
        validate(ARCHITECTURES[name][1], {"widht": 32}, source="test.toml")
    with pytest.raises(ConfigError, match="loops = 0"):
        validate(ARCHITECTURES[name][1], {"loops": 0}, source="test.toml")


def test_a_gradient_through_the_last_loops_still_reaches_what_every_loop_uses():
    """Under autocast, whose cache could return weights that were cast without a gradient."""
    network = rdvit(gradient_loops=2, experts=0).train()
    with torch.autocast("cpu", torch.bfloat16):
        output = network(image_for(network), loops=5)
    output.logits.float().square().mean().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == {
        name for name, _ in network.named_parameters() if name.startswith("halting.")
    }


def test_a_truncated_gradient_changes_nothing_forward():
    whole, truncated = (rdvit(gradient_loops=count).train() for count in (None, 1))
    truncated.load_state_dict(whole.state_dict())
    image = image_for(whole)
    torch.manual_seed(4)
    expected = whole(image, loops=5).logits
    torch.manual_seed(4)
    assert_close(truncated(image, loops=5).logits, expected)
