"""The training loop: one batch, one step; at intervals a checkpoint and a validation.

Lightning Fabric handles device and precision. Everything random follows from the seed, the step and
torch's generator. A checkpoint holds all three, so a resumed run continues as if never stopped.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cardioseg.core.errors import ModelError
from cardioseg.core.progress import OnProgress, Progress, unwatched
from cardioseg.layers.finite import all_finite
from cardioseg.networks import Network, SegOutput
from cardioseg.training.checkpoint import CheckpointFacts, Claim, read_facts, restore, save
from cardioseg.training.config import TrainingConfig
from cardioseg.training.log import Meter, RunLog
from cardioseg.training.losses import SegmentationLoss, batch_dice, token_weights
from cardioseg.training.schedule import (
    MovingAverage,
    build_optimizers,
    gradient_norm,
    learning_rate,
)

Validate = Callable[[Network], dict[str, float]]


@dataclass
class Run:
    """The state of a training run.

    Attributes:
        folder: holds checkpoint, log and events.
        config: training settings.
        settings: hash of the settings, the patients and the starting model.
        data: hash of the prepared training cases.
        network: the network that is trained.
        optimizers: of its weights.
        average: moving average of its weights.
        step: steps taken.
        minutes: minutes spent before this process started.
        best: best validation Dice.
    """

    folder: Path
    config: TrainingConfig
    settings: str
    data: str
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
        facts = CheckpointFacts(
            step=self.step,
            minutes=self.spent_minutes,
            settings=self.settings,
            best=self.best,
            data=self.data,
        )
        save(self.folder, facts, self.network, self.average, self.optimizers)


def start(
    folder: Path, network: Network, config: TrainingConfig, *, claimed: Claim, resume: bool
) -> Run:
    """A new run, or with ``resume`` the one in ``folder``; the network is on its device."""
    torch.manual_seed(config.seed + 1)
    optimizers = build_optimizers(
        network, config.optimizer, rate=config.learning_rate, weight_decay=config.weight_decay
    )
    average = MovingAverage(network, config.average)
    run = Run(folder, config, claimed.settings, claimed.data, network, optimizers, average)
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
    """Train until the schedule ends or the time is up.

    Args:
        run: from ``start``.
        data: window ``i`` of the whole run at index ``i``.
        fabric: carries the run's device.
        validate: scores the averaged weights.
        max_minutes: wall-clock limit of this call.
        on_progress: called after every step.

    Returns:
        Whether the schedule has ended.

    Raises:
        ModelError: a loss, gradient or weight is not finite. The last checkpoint is kept.
        OutputError: a process that loads data was killed, or shared memory ran out.
    """
    config = run.config
    network, *optimizers = fabric.setup(cast("nn.Module", run.network), *run.optimizers)
    network.train()
    loss_of = SegmentationLoss(early_weight=config.early_weight, penalties=config.penalties)
    meter, saved = Meter(), time.monotonic()
    with closing(RunLog(run.folder)) as log:
        for batch in _batches(data, run, fabric):
            meter.add(_step(run, network, optimizers, batch, loss_of, fabric))
            run.step += 1
            on_progress(Progress(run.step, config.steps, "", meter.fields()))
            if run.step % 20 == 0:
                log.write(_row(run, meter.means()))
            if validate and (run.step % config.validate_every == 0 or run.step == config.steps):
                log.write(_row(run, _validate(run, validate)))
            if max_minutes is not None and (time.monotonic() - run.started) / 60 >= max_minutes:
                break
            if time.monotonic() - saved > config.checkpoint_minutes * 60:
                run.save()
                saved = time.monotonic()
    run.save()
    return run.step >= config.steps


def _row(run: Run, numbers: dict[str, float]) -> dict[str, float]:
    """A line of the log."""
    return {"step": run.step, "minutes": round(run.spent_minutes, 3), **numbers}


def _batches(
    data: Dataset[dict[str, Tensor]], run: Run, fabric: Fabric
) -> Iterator[dict[str, Tensor]]:
    """Batches from the run's current step on."""
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
        # Without one it would draw from torch's generator at each start, and change a resumed run.
        generator=torch.Generator(),
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
    """One optimiser step; returns its numbers for the log."""
    config = run.config
    rate = learning_rate(
        run.step, peak=config.learning_rate, warmup=config.warmup, steps=config.steps
    )
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = rate
    output: SegOutput = network(batch["image"])
    loss, parts = loss_of(output, batch["label"])
    _check_finite(run, "loss", finite=math.isfinite(float(loss.detach())))
    run.network.zero_grad()
    fabric.backward(loss)
    norm = gradient_norm(run.network.parameters(), config.clip)
    _check_finite(run, "gradient", finite=math.isfinite(norm))
    for optimizer in optimizers:
        optimizer.step()
    _check_finite(run, "weight", finite=all_finite(run.network.state_dict().values()))
    _rebalance(run, output, batch["label"])
    run.average.update(run.network, run.step)
    return {
        "loss": float(loss.detach()),
        "dice": batch_dice(output.logits, batch["label"]),
        "steps": float(output.steps.float().mean()),
        "rate": rate,
        "norm": norm,
        **parts,
    }


def _check_finite(run: Run, what: str, *, finite: bool) -> None:
    """Raise ModelError where training has diverged."""
    if finite:
        return
    facts = read_facts(run.folder)
    kept = f"; the checkpoint of step {facts.step} is kept" if facts else ""
    raise ModelError(
        run.folder,
        found=f"a {what} that is not finite in step {run.step + 1}: training diverged{kept}",
        expected="finite numbers",
        cure="start again with a lower training.learning_rate or training.clip",
    )


def _rebalance(run: Run, output: SegOutput, label: Tensor) -> None:
    """Balance the experts on the class-weighted load of the step."""
    rate = run.config.balance_rate
    if output.routing is not None and rate > 0:
        weights = token_weights(label, tuple(output.routing.shape[2:]), output.logits.shape[1])
        run.network.rebalance(output.routing, weights, rate=rate)


def _validate(run: Run, validate: Validate) -> dict[str, float]:
    """Score the averaged weights, then restore the running ones."""
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
    return {f"val_{name}": value for name, value in scores.items()}
