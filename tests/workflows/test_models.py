"""``cardioseg models``: list, show, verify and export from the command line."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from tiny import LABELS, SETTINGS, cardioseg, names_in, save_tiny_model

from cardioseg.bundle import build_network, folders, load_model
from cardioseg.core.errors import EXIT_MODEL, EXIT_OK, EXIT_RESOURCES, EXIT_USAGE
from cardioseg.training import checkpoint
from cardioseg.training.schedule import MovingAverage


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of shipped models with one in it."""
    folder = tmp_path / "models"
    save_tiny_model(folder / "tiny")
    (folder / "README.md").write_text("not a model")
    monkeypatch.setattr(folders, "models_folder", lambda: folder)
    return folder


@pytest.fixture
def run_folder(tmp_path):
    """What ``train`` leaves: settings, facts, and a checkpoint whose average is not its network."""
    import tomli_w

    folder = tmp_path / "run"
    network = build_network(SETTINGS["network"], source="test")
    average = MovingAverage(network, 0.9)
    for value in average.weights.values():
        if value.is_floating_point():
            value.fill_(0.25)
    facts = checkpoint.CheckpointFacts(step=7, minutes=1.26, settings="hash")
    folder.mkdir()
    checkpoint.save(folder, facts, network, average, [torch.optim.AdamW(network.parameters())])
    (folder / "config.toml").write_text(tomli_w.dumps(SETTINGS))
    (folder / "run.json").write_text(
        json.dumps({"labels": LABELS, "training": {"of": 10, "split": "all", "patients": 3}})
    )
    return folder


def report(outcome):
    assert outcome.code == EXIT_OK, outcome.err
    return json.loads(outcome.out)["data"]


# ------------------------------------------------------------------------------- list, show, verify


def test_list_names_sizes_and_scores(shelf):
    (shelf / "tiny" / "metrics.json").write_text('{"validation": {"mean_dice": 0.87654}}')
    done = cardioseg("models", "list")
    row = next(line for line in done.out.splitlines() if "tiny" in line)
    assert "0.01 M" in row
    assert "0.8765" in row
    assert list(report(cardioseg("models", "list", "--json"))["models"]) == ["tiny"]


def test_list_without_a_model_is_an_empty_table(shelf):
    shutil.rmtree(shelf / "tiny")
    assert report(cardioseg("models", "list", "--json")) == {"models": {}}


def test_show_gives_metadata_metrics_and_the_card_if_there_is_one(shelf):
    data = report(cardioseg("models", "show", "tiny", "--json"))
    assert (data["metadata"]["labels"], data["metrics"]) == (LABELS, {})
    assert "README.md" not in cardioseg("models", "show", "tiny").out
    (shelf / "tiny" / "README.md").write_text("# tiny")
    assert cardioseg("models", "show", "tiny").out.splitlines()[-1] == str(
        shelf / "tiny" / "README.md"
    )


