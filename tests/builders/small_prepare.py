"""Helpers for tests of ``prepare``: a call that writes beside the raw data, and altered masks."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from small_data import SPACING

from cardioseg.core.config import PreparationConfig
from cardioseg.core.report import Report
from cardioseg.phantom.files import acdc_header, save
from cardioseg.workflows.prepare import prepare

CONFIG = PreparationConfig(spacing_mm=4.0)


def prepare_beside(raw: Path, **options: object) -> Report:
    """``prepare`` into ``prepared``, beside the raw data."""
    return prepare(raw, output=raw.parent / "prepared", **{"config": CONFIG} | options)


def rewrite(
    path: Path, change: Callable[[np.ndarray], np.ndarray], *, spacing: tuple[float, ...] = SPACING
) -> None:
    """The voxels of a file through ``change``, with ACDC's header."""
    save(path, change(np.asarray(nib.load(path).dataobj).copy()), acdc_header(spacing))
