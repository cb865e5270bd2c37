"""Stitching: fields come back where they came from, in every orientation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from cardioseg.core.config import PreparationConfig, WindowConfig
from cardioseg.core.exits import OWN, Depth, ExitRule
from cardioseg.core.volume import Volume
from cardioseg.imaging.preprocess import preprocess
from cardioseg.inference import stitching
from cardioseg.inference.flops import MISSING
from cardioseg.inference.orientations import (
    ORIENTATIONS,
    Orientation,
    common_orientation,
    turn,
    turn_back,
)
from cardioseg.inference.predictor import predict_maps
from cardioseg.layers.embed import pad_to_multiple
from cardioseg.networks import RDViT, RDViTConfig, SegOutput
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw

CPU = torch.device("cpu")
PATCH = 8
EVERY = [Orientation(flip, turns) for flip in (False, True) for turns in range(4)]


class Echo(nn.Module):
    """A network that returns its input: voxels as scores, token means as steps and routing."""

    def __init__(self, experts=0):
        super().__init__()
        self.config = SimpleNamespace(classes=2, patch_size=(PATCH, PATCH))
        self.experts, self.seen = experts, []

    def forward(self, image, *, loops=None, exits=OWN):
        self.seen.append((tuple(image.shape), loops))
        value = image[:, image.shape[1] // 2]
        tokens = F.avg_pool2d(pad_to_multiple(value[:, None], (PATCH, PATCH))[0], PATCH)[:, 0]
        routing = torch.stack((tokens / 1000, 1 - tokens / 1000), 1) if self.experts else None
        return SegOutput(torch.stack((value, torch.zeros_like(value)), 1) / 50, tokens, routing)


def windows(size=(32, 32), views="none", **changes):
    return WindowConfig(
        **{"size": size, "overlap": 0.5, "views": views, "focus": False, "batch": 4} | changes
    )


def predict(network, image, *, neighbours=0, loops=None, **changes):
    return predict_maps(
        network,
        image,
        neighbours=neighbours,
        windows=windows(**changes),
        device=CPU,
        depth=Depth(loops),
    )


def coordinates(shape):
    """(U, V, 2): the centre of each voxel along U in the first slice, along V in the second."""
    return np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), -1).astype(
        np.float32
    )


def seen_voxels(maps):
    """The voxel values that ``Echo`` turned into probabilities."""
    return 50 * np.log(maps.probabilities[0] / maps.probabilities[1])


SHAPES = [(96, 80), (45, 61), (33, 57), (32, 32), (64, 101)]


@pytest.mark.parametrize("views", ORIENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_stitched_coordinate_field_is_the_coordinate(shape, views):
    field = coordinates(shape)
    maps = predict(Echo(), field, views=views)
    assert seen_voxels(maps) == pytest.approx(field, abs=0.01)
    assert np.abs(maps.steps - field).max() <= PATCH / 2, (
        "a token lies further than half a token from its place"
    )


@pytest.mark.parametrize("size", [(36, 36), (33, 47), (32, 40), (20, 9)])
def test_windows_need_not_be_whole_tokens(size):
    field = coordinates((70, 83))
    for views in ("none", "all"):
        maps = predict(Echo(), field, size=size, views=views)
        assert seen_voxels(maps) == pytest.approx(field, abs=0.01)
        assert np.abs(maps.steps - field).max() <= PATCH / 2


class SolidEcho(Echo):
    """``Echo`` for patches of slices, whose tokens are two slices deep."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(classes=2, patch_size=(PATCH, PATCH, 2))

    def forward(self, image, *, loops=None, exits=OWN):
        self.seen.append((tuple(image.shape), loops))
        tokens = F.avg_pool3d(
            pad_to_multiple(image, self.config.patch_size)[0], self.config.patch_size
        )[:, 0]
        return SegOutput(torch.cat((image, torch.zeros_like(image)), 1) / 50, tokens)


@pytest.mark.parametrize("shape", [(45, 61, 7), (32, 50, 2), (20, 33, 9)])
def test_patches_of_slices_come_back_in_their_place_too(shape):
    for axis, token in enumerate((PATCH, PATCH, 2)):
        field = np.moveaxis(
            np.broadcast_to(
                np.arange(shape[axis]) + 0.5, np.moveaxis(np.empty(shape), axis, 2).shape
            ),
            2,
            axis,
        )
        network = SolidEcho()
        maps = predict(network, field.astype(np.float32), size=(32, 32, 4), views="all")
        assert {seen[1:] for seen, _ in network.seen} == {(1, 32, 32, 4)}
        assert seen_voxels(maps) == pytest.approx(field, abs=0.01)
        if min(shape[:2]) >= 32 and shape[2] >= 4:
            assert np.abs(maps.steps - field).max() <= token / 2


