"""The files that a training run writes first: its settings, its patients, its starting model."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardioseg.core.atomic import write_json, write_text
from cardioseg.core.errors import ConfigError, OutputError
from cardioseg.data.manifest import Manifest
from cardioseg.data.splits import Split
from cardioseg.training.checkpoint import Claim, read_facts
from cardioseg.training.facts import RunFacts, TrainingFacts
from cardioseg.training.setup import TrainingSetup
from cardioseg.training.starting import StartingModel

# A resumed run may change these.
FREE = ("steps", "workers", "checkpoint_minutes", "validate_every", "validate_cases")


@dataclass(frozen=True)
class RunPlan:
    """What decides the steps of a run.

    Attributes:
        config: all settings.
        split: patients of each side.
        manifests: the first data set, then the further ones.
        start: the model that the run starts from; None for random weights.
        started_from: the start in words; None for random weights.
    """

    config: TrainingSetup
    split: Split
    manifests: Sequence[Manifest]
    start: StartingModel | None = None
    started_from: str | None = None

    def claim(self) -> Claim:
        """What must not change when the run is resumed."""
        return Claim(self._settings_hash(), self._data_hash())

    def _data_hash(self) -> str:
        """SHA-256 of the names and hashes of all prepared training cases, in order."""
        first, *others = self.manifests
        used = [[e for e in first.entries if e.patient in self.split.train]]
        used += [list(extra.entries) for extra in others]
        cases = [[(entry.name, entry.file_sha256) for entry in entries] for entries in used]
        return hashlib.sha256(json.dumps(cases).encode()).hexdigest()

    def _settings_hash(self) -> str:
        settings = self.config.as_dict()
        training = {key: v for key, v in settings["training"].items() if key not in FREE}
        fixed: dict[str, Any] = {**settings, "training": training, "windows": {}}
        if self.start is not None:
            fixed["start"] = self.start.facts
        text = json.dumps([fixed, sorted(self.split.train)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def claim(folder: Path, plan: RunPlan, *, resume: bool) -> Claim:
    """Write config.toml, split.json and run.json into the run folder.

    Args:
        folder: run folder.
        plan: what the run does.
        resume: whether the folder may hold a run.

    Returns:
        The hashes of the plan.

    Raises:
        OutputError: the folder holds a run, and ``resume`` is False.
        ConfigError: it holds another run, one on other data, or one with more steps.
    """
    import tomli_w

    claimed, steps = plan.claim(), plan.config.training.steps
    _check_folder(folder, claimed, steps=steps, resume=resume)
    write_text(folder / "config.toml", tomli_w.dumps(plan.config.as_dict()))
    split = plan.split
    sides = {"origin": split.origin, "train": sorted(split.train), "val": sorted(split.val)}
    write_json(folder / "split.json", sides)
    facts = TrainingFacts(
        of=steps,
        split=split.origin,
        patients=len(split.train),
        started_from=plan.started_from,
    )
    RunFacts(labels=plan.manifests[0].labels.names, training=facts).write(folder)
    return claimed


def _check_folder(folder: Path, claimed: Claim, *, steps: int, resume: bool) -> None:
    facts = read_facts(folder)
    if facts is None:
        return
    if not resume:
        found, cure = f"a run of {facts.step} steps", "pass --resume, or another --output"
        raise OutputError(folder, found=found, expected="a new folder", cure=cure)
    if facts.settings != claimed.settings:
        found = "a run with other settings, patients or starting model"
        cure = "drop the changed option, or start a new run"
        raise ConfigError(folder, found=found, expected="the same as before", cure=cure)
    if facts.data and facts.data != claimed.data:
        found = "a run on other training data: prepared cases or --extra changed since"
        cure = "restore the prepared data, or start a new run"
        raise ConfigError(folder, found=found, expected="the same as before", cure=cure)
    if facts.step > steps:
        found = f"{facts.step} steps taken, and training.steps = {steps}"
        expected, cure = "as many steps or more", "raise training.steps, or start a new run"
        raise ConfigError(folder, found=found, expected=expected, cure=cure)
