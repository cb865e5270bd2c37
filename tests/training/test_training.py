"""Training end to end on a tiny data set: it learns, logs, and resumes after a stop at any time."""

import json
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_run import STEPS, prepared_in, request

from cardioseg.bundle import load_model
from cardioseg.core.config import read_toml
from cardioseg.core.errors import EXIT_MODEL, ConfigError, ModelError, OutputError
from cardioseg.data.manifest import Manifest
from cardioseg.training.checkpoint import read_facts
from cardioseg.training.setup import resolve
from cardioseg.training.starting import starting_model
from cardioseg.workflows.train import SplitChoice, train


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


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    assert train(request(prepared, folder)).data.finished
    return folder


def tensors(folder):
    return load_file(folder / "checkpoint.safetensors")


def assert_same_state(folder, other):
    found, expected = tensors(folder), tensors(other)
    assert found.keys() == expected.keys()
    assert {name.split(".")[0] for name in found} == {"network", "average", "optimizer", "rng"}
    different = [name for name in found if not torch.equal(found[name], expected[name])]
    assert not different


# --------------------------------------------------------------------------------------- end to end


def test_a_run_learns_logs_and_leaves_a_model(prepared, tmp_path):
    seen = []
    changes = (
        "training.steps=60",
        "training.learning_rate=0.01",
        "training.validate_cases=1",
        "training.validate_every=30",
    )
    report = train(
        request(prepared, tmp_path, *changes, split=SplitChoice(fold=0)), on_progress=seen.append
    )
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row]
    assert [row["step"] for row in steps] == [20, 40, 60]
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert steps[-1]["loss"] < 0.9 * steps[0]["loss"], "it learns"
    assert {
        "loss",
        "task",
        "dice",
        "steps",
        "rate",
        "norm",
        "early",
        "halting",
        "minutes",
    } <= steps[-1].keys()
    assert [row["step"] for row in rows if "val_dice" in row] == [30, 60]
    assert report.data.best_dice == pytest.approx(
        max(row["val_dice"] for row in rows if "val_dice" in row)
    )
    assert list((tmp_path / "events").glob("events.out.tfevents.*"))
    assert [progress.done for progress in seen] == list(range(1, 61))
    assert {"loss", "dice", "steps"} <= seen[-1].fields.keys()
    split = json.loads((tmp_path / "split.json").read_text())
    assert len(split["val"]) == 1
    assert not set(split["val"]) & set(split["train"])
    model = load_model(tmp_path / "model")
    average = {
        name.removeprefix("average."): value
        for name, value in tensors(tmp_path).items()
        if name.startswith("average.")
    }
    assert all(
        torch.allclose(value, average[name], atol=2e-3)
        for name, value in model.network.state_dict().items()
    )
    assert model.preparation == Manifest.read(prepared).preparation


def test_patches_of_slices_train_too(prepared, tmp_path):
    changes = (
        "network.patch_size=[8, 8, 1]",
        "sampling.window=[32, 32, 3]",
        "training.steps=2",
        "training.validate_cases=1",
    )
    report = train(request(prepared, tmp_path, *changes, split=SplitChoice(fold=0)))
    assert report.data.best_dice >= 0
    model = load_model(tmp_path / "model")
    assert (model.windows.size, model.network.config.channels) == ((32, 32, 3), 1)
    with pytest.raises(ConfigError, match=r"patch_size.*window"):
        train(request(prepared, tmp_path / "other", "sampling.window=[32, 32, 3]"))


def test_a_run_may_start_from_a_model(prepared, whole, tmp_path):
    model = str(whole / "model")
    train(
        request(
            prepared,
            tmp_path / "run",
            "training.learning_rate=1e-12",
            "training.balance_rate=0",
            "training.steps=1",
            init_from=model,
        )
    )
    found, expected = tensors(tmp_path / "run"), load_model(model).network.state_dict()
    assert all(
        torch.allclose(found[f"network.{name}"], value, atol=2e-3)
        for name, value in expected.items()
    )
    with pytest.raises(ConfigError, match="--init-from"):
        train(request(prepared, tmp_path / "other", "network.width=32", init_from=model))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((), (True, "all")),
        (("augment.storage=false",), (False, "none")),
        (("augment.storage=false", "windows.common_storage=false"), (False, "none")),
        (("augment.storage=false", 'windows.views="flips"'), (False, "flips")),
        (("augment.storage=false", "windows.common_storage=true"), (True, "none")),
    ],
)
def test_images_are_seen_as_training_stored_them(prepared, changes, told):
    windows = resolve(None, changes, Manifest.read(prepared)).windows
    assert (windows.common_storage, windows.views) == told


def test_storage_is_this_run_s_and_not_that_of_the_model_it_starts_from(prepared, whole, tmp_path):
    shutil.copytree(whole / "model", tmp_path / "filed")
    path = tmp_path / "filed" / "config.toml"
    filed = (
        path.read_text()
        .replace("common_storage = true", "common_storage = false")
        .replace('views = "all"', 'views = "none"')
    )
    path.write_text(filed)
    manifest = Manifest.read(prepared)
    start = starting_model(str(tmp_path / "filed"), "all", manifest)
    assert (start.model.windows.common_storage, start.model.windows.views) == (False, "none")
    windows = resolve(None, (), manifest, start=start).windows
    assert (windows.common_storage, windows.views) == (True, "all")
    windows = resolve(None, ("augment.storage=false",), manifest, start=start).windows
    assert (windows.common_storage, windows.views) == (False, "none")


