"""One contract for every network and every switch of it."""

import pytest
import torch
from safetensors.torch import load, save
from small_networks import build, image_for, stir
from torch.testing import assert_close

from cardioseg.networks import ARCHITECTURES, BViTConfig, EdgeRecViTConfig, RDViTConfig
from cardioseg.training.config import PENALTIES
from cardioseg.training.losses import SegmentationLoss

CASES = {
    "rdvit": {
        "default": {},
        "paper": {"preset": "paper", "experts": 2},
        "paper without experts": {"preset": "paper", "experts": 0, "lora_rank": 2},
        "patch stem": {"stem": "patch", "patch_size": (4, 4)},
        "no experts": {"experts": 0},
        "two experts a token": {"top_k": 2, "shared_experts": 0},
        "act": {"halting": "act"},
        "no halting": {"halting": "none"},
        "rdt": {"injection": "rdt"},
        "rdt with act": {"injection": "rdt", "halting": "act"},
        "scale LoRA": {"lora_rank": 2},
        "full LoRA": {"lora": "full", "lora_rank": 2},
        "bare core": {"prelude_blocks": 0, "coda_blocks": 0, "classes": 2, "channels": 1},
        "3-D": {"patch_size": (1, 8, 8), "stem_channels": (8, 16), "channels": 1},
        "3-D, slices last": {"patch_size": (8, 8, 1), "channels": 1, "experts": 0},
        "3-D patches": {"patch_size": (2, 4, 4), "stem": "patch", "channels": 1, "experts": 0},
    },
    "vit": {
        "default": {},
        "patch stem": {"stem": "patch", "patch_size": (4, 4)},
        "3-D": {"patch_size": (8, 8, 1), "channels": 1},
    },
    "edge-recvit": {
        "default": {"free_share": 0.5},
        "paper": {"preset": "paper"},
        "patch stem": {"stem": "patch", "patch_size": (4, 4)},
        "3-D": {"patch_size": (8, 8, 1), "channels": 1},
    },
    "bvit": {
        "default": {},
        "random depth": {"random_depth": True},
        "3-D": {"patch_size": (8, 8, 1), "channels": 1},
    },
}
ALL = [
    pytest.param(name, changes, id=f"{name}: {case}")
    for name, cases in CASES.items()
    for case, changes in cases.items()
]
contract = pytest.mark.parametrize(("name", "changes"), ALL)


def test_every_architecture_has_cases():
    assert CASES.keys() == ARCHITECTURES.keys()


@contract
@torch.no_grad()
def test_shapes_steps_and_routing(name, changes):
    network = stir(build(name, changes)).eval()
    config, image = network.config, image_for(network)
    output = network(image)
    grid = tuple(
        size // patch for size, patch in zip(image.shape[2:], config.patch_size, strict=True)
    )
    assert output.logits.shape == (2, config.classes, *image.shape[2:])
    assert output.steps.shape == (2, *grid)
    assert ((output.steps >= 1) & (output.steps <= config.loops)).all()
    assert torch.equal(output.steps, output.steps.round())
    assert (output.routing is None) == (getattr(config, "experts", 0) == 0)
    if output.routing is not None:
        assert output.routing.shape == (2, config.experts, *grid)
        assert (output.routing >= 0).all()
        assert_close(output.routing.sum(1), torch.ones(2, *grid))
    assert output.early is None, "deep supervision is for training"


@contract
@torch.no_grad()
def test_any_image_size_comes_back_as_it_came(name, changes):
    network = build(name, changes).eval()
    sizes = {2: [(17, 23), (5, 9), (32, 1)], 3: [(1, 17, 9), (3, 16, 31)]}[
        len(network.config.patch_size)
    ]
    for size in sizes:
        logits = network(image_for(network, size=size)).logits
        assert logits.shape[2:] == size
        assert torch.isfinite(logits).all()


@contract
@torch.no_grad()
def test_evaluation_repeats_itself_and_images_do_not_mix(name, changes):
    network = stir(build(name, changes)).eval()
    image = image_for(network)
    first, again = network(image), network(image)
    assert torch.equal(first.logits, again.logits)
    assert torch.equal(first.steps, again.steps)
    alone = network(image[1:])
    assert_close(alone.logits, first.logits[1:], atol=1e-4, rtol=1e-4)
    assert torch.equal(alone.steps, first.steps[1:])


@contract
def test_a_gradient_reaches_every_parameter(name, changes):
    network = build(name, changes).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    loss_of = SegmentationLoss(early_weight=0.4, penalties=PENALTIES)
    names = dict(network.named_parameters())
    untouched = set(names)
    for step in range(12):
        image = torch.randn(image_for(network).shape)
        label = torch.randint(0, network.config.classes, (2, *image.shape[2:]))
        loss, _ = loss_of(network(image, loops=(4, 2, 3)[step % 3]), label)
        optimizer.zero_grad()
        loss.backward()
        untouched -= {
            name
            for name in untouched
            if names[name].grad is not None and names[name].grad.abs().sum() > 0
        }
        optimizer.step()
        if not untouched:
            break
    assert not untouched


def test_more_loops_than_training_saw_are_extrapolation():
    for config, trained in (
        (RDViTConfig(), 8),
        (RDViTConfig(random_depth=False, loops=4), 4),
        (BViTConfig(loops=12), 12),
        (BViTConfig(random_depth=True, loops=4, max_loops=9), 9),
        (EdgeRecViTConfig(loops=5), 5),
    ):
        assert config.trained_loops == trained


@contract
@torch.no_grad()
def test_saving_and_loading_changes_nothing(name, changes):
    network = stir(build(name, changes)).eval()
    if getattr(network.config, "experts", 0):
        network.block.experts.balance += 0.3 * torch.randn(network.config.experts)
    other = build(name, changes, seed=9).eval()
    image = image_for(network)
    assert not torch.equal(other(image).logits, network(image).logits)
    other.load_state_dict(load(save(network.state_dict())))
    expected, found = network(image), other(image)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.steps, expected.steps)


@contract
def test_it_stays_finite_at_eight_times_the_loops(name, changes):
    network = stir(build(name, changes))
    loops = 8 * network.config.trained_loops
    with torch.no_grad():
        output = network.eval()(image_for(network), loops=loops)
    assert torch.isfinite(output.logits).all()
    assert output.steps.max() <= loops
    output = network.train()(image_for(network, batch=1), loops=loops)
    output.logits.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@contract
def test_fewer_loops_than_one_are_refused(name, changes):
    network = build(name, changes)
    with pytest.raises(ValueError, match="loops is 0"):
        network(image_for(network), loops=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_only_networks_with_experts_have_something_to_rebalance(name):
    network = build(name, {})
    before = {key: value.clone() for key, value in network.state_dict().items()}
    experts = getattr(network.config, "experts", 0)
    network.rebalance(torch.rand(1, experts or 2, 3, 2), torch.rand(1, 3, 2), rate=0.1)
    changed = [key for key, value in network.state_dict().items() if not value.equal(before[key])]
    assert changed == (["block.experts.balance"] if experts else [])
