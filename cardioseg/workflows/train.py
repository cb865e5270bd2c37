"""``cardioseg train``: from a prepared data set to a run folder with checkpoint, log and, at the end, a model."""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.core.atomic import write_json, write_text
from cardioseg.core.errors import ConfigError, InputError, OutputError
from cardioseg.core.labels import LabelTable
from cardioseg.core.progress import OnProgress, unwatched
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table, few
from cardioseg.data.manifest import Manifest
from cardioseg.data.splits import Split, fold_split, read_split
from cardioseg.training.facts import RunFacts, TrainingFacts
from cardioseg.training.setup import TrainingSetup, resolve
from cardioseg.training.starting import StartingModel, starting_model
from cardioseg.training.validation import validation
from cardioseg.workflows.models import export_run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from cardioseg.training.loop import Run


@dataclass(frozen=True)
class SplitChoice:
    """Which patients train: a split file (and a part of it), a fold, or everybody.

    Attributes:
        file: JSON split; None for folds.
        fraction: part of the file's training patients ("10", "10%" or "0.1").
        draw: which draw of that fraction.
        fold: fold 0 to 4 when there is no file; None trains on everybody and validates on nobody.
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
        split: who trains.
        extra: further prepared folders mixed in (``sampling.extra_share``).
        init_from: model whose weights to start from; its network settings are the run's where nothing else is asked for.
        tune: what trains then: "all", "head" or "lora".
        resume: go on from the folder's checkpoint.
        max_minutes: stop after that long; ``--resume`` goes on.
        device: "auto", "cpu", "cuda".
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
    """Train a network, or go on with a stopped run.

    Raises:
        OutputError: the run folder has a run already and ``resume`` is off.
        ConfigError: unknown settings, or ones that do not fit the prepared data or the model to start from.
        InputError: the prepared data cannot be read, or have no patient to train on, or further data one who validates.
    """
    import torch

    from cardioseg.bundle import build_network
    from cardioseg.training.loop import start
    from cardioseg.training.loop import train as run_loop

    manifest = Manifest.read(request.prepared)
    origin = starting_model(request.init_from, request.tune, manifest)
    config = resolve(request.settings, request.overrides, manifest, start=origin)
    split = choose_split(request.split, manifest)
    manifests = (manifest, *_extra(request, manifest, split))
    fabric = _fabric(request.device)
    torch.manual_seed(config.training.seed)
    network = fabric.to_device(
        build_network(config.network, source=str(request.settings or "--set"))
    )
    taken = {} if origin is None else origin.fill(network, config.network)
    started = None if origin is None else origin.describe(taken, network, config.network)
    fingerprint = _claim(
        request, config, split, labels=manifest.labels, origin=origin, started=started
    )
    run = start(
        request.output, network, config.training, settings=fingerprint, resume=request.resume
    )
    data = _windows(config, manifests, split)
    finished = run_loop(
        run,
        data,
        fabric,
        validate=validation(config, manifest, split),
        max_minutes=request.max_minutes,
        on_progress=on_progress,
    )
    export_run(run.folder, output=run.folder / "model")
    return _report(run, finished, split)


def _fabric(name: str) -> "Fabric":
    """One device, in the precision that is fast there."""
    from lightning_fabric import Fabric

    from cardioseg.layers.devices import choose_device, fast_bf16

    logging.getLogger("lightning_fabric").setLevel(
        logging.WARNING
    )  # it announces the precision, --quiet or not
    device = choose_device(name)
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision="bf16-mixed" if fast_bf16(device) else "32-true",
    )
    fabric.launch()
    return fabric


def choose_split(choice: SplitChoice, manifest: Manifest) -> Split:
    """The patients of each side."""
    patients = [entry.patient for entry in manifest.entries]
    if choice.file is not None:
        return read_split(choice.file, patients, fraction=choice.fraction, draw=choice.draw)
    if choice.fold is not None:
        return fold_split(
            patients, {entry.patient: entry.group for entry in manifest.entries}, choice.fold
        )
    return Split(frozenset(patients), frozenset(), "everybody")


def _claim(
    request: TrainingRequest,
    config: TrainingSetup,
    split: Split,
    *,
    labels: LabelTable,
    origin: StartingModel | None,
    started: str | None,
) -> str:
    """Write down what the run does from here on; the returned hash guards ``--resume``."""
    import tomli_w

    settings = config.as_dict()
    fingerprint = _fingerprint(settings, split, origin)
    _check_run(request.output, fingerprint, steps=config.training.steps, resume=request.resume)
    write_text(request.output / "config.toml", tomli_w.dumps(settings))
    sides = {"origin": split.origin, "train": sorted(split.train), "val": sorted(split.val)}
    write_json(request.output / "split.json", sides)
    facts = TrainingFacts(
        of=config.training.steps,
        split=split.origin,
        patients=len(split.train),
        started_from=started,
    )
    RunFacts(labels=labels.names, training=facts).write(request.output)
    return fingerprint


def _check_run(folder: Path, fingerprint: str, *, steps: int, resume: bool) -> None:
    """Refuse a run that lies there without ``resume``, with other settings, or with more steps than are asked for."""
    from cardioseg.training.checkpoint import read_facts

    facts = read_facts(folder)
    if facts is None:
        return
    if not resume:
        raise OutputError(
            folder,
            found=f"a run of {facts.step} steps",
            expected="a new folder",
            cure="pass --resume, or another --output",
        )
    if facts.settings != fingerprint:
        raise ConfigError(
            folder,
            found="a run with other settings or patients, or from another start",
            expected="the same as before",
            cure="drop the changed option, or start a new run",
        )
    if facts.step > steps:
        raise ConfigError(
            folder,
            found=f"{facts.step} steps taken, and training.steps = {steps}",
            expected="as many steps or more",
            cure="raise training.steps, or start a new run",
        )


def _fingerprint(
    settings: dict[str, dict[str, Any]], split: Split, origin: StartingModel | None
) -> str:
    """Hash of what decides a step; a run may be given more steps, other workers or another rhythm of validation."""
    free = ("steps", "workers", "checkpoint_minutes", "validate_every", "validate_cases")
    training = {key: value for key, value in settings["training"].items() if key not in free}
    fixed = {**settings, "training": training, "windows": {}}
    if origin is not None:
        fixed["start"] = origin.facts
    return hashlib.sha256(
        json.dumps([fixed, sorted(split.train)], sort_keys=True).encode()
    ).hexdigest()


def _extra(request: TrainingRequest, manifest: Manifest, split: Split) -> list[Manifest]:
    """Further data, prepared as the first and without anybody who validates."""
    found = [Manifest.read(folder) for folder in request.extra]
    for extra in found:
        if extra.preparation != manifest.preparation or extra.labels != manifest.labels:
            raise ConfigError(
                extra.folder,
                found="other preparation settings or labels",
                expected=str(request.prepared),
                cure="prepare it the same way",
            )
        both = sorted({entry.patient for entry in extra.entries} & (split.val | split.absent_val))
        if both:
            raise InputError(
                extra.folder,
                found=f"{len(both)} patients who validate ({both[0]} …)",
                expected="every patient on one side",
                cure="leave them out of this data set",
            )
    return found


def _windows(config: TrainingSetup, manifests: Sequence[Manifest], split: Split) -> Any:
    """Of the first data set's training patients, and of everybody in the others."""
    from cardioseg.data.loading import WindowDataset, load_voxels

    first, *others = manifests
    chosen = [entry for entry in first.entries if entry.patient in split.train]
    if not chosen:
        raise InputError(
            first.folder, found="no training case", expected="at least one", cure="check the split"
        )
    parts = [load_voxels(first, chosen), *(load_voxels(extra, extra.entries) for extra in others)]
    training = config.training
    return WindowDataset(
        parts,
        neighbours=config.preparation.neighbours,
        sampling=config.sampling,
        augment=config.augment,
        seed=training.seed,
        length=training.steps * training.batch,
    )


