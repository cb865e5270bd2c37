"""Contradictory calls of ``segment``, and calls without image or model, write nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from broken import LINE, empty_folder, packed, refused
from tiny import NETWORK, save_image

from cardioseg.core.errors import (
    EXIT_INPUT,
    EXIT_MODEL,
    EXIT_USAGE,
    ModelError,
)

# --------------------------------------------------------------------------------- calls of segment

USAGE = {
    "no loops": (("--loops", "0"), "--loops"),
    "negative loops": (("--loops", "-3"), "--loops"),
    "loops beyond the map": (("--loops", "256"), "--loops"),
    "absurd loops": (("--loops", "9" * 40), "--loops"),
    "a window of one size": (("--window", "32"), "--window"),
    "negative window": (("--window", "-5,5"), "--window"),
    "window of nothing": (("--window", "0,0"), "--window"),
    "3-D window": (("--window", "32,32,8"), "--window"),
    "absurd window": (("--window", "100000,100000"), "--window"),
    "window in words": (("--window", "a,b"), "--window"),
    "window in superscript": (("--window", "²²,32"), "--window"),
    "whole overlap": (("--overlap", "1.0"), "--overlap"),
    "negative overlap": (("--overlap", "-0.1"), "--overlap"),
    "overlap that is no number": (("--overlap", "nan"), "--overlap"),
    "unknown map": (("--save", "probs,logits"), "--save"),
    "unknown device": (("--device", "gpu"), "--device"),
    "device of torch": (("--device", "meta"), "--device"),
    "absent device": (("--device", "cuda:99"), "--device"),
}


@pytest.mark.parametrize(("options", "named"), USAGE.values(), ids=USAGE)
def test_a_contradictory_call_is_a_usage_error(attempt, tmp_path, options, named):
    refused(attempt(save_image(tmp_path / "x.nii.gz"), *options), EXIT_USAGE, named)
    assert not (tmp_path / "out").exists()


def write_list(folder, content):
    (folder / "list.txt").write_bytes(content)
    return folder / "list.txt"


def each_other(folder):
    (folder / "other.txt").write_text("list.txt\n")
    return write_list(folder, b"other.txt\n")


NOTHING = {
    "an empty folder": (empty_folder, "no image"),
    "an empty list": (lambda f: write_list(f, b"# nothing\n\n"), "an empty list"),
    "a list of bytes": (lambda f: write_list(f, b"\x00\xff\xfe"), "can't decode"),
    "a list that is not there": (lambda f: f / "list.txt", "No such file"),
    "a list that contains itself": (
        lambda f: write_list(f, b"list.txt\n"),
        "itself",
    ),
    "lists that name each other": (each_other, "itself"),
    "a name that is too long": (lambda f: write_list(f, b"x" * 5000 + b".nii.gz"), "name too long"),
    "a name with a null byte": (lambda f: write_list(f, b"a\x00b.nii.gz"), "no such file"),
}


@pytest.mark.parametrize(("make", "found"), NOTHING.values(), ids=NOTHING)
def test_nothing_to_segment_is_named(attempt, tmp_path, make, found):
    refused(attempt(make(tmp_path)), EXIT_INPUT, tmp_path, found)


def test_a_model_that_was_changed_is_refused_before_anything_is_made(attempt, model, tmp_path):
    changed = Path(shutil.copytree(model, tmp_path / "changed"))
    content = bytearray((changed / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (changed / "weights.safetensors").write_bytes(content)
    path = save_image(tmp_path / "x.nii.gz")
    refused(attempt(path, by=changed), EXIT_MODEL, changed / "weights.safetensors", "SHA-256")
    refused(attempt(path, by=tmp_path / "nosuch"), EXIT_MODEL, "nosuch", "no such model")
    assert not (tmp_path / "out").exists()


def test_a_model_whose_weights_are_no_numbers_is_not_saved(tmp_path):
    import torch

    from cardioseg.bundle import build_network, save_model

    network = build_network(NETWORK, source="test")
    weights = {
        name: value * torch.nan if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    settings = {"network": NETWORK, "windows": {"size": [32, 32], "views": "none"}}
    labels = {"labels": ["background", "RV", "MYO", "LV"]}
    with pytest.raises(ModelError, match="NaN"):
        save_model(tmp_path / "nan", weights, settings, labels)
    assert not (tmp_path / "nan").exists()


def test_one_line_also_from_a_process_of_its_own(model, tmp_path):
    """Nothing that a library prints at its import or its end comes beside the error."""
    (tmp_path / "x.nii.gz").write_bytes(packed(tmp_path / "y.nii.gz")[:700])
    command = [
        sys.executable,
        "-m",
        "cardioseg.cli.app",
        "segment",
        tmp_path / "x.nii.gz",
        "-q",
        "-o",
        tmp_path / "out",
        "-m",
        model,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_INPUT
    assert done.stdout == ""
    assert LINE.fullmatch(done.stderr), done.stderr
