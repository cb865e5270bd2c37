"""The first import of matplotlib, which must not depend on the environment's choice of backend."""

import os
import sys
from contextlib import suppress


def import_matplotlib() -> None:
    """Import matplotlib even where MPLBACKEND names a backend that is not installed.

    Jupyter sets MPLBACKEND for all its child processes, and ``import matplotlib`` raises a
    ValueError in an environment that lacks that backend. A valid backend stays in force.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", "")
    try:
        import matplotlib as mpl
    finally:
        if backend:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):
            mpl.rcParams["backend"] = backend
