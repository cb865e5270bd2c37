"""The loop: one batch, one step, and now and then a checkpoint and a validation.

Lightning Fabric carries device and precision. Everything random follows from the seed, the step and torch's
generator, all of which a checkpoint holds, so that a resumed run continues where the killed one was.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import torch
from lightning_fabric import Fabric
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from cardioseg.core.config import Settings
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.networks import Network
from cardioseg.training.checkpoint import Facts, read_facts, restore, save
from cardioseg.training.losses import SegmentationLoss, batch_dice, token_weights
from cardioseg.training.schedule import (
    MovingAverage,
    build_optimizers,
    gradient_norm,
    learning_rate,
)

Validate = Callable[[Network], dict[str, float]]


PENALTIES = {
    "ponder": 0.01,  # ACT's cost (Graves 2016; the same in Universal Transformers)
    "halting": 0.5,  # the oracle's teaching of RD-ViT's halting head; its gradient stays in the head
    "stability": 1e-3,  # Edge-RecViT's STB, weights as released
    "depth_use": 0.1,  # Edge-RecViT's DU
    "budget": 1.0,  # our ranker's budget
    "depth": 0.5,  # the oracle's teaching of our ranker
}


class TrainingConfig(Settings):
    """How a network is trained."""

    steps: int = Field(6000, ge=1, description="optimiser steps in all")
    batch: int = Field(16, ge=1, le=1024, description="windows per step")
    optimizer: Literal["muon", "adamw"] = Field(
        "muon", description="muon: for matrices and kernels, AdamW for the rest"
    )
    learning_rate: float = Field(
        1e-3, gt=0, description="highest, of AdamW; Muon's steps are as large"
    )
    warmup: int = Field(300, ge=1)
    weight_decay: float = Field(0.05, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    average: float = Field(
        0.999, gt=0, lt=1, description="decay of the moving average of the weights"
    )
    early_weight: float = Field(
        0.4, ge=0, description="weight of the loss after a random earlier loop"
    )
    penalties: dict[str, float] = Field(
        PENALTIES, description="weights of what networks ask for, by name"
    )
    balance_rate: float = Field(
        0.01, ge=0, description="step of the experts' load-balancing bias, in logits"
    )
    seed: int = Field(0, ge=0, lt=2**31)
    workers: int = Field(1, ge=0, description="loading processes")
    checkpoint_minutes: float = Field(3.0, gt=0)
    validate_every: int = Field(1000, ge=1, description="steps between validations")
    validate_cases: int = Field(
        8, ge=0, description="validation volumes looked at during training; 0 for none"
    )

    @field_validator("penalties")
    @classmethod
    def _known(cls, penalties: dict[str, float]) -> dict[str, float]:
        unknown = set(penalties) - set(PENALTIES)
        if unknown:
            raise ValueError(f"unknown penalty {min(unknown)!r}; known are {', '.join(PENALTIES)}")
        return PENALTIES | penalties


@dataclass
class Run:
    """A run in the making.

    Attributes:
        folder: holds checkpoint, log and events.
        config: training settings.
        settings: hash of everything that decides what a step does.
        network: what is trained.
        optimizers: what moves its weights.
        average: moving average of its weights.
        step: steps taken.
        minutes: minutes spent before this process started.
        best: best validation Dice.
    """

    folder: Path
    config: TrainingConfig
    settings: str
    network: Network
    optimizers: tuple[torch.optim.Optimizer, ...]
    average: MovingAverage
    step: int = 0
    minutes: float = 0.0
    best: float = -1.0
    started: float = field(default_factory=time.monotonic)

    @property
    def spent_minutes(self) -> float:
        """Wall-clock minutes of training, earlier processes included."""
        return self.minutes + (time.monotonic() - self.started) / 60

    def save(self) -> None:
        """Write the checkpoint."""
        facts = Facts(self.step, self.spent_minutes, self.settings, self.best)
        save(self.folder, facts, self.network, self.average, self.optimizers)


def start(
    folder: Path, network: Network, config: TrainingConfig, *, settings: str, resume: bool
) -> Run:
    """A new run, or the continuation of the one in ``folder``; the network is on its device already."""
    torch.manual_seed(config.seed + 1)
    optimizers = build_optimizers(
        network, config.optimizer, rate=config.learning_rate, weight_decay=config.weight_decay
    )
    run = Run(folder, config, settings, network, optimizers, MovingAverage(network, config.average))
    facts = read_facts(folder) if resume else None
    if facts is not None:
        restore(folder, network, run.average, optimizers)
        run.step, run.minutes, run.best = facts.step, facts.minutes, facts.best
    return run


def train(
    run: Run,
    data: Dataset[dict[str, Tensor]],
    fabric: Fabric,
    *,
    validate: Validate | None = None,
    max_minutes: float | None = None,
    on_progress: OnProgress = unwatched,
) -> bool:
    """Step until the schedule ends or the minutes are up; True when the schedule ended.

    Args:
        run: from ``start``.
        data: window ``i`` of the whole run at index ``i``.
        fabric: carries the run's device.
        validate: scores the averaged weights.
        max_minutes: wall-clock limit of this call.
        on_progress: told of every step.
    """
    config = run.config
    network, *optimizers = fabric.setup(cast("nn.Module", run.network), *run.optimizers)
    network.train()
    loss_of = SegmentationLoss(early_weight=config.early_weight, penalties=config.penalties)
    meter, saved = Meter(), time.monotonic()
    with closing(RunLog(run.folder)) as log:
        for batch in _batches(data, run, fabric):
            facts = _step(run, network, optimizers, batch, loss_of, fabric)
            meter.add(facts)
            run.step += 1
            on_progress(Progress(run.step, config.steps, "", meter.fields()))
            if run.step % 20 == 0:
                log.write(
                    {"step": run.step, "minutes": round(run.spent_minutes, 3), **meter.means()}
                )
            if validate and (run.step % config.validate_every == 0 or run.step == config.steps):
                _validate(run, validate, log)
            if max_minutes is not None and (time.monotonic() - run.started) / 60 >= max_minutes:
                break
            if time.monotonic() - saved > config.checkpoint_minutes * 60:
                run.save()
                saved = time.monotonic()
    run.save()
    return run.step >= config.steps


def _batches(
    data: Dataset[dict[str, Tensor]], run: Run, fabric: Fabric
) -> Iterator[dict[str, Tensor]]:
    """Batches from the run's step on."""
    config = run.config
    indices: Any = [
        range(step * config.batch, (step + 1) * config.batch)
        for step in range(run.step, config.steps)
    ]
    loader = DataLoader(
        data,
        batch_sampler=indices,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
        generator=torch.Generator(),  # else it draws from torch's own, once per start, and a resumed run would part from there
    )
    batches: Any = fabric.setup_dataloaders(loader)
    yield from batches


