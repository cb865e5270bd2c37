"""The Python API takes str and Path alike, and names an argument that it cannot use."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

import cardioseg
from cardioseg.core.errors import GeometryError, UsageError
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import write_truth

SPACING = (1.4, 1.4, 10.0)


@pytest.fixture(scope="module")
def voxels():
    return draw(PhantomConfig(shape=(96, 96, 3), spacing_mm=SPACING, frames=1)).image[..., 0]


@pytest.fixture(scope="module")
def image(voxels, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("image") / "heart.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.diag([*SPACING, 1.0])), path)
    return path


@pytest.fixture(scope="module")
def mask(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mask") / "heart.nii.gz"
    write_truth(path, draw(PhantomConfig(shape=(96, 96, 3), frames=4)))
    return path


@pytest.fixture(scope="module")
def loaded(model):
    return cardioseg.load_model(str(model), device=torch.device("cpu"))


@pytest.fixture(scope="module")
def result(voxels, loaded):
    return cardioseg.segment(voxels, spacing_mm=SPACING, model=loaded, name="heart")


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_may_be_str_or_path(kind, image, mask, model, result, tmp_path):
    loaded = cardioseg.load_model(kind(model), device="cpu")
    opened = cardioseg.read(kind(image))
    assert opened.shape == (96, 96, 3)
    for source in (opened, kind(image)):
        found = cardioseg.segment(source, model=loaded)
        assert found.name == "heart"
        assert np.array_equal(found.mask, result.mask)
    found.save(kind(tmp_path / "out"))
    again = cardioseg.Segmentation.open(kind(tmp_path / "out"))
    assert np.array_equal(again.mask, found.mask)
    measured = cardioseg.measure(kind(mask), ed=np.int64(1), es=2)
    assert (measured.ed_frame, measured.es_frame) == (1, 2)


NO_PATHS = {
    "None": None,
    "a number": 5,
    "bytes": b"heart.nii.gz",
    "an empty string": "",
    "an array": np.zeros((2, 2, 2)),
}


@pytest.mark.parametrize("wrong", NO_PATHS.values(), ids=NO_PATHS)
def test_what_is_no_path_is_named(wrong, result):
    calls = (
        lambda: cardioseg.read(wrong),
        lambda: cardioseg.segment(result.mask, spacing_mm=SPACING, model=wrong),
        lambda: cardioseg.measure(ed=Path("ed.nii.gz"), es=result if wrong is None else wrong),
        lambda: cardioseg.evaluate(wrong, "masks"),
        lambda: cardioseg.evaluate("masks", wrong),
        lambda: cardioseg.Segmentation.open(wrong),
        lambda: result.save(wrong),
    )
    for call in calls:
        with pytest.raises(UsageError) as raised:
            call()
        assert raised.value.expected in {"a path", "a model"}


def test_what_is_no_model_is_named():
    for wrong in (None, 5, b"rdvit-2d", np.zeros(2)):
        with pytest.raises(UsageError) as raised:
            cardioseg.load_model(wrong)
        assert type(wrong).__name__ in raised.value.found


@pytest.mark.parametrize("wrong", [None, "", b"heart", [[[1.0]]], torch.zeros(4, 4, 4)], ids=repr)
def test_what_is_no_image_is_refused(wrong, loaded):
    for more in ({}, {"spacing_mm": SPACING}):
        with pytest.raises(UsageError) as raised:
            cardioseg.segment(wrong, model=loaded, **more)
        assert raised.value.file == "image"


def test_a_result_or_an_array_is_no_mask_to_measure(result):
    for wrong in (result, result.mask):
        with pytest.raises(UsageError) as raised:
            cardioseg.measure(wrong)
        assert type(wrong).__name__ in raised.value.found


def test_an_array_needs_its_spacing_and_other_images_have_their_own(voxels, image, loaded):
    opened = cardioseg.read(image)
    with pytest.raises(UsageError):
        cardioseg.segment(voxels, model=loaded)
    for source in (image, opened, nib.load(image)):
        for more in ({"spacing_mm": SPACING}, {"affine": np.eye(4)}):
            with pytest.raises(UsageError):
                cardioseg.segment(source, model=loaded, **more)


@pytest.mark.parametrize("spacing", [1.5, "1.5", (1.5, 1.5), (1, 1, 0), (1, 1, None)])
def test_a_spacing_is_three_positive_numbers(spacing, voxels, loaded):
    with pytest.raises(GeometryError):
        cardioseg.segment(voxels, spacing_mm=spacing, model=loaded)


SEGMENT_VALUES = [
    ("name", "../elsewhere"),
    ("name", ""),
    ("name", 3),
    ("loops", 2.5),
    ("loops", 0),
    ("exit", "never"),
    ("compute", 2),
    ("views", "some"),
    ("window", 128),
    ("window", (128,)),
    ("overlap", 1),
    ("keep", "probs"),
    ("keep", ("prob",)),
    ("ed", 0),
    ("es", 2),  # of a single volume
    ("height_cm", "tall"),
    ("height_cm", 1.72),
    ("trust", "both"),
    ("series", 3),
]


@pytest.mark.parametrize(("argument", "value"), SEGMENT_VALUES)
def test_segment_refuses_a_wrong_value(argument, value, voxels, loaded):
    with pytest.raises(UsageError):
        cardioseg.segment(voxels, spacing_mm=SPACING, model=loaded, **{argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [("labels", {"LV": 3}), ("trust", "both"), ("height_cm", "tall"), ("ed", "first"), ("es", 9)],
)
def test_measure_refuses_a_wrong_value(argument, value, mask):
    with pytest.raises(UsageError):
        cardioseg.measure(mask, **{argument: value})


@pytest.mark.parametrize("device", [None, "gpu", "cuda:x"])
def test_an_unknown_device_is_refused(device, model):
    with pytest.raises(UsageError):
        cardioseg.load_model(model, device=device)
