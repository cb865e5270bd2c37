"""Training end to end on a tiny data set: it learns, logs, stops at any moment and goes on as if nothing had happened."""

import itertools
import json
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_data import write_patients
from torch import nn

from cardioseg.bundle import load_model
from cardioseg.core.config import PreparationConfig, read_toml
from cardioseg.core.errors import EXIT_MODEL, EXIT_USAGE, ConfigError, InputError, ModelError, OutputError
from cardioseg.data.augment import AugmentConfig, augmentation
from cardioseg.data.loading import SamplingConfig, WindowDataset, load_voxels
from cardioseg.data.manifest import Manifest
from cardioseg.networks import RDViT, RDViTConfig, SegOutput
from cardioseg.training import muon as muon_module
from cardioseg.training.checkpoint import read_facts
from cardioseg.training.losses import SegmentationLoss, batch_dice, token_weights
from cardioseg.training.muon import Muon
from cardioseg.training.schedule import MovingAverage, build_optimizers, learning_rate
from cardioseg.workflows.prepare import prepare
from cardioseg.workflows.setup import resolve
from cardioseg.workflows.starting import starting_model
from cardioseg.workflows.train import SplitChoice, TrainingRequest, train

SETTINGS = """
    [network]
    width = 16
    heads = 2
    stem_channels = [8, 8]
    experts = 2
    expert_hidden = 8
    loops = 2
    mean_loops = 2.0
    max_loops = 4

    [sampling]
    window = [32, 32]
    jitter = 4

    [training]
    steps = 8
    batch = 2
    warmup = 2
    workers = 0
    checkpoint_minutes = 1e-9
    validate_cases = 0
"""
STEPS = 8


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums come out the same in every process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare(write_patients(folder / "raw", 4), output=folder / "prepared", config=PreparationConfig(spacing_mm=4.0))
    (folder / "settings.toml").write_text(textwrap.dedent(SETTINGS))
    return folder / "prepared"


def request(prepared, output, *overrides, **changes):
    return TrainingRequest(prepared, output, settings=prepared.parent / "settings.toml", overrides=overrides, **changes)


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    assert train(request(prepared, folder)).data["finished"]
    return folder


def tensors(folder):
    return load_file(folder / "checkpoint.safetensors")


def assert_same_state(folder, other):
    found, expected = tensors(folder), tensors(other)
    assert found.keys() == expected.keys()
    assert {name.split(".")[0] for name in found} == {"network", "average", "optimizer", "rng"}
    different = [name for name in found if not torch.equal(found[name], expected[name])]
    assert not different


# ---------------------------------------------------------------------------------------------------------------- end to end


def test_a_run_learns_logs_and_leaves_a_model(prepared, tmp_path):
    seen = []
    changes = ("training.steps=60", "training.learning_rate=0.01", "training.validate_cases=1", "training.validate_every=30")
    report = train(request(prepared, tmp_path, *changes, split=SplitChoice(fold=0)), on_progress=seen.append)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row]
    assert [row["step"] for row in steps] == [20, 40, 60]
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert steps[-1]["loss"] < 0.9 * steps[0]["loss"], "it learns"
    assert {"loss", "task", "dice", "steps", "rate", "norm", "early", "halting", "minutes"} <= steps[-1].keys()
    assert [row["step"] for row in rows if "val_dice" in row] == [30, 60]
    assert report.data["best_dice"] == pytest.approx(max(row["val_dice"] for row in rows if "val_dice" in row))
    assert list((tmp_path / "events").glob("events.out.tfevents.*"))
    assert [progress.done for progress in seen] == list(range(1, 61))
    assert {"loss", "dice", "steps"} <= seen[-1].fields.keys()
    split = json.loads((tmp_path / "split.json").read_text())
    assert len(split["val"]) == 1
    assert not set(split["val"]) & set(split["train"])
    model = load_model(tmp_path / "model")
    average = {name.removeprefix("average."): value for name, value in tensors(tmp_path).items() if name.startswith("average.")}
    assert all(torch.allclose(value, average[name], atol=2e-3) for name, value in model.network.state_dict().items())
    assert model.preparation == Manifest.read(prepared).preparation


