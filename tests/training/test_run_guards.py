"""What ends a run instead of spoiling it: divergence, other data, a broken checkpoint."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_prepare import rewrite
from small_run import prepared_in, request

from cardioseg.core.errors import EXIT_MODEL, ConfigError, ModelError
from cardioseg.data.manifest import Manifest
from cardioseg.training import loop
from cardioseg.training.checkpoint import read_facts
from cardioseg.workflows.prepare import prepare
from cardioseg.workflows.train import train


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums come out the same in every process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_in(tmp_path_factory.mktemp("data"))


@pytest.fixture
def started(prepared, tmp_path):
    train(request(prepared, tmp_path / "run", "training.steps=2"))
    return tmp_path / "run"


def tensors(folder):
    return load_file(folder / "checkpoint.safetensors")


# ------------------------------------------------------------------------------- diverging training

DIVERGING = (
    'training.optimizer="adamw"',
    "training.learning_rate=1e8",
    "training.clip=1e30",
    "training.steps=40",
)


def test_diverging_training_ends_and_exports_nothing(prepared, tmp_path):
    with pytest.raises(ModelError, match="diverged") as caught:
        train(request(prepared, tmp_path, *DIVERGING))
    assert caught.value.exit_code == EXIT_MODEL
    assert not (tmp_path / "model").exists()
    kept = tensors(tmp_path)
    assert all(value.isfinite().all() for value in kept.values() if value.is_floating_point())
    assert 0 < read_facts(tmp_path).step < 40


@pytest.mark.parametrize("which", ["loss", "gradient", "weight"])
def test_whatever_is_not_finite_ends_the_run(prepared, tmp_path, monkeypatch, which):
    def third(call):
        calls = []

        def spoilt(*arguments, **named):
            calls.append(0)
            found = call(*arguments, **named)
            if len(calls) < 3:
                return found
            return (found[0] * math.inf, found[1]) if which == "loss" else math.inf

        return spoilt

    if which == "loss":
        call = third(loop.SegmentationLoss.__call__)
        monkeypatch.setattr(loop.SegmentationLoss, "__call__", call)
    elif which == "gradient":
        monkeypatch.setattr(loop, "gradient_norm", third(loop.gradient_norm))
    else:
        monkeypatch.setattr(loop, "learning_rate", third(loop.learning_rate))
    with pytest.raises(ModelError, match=f"a {which} that is not finite in step 3"):
        train(request(prepared, tmp_path))
    assert read_facts(tmp_path).step == 2


# -------------------------------------------------------------------------- other data, same folder


@pytest.fixture
def own(tmp_path):
    """Prepared patients that a test may change, and a run of two steps on them."""
    folder = prepared_in(tmp_path / "data")
    train(request(folder, tmp_path / "run", "training.steps=2"))
    return folder


def relabel(folder):
    """Another label in one mask, prepared again."""
    path = min(folder.parent.glob("raw/patient001/*_gt.nii.gz"))
    rewrite(path, lambda mask: np.where(mask == 1, 3, mask))
    prepare(folder.parent / "raw", output=folder, config=Manifest.read(folder).preparation)


def test_a_run_is_not_resumed_on_changed_labels(own, tmp_path):
    relabel(own)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="other training data"):
        train(request(own, tmp_path / "run", "training.steps=3", resume=True))
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_preparing_the_same_again_changes_nothing(own, tmp_path):
    shutil.rmtree(own / "cases")
    prepare(own.parent / "raw", output=own, config=Manifest.read(own).preparation)
    resumed = train(request(own, tmp_path / "run", "training.steps=3", resume=True))
    assert resumed.data.step == 3


def test_a_run_is_not_resumed_with_other_further_data(prepared, own, tmp_path):
    run = tmp_path / "more"
    train(request(prepared, run, "training.steps=2", extra=(own,)))
    for extra in ((), (own, own)):
        with pytest.raises(ConfigError, match="other training data"):
            train(request(prepared, run, "training.steps=3", extra=extra, resume=True))
    relabel(own)
    with pytest.raises(ConfigError, match="other training data"):
        train(request(prepared, run, "training.steps=3", extra=(own,), resume=True))


# ------------------------------------------------------------------------------------- surroundings


@pytest.mark.parametrize(
    "variables",
    [
        {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "1"},
        {"LOCAL_RANK": "1", "WORLD_SIZE": "4", "RANK": "1", "GROUP_RANK": "0"},
        {"OMPI_COMM_WORLD_SIZE": "2", "PMI_RANK": "1"},
        {"LOCAL_RANK": "x", "NODE_RANK": "y"},
    ],
)
def test_one_process_trains_inside_a_cluster_job(prepared, tmp_path, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert train(request(prepared, tmp_path, "training.steps=1")).data.finished


def test_a_resumed_run_leaves_its_checkpoint_unmapped(prepared, started):
    train(request(prepared, started, "training.steps=3", resume=True))
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("no list of mapped files on this system")
    assert str(started / "checkpoint.safetensors") not in maps.read_text()


def lose(name):
    """The checkpoint without the tensors whose names begin so."""

    def spoil(path):
        with safe_open(path, framework="pt") as file:
            facts = file.metadata()
        held = {key: value for key, value in load_file(path).items() if not key.startswith(name)}
        save_file(held, path, metadata=facts)

    return spoil


@pytest.mark.parametrize("name", ["rng", "network.", "average."])
def test_a_checkpoint_that_lacks_tensors_is_a_model_error(prepared, started, name):
    lose(name)(started / "checkpoint.safetensors")
    with pytest.raises(ModelError, match="unreadable checkpoint"):
        train(request(prepared, started, "training.steps=3", resume=True))
