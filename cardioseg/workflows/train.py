"""``cardioseg train``: from prepared data to a run folder with checkpoint, log and model."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.core.errors import UsageError
from cardioseg.core.progress import OnProgress, unwatched
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table, few
from cardioseg.data.manifest import Manifest, masks_with
from cardioseg.data.patient_names import look_alike_warnings, look_alikes
from cardioseg.data.splits import Split, fold_split, read_folds, read_split
from cardioseg.training.claim import RunPlan, claim
from cardioseg.training.datasets import extra_manifests, training_windows
from cardioseg.training.setup import resolve
from cardioseg.training.starting import starting_model
from cardioseg.training.validation import validation
from cardioseg.workflows.models import export_run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from cardioseg.training.loop import Run


@dataclass(frozen=True)
class SplitChoice:
    """Which patients train: those of a split file or a part of them, of a fold, or all.

    Attributes:
        file: JSON split; None for folds.
        fraction: part of the file's training patients ("10", "10%" or "0.1").
        draw: which draw of that part.
        fold: fold 0 to 4, or one of the file's if it is nnU-Net's splits_final.json; without file
            and fold, all patients train and none validates.
    """

    file: Path | None = None
    fraction: str | None = None
    draw: int = 0
    fold: int | None = None


@dataclass(frozen=True)
class TrainingRequest:
    """What the person asked for.

    Attributes:
        prepared: folder made by ``prepare``.
        output: run folder.
        settings: TOML file; None for the defaults.
        overrides: ``section.key=value``.
        split: which patients train.
        extra: further prepared folders mixed in (``sampling.extra_share``).
        init_from: model to start from; its network settings are the defaults of the run.
        tune: what is trained then: "all", "head" or "lora".
        resume: continue from the folder's checkpoint.
        max_minutes: stop after that time; ``resume`` continues.
        device: "auto", "cpu" or "cuda".
    """

    prepared: Path
    output: Path
    settings: Path | None = None
    overrides: tuple[str, ...] = ()
    split: SplitChoice = SplitChoice()
    extra: tuple[Path, ...] = ()
    init_from: str | None = None
    tune: str = "all"
    resume: bool = False
    max_minutes: float | None = None
    device: str = "auto"


class TrainData(Record):
    """``cardioseg train --json``: the state of a run.

    Attributes:
        finished: whether all steps were taken.
        step: number of steps taken.
        minutes: time spent training.
        parameters: size of the network.
        trained_parameters: how many of them are trained.
        best_dice: best validation Dice; negative without validation.
    """

    finished: bool
    step: int
    minutes: float
    parameters: int
    trained_parameters: int
    best_dice: float


def train(request: TrainingRequest, *, on_progress: OnProgress = unwatched) -> Report:
    """Train a network, or continue a stopped run.

    Raises:
        OutputError: the run folder holds a run, and ``resume`` is False.
        ConfigError: settings are unknown, or do not fit the prepared data or the starting model.
        InputError: the prepared data cannot be read or have no training patient, or further data
            hold a validation patient.
        ModelError: training diverged.
    """
    from cardioseg.training.loop import train as train_network

    manifest = Manifest.read(request.prepared)
    origin = starting_model(request.init_from, request.tune, manifest)
    config = resolve(request.settings, request.overrides, manifest, start=origin)
    split = choose_split(request.split, manifest)
    manifests = (manifest, *extra_manifests(request.extra, manifest, split))
    fabric = _fabric(request.device)
    run = _start(request, RunPlan(config, split, manifests, origin), fabric)
    finished = train_network(
        run,
        training_windows(config, manifests, split),
        fabric,
        validate=validation(config, manifest, split),
        max_minutes=request.max_minutes,
        on_progress=on_progress,
    )
    export_run(run.folder, output=run.folder / "model")
    return _report(run, finished, split, _unseen(manifests, split))


def choose_split(choice: SplitChoice, manifest: Manifest) -> Split:
    """The patients of each side."""
    groups = {entry.patient: entry.group for entry in manifest.entries}
    patients = [entry.patient for entry in manifest.entries]
    if choice.file is not None:
        cases = {entry.name: entry.patient for entry in manifest.entries}
        folds = read_folds(choice.file, cases, choice.fold)
        if folds is not None:
            _check_no_fraction(choice)
            return folds
        return read_split(choice.file, patients, fraction=choice.fraction, draw=choice.draw)
    if choice.fold is not None:
        return fold_split(patients, groups, choice.fold)
    return Split(frozenset(patients), frozenset(), "everybody")


def _check_no_fraction(choice: SplitChoice) -> None:
    if choice.fraction is not None:
        cure, expected = "drop the option", f"no fraction, because {choice.file} has none"
        raise UsageError("--fraction", found=choice.fraction, expected=expected, cure=cure)


def _fabric(name: str) -> "Fabric":
    """One device, in the fastest precision that it supports."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    from cardioseg.layers.devices import choose_device, fast_bf16

    # It announces the precision even with --quiet.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    device = choose_device(name)
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision="bf16-mixed" if fast_bf16(device) else "32-true",
        # One process, also inside a cluster job of several tasks.
        plugins=LightningEnvironment(),
    )
    fabric.launch()
    return fabric


