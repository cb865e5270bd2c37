"""The Python API: what ``import cardioseg`` offers and costs; its docstring examples."""

import doctest
import importlib
import inspect
import statistics
import subprocess
import sys

import pytest
from tiny import save_image

import cardioseg

PUBLIC = [name for name in cardioseg.__all__ if not name.startswith("_")]
MODULES = sorted({getattr(cardioseg, name).__module__ for name in PUBLIC} | {"cardioseg"})
HEAVY = ("torch", "monai", "numpy", "nibabel", "matplotlib", "SimpleITK", "pydicom", "typer")
IMPORT_SECONDS = 0.2


def in_a_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_offered_is_what_all_lists():
    assert dir(cardioseg) == sorted(cardioseg.__all__)
    assert in_a_process("import cardioseg; print(*dir(cardioseg))").split() == dir(cardioseg)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_documented(name):
    found = getattr(cardioseg, name)
    assert callable(found)
    assert inspect.getdoc(found)


def test_the_version_is_the_packages():
    assert cardioseg.__version__ == cardioseg.core.version.__version__


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = cardioseg.nothing_of_the_kind


def test_importing_it_loads_nothing_heavy():
    loaded = in_a_process("import sys, cardioseg; print(*sys.modules)").split()
    assert sorted(set(HEAVY) & set(loaded)) == []


def test_importing_it_takes_a_fraction_of_a_second(unmeasured):
    program = (
        "import time; start = time.perf_counter(); import cardioseg;"
        "print(time.perf_counter() - start)"
    )
    seconds = [float(in_a_process(program)) for _ in range(3)]
    assert statistics.median(seconds) < IMPORT_SECONDS


def test_read_takes_a_path_or_its_text(tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    assert cardioseg.read(str(path)).shape == cardioseg.read(path).shape


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_has_an_example(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(cardioseg, name), name)
    assert any(test.examples for test in found)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert done.failed == 0