def test_patches_of_slices_train_too(prepared, tmp_path):
    changes = ("network.patch_size=[8, 8, 1]", "sampling.window=[32, 32, 3]", "training.steps=2", "training.validate_cases=1")
    report = train(request(prepared, tmp_path, *changes, split=SplitChoice(fold=0)))
    assert report.data["best_dice"] >= 0
    model = load_model(tmp_path / "model")
    assert (model.windows.size, model.network.config.channels) == ((32, 32, 3), 1)
    with pytest.raises(ConfigError, match="as many numbers in both"):
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
    assert all(torch.allclose(found[f"network.{name}"], value, atol=2e-3) for name, value in expected.items())
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
    filed = path.read_text().replace("common_storage = true", "common_storage = false").replace('views = "all"', 'views = "none"')
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
    assert read_facts(tmp_path).best == read_facts(whole).best == -1, "nobody is held out, so nothing was validated"
    fold, quiet = tmp_path / "fold", tmp_path / "quiet"
    train(request(prepared, fold, "training.validate_cases=2", "training.validate_every=3", split=SplitChoice(fold=1)))
    train(request(prepared, quiet, split=SplitChoice(fold=1)))
    assert_same_state(fold, quiet)
    assert read_facts(fold).best >= 0


def test_another_seed_is_another_run(prepared, whole, tmp_path):
    train(request(prepared, tmp_path, "training.seed=1"))
    found, expected = tensors(tmp_path), tensors(whole)
    assert not torch.equal(found["network.coda_norm.bias"], expected["network.coda_norm.bias"])


# -------------------------------------------------------------------------------------------------------------------- going on


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from cardioseg.workflows.train import TrainingRequest, train

    def stop(progress):
        if progress.done == 5:
            print("SimpleITK" if any(name.partition(".")[0] == "SimpleITK" for name in sys.modules) else "clean", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    prepared, output = map(Path, sys.argv[1:])
    train(TrainingRequest(prepared, output, settings=prepared.parent / "settings.toml"), on_progress=stop)
"""


@pytest.fixture(scope="module")
def killed(prepared, tmp_path_factory):
    """A run whose process was killed in its fifth step, and what that process printed to stdout and stderr."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), str(prepared), str(folder)]
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
    assert (report.data["step"], report.data["finished"]) == (STEPS, True)
    assert_same_state(folder, whole)


def test_a_run_in_many_pieces_is_the_run_in_one(prepared, whole, tmp_path):
    for step in range(1, STEPS + 1):
        report = train(request(prepared, tmp_path, resume=True, max_minutes=1e-9))
        assert (report.data["step"], report.data["finished"]) == (step, step == STEPS)
    assert_same_state(tmp_path, whole)
    again = train(request(prepared, tmp_path, resume=True))
    assert (again.data["step"], again.data["finished"]) == (STEPS, True)
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


@pytest.mark.parametrize("override", ["training.learning_rate=0.1", "network.width=32", "augment.noise=0", "training.batch=3"])
def test_going_on_with_other_settings_is_refused(prepared, started, override):
    with pytest.raises(ConfigError, match="a run with other settings or patients"):
        train(request(prepared, started, "training.steps=2", override, resume=True))
    assert read_facts(started).step == 2


def test_going_on_with_other_patients_is_refused(prepared, started):
    with pytest.raises(ConfigError, match="a run with other settings or patients"):
        train(request(prepared, started, "training.steps=2", resume=True, split=SplitChoice(fold=0)))


def test_more_steps_and_another_rhythm_are_allowed(prepared, started):
    changes = ("training.steps=3", "training.workers=0", "training.checkpoint_minutes=5", "training.validate_every=7")
    assert train(request(prepared, started, *changes, "windows.overlap=0.3", resume=True)).data["step"] == 3
    for folder in (started, started / "model"):
        settings = read_toml(folder / "config.toml")
        assert (settings["training"]["steps"], settings["training"]["workers"], settings["windows"]["overlap"]) == (3, 0, 0.3)
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


# -------------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("trainig.steps=3", "'trainig'"),
        ("training.stepps=3", "'stepps'"),
        ("network.widht=3", "'widht'"),
        ("augment.zooom=1", "'zooom'"),
        ("training.steps=0", "steps = 0"),
        ("training.steps=many", "steps = 'many'"),
        ("training.average=1.5", "average = 1.5"),
        ("network.halting=sometimes", "halting = 'sometimes'"),
        ("network.name=unet", "'unet'"),
        ("network.classes=1", "classes = 1"),
        ("windows.overlap=1", "overlap = 1"),
        ("sampling.window=[32]", "window"),
        ("preparation.spacing_mm=1.25", "preparation.spacing_mm"),
        ("training=5", "training = 5"),
        ("preparation=5", "preparation = 5"),
        ("network=5", "network = 5"),
        ("steps", "'steps'"),
        ("=3", "'=3'"),
    ],
)
def test_settings_that_nothing_knows_or_allows_are_named(prepared, tmp_path, override, named):
    with pytest.raises(ConfigError) as caught:
        train(request(prepared, tmp_path / "run", override))
    assert named in caught.value.found
    assert caught.value.exit_code == EXIT_USAGE
    assert not (tmp_path / "run").exists(), "nothing is begun"