def _report(run: "Run", finished: bool, split: Split) -> Report:
    from cardioseg.training.tuning import trained_parameters

    parameters = sum(p.numel() for p in run.network.parameters())
    trained = trained_parameters(run.network)
    state = "finished" if finished else "stopped; go on with --resume"
    rows = (
        ("state", state),
        ("steps", f"{run.step} of {run.config.steps}"),
        ("minutes", f"{run.spent_minutes:.1f}"),
        ("parameters", f"{parameters / 1e6:.2f} M"),
        ("trained parameters", f"{trained:,} ({100 * trained / parameters:.1f} %)"),
        ("patients", f"{len(split.train)} training, {len(split.val)} validation"),
        ("best validation Dice", f"{run.best:.4f}" if run.best >= 0 else "–"),
    )
    data = TrainData(
        finished=finished,
        step=run.step,
        minutes=run.spent_minutes,
        parameters=parameters,
        trained_parameters=trained,
        best_dice=run.best,
    )
    files: Iterable[Path] = (run.folder / "model", run.folder / "log.jsonl")
    return Report("train", data, (Table("Training", ("", ""), rows),), _absent(split), tuple(files))


def _absent(split: Split) -> tuple[str, ...]:
    """One line about validation patients that the split names and the data lack."""
    absent = sorted(split.absent_val)
    counts = f"{len(absent)} of {len(absent) + len(split.val)} validation patients of the split"
    return (f"{counts} are not in the prepared data: {few(absent)}",) if absent else ()
