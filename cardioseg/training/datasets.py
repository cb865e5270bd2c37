"""The data sets that a run trains on: the first one's training patients, and all of the others."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.core.errors import ConfigError, InputError
from cardioseg.data.manifest import Manifest
from cardioseg.data.splits import Split
from cardioseg.training.setup import TrainingSetup

if TYPE_CHECKING:
    from cardioseg.data.loading import WindowDataset


def extra_manifests(folders: Sequence[Path], manifest: Manifest, split: Split) -> list[Manifest]:
    """Manifests of further prepared folders.

    Args:
        folders: the folders.
        manifest: of the first data set.
        split: its patients.

    Raises:
        ConfigError: a folder was prepared with other settings or labels.
        InputError: a folder holds a validation patient.
    """
    found = [Manifest.read(folder) for folder in folders]
    for extra in found:
        _check_extra(extra, manifest, split)
    return found


def _check_extra(extra: Manifest, manifest: Manifest, split: Split) -> None:
    if extra.preparation != manifest.preparation or extra.labels != manifest.labels:
        raise ConfigError(
            extra.folder,
            found="other preparation settings or labels",
            expected=f"those of {manifest.folder}",
            cure="prepare it the same way",
        )
    both = sorted({entry.patient for entry in extra.entries} & (split.val | split.absent_val))
    if both:
        raise InputError(
            extra.folder,
            found=f"{len(both)} validation patients ({both[0]} …)",
            expected="every patient on one side",
            cure="leave them out of this data set",
        )


def training_windows(
    config: TrainingSetup, manifests: Sequence[Manifest], split: Split
) -> "WindowDataset":
    """Windows of the first data set's training patients, and of all patients of the others.

    Raises:
        InputError: the first data set has no training patient.
    """
    from cardioseg.data.loading import WindowDataset, load_voxels

    first, *others = manifests
    chosen = [entry for entry in first.entries if entry.patient in split.train]
    if not chosen:
        found, cure = "no training case", "check the split"
        raise InputError(first.folder, found=found, expected="at least one", cure=cure)
    training = config.training
    return WindowDataset(
        [load_voxels(first, chosen), *(load_voxels(extra, extra.entries) for extra in others)],
        neighbours=config.preparation.neighbours,
        sampling=config.sampling,
        augment=config.augment,
        seed=training.seed,
        length=training.steps * training.batch,
    )