@pytest.mark.parametrize(("text", "named"), [("[training]\nstepps = 3\n", "stepps"), ("[training\n", "TOML"), ("\xff", "")])
def test_a_settings_file_is_checked_like_the_command_line(prepared, tmp_path, text, named):
    path = tmp_path / "own.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        train(TrainingRequest(prepared, tmp_path / "run", settings=path))
    assert named in caught.value.found
    assert caught.value.file == str(path)
    with pytest.raises(ConfigError, match=r"none\.toml"):
        train(TrainingRequest(prepared, tmp_path / "run", settings=tmp_path / "none.toml"))


def test_an_unprepared_folder_and_a_split_without_patients_are_input_errors(prepared, tmp_path):
    with pytest.raises(InputError, match="run cardioseg prepare first"):
        train(TrainingRequest(tmp_path, tmp_path / "run"))
    split = tmp_path / "split.json"
    split.write_text('{"train": ["anna"], "val": []}')
    with pytest.raises(InputError, match="no training patient"):
        train(request(prepared, tmp_path / "run", split=SplitChoice(file=split)))


# ------------------------------------------------------------------------------------------------------------ schedule, average


def test_the_rate_warms_up_and_falls_along_a_cosine():
    rates = [learning_rate(step, peak=2.0, warmup=10, steps=110) for step in range(111)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert rates[60] == pytest.approx(2.0 * (0.01 + 0.99 * 0.5))
    assert rates[110] == pytest.approx(0.02)
    assert all(later <= sooner for sooner, later in itertools.pairwise(rates[10:]))
    assert learning_rate(500, peak=2.0, warmup=10, steps=110) == pytest.approx(0.02)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_matrices_decay_and_the_injection_never(optimizer):
    network = RDViT(RDViTConfig(width=16, heads=2, stem_channels=(8, 8), lora_rank=16))
    *muon, adamw = build_optimizers(network, optimizer, rate=1e-3, weight_decay=0.1)
    decayed, plain = adamw.param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    kept = {names[id(parameter)] for parameter in plain["params"]}
    moved = {names[id(p)] for mover in muon for group in mover.param_groups for p in group["params"]}
    assert len(decayed["params"]) + len(kept) + len(moved) == len(names), "each once"
    assert {"injection.input.weight", "injection.log_rate", "injection.step_bias", "core_norm.weight", "coda_norm.bias"} <= kept
    matrices = {"block.attention.query.weight", "block.experts.routed.0.down.weight", "stem.project.weight"}
    assert not kept & (matrices | {"decoder.classify.weight"})
    assert all(parameter.ndim >= 2 for parameter in decayed["params"])
    assert (matrices <= moved) == (optimizer == "muon")
    assert not any(name.startswith("lora") for name in moved), "nor adapters, however large their rank"


def test_adapters_alone_are_moved_by_adamw():
    network = nn.Linear(32, 32)
    network.weight.requires_grad_(False)
    (mover,) = build_optimizers(network, "muon", rate=1e-3, weight_decay=0.1)
    assert isinstance(mover, torch.optim.AdamW)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("shape", [(24, 24), (16, 100), (100, 16), (64, 32, 3, 3), (32, 16, 2, 2, 3)])
def test_muon_steps_are_orthogonal_and_as_large_as_adamw_s(monkeypatch, shape, fast):
    monkeypatch.setattr(muon_module, "fast_bf16", lambda device: fast)
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(shape))
    spread = torch.randn(shape).flatten(1)
    spread[:8] *= 10  # a few rows hold nearly all of the gradient
    weight.grad = spread.view(shape)
    Muon([weight], lr=1e-2, weight_decay=0.0).step()
    values = torch.linalg.svdvals(weight.detach().flatten(1)) / (1e-2 * 0.2 * max(spread.shape) ** 0.5)
    assert 0.25 < values.min() <= values.max() < 1.3, "every direction moves alike"
    assert weight.detach().square().mean().sqrt() < 2.1e-3