def test_routing_is_placed_like_steps_and_still_sums_to_one():
    field = coordinates((45, 61))
    maps = predict(Echo(experts=2), field, views="all")
    assert maps.routing.shape == (2, 45, 61, 2)
    assert maps.routing.sum(0) == pytest.approx(1, abs=1e-5)
    assert np.abs(1000 * maps.routing[0] - field).max() <= PATCH / 2 + 0.01
    assert maps.probabilities.sum(0) == pytest.approx(1, abs=1e-5)
    assert predict(Echo(), field).routing is None


@pytest.mark.parametrize("shape", [(20, 28), (5, 40), (31, 33), (1, 1)])
def test_slices_smaller_than_a_window_are_padded_and_cut_back(shape):
    field = coordinates(shape)
    network = Echo()
    maps = predict(network, field, views="all")
    assert maps.steps.shape == field.shape
    assert seen_voxels(maps) == pytest.approx(field, abs=0.01)
    assert {seen[2:] for seen, _ in network.seen} == {(32, 32)}


def test_every_orientation_is_undone_and_no_two_are_the_same():
    x = torch.arange(2 * 3 * 5).view(1, 2, 3, 5)
    seen = [turn(x, way) for way in EVERY]
    assert all(torch.equal(turn_back(y, way), x) for y, way in zip(seen, EVERY, strict=True))
    assert len({(tuple(y.shape), tuple(y.flatten().tolist())) for y in seen}) == 8
    assert set(ORIENTATIONS["all"]) == set(EVERY)
    assert [len(ORIENTATIONS[name]) for name in ("none", "flips", "all")] == [1, 4, 8]
    flips = [turn(x, way) for way in ORIENTATIONS["flips"]]
    expected = [x, x.flip(-1), x.flip(-2), x.flip(-1, -2)]
    assert all(any(torch.equal(a, b) for b in flips) for a in expected)


def test_the_network_gets_loops_channels_and_slices():
    image = np.zeros((32, 32, 3), np.float32) + np.arange(3, dtype=np.float32)
    network = Echo()
    maps = predict(network, image, neighbours=1, loops=11)
    assert network.seen == [((3, 3, 32, 32), 11)]
    assert seen_voxels(maps) == pytest.approx(image, abs=0.01), (
        "the middle channel is the slice itself"
    )


