"""What moves the weights: the rate over steps, AdamW and Muon, the moving average."""

import itertools

import pytest
import torch
from torch import nn

from cardioseg.networks import RDViT, RDViTConfig
from cardioseg.training import muon as muon_module
from cardioseg.training.muon import Muon
from cardioseg.training.schedule import MovingAverage, build_optimizers, learning_rate


def test_the_rate_warms_up_and_falls_along_a_cosine():
    rates = [learning_rate(step, peak=2.0, warmup=10, steps=110) for step in range(111)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert rates[60] == pytest.approx(2.0 * (0.01 + 0.99 * 0.5))
    assert rates[110] == pytest.approx(0.02)
    assert all(later <= sooner for sooner, later in itertools.pairwise(rates[10:]))
    assert learning_rate(500, peak=2.0, warmup=10, steps=110) == pytest.approx(0.02)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_matrices_decay_and_the_injection_never(optimizer):
    network = RDViT(RDViTConfig(width=16, heads=2, stem_channels=(8, 8), lora_rank=16))
    *muon, adamw = build_optimizers(network, optimizer, rate=1e-3, weight_decay=0.1)
    decayed, plain = adamw.param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    kept = {names[id(parameter)] for parameter in plain["params"]}
    moved = {
        names[id(p)] for mover in muon for group in mover.param_groups for p in group["params"]
    }
    assert len(decayed["params"]) + len(kept) + len(moved) == len(names), "each once"
    assert {
        "injection.input.weight",
        "injection.log_rate",
        "injection.step_bias",
        "core_norm.weight",
        "coda_norm.bias",
    } <= kept
    matrices = {
        "block.attention.query.weight",
        "block.experts.routed.0.down.weight",
        "stem.project.weight",
    }
    assert not kept & (matrices | {"decoder.classify.weight"})
    assert all(parameter.ndim >= 2 for parameter in decayed["params"])
    assert (matrices <= moved) == (optimizer == "muon")
    assert not any(name.startswith("lora") for name in moved), (
        "nor adapters, however large their rank"
    )


def test_adapters_alone_are_moved_by_adamw():
    network = nn.Linear(32, 32)
    network.weight.requires_grad_(False)
    (mover,) = build_optimizers(network, "muon", rate=1e-3, weight_decay=0.1)
    assert isinstance(mover, torch.optim.AdamW)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "shape", [(24, 24), (16, 100), (100, 16), (64, 32, 3, 3), (32, 16, 2, 2, 3)]
)
def test_muon_steps_are_orthogonal_and_as_large_as_adamw_s(monkeypatch, shape, fast):
    monkeypatch.setattr(muon_module, "fast_bf16", lambda device: fast)
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(shape))
    spread = torch.randn(shape).flatten(1)
    spread[:8] *= 10  # a few rows hold nearly all of the gradient
    weight.grad = spread.view(shape)
    Muon([weight], lr=1e-2, weight_decay=0.0).step()
    values = torch.linalg.svdvals(weight.detach().flatten(1)) / (
        1e-2 * 0.2 * max(spread.shape) ** 0.5
    )
    assert 0.25 < values.min() <= values.max() < 1.3, "every direction moves alike"
    assert weight.detach().square().mean().sqrt() < 2.1e-3


def test_muon_decays_keeps_momentum_and_waits_without_a_gradient():
    weight, idle = nn.Parameter(torch.ones(16, 16)), nn.Parameter(torch.ones(16, 16))
    mover = Muon([weight, idle], lr=0.1, weight_decay=0.5)
    weight.grad = torch.zeros(16, 16)
    mover.step()
    assert torch.allclose(weight, torch.full((16, 16), 0.95)), (
        "no gradient, no direction: decay alone"
    )
    assert torch.equal(idle, torch.ones(16, 16))
    weight.grad = torch.eye(16)
    mover.step()
    weight.grad = torch.zeros(16, 16)
    before = weight.detach().clone()
    mover.step()
    assert (weight.diagonal() < 0.95 * before.diagonal() - 0.01).all(), (
        "it goes on where it was going"
    )


def test_the_moving_average_follows_and_copies_the_balance():
    network = nn.Linear(2, 2)
    network.register_buffer("balance", torch.zeros(2))
    average = MovingAverage(network, 0.9)
    expected = network.weight.detach().clone()
    for step in range(200):
        with torch.no_grad():
            network.weight += 0.1
            network.balance += 1
        average.update(network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.weight.detach()
    assert torch.allclose(average.weights["weight"], expected, atol=1e-5)
    assert torch.equal(average.weights["balance"], network.balance)