def test_verify_opens_all_or_those_named(shelf, tmp_path):
    other = Path(shutil.copytree(shelf / "tiny", tmp_path / "other"))
    assert report(cardioseg("models", "verify", "--json"))["verified"] == ["tiny"]
    assert report(cardioseg("models", "verify", other, "tiny", "--json"))["verified"] == [
        str(other),
        "tiny",
    ]
    content = bytearray((other / "weights.safetensors").read_bytes())
    content[-1] ^= 255
    (other / "weights.safetensors").write_bytes(content)
    done = cardioseg("models", "verify", "tiny", other)
    assert done.code == EXIT_MODEL
    assert done.err.startswith(f"error: {other / 'weights.safetensors'}: found SHA-256 ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("verb", [("show",), ("verify",)])
def test_what_is_no_model_is_named(shelf, verb):
    done = cardioseg("models", *verb, "nosuch")
    assert done.code == EXIT_MODEL
    assert done.err.startswith(
        "error: nosuch: found no such model; expected a shipped model (tiny) or a folder"
    )


@pytest.mark.parametrize("content", ["{", "[]", "5"])
@pytest.mark.parametrize("file", ["metrics.json", "metadata.json"])
def test_a_broken_file_of_a_model_is_named(shelf, file, content):
    (shelf / "tiny" / file).write_text(content)
    done = cardioseg("models", "show", "tiny")
    assert done.code == EXIT_MODEL
    assert done.err.startswith(f"error: {shelf / 'tiny' / file}: found ")
    assert done.err.count("\n") == 1


def test_verify_without_any_model_is_an_error(shelf):
    shutil.rmtree(shelf / "tiny")
    assert cardioseg("models", "verify").code == EXIT_MODEL


# ------------------------------------------------------------------------------------------- export


def test_export_takes_the_average_and_the_runs_own_facts(run_folder, tmp_path):
    data = report(
        cardioseg(
            "models",
            "export",
            run_folder,
            "-o",
            tmp_path / "Müller – 心臓",
            "--description",
            "of noise",
            "--json",
        )
    )
    assert data["training"] == {"of": 10, "split": "all", "patients": 3, "steps": 7, "minutes": 1.3}
    model = load_model(tmp_path / "Müller – 心臓")
    assert all((value == 0.25).all() for value in model.network.parameters())
    metadata = json.loads(
        (tmp_path / "Müller – 心臓" / "metadata.json").read_text(encoding="utf-8")
    )
    assert (metadata["name"], metadata["description"], metadata["labels"]) == (
        "Müller – 心臓",
        "of noise",
        LABELS,
    )


def test_export_takes_settings_that_the_weights_do_not_depend_on(run_folder, tmp_path):
    settings = ("--set", "network.halting_threshold=0.5", "--set", "windows.views=flips")
    assert (
        cardioseg("models", "export", run_folder, "-o", tmp_path / "m", *settings).code == EXIT_OK
    )
    model = load_model(tmp_path / "m")
    assert (model.network.config.halting_threshold, model.windows.views) == (0.5, "flips")


WRONG = [
    "network.width=32",
    "network.heads=3",
    "network.with=1",
    "windows.size=[0,0]",
    "window.size=[8,8]",
    "network=3",
    "nonsense",
]


@pytest.mark.parametrize("setting", WRONG)
def test_a_setting_that_cannot_be_leaves_the_model_that_was_there(run_folder, tmp_path, setting):
    save_tiny_model(tmp_path / "m")
    before = {name: (tmp_path / "m" / name).read_bytes() for name in names_in(tmp_path / "m")}
    done = cardioseg("models", "export", run_folder, "-o", tmp_path / "m", "--set", setting)
    assert done.code == EXIT_USAGE
    assert done.err.startswith("error: --set: found ")
    assert done.err.count("\n") == 1
    assert {
        name: (tmp_path / "m" / name).read_bytes() for name in names_in(tmp_path / "m")
    } == before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("checkpoint.safetensors", None),
        ("checkpoint.safetensors", b"\x80\x04."),
        ("run.json", None),
        ("run.json", b"{}"),
        ("run.json", b"["),
    ],
)
def test_a_run_without_a_whole_checkpoint_and_record_is_named(run_folder, tmp_path, file, content):
    (run_folder / file).unlink()
    if content is not None:
        (run_folder / file).write_bytes(content)
    done = cardioseg("models", "export", run_folder, "-o", tmp_path / "m")
    assert done.code == EXIT_MODEL
    assert done.err.startswith(f"error: {run_folder}")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_an_output_that_cannot_be_is_an_output_error(run_folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = cardioseg("models", "export", run_folder, "-o", tmp_path / "file" / "m")
    assert done.code == EXIT_RESOURCES
    assert done.err.startswith(f"error: {tmp_path / 'file' / 'm'}")
    assert (tmp_path / "file").read_text() == "in the way"


# ------------------------------------------------------------------------------------------- values


def rewritten(folder, change):
    """A model's weights through ``change``, with the new hash in its metadata."""
    path = folder / "weights.safetensors"
    content = serialize({name: change(name, value) for name, value in load_file(path).items()})
    path.write_bytes(content)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["weights_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "metadata.json").write_text(json.dumps(metadata))


def one_nan(name, value):
    if name == "coda_norm.bias":
        value[0] = torch.nan
    return value


def first_matrix(kind):
    def change(name, value):
        return kind(value) if name.endswith("weight") and value.ndim == 4 else value

    return change


SPOILT = {
    "one NaN": one_nan,
    "infinite": lambda name, value: value * torch.inf if value.is_floating_point() else value,
    "zeros": lambda name, value: value * 0,
    "a zero matrix": first_matrix(torch.zeros_like),
    "int8": first_matrix(lambda value: (value * 100).to(torch.int8)),
    "float64": first_matrix(lambda value: value.double()),
    "complex": first_matrix(lambda value: value.to(torch.complex64)),
    "bool": first_matrix(lambda value: value > 0),
}


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_verify_looks_at_the_values(tmp_path, change):
    folder = save_tiny_model(tmp_path / "tiny")
    assert cardioseg("models", "verify", folder).code == EXIT_OK
    rewritten(folder, change)
    done = cardioseg("models", "verify", folder)
    assert done.code == EXIT_MODEL
    assert "weights.safetensors" in done.err


def test_no_model_is_written_from_weights_that_float16_cannot_hold(run_folder, tmp_path):
    path = run_folder / checkpoint.FILE
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    held = {
        name: value * 1e6 if name.startswith("average.") and value.ndim > 1 else value
        for name, value in load_file(path).items()
    }
    path.write_bytes(serialize(held, metadata=facts))
    done = cardioseg("models", "export", run_folder, "-o", tmp_path / "model")
    assert done.code == EXIT_MODEL
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["metadata.json", "metrics.json"])
@pytest.mark.parametrize("text", ["[" * 200_000, '{"labels": 1e400}', "{", "\udcff"], ids=range(4))
def test_broken_json_of_a_model_is_a_model_error(tmp_path, name, text):
    folder = save_tiny_model(tmp_path / "tiny")
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert cardioseg("models", "show", folder).code == EXIT_MODEL