def test_validation_leaves_no_trace_in_the_weights(prepared, whole, tmp_path):
    train(request(prepared, tmp_path, "training.validate_cases=2", "training.validate_every=3"))
    assert_same_state(tmp_path, whole)
    assert read_facts(tmp_path).best == read_facts(whole).best == -1, (
        "nobody is held out, so nothing was validated"
    )
    fold, quiet = tmp_path / "fold", tmp_path / "quiet"
    train(
        request(
            prepared,
            fold,
            "training.validate_cases=2",
            "training.validate_every=3",
            split=SplitChoice(fold=1),
        )
    )
    train(request(prepared, quiet, split=SplitChoice(fold=1)))
    assert_same_state(fold, quiet)
    assert read_facts(fold).best >= 0


def test_another_seed_is_another_run(prepared, whole, tmp_path):
    train(request(prepared, tmp_path, "training.seed=1"))
    found, expected = tensors(tmp_path), tensors(whole)
    assert not torch.equal(found["network.coda_norm.bias"], expected["network.coda_norm.bias"])


# ----------------------------------------------------------------------------------------- going on


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from cardioseg.workflows.train import TrainingRequest, train

    def stop(progress):
        if progress.done == 5:
            found = any(name.partition(".")[0] == "SimpleITK" for name in sys.modules)
            print("SimpleITK" if found else "clean", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    prepared, output = map(Path, sys.argv[1:])
    settings = prepared.parent / "settings.toml"
    train(TrainingRequest(prepared, output, settings=settings), on_progress=stop)
"""


@pytest.fixture(scope="module")
def killed(prepared, tmp_path_factory):
    """A run killed in its fifth step, with what its process printed to stdout and stderr."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        textwrap.dedent(KILLED),
        str(prepared),
        str(folder),
    ]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    return folder, process.stdout.split(), process.stderr


def test_training_imports_no_simpleitk(killed):
    assert killed[1] == ["clean"]


def test_no_library_talks_while_training(killed):
    assert killed[2] == ""


def test_after_a_kill_the_run_goes_on_as_if_nothing_had_happened(prepared, killed, whole):
    folder, *_ = killed
    assert read_facts(folder).step == 4
    report = train(request(prepared, folder, resume=True))
    assert (report.data.step, report.data.finished) == (STEPS, True)
    assert_same_state(folder, whole)


def test_a_run_in_many_pieces_is_the_run_in_one(prepared, whole, tmp_path):
    for step in range(1, STEPS + 1):
        report = train(request(prepared, tmp_path, resume=True, max_minutes=1e-9))
        assert (report.data.step, report.data.finished) == (step, step == STEPS)
    assert_same_state(tmp_path, whole)
    again = train(request(prepared, tmp_path, resume=True))
    assert (again.data.step, again.data.finished) == (STEPS, True)
    assert_same_state(tmp_path, whole)


@pytest.fixture
def started(prepared, tmp_path):
    train(request(prepared, tmp_path / "run", "training.steps=2"))
    return tmp_path / "run"


def test_a_run_is_not_overwritten(prepared, started):
    before = (started / "checkpoint.safetensors").read_bytes()
    with pytest.raises(OutputError, match="a run of 2 steps") as caught:
        train(request(prepared, started))
    assert "--resume" in caught.value.cure
    assert (started / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "override",
    ["training.learning_rate=0.1", "network.width=32", "augment.noise=0", "training.batch=3"],
)
def test_going_on_with_other_settings_is_refused(prepared, started, override):
    with pytest.raises(ConfigError, match="other settings"):
        train(request(prepared, started, "training.steps=2", override, resume=True))
    assert read_facts(started).step == 2


def test_going_on_with_other_patients_is_refused(prepared, started):
    with pytest.raises(ConfigError, match="other settings"):
        train(
            request(prepared, started, "training.steps=2", resume=True, split=SplitChoice(fold=0))
        )


def test_more_steps_and_another_rhythm_are_allowed(prepared, started):
    changes = (
        "training.steps=3",
        "training.workers=0",
        "training.checkpoint_minutes=5",
        "training.validate_every=7",
    )
    assert (
        train(request(prepared, started, *changes, "windows.overlap=0.3", resume=True)).data.step
        == 3
    )
    for folder in (started, started / "model"):
        settings = read_toml(folder / "config.toml")
        assert (
            settings["training"]["steps"],
            settings["training"]["workers"],
            settings["windows"]["overlap"],
        ) == (3, 0, 0.3)
    assert json.loads((started / "model" / "metadata.json").read_text())["training"]["of"] == 3
    with pytest.raises(ConfigError, match="3 steps taken"):
        train(request(prepared, started, "training.steps=2", resume=True))


BROKEN = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "cut in its header": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "empty": lambda path: path.write_bytes(b""),
    "no training state": lambda path: save_file({"x": torch.zeros(3)}, path),
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"step": 3})),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_a_broken_checkpoint_is_a_model_error(prepared, started, spoil):
    path = started / "checkpoint.safetensors"
    spoil(path)
    with pytest.raises(ModelError, match="unreadable checkpoint") as caught:
        train(request(prepared, started, "training.steps=2", resume=True))
    assert (caught.value.file, caught.value.exit_code) == (str(path), EXIT_MODEL)
