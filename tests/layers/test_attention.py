"""Attention against a loop over heads and queries; rotary positions depend on distance alone."""

import math

import pytest
import torch
from torch.testing import assert_close

from cardioseg.layers.attention import Attention, Rotary, attend, axial_rotary, rotate

CPU = torch.device("cpu")


def naive_attend(query, key, value):
    out = torch.empty_like(query)
    for batch in range(query.shape[0]):
        for head in range(query.shape[1]):
            for token in range(query.shape[2]):
                scores = torch.stack(
                    [query[batch, head, token] @ k for k in key[batch, head]]
                ) / math.sqrt(query.shape[-1])
                out[batch, head, token] = (scores.exp() / scores.exp().sum()) @ value[batch, head]
    return out


@pytest.mark.parametrize("queries", [7, 3])
def test_products_kernel_and_definition_agree(queries):
    torch.manual_seed(0)
    query, key, value = (
        torch.randn(2, 3, queries, 8),
        torch.randn(2, 3, 7, 8),
        torch.randn(2, 3, 7, 8),
    )
    with torch.enable_grad():
        products = attend(query, key, value)
    with torch.no_grad():
        fused = attend(query, key, value)
        expected = naive_attend(query.double(), key.double(), value.double()).float()
    assert_close(products, expected, atol=1e-5, rtol=1e-5)
    assert_close(fused, expected, atol=1e-5, rtol=1e-5)


def naive_layer(layer, x, rotary):
    """Projections, rotation by complex numbers, and attention, head by head."""
    width = x.shape[-1] // layer.heads
    turn = torch.polar(torch.ones_like(rotary.cos), torch.atan2(rotary.sin, rotary.cos))

    def turned(part):
        rotated = torch.complex(part[..., : width // 2], part[..., width // 2 :]) * turn
        return torch.cat((rotated.real, rotated.imag), dim=-1)

    key_value = layer.key_value(x)
    heads = []
    for head in range(layer.heads):
        own = slice(head * width, (head + 1) * width)
        query, key, value = (
            layer.query(x)[..., own],
            key_value[..., : x.shape[-1]][..., own],
            key_value[..., x.shape[-1] :][..., own],
        )
        heads.append(
            naive_attend(turned(query)[:, None], turned(key)[:, None], value[:, None])[:, 0]
        )
    return layer.out(torch.cat(heads, dim=-1))


@pytest.mark.parametrize("grid", [(3, 5), (2, 2, 3)])
@torch.no_grad()
def test_the_layer_is_its_definition(grid):
    torch.manual_seed(0)
    layer, x = Attention(24, 2), torch.randn(2, math.prod(grid), 24)
    rotary = axial_rotary(grid, 12, device=CPU)
    assert_close(layer(x, rotary), naive_layer(layer, x, rotary), atol=1e-5, rtol=1e-5)


def test_training_and_inference_give_the_same_layer_output():
    torch.manual_seed(0)
    layer, rotary, x = Attention(16, 4), axial_rotary((3, 5), 4, device=CPU), torch.randn(2, 15, 16)
    with torch.no_grad():
        fused = layer(x, rotary)
    assert_close(layer(x, rotary).detach(), fused, atol=1e-5, rtol=1e-5)


GRIDS = [(6, 7), (2, 3, 4)]


@pytest.mark.parametrize("grid", GRIDS)
def test_rotation_keeps_norms(grid):
    rotary = axial_rotary(grid, 24, device=CPU)
    x = torch.randn(2, 3, math.prod(grid), 24)
    assert_close(rotate(x, rotary).norm(dim=-1), x.norm(dim=-1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("grid", GRIDS)
def test_scores_depend_on_relative_position_only(grid):
    torch.manual_seed(0)
    rotary, tokens = axial_rotary(grid, 24, device=CPU), math.prod(grid)
    query, key = (rotate(torch.randn(24).expand(1, 1, tokens, 24), rotary)[0, 0] for _ in range(2))
    scores = query @ key.T
    places = torch.cartesian_prod(*(torch.arange(n) for n in grid))
    by_offset = {}
    for i, j in torch.cartesian_prod(torch.arange(tokens), torch.arange(tokens)).tolist():
        by_offset.setdefault(tuple((places[i] - places[j]).tolist()), []).append(
            float(scores[i, j])
        )
    assert all(max(found) - min(found) < 1e-4 for found in by_offset.values())
    origin = (0,) * len(grid)
    for axis in range(len(grid)):
        step = tuple(int(axis == other) for other in range(len(grid)))
        assert by_offset[step][0] != pytest.approx(by_offset[origin][0], abs=1e-3), (
            f"axis {axis} has no position"
        )


def test_channel_pairs_that_axes_cannot_share_stay_as_they_are():
    rotary = axial_rotary((2, 2, 2), 16, device=CPU)  # 8 pairs, 2 for each of 3 axes, 2 left
    assert rotary.cos.shape == (8, 8)
    assert (rotary.cos[:, 6:] == 1).all()
    assert (rotary.sin[:, 6:] == 0).all()
    x = torch.randn(1, 1, 8, 16)
    assert torch.equal(rotate(x, rotary)[..., [6, 7, 14, 15]], x[..., [6, 7, 14, 15]])


def test_a_part_of_the_queries_gives_a_part_of_the_output():
    torch.manual_seed(0)
    layer, rotary, x = Attention(16, 2), axial_rotary((3, 4), 8, device=CPU), torch.randn(2, 12, 16)
    index = torch.tensor([[0, 5, 11], [2, 3, 7]])
    with torch.no_grad():
        key, value = layer.keys_values(x, rotary)
        chosen = Rotary(rotary.cos[index].unsqueeze(1), rotary.sin[index].unsqueeze(1))
        some = layer.attend(x.gather(1, index[..., None].expand(-1, -1, 16)), chosen, key, value)
        full = layer(x, rotary)
    assert_close(some, full.gather(1, index[..., None].expand(-1, -1, 16)), atol=1e-5, rtol=1e-5)


def test_swapping_two_tokens_with_their_positions_swaps_their_outputs():
    torch.manual_seed(0)
    layer, rotary, x = Attention(16, 2), axial_rotary((2, 3), 8, device=CPU), torch.randn(1, 6, 16)
    order = torch.tensor([3, 1, 2, 0, 4, 5])
    with torch.no_grad():
        swapped = layer(x[:, order], Rotary(rotary.cos[order], rotary.sin[order]))
        assert_close(swapped, layer(x, rotary)[:, order], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(
            layer(x[:, order], rotary), layer(x, rotary)[:, order], atol=1e-4
        ), "position counts"


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="width 10 is not a multiple of heads 4"):
        Attention(10, 4)
