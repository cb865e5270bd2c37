"""A training state on disk: one safetensors file with its facts as JSON in the header.

It is written atomically and never unpickled. Tensors: ``network.*``, ``average.*`` (the moving
average), ``optimizer.<which>.<index>.<slot>``, ``rng`` (torch's generator).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from safetensors.torch import save as serialize
from torch import Tensor

from cardioseg.core.atomic import write_bytes
from cardioseg.core.errors import ModelError
from cardioseg.core.record import Record
from cardioseg.layers.finite import not_finite
from cardioseg.networks import Network
from cardioseg.training.schedule import MovingAverage

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class Claim:
    """Hashes of what must not change when a run is resumed.

    Attributes:
        settings: of the settings, the patients and the starting model.
        data: of the prepared training cases, further data sets included.
    """

    settings: str
    data: str


class CheckpointFacts(Record):
    """The numbers of a checkpoint.

    Attributes:
        step: optimiser steps taken.
        minutes: wall-clock minutes of training so far.
        settings: hash of the settings, the patients and the starting model.
        best: best validation Dice so far, -1 before the first.
        data: hash of the prepared training cases; "" in checkpoints that did not record it.
    """

    step: int = Field(ge=0)
    minutes: float = Field(ge=0)
    settings: str
    best: float = -1.0
    data: str = ""


def save(
    folder: Path,
    facts: CheckpointFacts,
    network: Network,
    average: MovingAverage,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Write the state of a run; if killed meanwhile, the previous file stays complete."""
    tensors: dict[str, Tensor] = {"rng": torch.get_rng_state()}
    tensors |= {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.weights.items()}
    for which, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {
                f"optimizer.{which}.{index}.{slot}": torch.as_tensor(value)
                for slot, value in state.items()
            }
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(folder / FILE, serialize(held, metadata={"facts": facts.model_dump_json()}))


def read_facts(folder: Path) -> CheckpointFacts | None:
    """The facts of a run's checkpoint; None when there is no checkpoint.

    Raises:
        ModelError: the file is not a checkpoint.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            return CheckpointFacts.model_validate_json(file.metadata()["facts"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from None


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a run's checkpoint, in memory: a mapped file could not be replaced on Windows.

    Raises:
        ModelError: the file is not a checkpoint, or holds numbers that are not finite.
    """
    path = folder / FILE
    try:
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None
    broken = not_finite(tensors)
    if broken:
        found = f"{len(broken)} tensors with NaN or infinite values ({broken[0]} …)"
        cure = "start a new run with a lower training.learning_rate"
        raise ModelError(path, found=found, expected="finite numbers", cure=cure)
    return tensors


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(
        path,
        found=f"an unreadable checkpoint ({' '.join(str(error).split())[:160]})",
        expected="a training state",
        cure="start a new run",
    )


def restore(
    folder: Path,
    network: Network,
    average: MovingAverage,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Restore weights, moving average, optimisers and torch's generator from a checkpoint.

    Raises:
        ModelError: the file is not a checkpoint of such a run.
    """
    tensors = read_tensors(folder)
    try:
        torch.set_rng_state(tensors["rng"].to(torch.uint8))
        network.load_state_dict(_part(tensors, "network."))
        averaged = _part(tensors, "average.")
        for name, value in average.weights.items():
            value.copy_(averaged[name])
        for which, optimizer in enumerate(optimizers):
            _restore_optimizer(optimizer, _part(tensors, f"optimizer.{which}."))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _unreadable(folder / FILE, error) from None


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, slot = name.split(".")
        slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": slots})