def test_muon_decays_keeps_momentum_and_waits_without_a_gradient():
    weight, idle = nn.Parameter(torch.ones(16, 16)), nn.Parameter(torch.ones(16, 16))
    mover = Muon([weight, idle], lr=0.1, weight_decay=0.5)
    weight.grad = torch.zeros(16, 16)
    mover.step()
    assert torch.allclose(weight, torch.full((16, 16), 0.95)), "no gradient, no direction: decay alone"
    assert torch.equal(idle, torch.ones(16, 16))
    weight.grad = torch.eye(16)
    mover.step()
    weight.grad = torch.zeros(16, 16)
    before = weight.detach().clone()
    mover.step()
    assert (weight.diagonal() < 0.95 * before.diagonal() - 0.01).all(), "it goes on where it was going"


def test_the_moving_average_follows_and_copies_the_balance():
    network = nn.Linear(2, 2)
    network.register_buffer("balance", torch.zeros(2))
    average = MovingAverage(network, 0.9)
    expected = network.weight.detach().clone()
    for step in range(200):
        with torch.no_grad():
            network.weight += 0.1
            network.balance += 1
        average.update(network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.weight.detach()
    assert torch.allclose(average.weights["weight"], expected, atol=1e-5)
    assert torch.equal(average.weights["balance"], network.balance)


# ---------------------------------------------------------------------------------------------------------------------- losses


def test_the_loss_is_dice_and_cross_entropy_plus_weighted_parts():
    label = torch.tensor([[[0, 1], [2, 1]], [[0, 0], [1, 2]]])
    perfect = 30 * nn.functional.one_hot(label, 3).movedim(-1, 1).float()
    loss_of = SegmentationLoss(early_weight=0.5, penalties={"ponder": 0.1, "halting": 2.0})
    best, parts = loss_of(SegOutput(perfect, torch.ones(2, 1, 1)), label)
    assert best.item() == pytest.approx(0, abs=1e-4)
    assert parts.keys() == {"task"}
    flat = torch.zeros(2, 3, 2, 2)
    assert loss_of(SegOutput(flat, torch.ones(2, 1, 1)), label)[0].item() > math.log(3), "cross-entropy alone is log 3"
    output = SegOutput(flat, torch.ones(2, 1, 1), penalties={"ponder": torch.tensor(3.0), "halting": torch.tensor(0.25)})
    output.early = perfect[:1]
    total, parts = loss_of(output, label)
    assert parts["early"] == pytest.approx(0, abs=1e-4), "the early loss is of the first images only"
    assert total.item() == pytest.approx(parts["task"] + 0.5 * parts["early"] + 0.1 * 3 + 2 * 0.25, abs=1e-5)


def test_a_penalty_without_a_weight_is_no_silent_zero():
    output = SegOutput(torch.zeros(1, 2, 2, 2), torch.ones(1, 1, 1), penalties={"new": torch.tensor(1.0)})
    with pytest.raises(KeyError, match="new"):
        SegmentationLoss(early_weight=0, penalties={})(output, torch.zeros(1, 2, 2, dtype=torch.long))


def test_batch_dice_of_known_masks():
    label = torch.zeros(1, 4, 4, dtype=torch.long)
    label[0, :2] = 1
    logits = torch.zeros(1, 3, 4, 4)
    logits[0, 1, 0], logits[0, 0, 1:] = 5, 5
    assert batch_dice(logits, label) == pytest.approx(2 * 4 / (4 + 8))
    assert math.isnan(batch_dice(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)))