def _step(
    run: Run,
    network: Any,
    optimizers: list[Any],
    batch: dict[str, Tensor],
    loss_of: SegmentationLoss,
    fabric: Fabric,
) -> dict[str, float]:
    config = run.config
    rate = learning_rate(
        run.step, peak=config.learning_rate, warmup=config.warmup, steps=config.steps
    )
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = rate
    output = network(batch["image"])
    loss, parts = loss_of(output, batch["label"])
    run.network.zero_grad()
    fabric.backward(loss)
    norm = gradient_norm(run.network.parameters(), config.clip)
    for optimizer in optimizers:
        optimizer.step()
    if output.routing is not None and config.balance_rate > 0:
        weights = token_weights(
            batch["label"], tuple(output.routing.shape[2:]), output.logits.shape[1]
        )
        run.network.rebalance(output.routing, weights, rate=config.balance_rate)
    run.average.update(run.network, run.step)
    dice = batch_dice(output.logits, batch["label"])
    return {
        "loss": float(loss.detach()),
        "dice": dice,
        "steps": float(output.steps.float().mean()),
        "rate": rate,
        "norm": norm,
        **parts,
    }


def _validate(run: Run, validate: Validate, log: "RunLog") -> None:
    """Score the averaged weights, then go on with the running ones."""
    current = {name: value.clone() for name, value in run.network.state_dict().items()}
    generator = torch.get_rng_state()
    run.network.load_state_dict(run.average.weights)
    run.network.eval()
    try:
        scores = validate(run.network)
    finally:
        run.network.load_state_dict(current)
        run.network.train()
        torch.set_rng_state(generator)
    run.best = max(run.best, scores.get("dice", -1.0))
    log.write(
        {
            "step": run.step,
            "minutes": round(run.spent_minutes, 3),
            **{f"val_{name}": value for name, value in scores.items()},
        }
    )


class Meter:
    """Means over the last steps, for the bar and the log."""

    def __init__(self, length: int = 20) -> None:
        self.recent: deque[dict[str, float]] = deque(maxlen=length)

    def add(self, facts: dict[str, float]) -> None:
        """Take in a step."""
        self.recent.append(facts)

    def means(self) -> dict[str, float]:
        """Mean of every number over the steps that have it, not-a-number left out."""
        names = {name for facts in self.recent for name in facts}
        values = {
            name: [
                facts[name]
                for facts in self.recent
                if facts.get(name, float("nan")) == facts.get(name)
            ]
            for name in names
        }
        return {name: round(sum(v) / len(v), 6) for name, v in sorted(values.items()) if v}

    def fields(self) -> dict[str, str]:
        """What stands beside the bar."""
        means = self.means()
        return {name: f"{means[name]:.3f}" for name in ("loss", "dice", "steps") if name in means}


class RunLog:
    """JSON lines and TensorBoard events, side by side."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = (folder / "log.jsonl").open("a", encoding="utf-8")
        self.events = SummaryWriter(str(folder / "events"))

    def write(self, row: dict[str, float]) -> None:
        """One line, and one point per number."""
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        for name, value in row.items():
            if name not in ("step", "minutes"):
                self.events.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Flush both."""
        self.file.close()
        self.events.close()
