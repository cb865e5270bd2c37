"""MPLBACKEND of the environment, which can make ``import matplotlib`` fail."""

import os
from importlib.util import find_spec

PREFIX = "module://"


def drop_missing_backend() -> None:
    """Remove MPLBACKEND from the environment when the module that it names is not installed.

    Jupyter sets the variable for all its child processes, and matplotlib, which MONAI imports,
    raises a ValueError in an environment without that module.
    """
    backend = os.environ.get("MPLBACKEND", "")
    if backend.startswith(PREFIX) and not _installed(backend.removeprefix(PREFIX)):
        del os.environ["MPLBACKEND"]


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
