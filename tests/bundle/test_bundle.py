"""A model folder: saving and loading, and refusal of changed, broken or pickled files."""

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from tiny import LABELS, NETWORK, SETTINGS, names_in, save_tiny_model

from cardioseg.bundle import (
    build_network,
    find_model,
    folders,
    load_model,
    models_folder,
    monai_metadata,
    read_metadata,
    save_model,
    shipped_models,
)
from cardioseg.core.errors import EXIT_MODEL, ConfigError, ModelError

ROOT = Path(__file__).parents[2]
WEIGHTS = "weights.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "spoilt model"))


def change_metadata(folder, **values):
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_config(folder, old, new):
    path = folder / "config.toml"
    text = path.read_text()
    assert text.count(old) == 1, text
    path.write_text(text.replace(old, new))


def put_weights(folder, content):
    """Other weights, with the hash that belongs to them."""
    (folder / WEIGHTS).write_bytes(content)
    change_metadata(folder, weights_sha256=hashlib.sha256(content).hexdigest())


# -------------------------------------------------------------------------------------------- whole


def test_a_saved_network_comes_back(tmp_path):
    torch.manual_seed(0)
    network = build_network(NETWORK, source="test").eval()
    save_model(
        tmp_path / "m",
        network.state_dict(),
        SETTINGS,
        {"labels": LABELS, "description": "of noise"},
    )
    model = load_model(tmp_path / "m")
    assert names_in(tmp_path / "m") == {"config.toml", "metadata.json", WEIGHTS}
    assert (model.name, model.labels.names, model.loops, model.trained_loops) == (
        "m",
        tuple(LABELS),
        2,
        2,
    )
    assert (model.preparation.spacing_mm, model.windows.size, model.windows.views) == (
        1.5,
        (32, 32),
        "none",
    )
    assert not model.network.training
    assert model.sha256 == hashlib.sha256((tmp_path / "m" / WEIGHTS).read_bytes()).hexdigest()
    assert (
        model.config_sha256
        == hashlib.sha256((tmp_path / "m" / "config.toml").read_bytes()).hexdigest()
    )
    for name, value in model.network.state_dict().items():
        original = network.state_dict()[name]
        assert torch.allclose(value, original, atol=0, rtol=6e-4 if original.ndim >= 2 else 0), name
    image = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(model.network(image).logits, network(image).logits, atol=0.05)


def test_matrices_are_kept_in_half_precision_and_vectors_in_full(whole):
    for name, value in load_file(whole / WEIGHTS).items():
        expected = torch.float16 if value.ndim >= 2 else torch.float32
        assert not value.is_floating_point() or value.dtype == expected, name


def test_metadata_counts_names_and_hashes(whole):
    metadata = read_metadata(whole)
    assert metadata["labels"] == LABELS
    assert metadata["parameters"] == sum(
        p.numel() for p in load_model(whole).network.parameters()
    )  # buffers are none
    outputs = metadata["network_data_format"]["outputs"]["pred"]
    assert outputs["channel_def"] == {str(value): name for value, name in enumerate(LABELS)}
    image = metadata["network_data_format"]["inputs"]["image"]
    assert (image["num_channels"], image["channel_def"]["2"]) == (3, "slice +1")
    assert metadata["image_classes"].startswith("one slice with its neighbours")
    solid = monai_metadata({"channels": 1, "patch_size": [8, 8, 1]}, tuple(LABELS))
    assert solid["image_classes"].startswith("patches of slices")
    assert solid["network_data_format"]["inputs"]["image"]["channel_def"] == {"0": "intensity"}


def test_saving_twice_gives_the_same_weights(whole, tmp_path):
    save_tiny_model(tmp_path / "again")
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


# ------------------------------------------------------------------------------------------- spoilt


def flip_a_bit(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-7] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def spoil_numbers(folder):
    """Weights of another network, correctly hashed."""
    other = build_network(NETWORK | {"width": 32}, source="test")
    put_weights(folder, serialize(other.state_dict()))


def lose_a_tensor(folder):
    tensors = load_file(folder / WEIGHTS)
    tensors.pop(min(tensors))
    put_weights(folder, serialize(tensors))


