"""A training state on disk: one safetensors file with its facts as JSON in the header.

It is written atomically and never unpickled. Tensors: ``network.*``, ``average.*`` (the moving
average), ``optimizer.<which>.<index>.<slot>``, ``rng`` (torch's generator).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from cardioseg.core.atomic import write_bytes
from cardioseg.core.errors import ModelError
from cardioseg.networks import Network
from cardioseg.training.schedule import MovingAverage

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class CheckpointFacts:
    """The numbers of a checkpoint.

    Attributes:
        step: optimiser steps taken.
        minutes: wall-clock minutes of training so far.
        settings: hash of everything that decides the result of a step.
        best: best validation Dice so far, -1 before the first.
    """

    step: int
    minutes: float
    settings: str
    best: float = -1.0


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
    write_bytes(folder / FILE, serialize(held, metadata={"facts": json.dumps(asdict(facts))}))


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
            return CheckpointFacts(**json.loads(file.metadata()["facts"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            path,
            found=f"an unreadable checkpoint ({error})",
            expected="a training state",
            cure="start a new run",
        ) from None


def restore(
    folder: Path,
    network: Network,
    average: MovingAverage,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Restore weights, moving average, optimisers and torch's generator from a checkpoint."""
    tensors = load_file(folder / FILE)
    torch.set_rng_state(tensors.pop("rng").to(torch.uint8))
    network.load_state_dict(
        {
            name.removeprefix("network."): v
            for name, v in tensors.items()
            if name.startswith("network.")
        }
    )
    for name, value in tensors.items():
        if name.startswith("average."):
            average.weights[name.removeprefix("average.")].copy_(value)
    for which, optimizer in enumerate(optimizers):
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimizer.{which}."):
                index, slot = name.split(".")[2:]
                slots.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict(optimizer.state_dict() | {"state": slots})