@pytest.mark.parametrize("depth", [(), (2,)])
def test_tokens_weigh_the_inverse_frequency_of_their_class(depth):
    label = torch.zeros(1, *depth, 8, 8, dtype=torch.long)
    label[..., :4, :4] = 2
    label[..., 4:, 4:7] = 1
    weights = token_weights(label, (*depth, 2, 2), 3)
    count = depth[0] if depth else 1
    expected = torch.tensor([[1.0, 0.5], [0.5, 1.0]]) / count
    assert torch.allclose(weights[0], expected.expand(*depth, 2, 2))


# ------------------------------------------------------------------------------------------------------------------- windows


APPEARANCE = "tissue bias_field gamma histogram noise blur sharpen low_resolution brightness narrow_view"
CALM = dict.fromkeys(APPEARANCE.split(), 0.0)


def windows(prepared, *, seed=0, augment=None, parts=1, **sampling):
    manifest = Manifest.read(prepared)
    cases = load_voxels(manifest, manifest.entries)
    chosen = SamplingConfig(**{"window": (32, 32), "jitter": 4} | sampling)
    settings = AugmentConfig(**augment or {})
    return WindowDataset([cases] * parts, neighbours=1, sampling=chosen, augment=settings, seed=seed, length=1000)


@pytest.mark.parametrize(("window", "ways"), [((32, 32), 8), ((32, 24), 4)])
def test_windows_are_stored_in_every_way_that_keeps_their_shape(window, ways):
    still = {name: 0 for name, field in AugmentConfig.model_fields.items() if field.annotation is float}
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
    dataset.cases = [[replace(c, image=c.label.astype(np.float16) / 3, offset=0.0, span=3.0) for c in dataset.cases[0]]]
    agreements = []
    for index in range(12):
        window = dataset[index]
        agreements.append(float((window["image"][1].round() == window["label"]).float().mean()))
    assert np.mean(agreements) > 0.93, "only borders may differ, where one is interpolated and the other not"


def test_windows_are_drawn_around_structures_as_often_as_asked(prepared):
    always = [windows(prepared, foreground=1.0, augment=CALM, jitter=0)[index]["label"] for index in range(30)]
    assert all((label > 0).any() for label in always)
    centres = {int(label[16, 16]) for label in always}
    assert centres >= {1, 2, 3}, "every structure gets its turn"


def test_all_eight_storage_orientations_are_drawn(prepared):
    dataset = windows(prepared, augment=CALM)
    assert [type(step).__name__ for step in dataset.transform.transforms[1:3]] == ["RandFlipd", "RandRotate90d"]
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
    drawn = [id(dataset._draw_case(np.random.default_rng((0, index)))) in extra for index in range(2000)]
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


@pytest.mark.parametrize(("heart", "ends"), [((3, 6), {2, 3, 4, 5, 6, 7}), ((0, 11), {0, 1, 10, 11}), ((5, 5), {4, 5, 6})])
def test_the_ends_of_the_heart_are_drawn_as_often_as_asked(prepared, heart, ends):
    dataset = windows(prepared, foreground=0.0, along=1.0, ends=1.0)
    case = tall(dataset.cases[0][0], heart=heart)
    assert set(case.ends.tolist()) == ends
    assert {dataset._draw_centre(case, np.random.default_rng(index))[0] for index in range(200)} == ends
