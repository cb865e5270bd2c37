"""The wheel and its models, the pinned versions, and optional dependencies."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cardioseg.core.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LICENCE_FILES = ("LICENSE", "THIRD_PARTY")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without a network by the backend that is installed."""
    folder = tmp_path_factory.mktemp("dist")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT),
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def files_below(folder: Path) -> list[Path]:
    found = (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return sorted(path.relative_to(ROOT) for path in found)


def test_the_wheel_holds_the_package_and_its_models_and_nothing_else(wheel):
    models = [f"cardioseg/{path.as_posix()}" for path in files_below(ROOT / "models")]
    package = [path.as_posix() for path in files_below(ROOT / "cardioseg")]
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert wheel.name == f"cardioseg-{__version__}-py3-none-any.whl"
    assert sorted(inside) == sorted(models + package)
    assert "cardioseg/models/README.md" in inside
    assert "cardioseg/py.typed" in inside


def test_the_wheel_states_all_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"cardioseg-{__version__}.dist-info/METADATA").decode()
    licences = {
        name.split(".dist-info/licenses/")[1] for name in names if ".dist-info/licenses/" in name
    }
    carried = [
        path
        for path in (*files_below(ROOT / "models"), *files_below(ROOT / "cardioseg"))
        if path.name in LICENCE_FILES
    ]
    assert licences == {"LICENSE", *(path.as_posix() for path in carried)}
    assert f"License-Expression: {PROJECT['license']}\n" in metadata
    assert PROJECT["license"].split(" AND ")[:2] == ["Apache-2.0", "CC-BY-NC-SA-4.0"]


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The wheel installed in a separate folder whose name is not ASCII."""
    site = tmp_path_factory.mktemp("site") / "Müller – 心臓"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    return site


def run_installed(site: Path, *arguments: str) -> list[str]:
    """Output of the command from ``site``; its first line is the package that ran."""
    program = (
        "import cardioseg; print(cardioseg.__file__); from cardioseg.cli.app import main; main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command,
        cwd=site,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_wheel_runs_outside_the_checkout(installed):
    lines = run_installed(installed, "--version")
    assert lines == [str(installed / "cardioseg" / "__init__.py"), f"cardioseg {__version__}"]


def test_the_installed_wheel_finds_the_models_it_carries(installed):
    lines = run_installed(installed, "models", "list", "--json")
    assert lines[0].startswith(str(installed))
    found = json.loads("\n".join(lines[1:]))["data"]["models"]
    assert sorted(found) == sorted(
        path.parent.name for path in (ROOT / "models").glob("*/metadata.json")
    )
    if found:  # each opens with the hash that its card names
        run_installed(installed, "models", "verify")


# --------------------------------------------------------------------------------------------- pins


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


EXTRAS = PROJECT["optional-dependencies"]
WANTED = dict.fromkeys([*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["docs"]])


@pytest.mark.parametrize("wanted", [text for text in WANTED if not text.startswith("cardioseg[")])
def test_every_dependency_is_pinned_within_its_range(wanted):
    requirement = Requirement(wanted)
    versions = {canonical(name): version for name, version in pins().items()}
    assert canonical(requirement.name) in versions
    assert requirement.specifier.contains(versions[canonical(requirement.name)])


def test_pins_are_public_versions():
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins().values())


# ------------------------------------------------------------------------------ what may be missing


def test_training_needs_no_simpleitk():
    program = """
import importlib, pkgutil, sys
sys.modules["SimpleITK"] = None  # importing it now raises ImportError
import cardioseg.training
for module in pkgutil.walk_packages(cardioseg.training.__path__, "cardioseg.training."):
    importlib.import_module(module.name)
importlib.import_module("cardioseg.workflows.train")
print(*sorted(name for name in sys.modules if name.startswith("cardioseg.training.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cardioseg.training." in done.stdout