def tiny(**changes):
    torch.manual_seed(0)
    network = RDViT(
        RDViTConfig(
            width=16, heads=2, stem_channels=(8, 8), loops=3, expert_hidden=8, channels=1, **changes
        )
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture
def fp32(monkeypatch):
    monkeypatch.setattr(stitching, "fast_bf16", lambda device: False)


def turned(array, flip, turns):
    """(…, U, V, W) stored in another orientation."""
    return np.rot90(np.flip(array, -2) if flip else array, turns, (-3, -2)).copy()


@pytest.mark.parametrize("focus", [False, True])
@pytest.mark.parametrize("views", ["all", "none"])
@pytest.mark.parametrize("shape", [(29, 52), (57, 33)])
def test_all_eight_storage_orientations_give_the_same_answer(shape, views, focus, fp32):
    image = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    network = tiny(halting_threshold=0.5)
    asked = {"views": views, "focus": focus, "margin": 2}
    plain = predict(network, image, **asked)
    assert plain.steps.std() > 0, "tokens differ, else there is nothing to misplace"
    for way in EVERY[1:]:
        stored = predict(network, turned(image, *way), **asked)
        for name in ("probabilities", "steps", "routing"):
            found, expected = getattr(stored, name), turned(getattr(plain, name)[None], *way)[0]
            assert np.abs(found - expected).max() < 1e-4, f"{name} of {way}"


def test_a_network_trained_on_the_files_own_orientation_sees_images_in_it(fp32):
    image = np.random.default_rng(0).normal(size=(32, 32, 1)).astype(np.float32)
    turns = next(
        turns
        for turns in range(4)
        if common_orientation(np.rot90(image, turns), square=True) != (False, 0)
    )
    image = np.rot90(image, turns).copy()
    network = tiny(halting_threshold=0.5)
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    for common in (False, True):
        predict(network, image, size=(32, 32), views="none", focus=False, common_storage=common)
    assert np.array_equal(seen[0][0, 0].numpy(), image[..., 0])
    assert not torch.equal(*seen[:2])


@pytest.mark.parametrize("square", [True, False])
def test_an_image_is_turned_to_the_orientation_that_all_of_its_orientations_share(square):
    image = np.random.default_rng(1).random((40, 28, 3)).astype(np.float32)
    shared = set()
    for way in EVERY:
        stored = turned(image, *way)
        common = common_orientation(stored, square=square)
        seen = turn(torch.from_numpy(stored)[None, None], common)[0, 0].numpy()
        assert square or seen.shape == stored.shape
        shared.add(seen.tobytes())
    assert len(shared) == (1 if square else 2), "axes stay where windows are not square"


def test_orientation_does_not_matter_from_the_volume_on(fp32):
    phantom = draw(PhantomConfig(shape=(90, 76, 3), spacing_mm=(1.9, 1.7, 30.0), frames=1))
    network, config = tiny(halting="none"), PreparationConfig(spacing_mm=2.5)

    def answer(array, spacing):
        image = preprocess(Volume(array, np.diag([*spacing, 1.0]), spacing), config)
        return predict(network, image, views="all").probabilities

    image = phantom.image[..., 0]
    plain = answer(image, (1.9, 1.7, 30.0))
    for flip, turns in ((True, 0), (False, 1), (True, 3)):
        spacing = (1.7, 1.9, 30.0) if turns % 2 else (1.9, 1.7, 30.0)
        assert (
            np.abs(answer(turned(image, flip, turns), spacing) - turned(plain, flip, turns)).max()
            < 1e-4
        )


# -------------------------------------------------------------------------------------------- focus


class Bright(Echo):
    """Class 1 where the image is bright, and as many steps as views were asked for so far."""

    def forward(self, image, *, loops=None, exits=OWN):
        output = super().forward(image, loops=loops, exits=exits)
        output.logits = torch.stack((torch.zeros_like(image[:, 0]), 8 * image[:, 0]), 1)
        return output


def spot(shape=(150, 140), place=(slice(40, 60), slice(90, 100))):
    image = np.full((*shape, 2), -1.0, np.float32)
    image[(*place, 1)] = 1.0
    return image


def test_focus_runs_all_orientations_only_where_something_was_found():
    image, far, near = spot(), Bright(), Bright()
    everywhere = predict(far, image, views="all")
    focused = predict(near, image, views="all", focus=True, margin=8)
    assert (focused.probabilities.argmax(0) == everywhere.probabilities.argmax(0)).all()
    assert focused.probabilities == pytest.approx(everywhere.probabilities, abs=1e-3), (
        "elsewhere it is 0 instead of nearly 0"
    )
    assert sum(seen[0] for seen, _ in near.seen) < sum(seen[0] for seen, _ in far.seen) / 4


def test_focus_on_nothing_keeps_the_first_pass():
    network = Bright()
    maps = predict(network, np.full((64, 64, 2), -1.0, np.float32), views="all", focus=True)
    assert (maps.probabilities.argmax(0) == 0).all()
    assert maps.steps.shape == (64, 64, 2)
    assert sum(seen[0] for seen, _ in network.seen) <= 2 * 9, (
        "one orientation, at most nine windows per slice"
    )


@pytest.mark.parametrize(
    "exits", [ExitRule(), ExitRule("accel", 0.5), ExitRule("entropy"), ExitRule(compute=0.5)]
)
def test_flops_of_a_volume_are_those_that_torch_counts_window_by_window(exits, monkeypatch):
    # In bf16, skipping pads the active tokens to whole blocks.
    monkeypatch.setattr(stitching, "fast_bf16", lambda device: False)
    torch.manual_seed(0)
    settings = {
        "width": 16,
        "heads": 2,
        "stem_channels": (8, 8),
        "loops": 4,
        "experts": 0,
        "channels": 1,
    }
    network = RDViT(RDViTConfig(**settings, halting_threshold=0.5)).eval()
    with torch.no_grad():
        network.halting.score.weight.mul_(20)
    image = np.random.default_rng(0).normal(size=(70, 50, 3)).astype(np.float32)
    found = predict_maps(
        network, image, neighbours=0, windows=windows(batch=2), device=CPU, depth=Depth(rule=exits)
    ).flops
    with FlopCounterMode(display=False, custom_mapping=MISSING) as counter:
        predict_maps(
            network,
            image,
            neighbours=0,
            windows=windows(batch=2),
            device=CPU,
            depth=Depth(rule=exits),
        )
    assert found["total"] == counter.get_total_flops()
    assert 0 < found["core"] < found["total"]
