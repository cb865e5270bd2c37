"""An MPLBACKEND that Jupyter left in the environment does not stop cardioseg."""

import os
import subprocess
import sys

import pytest

from cardioseg.core.backend import drop_missing_backend

MISSING = "module://missing_package.backend_inline"


@pytest.mark.parametrize(
    ("backend", "kept"),
    [
        (MISSING, False),
        ("module://matplotlib.backends.backend_missing", False),
        ("module://.", False),
        ("module://matplotlib.backends.backend_agg", True),
        ("Agg", True),
        ("", True),
    ],
)
def test_only_a_module_that_is_not_installed_is_dropped(monkeypatch, backend, kept):
    monkeypatch.setenv("MPLBACKEND", backend)
    drop_missing_backend()
    assert os.environ.get("MPLBACKEND") == (backend if kept else None)


def test_without_the_variable_nothing_happens(monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    drop_missing_backend()
    assert "MPLBACKEND" not in os.environ


def test_figures_and_monai_work_where_jupyter_named_a_missing_backend(tmp_path):
    program = """
import sys
from pathlib import Path
from cardioseg.figures.agg import new_figure, write_png
from cardioseg.inference import predictor
write_png(Path(sys.argv[1]), new_figure(80, 40))
"""
    path = tmp_path / "a.png"
    environment = os.environ | {"MPLBACKEND": MISSING}
    subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=True)
    assert path.read_bytes().startswith(b"\x89PNG")
