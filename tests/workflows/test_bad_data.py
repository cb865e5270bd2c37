"""Data sets, settings and masks that ``prepare``, ``train`` and ``evaluate`` refuse by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from broken import cut, empty_folder, flip, refused
from tiny import SETS, SHAPE, cardioseg, names_in, save_image, voxels, write_patients

from cardioseg.core.errors import (
    EXIT_INPUT,
    EXIT_USAGE,
)


@pytest.fixture
def raw(tmp_path):
    return write_patients(tmp_path / "raw")


FIRST = "patient001/patient001_frame01"
IMAGE, MASK, INFO = f"{FIRST}.nii.gz", f"{FIRST}_gt.nii.gz", "patient001/Info.cfg"
EMPTY = np.zeros(SHAPE, np.uint8)
NINE = EMPTY.copy()
NINE[1, 1, 1] = 9

UNPREPARED = {
    "unknown label": (MASK, lambda p: save_image(p, NINE), " 9 (1 voxel"),
    "negative label": (
        MASK,
        lambda p: save_image(p, -NINE.astype(np.int16)),
        " -9 (1 voxel",
    ),
    "half a label": (
        MASK,
        lambda p: save_image(p, NINE.astype(np.float32) / 18),
        " 0.5 (1 voxel",
    ),
    "a mask of NaN": (MASK, lambda p: save_image(p, NINE * np.float32(np.nan)), "NaN or infinite"),
    "another shape": (
        MASK,
        lambda p: save_image(p, np.zeros((40, 36, 4), np.uint8)),
        "(40, 36, 4)",
    ),
    "another spacing": (
        MASK,
        lambda p: save_image(p, EMPTY, spacing=(1.6, 1.5, 8.0)),
        "1.600 × 1.500",
    ),
    "a cut mask": (MASK, lambda p: cut(p, 0.5), "unreadable data"),
    "a cut image": (IMAGE, lambda p: cut(p, 0.5), "unreadable data"),
    "flipped bits": (IMAGE, flip, "unreadable data"),
    "a constant image": (IMAGE, lambda p: save_image(p, EMPTY), "a constant image"),
    "a cine beside one mask": (
        IMAGE,
        lambda p: save_image(p, np.stack([voxels()] * 3, -1)),
        "3 frames",
    ),
    "no Info.cfg": (INFO, lambda p: p.unlink(), "no such file"),
    "an empty Info.cfg": (INFO, lambda p: p.write_text(""), "keys none"),
}


def check_prepare(raw, out, case, workers):
    file, spoil, found = UNPREPARED[case]
    spoil(raw / file)
    refused(
        cardioseg("prepare", raw, "-o", out, "-q", "--workers", workers),
        EXIT_INPUT,
        raw / file,
        found,
    )
    assert not any(
        name == "manifest.json" or ".part" in name or "patient001_frame01" in name
        for name in names_in(out)
    )


@pytest.mark.parametrize("case", UNPREPARED)
def test_a_broken_data_set_is_named_by_prepare(raw, tmp_path, case):
    check_prepare(raw, tmp_path / "out", case, 1)
    assert not (tmp_path / "out").exists(), "the first case was the broken one"


@pytest.mark.parametrize("case", ["unknown label", "another shape", "a cut image"])
def test_an_error_crosses_from_a_worker_process(raw, tmp_path, case):
    check_prepare(raw, tmp_path / "out", case, 2)


@pytest.mark.parametrize(
    ("make", "found"),
    [(empty_folder, "no labelled case"), (lambda f: f / "nowhere", "no such folder")],
)
def test_an_empty_data_set_is_named(tmp_path, make, found):
    refused(
        cardioseg("prepare", make(tmp_path), "-o", tmp_path / "out", "-q"),
        EXIT_INPUT,
        tmp_path,
        found,
    )
    assert not (tmp_path / "out").exists()


SETTINGS = {
    "nonsense": "'nonsense'",
    "=5": "'=5'",
    "spacing=2": "unknown setting 'spacing'",
    "spacing_mm=wide": "spacing_mm = 'wide'",
    "spacing_mm=0": "spacing_mm = 0",
    "spacing_mm=inf": "spacing_mm = inf",
    "neighbours=-1": "neighbours = -1",
    "clip_percentiles=[-5, 200]": "clip_percentiles.0 = -5",
    "a.b.c=1": "unknown setting 'a'",
}


@pytest.mark.parametrize(("setting", "found"), SETTINGS.items(), ids=SETTINGS)
def test_a_setting_of_prepare_that_cannot_be_is_named(raw, tmp_path, setting, found):
    refused(
        cardioseg("prepare", raw, "-o", tmp_path / "out", "-q", "--set", setting),
        EXIT_USAGE,
        "--set",
        found,
    )
    assert not (tmp_path / "out").exists()


UNTRAINED = {
    "nonsense": (("--set", "nonsense"), EXIT_USAGE, "--set", "'nonsense'"),
    "unknown section": (
        ("--set", "trainer.steps=3"),
        EXIT_USAGE,
        "--set",
        "unknown section 'trainer'",
    ),
    "unknown setting": (
        ("--set", "training.step=3"),
        EXIT_USAGE,
        "--set",
        "unknown setting 'step'",
    ),
    "a section for a setting": (("--set", "training=3"), EXIT_USAGE, "--set", "training = 3"),
    "words for a number": (("--set", "training.steps=many"), EXIT_USAGE, "--set", "steps = 'many'"),
    "an infinite rate": (
        ("--set", "training.learning_rate=inf"),
        EXIT_USAGE,
        "--set",
        "learning_rate = inf",
    ),
    "unknown network": (
        ("--set", "network.name=unet"),
        EXIT_USAGE,
        "--set",
        "network.name = 'unet'",
    ),
    "heads that do not fit": (("--set", "network.heads=3"), EXIT_USAGE, "--set", "width 16"),
    "stages that do not fit": (
        ("--set", "network.stem_channels=[4]"),
        EXIT_USAGE,
        "--set",
        "stem widths",
    ),
    "no such settings": (("--config", "nosuch.toml"), EXIT_USAGE, "nosuch.toml", "No such file"),
    "unknown device": (("--device", "gpu"), EXIT_USAGE, "--device", "'gpu'"),
    "a split without a file": (
        ("--split", "nosuch.json"),
        EXIT_INPUT,
        "nosuch.json",
        "unreadable split",
    ),
    "a fraction without a split": (("--fraction", "10"), EXIT_USAGE, "--fraction", "no --split"),
}


@pytest.mark.parametrize(("options", "code", "file", "found"), UNTRAINED.values(), ids=UNTRAINED)
def test_a_training_that_cannot_be_leaves_no_folder(prepared, tmp_path, options, code, file, found):
    refused(
        cardioseg("train", prepared, "-o", tmp_path / "run", "-q", *SETS, *options),
        code,
        file,
        found,
    )
    assert not (tmp_path / "run").exists()


def test_an_unknown_key_in_a_settings_file_is_named_with_the_file(prepared, tmp_path):
    path = tmp_path / "settings.toml"
    for text, found in (
        ("[training]\nstep = 3\n", "unknown setting 'step'"),
        ("[trainer]\n", "'trainer'"),
        ("x = [", "invalid TOML"),
    ):
        path.write_text(text)
        refused(
            cardioseg("train", prepared, "-o", tmp_path / "run", "-q", "--config", path),
            EXIT_USAGE,
            path,
            found,
        )
    assert not (tmp_path / "run").exists()


def test_training_data_that_is_missing_or_broken_is_named(prepared, tmp_path):
    refused(
        cardioseg("train", tmp_path / "no", "-o", tmp_path / "run", "-q"),
        EXIT_INPUT,
        tmp_path / "no",
        "no such folder",
    )
    refused(
        cardioseg("train", tmp_path, "-o", tmp_path / "run", "-q"),
        EXIT_INPUT,
        tmp_path,
        "no manifest.json",
    )
    broken = Path(shutil.copytree(prepared, tmp_path / "broken"))
    case = min((broken / "cases").iterdir())
    case.write_bytes(case.read_bytes()[:400])
    refused(
        cardioseg("train", broken, "-o", tmp_path / "run", "-q", *SETS),
        EXIT_INPUT,
        case,
        "SHA-256",
    )
    assert not any(name.endswith(".safetensors") for name in names_in(tmp_path / "run"))


UNSCORED = {
    "another shape": (
        lambda p: save_image(p, np.zeros((40, 36, 4), np.uint8)),
        "40 × 36 × 4 voxels",
    ),
    "another spacing": (
        lambda p: save_image(p, EMPTY, spacing=(1.6, 1.5, 8.0)),
        "1.6 × 1.5 × 8 mm",
    ),
    "unknown label": (lambda p: save_image(p, NINE), "values 9 (1 voxels)"),
    "a cut mask": (lambda p: cut(p, 0.5), "unreadable data"),
    "empty": (lambda p: p.write_bytes(b""), "an empty file"),
}


@pytest.mark.parametrize(("spoil", "found"), UNSCORED.values(), ids=UNSCORED)
def test_a_mask_that_cannot_be_scored_is_named(raw, tmp_path, spoil, found):
    prediction = save_image(tmp_path / "pred" / "patient001_frame01_mask.nii.gz", EMPTY)
    spoil(prediction)
    refused(
        cardioseg("evaluate", prediction.parent, raw, "-o", tmp_path / "out", "-q"),
        EXIT_INPUT,
        prediction,
        found,
    )
    assert not (tmp_path / "out").exists()


def test_nothing_to_score_is_named(raw, tmp_path):
    for folder, found in (
        (empty_folder(tmp_path), "no mask"),
        (tmp_path / "nowhere", "no such folder"),
    ):
        refused(
            cardioseg("evaluate", folder, raw, "-o", tmp_path / "out", "-q"),
            EXIT_INPUT,
            folder,
            found,
        )
    assert not (tmp_path / "out").exists()
