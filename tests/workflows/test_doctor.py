"""``cardioseg doctor``: its report, broken installations, no names of people or folders."""

import builtins
import json
import re
import socket
import tomllib
from pathlib import Path

import pytest
import torch
from tiny import cardioseg, save_tiny_model

from cardioseg.bundle import folders
from cardioseg.core.errors import EXIT_MODEL, EXIT_OK
from cardioseg.core.version import __version__
from cardioseg.workflows.doctor import without_paths

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with one shipped model, below a user's home folder."""
    home = tmp_path / "home" / "jane doe"
    save_tiny_model(home / "models" / "tiny")
    monkeypatch.setattr(folders, "models_folder", lambda: home / "models")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home / "models"


def asked(code=EXIT_OK):
    done = cardioseg("doctor", "--json")
    assert done.code == code, done.err
    return json.loads(done.out)


def test_it_tells_versions_machine_and_models(shelf):
    data = asked()["data"]
    assert data["cardioseg"] == __version__
    assert data["packages"]["torch"] == torch.__version__
    assert data["threads"] == torch.get_num_threads()
    assert data["cores"] >= 1
    assert data["free_disk_gib"] > 0
    assert data["device"] in ("cpu", "cuda")
    assert data["models"] == {"tiny": "ok"}


def test_it_lists_every_required_package():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    required = {
        re.match(r"[\w.-]+", text)[0].lower() for text in pyproject["project"]["dependencies"]
    }
    assert required <= {name.lower() for name in asked()["data"]["packages"]}


def test_the_tables_say_the_same(shelf):
    shown = cardioseg("doctor")
    assert shown.code == EXIT_OK
    assert all(word in shown.out for word in (__version__, torch.__version__, "tiny", "GiB"))


def test_a_changed_model_is_named_and_fails_the_check(shelf):
    weights = shelf / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    told = asked(EXIT_MODEL)
    assert "SHA-256" in told["data"]["models"]["tiny"]
    assert told["warnings"][0].startswith("tiny: ")


def test_an_installation_without_models_fails_the_check(shelf):
    (shelf / "tiny" / "metadata.json").unlink()
    assert asked(EXIT_MODEL)["data"]["models"] == {}


def test_it_names_no_person_no_computer_and_no_folder(shelf):
    (shelf / "tiny" / "metadata.json").write_text("{")
    (shelf / "tiny" / "weights.safetensors").unlink()
    text = json.dumps(asked(EXIT_MODEL), ensure_ascii=False)
    assert "metadata.json" in text
    assert "jane" not in text
    assert str(Path.cwd()) not in text
    assert f'"{socket.gethostname()}"' not in text


def test_a_torch_that_cannot_be_imported_is_reported(shelf, monkeypatch):
    real = builtins.__import__

    def broken(name, *arguments, **named):
        if name == "torch":
            raise OSError("/home/jane/lib/libtorch.so: cannot open shared object file")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", broken)
    told = asked()
    assert told["data"]["device"] is None
    assert "libtorch.so: cannot open" in told["data"]["torch_error"]
    assert "jane" not in json.dumps(told)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/jane doe/models/x.json: found no JSON", "…/x.json: found no JSON"),
        (r"C:\Users\jane\x.json: found no JSON", "…/x.json: found no JSON"),
        ("[Errno 2] No such file: '/home/jane/x.json'", "[Errno 2] No such file: '…/x.json'"),
        ("found 3 classes;\nexpected 4", "found 3 classes; expected 4"),
    ],
)
def test_paths_lose_their_folders(text, shown):
    assert without_paths(text) == shown
