"""A tiny data set, prepared, and how tests ask for a run on it."""

import textwrap
from pathlib import Path

from small_data import write_patients

from cardioseg.core.config import PreparationConfig
from cardioseg.workflows.prepare import prepare
from cardioseg.workflows.train import TrainingRequest

STEPS = 8
SETTINGS = f"""
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
    steps = {STEPS}
    batch = 2
    warmup = 2
    workers = 0
    checkpoint_minutes = 1e-9
    validate_cases = 0
"""


def prepared_in(folder: Path) -> Path:
    """Four patients, prepared, with ``settings.toml`` beside them."""
    prepare(
        write_patients(folder / "raw", 4),
        output=folder / "prepared",
        config=PreparationConfig(spacing_mm=4.0),
    )
    (folder / "settings.toml").write_text(textwrap.dedent(SETTINGS))
    return folder / "prepared"


def request(prepared: Path, output: Path, *overrides: str, **changes: object) -> TrainingRequest:
    """A run under those settings, changed by overrides."""
    return TrainingRequest(
        prepared, output, settings=prepared.parent / "settings.toml", overrides=overrides, **changes
    )
