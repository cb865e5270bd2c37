"""Skipping halted tokens equals computing and masking them."""

import pytest
import torch

from cardioseg.layers.attention import Attention, axial_rotary
from cardioseg.layers.skipping import KeyValueStore
from cardioseg.networks import EdgeRecViT, EdgeRecViTConfig, RDViT, RDViTConfig

SMALL = {"width": 32, "heads": 2, "stem_channels": (8, 8), "expert_hidden": 16, "experts": 3}
TOLERANCE = 1e-4


def network(**settings: object) -> RDViT:
    torch.manual_seed(3)
    return RDViT(RDViTConfig(**{**SMALL, **settings})).eval()


@torch.no_grad()
def spread_scores(net: RDViT) -> None:
    """Make the halting head decide differently from token to token."""
    assert net.halting is not None
    net.halting.score.weight.mul_(40)


@pytest.mark.parametrize("halting", ["oracle", "act"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"experts": 0}, {"lora_rank": 4}, {"top_k": 2}, {"patch_size": (8, 8, 1), "channels": 1}],
)
def test_skipping_equals_masking(halting: str, settings: dict[str, object]) -> None:
    net = network(halting=halting, halting_threshold=0.6, **settings)
    spread_scores(net)
    shape = (3, net.config.channels, 40, 32) + ((4,) if len(net.config.patch_size) == 3 else ())
    image = torch.randn(shape)
    with torch.no_grad():
        skipped = net(image, loops=6)
        net.skips = False
        masked = net(image, loops=6)
    assert skipped.steps.min() < skipped.steps.max(), (
        "the test needs tokens that halt at different loops"
    )
    assert torch.equal(skipped.steps, masked.steps)
    assert (skipped.logits - masked.logits).abs().max() <= TOLERANCE
    if masked.routing is not None and skipped.routing is not None:
        assert (skipped.routing - masked.routing).abs().max() <= TOLERANCE


def test_an_image_whose_tokens_have_all_halted_waits_for_the_others() -> None:
    net = network(halting_threshold=0.6)
    spread_scores(net)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        together = net(images, loops=5)
        alone = [net(image[None], loops=5) for image in images]
    for index, single in enumerate(alone):
        assert torch.allclose(together.logits[index], single.logits[0], atol=TOLERANCE)


def test_published_form_is_never_skipped() -> None:
    assert not network(preset="paper", patch_size=(8, 8))._can_skip
    assert network()._can_skip


@pytest.mark.parametrize("preset", ["cardioseg", "paper"])
@pytest.mark.parametrize("loops", [2, 5, 9])
def test_the_ranker_skips_as_it_masks(preset: str, loops: int) -> None:
    torch.manual_seed(3)
    net = EdgeRecViT(
        EdgeRecViTConfig(width=32, heads=2, stem_channels=(8, 8), loops=5, preset=preset)
    ).eval()
    image = torch.randn(3, 3, 40, 32)
    with torch.no_grad():
        net.ranker.score.weight.mul_(20)
        skipped = net(image, loops=loops)
        net.skips = False
        masked = net(image, loops=loops)
    assert skipped.steps.min() < skipped.steps.max(), "the test needs tokens of several depths"
    assert torch.equal(skipped.steps, masked.steps)
    assert (skipped.logits - masked.logits).abs().max() <= TOLERANCE


def test_kept_keys_and_values_equal_fresh_ones() -> None:
    torch.manual_seed(0)
    attention = Attention(32, 2)
    rotary = axial_rotary((4, 4), 16, device=torch.device("cpu"))
    x = torch.randn(2 * 16, 32)
    store = KeyValueStore(attention, rotary, 2)
    every = torch.arange(32)
    with torch.no_grad():
        store.refresh(x, every)
        x[5:20] = torch.randn(15, 32)
        store.refresh(x[5:20], every[5:20])
        some = torch.tensor([0, 7, 16, 31])
        found = store.attend(x[some], some)
        expected = attention(x.view(2, 16, 32), rotary).flatten(0, 1)[some]
    assert torch.allclose(found, expected, atol=1e-5)
