"""Depth-wise LoRA: rank 0 is none, the start is zero, loops past the table use its last row."""

import pytest
import torch
from torch.testing import assert_close

from cardioseg.layers.lora import FullLoRA, ScaleLoRA, depthwise_lora

KINDS = {"scale": ScaleLoRA, "full": FullLoRA}


def trained(kind, rank=3, loops=4):
    """An adapter away from its start."""
    torch.manual_seed(0)
    adapter = depthwise_lora(kind, 8, rank, loops)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return adapter


@pytest.mark.parametrize("kind", KINDS)
def test_rank_zero_is_no_lora(kind):
    adapter = depthwise_lora(kind, 8, 0, 4)
    x = torch.randn(2, 5, 8)
    assert not list(adapter.parameters())
    assert all(torch.equal(x + adapter(x, loop), x) for loop in (0, 3, 99))


@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_at_zero_and_learns(kind):
    torch.manual_seed(0)
    adapter = depthwise_lora(kind, 8, 3, 4)
    x = torch.randn(2, 5, 8)
    assert all(torch.equal(adapter(x, loop), torch.zeros_like(x)) for loop in range(4))
    (x + adapter(x, 2)).pow(3).sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in adapter.parameters()), (
        "a dead adapter stays dead"
    )


@pytest.mark.parametrize(("kind", "size"), [("scale", 2 * 8 * 3 + 4 * 3), ("full", 2 * 8 * 3 * 4)])
def test_parameters_are_as_many_as_published(kind, size):
    assert sum(p.numel() for p in depthwise_lora(kind, 8, 3, 4).parameters()) == size


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_loop_has_its_own_row_and_loops_past_the_table_its_last(kind):
    adapter, x = trained(kind), torch.randn(2, 5, 8)
    outputs = [adapter(x, loop) for loop in range(4)]
    assert all(not torch.allclose(outputs[i], outputs[i + 1]) for i in range(3))
    assert all(torch.equal(adapter(x, loop), outputs[3]) for loop in (4, 5, 64))


@torch.no_grad()
def test_both_forms_are_their_formulas():
    x = torch.randn(5, 8)
    scale = trained("scale")
    expected = ((x @ scale.down.weight.T) * scale.scale[1]) @ scale.up.weight.T
    assert_close(scale(x, 1), expected)
    full = trained("full")
    assert_close(full(x, 2), x @ (full.down[2] @ full.up[2]), atol=1e-4, rtol=1e-4)
    assert torch.linalg.matrix_rank(scale(torch.eye(8), 0)) == 3


def test_unknown_kinds_are_refused():
    with pytest.raises(KeyError, match="tiny"):
        depthwise_lora("tiny", 8, 2, 4)
