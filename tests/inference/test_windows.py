"""The windows that training draws: where from, how often, and deformed how."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_run import prepared_in

from cardioseg.data.augment import AugmentConfig, augmentation
from cardioseg.data.loading import SamplingConfig, WindowDataset, load_voxels
from cardioseg.data.manifest import Manifest

APPEARANCE = (
    "tissue bias_field gamma histogram noise blur sharpen low_resolution brightness narrow_view"
)
CALM = dict.fromkeys(APPEARANCE.split(), 0.0)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_in(tmp_path_factory.mktemp("data"))


def windows(prepared, *, seed=0, augment=None, parts=1, **sampling):
    manifest = Manifest.read(prepared)
    cases = load_voxels(manifest, manifest.entries)
    chosen = SamplingConfig(**{"window": (32, 32), "jitter": 4} | sampling)
    settings = AugmentConfig(**augment or {})
    return WindowDataset(
        [cases] * parts, neighbours=1, sampling=chosen, augment=settings, seed=seed, length=1000
    )


@pytest.mark.parametrize(("window", "ways"), [((32, 32), 8), ((32, 24), 4)])
def test_windows_are_stored_in_every_way_that_keeps_their_shape(window, ways):
    still = {
        name: 0 for name, field in AugmentConfig.model_fields.items() if field.annotation is float
    }
    config = AugmentConfig(zoom=(1, 1), **still)
    draw = augmentation(config, window).set_random_state(seed=0)
    image = torch.arange(float(window[0] * window[1])).reshape(1, *window)
    drawn = [draw({"image": image, "label": image})["label"] for _ in range(100)]
    assert {tuple(each.shape) for each in drawn} == {(1, *window)}
    assert len({tuple(each.flatten().round().tolist()) for each in drawn}) == ways


def test_a_window_follows_from_seed_and_index_alone(prepared):
    first, other = windows(prepared), windows(prepared, seed=1)
    forward = [first[index] for index in range(6)]
    again = windows(prepared)
    for index in (5, 2, 0):
        for key in ("image", "label"):
            assert torch.equal(again[index][key], forward[index][key])
    assert not torch.equal(other[0]["image"], forward[0]["image"])
    assert not torch.equal(forward[1]["image"], forward[0]["image"])
    assert (forward[0]["image"].shape, forward[0]["image"].dtype) == ((3, 32, 32), torch.float32)
    assert (forward[0]["label"].shape, forward[0]["label"].dtype) == ((32, 32), torch.int64)


def test_patches_of_slices_are_empty_beyond_the_stack(prepared):
    dataset = windows(prepared, window=(32, 32, 7), augment=CALM, foreground=1.0)
    slices = dataset.cases[0][0].label.shape[2]
    for index in range(8):
        window = dataset[index]
        assert (window["image"].shape, window["label"].shape) == ((1, 32, 32, 7), (32, 32, 7))
        case = dataset._draw_case(np.random.default_rng((0, index)))
        empty = [(window["image"][0, ..., plane] == case.offset).all().item() for plane in range(7)]
        assert sum(empty) >= 7 - slices
        assert not window["label"][..., empty].any()
        assert window["label"].any()


def test_image_and_label_are_deformed_alike(prepared):
    dataset = windows(prepared, augment={**CALM, "elastic": 1.0}, foreground=1.0)
    dataset.cases = [
        [
            replace(c, image=c.label.astype(np.float16) / 3, offset=0.0, span=3.0)
            for c in dataset.cases[0]
        ]
    ]
    agreements = []
    for index in range(12):
        window = dataset[index]
        agreements.append(float((window["image"][1].round() == window["label"]).float().mean()))
    assert np.mean(agreements) > 0.93, (
        "only borders may differ, where one is interpolated and the other not"
    )


def test_windows_are_drawn_around_structures_as_often_as_asked(prepared):
    always = [
        windows(prepared, foreground=1.0, augment=CALM, jitter=0)[index]["label"]
        for index in range(30)
    ]
    assert all((label > 0).any() for label in always)
    centres = {int(label[16, 16]) for label in always}
    assert centres >= {1, 2, 3}, "every structure gets its turn"


def test_all_eight_storage_orientations_are_drawn(prepared):
    dataset = windows(prepared, augment=CALM)
    assert [type(step).__name__ for step in dataset.transform.transforms[1:3]] == [
        "RandFlipd",
        "RandRotate90d",
    ]
    probe, seen = np.arange(64.0).reshape(1, 8, 8), set()
    for seed in range(80):
        data = {"image": probe, "label": probe}
        for step in dataset.transform.transforms[1:3]:
            step.set_random_state(seed=seed)
            data = step(data)
        seen.add(tuple(np.asarray(data["image"]).ravel()))
    assert len(seen) == 8


def test_further_data_sets_are_drawn_at_their_share(prepared):
    dataset = windows(prepared, parts=2, extra_share=0.25)
    dataset.cases[1] = [replace(case) for case in dataset.cases[0]]
    extra = {id(case) for case in dataset.cases[1]}
    drawn = [
        id(dataset._draw_case(np.random.default_rng((0, index)))) in extra for index in range(2000)
    ]
    assert np.mean(drawn) == pytest.approx(0.25, abs=0.04)


def tall(case, *, heart=(3, 6), slices=12):
    """The case with a heart on slices ``heart[0]`` to ``heart[1]`` of a taller stack."""
    label = np.zeros((*case.label.shape[:2], slices), np.uint8)
    label[14:20, 10:16, heart[0] : heart[1] + 1] = 2
    image = np.zeros(label.shape, np.float16)
    none = np.array([], int)
    held = np.arange(heart[0], heart[1] + 1)
    return replace(case, image=image, label=label, slices_of=(np.arange(slices), none, held, none))


def test_windows_along_the_heart_show_its_place_on_slices_without_it(prepared):
    dataset = windows(prepared, foreground=0.0, along=1.0, ends=0.0, jitter=0)
    case = tall(dataset.cases[0][0])
    drawn = [dataset._draw_centre(case, np.random.default_rng(index)) for index in range(300)]
    assert {plane for plane, _ in drawn} == set(range(12))
    assert all(14 <= u < 20 and 10 <= v < 16 for _, (u, v) in drawn)


@pytest.mark.parametrize(
    ("heart", "ends"),
    [((3, 6), {2, 3, 4, 5, 6, 7}), ((0, 11), {0, 1, 10, 11}), ((5, 5), {4, 5, 6})],
)
def test_the_ends_of_the_heart_are_drawn_as_often_as_asked(prepared, heart, ends):
    dataset = windows(prepared, foreground=0.0, along=1.0, ends=1.0)
    case = tall(dataset.cases[0][0], heart=heart)
    assert set(case.ends.tolist()) == ends
    assert {
        dataset._draw_centre(case, np.random.default_rng(index))[0] for index in range(200)
    } == ends
