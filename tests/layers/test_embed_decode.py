"""Stems and decoders: token order, patch grids of any shape, skips that fit, in 2-D and 3-D."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from cardioseg.layers.decode import PatchDecoder, SkipDecoder
from cardioseg.layers.embed import ConvStem, PatchStem, pad_to_multiple, stage_strides, token_map

SHAPES = {
    "2-D": ((8, 8), (8, 12), (2, 3)),
    "2-D of 4": ((4, 4), (8,), (4, 5)),
    "slices kept": ((1, 8, 8), (8, 12), (3, 2, 2)),
    "slices joined": ((2, 8, 8), (8, 12), (2, 2, 3)),
}


def image_of(patch, grid, channels=3):
    torch.manual_seed(0)
    return torch.randn(2, channels, *(g * p for g, p in zip(grid, patch, strict=True)))


@pytest.mark.parametrize(("patch", "stem", "grid"), SHAPES.values(), ids=SHAPES)
def test_conv_stem_and_skip_decoder_fit_each_other(patch, stem, grid):
    tokens = ConvStem(3, 16, patch, stem)(image_of(patch, grid))
    assert tokens.sequence.shape == (2, math.prod(grid), 16)
    assert tokens.grid == grid
    assert [skip.shape[1] for skip in tokens.skips] == list(stem)
    logits = SkipDecoder(16, 4, patch, stem)(token_map(tokens.sequence, grid), tokens.skips)
    assert logits.shape == (2, 4, *image_of(patch, grid).shape[2:])


@pytest.mark.parametrize(("patch", "stem", "grid"), SHAPES.values(), ids=SHAPES)
def test_patch_stem_and_decoder_fit_each_other(patch, stem, grid):
    tokens = PatchStem(3, 16, patch)(image_of(patch, grid))
    assert (tokens.sequence.shape, tokens.grid, tokens.skips) == (
        (2, math.prod(grid), 16),
        grid,
        (),
    )
    logits = PatchDecoder(16, 4, patch)(token_map(tokens.sequence, grid), ())
    assert logits.shape == (2, 4, *image_of(patch, grid).shape[2:])


@pytest.mark.parametrize(("patch", "grid"), [((4, 4), (2, 3)), ((1, 4, 4), (2, 2, 3))])
@torch.no_grad()
def test_a_patch_is_one_linear_map_of_its_own_voxels(patch, grid):
    stem, image = PatchStem(2, 5, patch), image_of(patch, grid, channels=2)
    kernel, bias = stem.project.weight.flatten(1), stem.project.bias
    found = token_map(stem(image).sequence, grid)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in grid)).tolist():
        voxels = tuple(slice(i * p, (i + 1) * p) for i, p in zip(place, patch, strict=True))
        expected = image[(1, slice(None), *voxels)].flatten() @ kernel.T + bias
        assert_close(found[(1, slice(None), *place)], expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_decoder_uses_every_skip_and_the_tokens():
    torch.manual_seed(0)
    decoder = SkipDecoder(16, 4, (8, 8), (8, 12))
    features, skips = torch.randn(1, 16, 2, 2), (torch.randn(1, 8, 8, 8), torch.randn(1, 12, 4, 4))
    logits = decoder(features, skips)
    assert not torch.allclose(decoder(torch.randn_like(features), skips), logits, atol=1e-3)
    for index in range(2):
        changed = tuple(
            torch.randn_like(skip) if index == i else skip for i, skip in enumerate(skips)
        )
        assert not torch.allclose(decoder(features, changed), logits, atol=1e-3), (
            f"skip {index} changes nothing"
        )


@pytest.mark.parametrize(
    ("patch", "strides"),
    [
        ((8, 8), [(2, 2)] * 3),
        ((1, 8, 8), [(1, 2, 2)] * 3),
        ((2, 8, 8), [(1, 2, 2), (1, 2, 2), (2, 2, 2)]),
        ((4, 2), [(2, 1), (2, 2)]),
    ],
)
def test_halvings_reach_the_patch(patch, strides):
    assert stage_strides(patch) == strides
    assert tuple(math.prod(axis) for axis in zip(*strides, strict=True)) == patch


@pytest.mark.parametrize("patch", [(6, 8), (8, 0), (3,), (-2, 2)])
def test_other_patches_are_refused(patch):
    with pytest.raises(ValueError, match="power of two"):
        stage_strides(patch)


def test_the_stem_refuses_a_wrong_number_of_widths():
    with pytest.raises(ValueError, match="needs 2 stem widths, got 1"):
        ConvStem(3, 16, (8, 8), (8,))


def test_token_maps_keep_the_order_of_the_grid():
    numbers = torch.arange(12)[None]
    assert torch.equal(token_map(numbers, (3, 4))[0], torch.arange(12).view(3, 4))
    two = torch.stack((numbers, numbers + 100), -1)
    assert torch.equal(token_map(two, (3, 4))[0, 1], torch.arange(12).view(3, 4) + 100)
    assert token_map(two, (1, 3, 4)).shape == (1, 2, 1, 3, 4)


@given(
    st.lists(st.tuples(st.integers(1, 21), st.sampled_from([1, 2, 4, 8])), min_size=2, max_size=3)
)
def test_padding_reaches_the_multiple_and_is_undone(axes):
    shape, multiple = zip(*axes, strict=True)
    image = torch.randn(1, 2, *shape)
    padded, undo = pad_to_multiple(image, multiple)
    assert all(
        size % step == 0 and size - have < step
        for size, step, have in zip(padded.shape[2:], multiple, shape, strict=True)
    )
    assert torch.equal(padded[undo], image)
    assert padded.min() == image.min(), "the edge is repeated, nothing new comes in"
    assert padded.max() == image.max()
