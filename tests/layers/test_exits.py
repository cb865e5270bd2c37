"""Exit rules: skipping is exact, compute shares are kept, and the stated FLOPs are right."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from cardioseg.core.errors import UsageError
from cardioseg.core.exits import (
    RULES,
    Depth,
    ExitRule,
    RuleSpec,
    check_depth,
    parse_exit,
    rules_for,
)
from cardioseg.inference.flops import MISSING
from cardioseg.layers import exits as layers_exits
from cardioseg.layers import looping
from cardioseg.layers.exits import RULE_CLASSES, TokenRule, exit_rule
from cardioseg.layers.quota import least_settled, quota
from cardioseg.networks import ARCHITECTURES

TOLERANCE = 1e-4
SMALL = {"width": 32, "heads": 2, "stem_channels": (8, 8), "experts": 3, "expert_hidden": 16}
NETWORKS = {
    "rdvit": {},
    "rdvit with act": {"halting": "act"},
    "rdvit without halting": {"halting": "none", "experts": 0},
    "rdvit with LoRA": {"lora_rank": 2, "experts": 0},
    "rdvit in 3-D": {"patch_size": (8, 8, 1), "channels": 1},
    "rdvit as published": {"preset": "paper", "patch_size": (8, 8)},
    "edge-recvit": {},
    "bvit": {},
}
EXITS_OF = {
    "rdvit": ("learned", "act", "fixed", "argmax", "accel", "entropy"),
    "rdvit with act": ("act", "fixed", "argmax", "accel", "entropy"),
    "rdvit without halting": ("fixed", "argmax", "accel", "entropy"),
    "rdvit with LoRA": ("learned", "act", "fixed", "argmax", "accel", "entropy"),
    "rdvit in 3-D": ("learned", "act", "fixed", "argmax", "accel", "entropy"),
    "rdvit as published": ("act", "fixed", "argmax", "accel", "entropy"),
    "edge-recvit": ("ranker", "fixed", "argmax", "accel", "entropy"),
    "bvit": ("fixed", "argmax", "accel", "entropy"),
}
LEAVING = [(name, rule) for name, rules in EXITS_OF.items() for rule in rules if rule != "fixed"]


def build(name):
    """A small network some way from its start, in eval mode, and images for it."""
    torch.manual_seed(2)
    network, config = ARCHITECTURES[name.split()[0]]
    settings = {
        key: value for key, value in (SMALL | NETWORKS[name]).items() if key in config.model_fields
    }
    net = network(config(**settings)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        if getattr(net, "halting", None) is not None:
            net.halting.score.weight.mul_(10)
        if hasattr(net, "ranker"):
            net.ranker.score.weight.mul_(20)
    shape = (3, net.config.channels, 40, 32) + ((4,) if len(net.config.patch_size) == 3 else ())
    return net, torch.randn(shape)


def parting(net, image, rule):
    """The rule with a threshold at which some tokens leave before others."""
    for threshold in (
        None,
        0.003,
        0.01,
        0.03,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        0.97,
        0.99,
        0.999,
        1.5,
        2.0,
    ):
        choice = ExitRule(rule, threshold)
        steps = net(image, loops=6, exits=choice).steps
        if steps.min() < steps.max():
            return choice
    raise AssertionError("no threshold parts the tokens")


def tokens_of(net, image):
    return image[0, 0].numel() // torch.tensor(net.config.patch_size).prod().item()


def test_every_rule_has_its_class_and_every_class_its_facts():
    assert RULE_CLASSES.keys() == RULES.keys()
    for name, rule in RULE_CLASSES.items():
        assert rule.spec is RULES[name]
        assert rule.spec.name == name


@torch.no_grad()
def test_a_new_rule_is_one_class_and_one_line(monkeypatch):
    monkeypatch.setitem(RULES, "thrice", RuleSpec("thrice", "it has used 3 loops", threshold=0.0))
    monkeypatch.setattr(layers_exits, "RULE_CLASSES", dict(RULE_CLASSES))

    @exit_rule("thrice")
    class Thrice(TokenRule):
        def unsettled(self, loop):
            return torch.full((len(loop.active),), 3.0 - loop.number)

    net, image = build("bvit")
    net.exits = rules_for()
    assert parse_exit("thrice") == ExitRule("thrice")
    assert (net(image, loops=6, exits=ExitRule("thrice")).steps == 3).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_names_its_exits_its_own_first(name):
    net, _ = build(name)
    assert tuple(net.exits) == EXITS_OF[name]
    assert set(net.exits) <= set(RULES)


@pytest.mark.parametrize(("name", "rule"), LEAVING)
@torch.no_grad()
def test_skipping_equals_masking_under_every_rule(name, rule):
    net, image = build(name)
    choice = parting(net, image, rule)
    skipped = net(image, loops=6, exits=choice)
    net.skips = False
    masked = net(image, loops=6, exits=choice)
    assert torch.equal(skipped.steps, masked.steps)
    assert (skipped.logits - masked.logits).abs().max() <= TOLERANCE
    if masked.routing is not None:
        assert (skipped.routing - masked.routing).abs().max() <= TOLERANCE


@pytest.mark.parametrize(("name", "rule"), LEAVING)
@torch.no_grad()
def test_an_image_does_not_depend_on_those_beside_it(name, rule):
    net, image = build(name)
    for choice in (parting(net, image, rule), ExitRule(rule, compute=0.5)):
        together, alone = net(image, loops=6, exits=choice), net(image[1:2], loops=6, exits=choice)
        assert torch.equal(together.steps[1], alone.steps[0])
        assert (together.logits[1] - alone.logits[0]).abs().max() <= TOLERANCE


@pytest.mark.parametrize(("name", "rule"), LEAVING)
@pytest.mark.parametrize("compute", [0.25, 0.4, 0.75, 1.0])
@torch.no_grad()
def test_a_share_of_the_loops_is_what_is_used(name, rule, compute):
    net, image = build(name)
    steps = net(image, loops=8, exits=ExitRule(rule, compute=compute)).steps
    rounding = 0.5 * 7 / tokens_of(net, image) / 8
    for one in steps:
        assert abs(one.mean().item() / 8 - compute) <= rounding


@pytest.mark.parametrize(("name", "rule"), LEAVING)
@torch.no_grad()
def test_under_a_share_the_least_settled_tokens_continue(name, rule, monkeypatch):
    cuts = []

    def recorded(answer, active, count, tokens):
        chosen = least_settled(answer, active, count, tokens)
        if count < len(active):
            cuts.append((answer, chosen))
        return chosen

    monkeypatch.setattr(looping, "least_settled", recorded)
    net, image = build(name)
    net(image[:1], loops=8, exits=ExitRule(rule, compute=0.4))
    assert cuts
    for answer, chosen in cuts:
        assert torch.isfinite(answer).all()
        assert not chosen.any() or chosen.all() or answer[chosen].min() >= answer[~chosen].max()


@torch.no_grad()
def test_a_share_needs_a_rule_by_which_tokens_leave_and_loops_for_it_to_look_at():
    net, image = build("bvit")
    for choice in (ExitRule(compute=0.5), ExitRule("accel", compute=0.3)):
        with pytest.raises(ValueError, match="share"):
            net(image, loops=6, exits=choice)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_fixed_runs_every_loop(name):
    net, image = build(name)
    output = net(image, loops=5, exits=ExitRule("fixed"))
    assert (output.steps == 5).all()
    assert output.core_flops == output.dense_flops


@torch.no_grad()
def test_a_rule_the_network_was_not_trained_for_is_refused():
    for name, rule in (
        ("bvit", "learned"),
        ("rdvit", "ranker"),
        ("edge-recvit", "act"),
        ("rdvit with act", "learned"),
    ):
        net, image = build(name)
        with pytest.raises(ValueError, match=rule):
            net(image, exits=ExitRule(rule))


@pytest.mark.parametrize("name", ["rdvit with LoRA", "edge-recvit", "bvit"])
@torch.no_grad()
def test_flops_are_those_that_torch_counts(name):
    """The difference between two budgets is the core alone, without stem and decoder."""
    net, image = build(name)
    counted, stated = [], []
    for loops in (3, 7):
        with FlopCounterMode(display=False, custom_mapping=MISSING) as counter:
            output = net(image, loops=loops, exits=ExitRule("fixed"))
        counted.append(counter.get_total_flops())
        stated.append(output.core_flops)
    assert counted[1] - counted[0] == stated[1] - stated[0]


@torch.no_grad()
def test_flops_of_skipping_are_those_that_torch_counts():
    net, image = build("bvit")
    totals = {}
    for compute in (0.4, 0.9):
        with FlopCounterMode(display=False, custom_mapping=MISSING) as counter:
            output = net(image, loops=6, exits=ExitRule("accel", compute=compute))
        totals[compute] = counter.get_total_flops() - output.core_flops
        assert output.core_flops < output.dense_flops
    assert totals[0.4] == totals[0.9]


@given(
    compute=st.floats(0.02, 1),
    loops=st.integers(1, 40),
    tokens=st.integers(1, 2000),
    full_loops=st.integers(1, 3),
)
def test_a_quota_starts_with_every_token_falls_and_adds_up(compute, loops, tokens, full_loops):
    full_loops = min(full_loops, loops)
    compute = max(compute, full_loops / loops)
    counts = quota(compute, loops, tokens, full_loops=full_loops)
    assert counts[:full_loops] == [tokens] * full_loops
    assert counts == sorted(counts, reverse=True)
    assert abs(sum(counts) - compute * loops * tokens) <= 0.5 * loops + 1e-6 * tokens


def test_the_least_settled_of_each_image_continue():
    active = torch.tensor([0, 2, 3, 4, 5, 7])
    answer = torch.tensor([0.1, 0.9, 0.5, float("inf"), 0.2, 0.3])
    assert least_settled(answer, active, 2, 4).tolist() == [False, True, True, True, False, True]
    assert least_settled(answer, active, 4, 4).all()
    assert not least_settled(answer, active, 0, 4).any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ExitRule()),
        ("entropy", ExitRule("entropy")),
        ("accel:0.2", ExitRule("accel", 0.2)),
        ("fixed", ExitRule("fixed")),
    ],
)
def test_exits_are_read_from_the_command_line(text, expected):
    assert parse_exit(text) == expected


@pytest.mark.parametrize(
    ("text", "compute"),
    [
        ("no", None),
        ("accel:fast", None),
        ("accel:nan", None),
        ("entropy:inf", None),
        ("entropy:", None),
        ("accel:0.1", 0.5),
        ("fixed:1", None),
        ("fixed", 0.5),
        (None, 0.0),
        (None, 1.5),
    ],
)
def test_exits_that_make_no_sense_are_refused(text, compute):
    with pytest.raises(UsageError):
        parse_exit(text, compute)


@pytest.mark.parametrize(
    ("depth", "loops", "known"),
    [
        (Depth(0), 0, ("fixed",)),
        (Depth(300), 300, ("fixed",)),
        (Depth(rule=ExitRule("act")), 8, ("learned", "fixed")),
        (Depth(rule=ExitRule(compute=0.1)), 8, ("learned", "fixed")),
        (Depth(rule=ExitRule(compute=0.5)), 8, ("fixed",)),
        (Depth(rule=ExitRule(compute=0.5)), 8, ("fixed", "accel")),
        (Depth(rule=ExitRule("accel", compute=0.2)), 8, ("learned", "accel")),
    ],
)
def test_what_a_model_cannot_do_is_refused(depth, loops, known):
    with pytest.raises(UsageError):
        check_depth(depth, loops=loops, known=known, model="m")


@pytest.mark.parametrize("name", ["rdvit", "edge-recvit", "bvit"])
@torch.no_grad()
def test_running_whole_blocks_of_tokens_changes_nothing(name, monkeypatch):
    """As where products run in bf16, here in fp32 so that the comparison is exact."""
    net, image = build(name)
    choice = ExitRule(None if name != "bvit" else "accel", compute=0.5)
    plain = net(image, loops=6, exits=choice)
    pad = torch.autocast("cpu", torch.bfloat16)(looping.whole_blocks)
    monkeypatch.setattr(looping, "whole_blocks", pad)
    padded = net(image, loops=6, exits=choice)
    assert torch.equal(plain.steps, padded.steps)
    assert (plain.logits - padded.logits).abs().max() <= TOLERANCE
    assert plain.core_flops == padded.core_flops, "what is computed twice is no work asked for"


def test_blocks_are_for_bf16_on_a_cpu_alone():
    index = torch.arange(70)
    assert torch.equal(looping.whole_blocks(index, 100), index)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(looping.whole_blocks(index, 70), index), (
            "nothing to pad where every token runs"
        )
        padded = looping.whole_blocks(index, 100)
    assert len(padded) == 128
    assert torch.equal(padded[:70], index)
    assert (padded[70:] == 69).all()