def _start(request: TrainingRequest, plan: RunPlan, fabric: "Fabric") -> "Run":
    """The network, its weights and the run folder; from the checkpoint if the run is resumed."""
    import torch

    from cardioseg.bundle import build_network
    from cardioseg.training.loop import start

    config = plan.config
    torch.manual_seed(config.training.seed)
    built = build_network(config.network, source=str(request.settings or "--set"))
    network = fabric.to_device(built)
    if plan.start is not None:
        taken = plan.start.fill(network, config.network)
        plan = replace(plan, started_from=plan.start.describe(taken, network, config.network))
    folder, resume = request.output, request.resume
    claimed = claim(folder, plan, resume=resume)
    return start(folder, network, config.training, claimed=claimed, resume=resume)


def _report(run: "Run", finished: bool, split: Split, warnings: tuple[str, ...]) -> Report:
    from cardioseg.training.tuning import trained_parameters

    data = TrainData(
        finished=finished,
        step=run.step,
        minutes=run.spent_minutes,
        parameters=sum(p.numel() for p in run.network.parameters()),
        trained_parameters=trained_parameters(run.network),
        best_dice=run.best,
    )
    table = Table("Training", ("", ""), _rows(data, steps=run.config.steps, split=split))
    files = (run.folder / "model", run.folder / "log.jsonl")
    return Report("train", data, (table,), (*_absent(split), *warnings), files)


def _unseen(manifests: Sequence[Manifest], split: Split) -> tuple[str, ...]:
    """Warnings about structures that no training mask shows, and patients on both sides."""
    apart = [
        group
        for group in look_alikes(split.train | split.val)
        if 0 < len(split.val.intersection(group)) < len(group)
    ]
    alike = look_alike_warnings(apart[0]) if apart else ()
    return (*_absent_structures(manifests, split), *alike)


def _absent_structures(manifests: Sequence[Manifest], split: Split) -> list[str]:
    """A sentence for each structure that no training mask shows."""
    first, *others = manifests
    used = [entry for entry in first.entries if entry.patient in split.train]
    used += [entry for extra in others for entry in extra.entries]
    if not any(entry.voxels for entry in used):
        return []
    shown = masks_with(first.labels, used)
    return [
        f"none of {len(used)} training masks shows {n}" for n, count in shown.items() if not count
    ]


def _rows(data: TrainData, *, steps: int, split: Split) -> tuple[tuple[str, str], ...]:
    share = 100 * data.trained_parameters / data.parameters
    return (
        ("state", "finished" if data.finished else "stopped; --resume continues it"),
        ("steps", f"{data.step} of {steps}"),
        ("minutes", f"{data.minutes:.1f}"),
        ("parameters", f"{data.parameters / 1e6:.2f} M"),
        ("trained parameters", f"{data.trained_parameters:,} ({share:.1f} %)"),
        ("patients", f"{len(split.train)} training, {len(split.val)} validation"),
        ("best validation Dice", f"{data.best_dice:.4f}" if data.best_dice >= 0 else "–"),
    )


def _absent(split: Split) -> tuple[str, ...]:
    """A warning about validation patients of the split that the data lack."""
    absent = sorted(split.absent_val)
    counts = f"{len(absent)} of {len(absent) + len(split.val)} validation patients of the split"
    return (f"{counts} are not in the prepared data: {few(absent)}",) if absent else ()
