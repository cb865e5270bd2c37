"""Decay stays in (0, 1) for any weights, and both updates are the published formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cardioseg.layers.attention import axial_rotary
from cardioseg.layers.injection import ParcaeInjection, RDTInjection, loop_index_embedding
from cardioseg.networks import RDViT, RDViTConfig

LARGEST = float(np.finfo(np.float32).max)
VALUES = hnp.arrays(
    np.float32, 5, elements=st.floats(-LARGEST, LARGEST, width=32) | st.floats(-200, 200, width=32)
)


def extreme(first, second):
    return example(np.full(5, first, np.float32), np.full(5, second, np.float32))


def open_unit(decay):
    return bool(((decay > 0) & (decay < 1)).all())


@given(VALUES, VALUES)
@extreme(1000, -1000)
@extreme(-1000, 1000)
@extreme(LARGEST, LARGEST)
@extreme(-LARGEST, -LARGEST)
def test_parcae_decay_is_in_the_open_unit_interval(log_rate, step_bias):
    injection = ParcaeInjection(5)
    with torch.no_grad():
        injection.log_rate.copy_(torch.from_numpy(log_rate))
        injection.step_bias.copy_(torch.from_numpy(step_bias))
    assert open_unit(injection.decay)
    injection.decay.sum().backward()
    assert torch.isfinite(injection.log_rate.grad).all()
    assert torch.isfinite(injection.step_bias.grad).all()


@given(VALUES, st.floats(-LARGEST, LARGEST, width=32) | st.floats(-50, 50, width=32))
@example(np.full(5, LARGEST, np.float32), LARGEST)
@example(np.full(5, -LARGEST, np.float32), -LARGEST)
def test_rdt_decay_is_in_the_open_unit_interval(log_rate, log_step):
    injection = RDTInjection(5)
    with torch.no_grad():
        injection.log_rate.copy_(torch.from_numpy(log_rate))
        injection.log_step.fill_(log_step)
    assert open_unit(injection.decay)
    injection.decay.sum().backward()
    assert torch.isfinite(injection.log_rate.grad).all()


def test_decay_and_drive_start_where_the_papers_start():
    parcae, rdt = ParcaeInjection(6), RDTInjection(6)
    assert parcae.decay.tolist() == pytest.approx([math.sqrt(1 / 5)] * 6)
    assert rdt.decay.tolist() == pytest.approx([math.exp(-1)] * 6)
    e = torch.randn(2, 3, 6)
    assert torch.allclose(parcae.drive(e), 0.8047 * e, atol=1e-4), "softplus(dt) times the identity"
    assert rdt.input.tolist() == pytest.approx([0.1] * 6)


def scrambled(injection):
    """The injection with parameters away from their start, one value per channel."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in injection.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return injection


def test_parcae_is_its_formula():
    injection = scrambled(ParcaeInjection(4))
    h, e = torch.randn(2, 1, 3, 4, dtype=torch.float64).float()
    rate, bias, matrix = (p.detach().double().numpy() for p in injection.parameters())
    step = np.log1p(np.exp(bias))
    expected = np.exp(-step * np.exp(rate)) * h.numpy() + step * (e.double().numpy() @ matrix.T)
    assert injection(h, injection.drive(e)).detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_rdt_is_its_formula():
    injection = scrambled(RDTInjection(4))
    h, e, r = torch.randn(3, 1, 3, 4)
    rate, b = (
        injection.log_rate.detach().double().numpy(),
        injection.input.detach().double().numpy(),
    )
    a = np.exp(-np.exp(injection.log_step.item() + rate))
    assert injection(h, e, r).detach().numpy() == pytest.approx(
        a * h.numpy() + b * e.numpy() + r.numpy(), abs=1e-5
    )


def core(injection, **changes):
    torch.manual_seed(0)
    settings = {
        "width": 16,
        "heads": 2,
        "stem_channels": (8, 8),
        "injection": injection,
        "experts": 0,
        "halting": "none",
    }
    return RDViT(RDViTConfig(**settings | changes)).eval()


@torch.no_grad()
def test_one_loop_of_the_network_is_the_papers_line():
    rotary = axial_rotary((2, 3), 8, device=torch.device("cpu"))
    h, e = torch.randn(2, 1, 6, 16)
    rdt = core("rdt")
    scrambled(rdt.injection)
    a, b = rdt.injection.decay, rdt.injection.input
    expected = a * h + b * e + rdt.block(rdt.inject_norm(h + e), rotary)[0]
    assert torch.allclose(rdt._one_loop(h, e, rotary, 3)[0], expected, atol=1e-6)
    parcae = core("parcae")
    scrambled(parcae.injection)
    expected, _ = parcae.block(parcae.injection.decay * h + parcae.injection.drive(e), rotary)
    assert torch.allclose(
        parcae._one_loop(h, parcae.injection.drive(e), rotary, 3)[0], expected, atol=1e-6
    )


@torch.no_grad()
def test_the_loop_index_is_for_the_block_and_stays_out_of_the_state():
    rotary = axial_rotary((2, 3), 8, device=torch.device("cpu"))
    h, e = torch.randn(2, 1, 6, 16)
    told = h + loop_index_embedding(3, 16, device=h.device)
    rdt = core("rdt", loop_index=True)
    scrambled(rdt.injection)
    expected = (
        rdt.injection.decay * h
        + rdt.injection.input * e
        + rdt.block(rdt.inject_norm(told + e), rotary)[0]
    )
    assert torch.allclose(rdt._one_loop(h, e, rotary, 3)[0], expected, atol=1e-6)


@torch.no_grad()
def largest_states(network, loops=64):
    """Largest absolute state after every loop, (T,)."""
    rotary = axial_rotary((4, 4), 8, device=torch.device("cpu"))
    e = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(2))
    parcae = isinstance(network.injection, ParcaeInjection)
    drive, h = (network.injection.drive(e), torch.zeros_like(e)) if parcae else (e, e)
    sizes = []
    for loop in range(loops):
        h, _ = network._one_loop(h, drive, rotary, loop)
        sizes.append(float(h.abs().max()))
    return np.array(sizes)


@pytest.mark.parametrize("injection", ["parcae", "rdt"])
def test_the_state_is_bounded_at_64_loops_also_with_wild_blocks(injection):
    network = core(injection)
    with torch.no_grad():
        for parameter in network.block.parameters():
            parameter.mul_(6)
    sizes = largest_states(network)
    assert np.isfinite(sizes).all()
    assert sizes[32:].max() < 1.5 * sizes[:16].max()
    with (
        torch.no_grad()
    ):  # The same block without decay piles up its own output: what the test above would notice.
        network.injection.log_rate.fill_(-30)
    sizes = largest_states(network)
    assert sizes[32:].max() > 1.5 * sizes[:16].max()