SPOILT = {
    "a flipped bit": (flip_a_bit, WEIGHTS, "found SHA-256"),
    "truncated weights": (
        lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]),
        WEIGHTS,
        "found SHA-256",
    ),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), WEIGHTS, "No such file"),
    "empty weights": (lambda f: put_weights(f, b""), WEIGHTS, "not a safetensors file"),
    "a header that is too long": (
        lambda f: put_weights(f, b"\xff" * 64),
        WEIGHTS,
        "not a safetensors file",
    ),
    "another network's weights": (spoil_numbers, WEIGHTS, "size mismatch"),
    "a tensor short": (lose_a_tensor, WEIGHTS, "Missing key"),
    "no settings": (lambda f: (f / "config.toml").unlink(), "config.toml", "No such file"),
    "settings that are no TOML": (
        lambda f: (f / "config.toml").write_text("x = ["),
        "config.toml",
        "invalid TOML",
    ),
    "no network": (
        lambda f: (f / "config.toml").write_text(""),
        "config.toml",
        "network.name = None",
    ),
    "a section that is text": (
        lambda f: (f / "config.toml").write_text("network = 'rdvit'"),
        "config.toml",
        "network = 'rdvit'",
    ),
    "an unknown network": (
        lambda f: change_config(f, '"rdvit"', '"unet"'),
        "config.toml",
        "network.name = 'unet'",
    ),
    "an unknown setting": (
        lambda f: change_config(f, "width = 16", "width = 16\nwith = 16"),
        "config.toml",
        "unknown setting 'with'",
    ),
    "heads that do not fit": (
        lambda f: change_config(f, "width = 16", "width = 17"),
        "config.toml",
        "width 17",
    ),
    "too many channels": (
        lambda f: change_config(f, "neighbours = 1", "neighbours = 2"),
        "config.toml",
        "for 5 channels",
    ),
    "a negative spacing": (
        lambda f: change_config(f, "spacing_mm = 1.5", "spacing_mm = -1.5"),
        "config.toml",
        "spacing_mm = -1.5",
    ),
    "an infinite spacing": (
        lambda f: change_config(f, "spacing_mm = 1.5", "spacing_mm = inf"),
        "config.toml",
        "spacing_mm = inf",
    ),
    "windows of nothing": (
        lambda f: change_config(f, "    32,\n    32,", "    0,\n    32,"),
        "config.toml",
        "size.0 = 0",
    ),
    "3-D windows": (
        lambda f: change_config(f, "    32,\n    32,", "    32,\n    32,\n    8,"),
        "config.toml",
        "3 dimensions",
    ),
    "metadata that is no JSON": (
        lambda f: (f / "metadata.json").write_text("{"),
        "metadata.json",
        "unreadable metadata",
    ),
    "metadata that is a list": (
        lambda f: (f / "metadata.json").write_text('["labels", "weights_sha256"]'),
        "metadata.json",
        "no list of label names",
    ),
    "no labels": (
        lambda f: change_metadata(f, labels=None),
        "metadata.json",
        "no list of label names",
    ),
    "labels as text": (
        lambda f: change_metadata(f, labels="abcd"),
        "metadata.json",
        "no list of label names",
    ),
    "labels as numbers": (
        lambda f: change_metadata(f, labels=[0, 1, 2, 3]),
        "metadata.json",
        "no list of label names",
    ),
    "a label short": (lambda f: change_metadata(f, labels=LABELS[:3]), "config.toml", "3 classes"),
    "no hash": (
        lambda f: change_metadata(f, weights_sha256=None),
        "metadata.json",
        "no 'weights_sha256'",
    ),
}


@pytest.mark.parametrize(("spoil", "file", "found"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_model_is_refused_by_file(folder, spoil, file, found):
    load_model(folder)
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    error = caught.value
    assert error.exit_code == EXIT_MODEL
    assert error.file == str(folder / file)
    assert found in str(error)
    assert "\n" not in str(error)
    assert error.cure


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (Path.touch, (Path(self.mark),))


@pytest.mark.parametrize("writer", [pickle.dump, torch.save], ids=["pickle", "torch"])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_renamed_pickle_is_refused_and_does_not_run(folder, tmp_path, writer, hashed):
    mark = tmp_path / "it ran"
    with (tmp_path / "payload").open("wb") as file:
        writer(Payload(mark), file)
    content = (tmp_path / "payload").read_bytes()
    if writer is pickle.dump:
        pickle.loads(content)  # noqa: S301 - our own payload, to see that it works
        assert mark.exists()
        mark.unlink()
    put_weights(folder, content) if hashed else (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(
        ModelError,
        match="other formats can run code and are never opened"
        if hashed
        else "do not use this file",
    ):
        load_model(folder)
    assert not mark.exists()


def test_the_package_never_unpickles():
    """Neither torch.load nor pickle is called anywhere."""
    for path in (ROOT / "cardioseg").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "torch.load(" not in text, path
        assert "import pickle" not in text, path
        assert "allow_pickle=True" not in text, path


def test_a_network_of_impossible_settings_is_a_config_error():
    for changes in (
        {"name": "unet"},
        {"heads": 3},
        {"patch_size": [7, 7]},
        {"stem_channels": [4]},
        {"with": 3},
        {"top_k": 5},
    ):
        with pytest.raises(ConfigError) as caught:
            build_network(NETWORK | changes, source="--set")
        assert str(caught.value).startswith("--set: found ")


# -------------------------------------------------------------------------------- names and folders


def test_a_model_is_found_by_path_and_by_shipped_name(whole, tmp_path, monkeypatch):
    assert find_model(whole) == whole
    monkeypatch.setattr(folders, "models_folder", lambda: whole.parent)
    assert shipped_models() == ["tiny"]
    assert find_model("tiny") == whole
    monkeypatch.chdir(whole)
    assert load_model(".").name == "tiny"


@pytest.mark.parametrize("name", ["nosuch", "", ".", "/", "/dev/null", "no/../such"])
def test_a_name_that_is_no_model_says_what_there_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="found no such model; expected a shipped model") as caught:
        load_model(name)
    assert caught.value.exit_code == EXIT_MODEL


def test_a_checkout_finds_its_models():
    assert models_folder() == ROOT / "models"


def test_an_installed_package_finds_the_models_inside_it(whole, tmp_path):
    site = tmp_path / "site – 心臓"
    shutil.copytree(
        ROOT / "cardioseg", site / "cardioseg", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(whole, site / "cardioseg" / "models" / "tiny")
    program = f"""
import sys; sys.path.insert(0, {str(site)!r})
from cardioseg.bundle import load_model, models_folder, shipped_models
print(ascii(str(models_folder())), shipped_models(), load_model("tiny").name)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert done.stdout.split("\n")[0] == f"{str(site / 'cardioseg' / 'models')!a} ['tiny'] tiny"
