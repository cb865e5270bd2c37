"""What every network offers: the Protocol that the rest of the package is typed with.

A network is a ``torch.nn.Module`` that satisfies ``Network``; it does not inherit from it. Python
has no type for "a module and a Network", so the module methods in use are declared here too.

Shape legend: B batch, E experts, S* spatial axes, G* token grid.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from cardioseg.core.exits import OWN, ExitRule
from cardioseg.networks.output import SegOutput


class NetworkConfig(Protocol):
    """Settings that every network has, whatever else it adds."""

    @property
    def channels(self) -> int:
        """Input channels."""

    @property
    def classes(self) -> int:
        """Output classes, background included."""

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Voxels per token along each axis; its length makes the network 2-D or 3-D."""

    @property
    def loops(self) -> int:
        """Loop budget when the caller names none."""

    @property
    def trained_loops(self) -> int:
        """Largest loop count seen in training; a larger budget extrapolates."""

    def model_dump(self) -> dict[str, Any]:
        """All settings by name."""


class Network(Protocol):
    """A segmentation network.

    Attributes:
        skips: whether tokens that have exited are left out of the computation. False computes them
            and discards the results: the same output, for measurements and tests.
    """

    skips: bool

    @property
    def config(self) -> NetworkConfig:
        """The settings it was built from."""

    @property
    def exits(self) -> tuple[str, ...]:
        """Names of the exit rules it can follow, its default first."""

    def forward(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """Segment a batch.

        Args:
            image: (B, channels, *S), any size.
            loops: loop budget; None takes the configured one.
            exits: exit rule; used at inference only.

        Raises:
            ValueError: fewer than 1 loop, or an exit rule that the network cannot follow.
        """

    def __call__(
        self, image: Tensor, *, loops: int | None = None, exits: ExitRule = OWN
    ) -> SegOutput:
        """``forward`` with the module's hooks."""

    def rebalance(self, routing: Tensor, weights: Tensor, *, rate: float) -> None:
        """Balance the experts after a training step; does nothing in a network without experts.

        Args:
            routing: (B, E, *G) from ``SegOutput``.
            weights: (B, *G) weight of each token.
            rate: step of the experts' bias, in logits.
        """

    # Of torch.nn.Module:

    @property
    def training(self) -> bool:
        """Whether it is in training mode."""

    def train(self) -> Self:
        """Switch to training mode."""

    def eval(self) -> Self:
        """Switch to inference mode."""

    def to(self, device: torch.device) -> Self:
        """Move weights and buffers to a device."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Weights."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Weights with their names."""

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """The network and every part of it, with their names."""

    def get_submodule(self, target: str) -> nn.Module:
        """The part with a name."""

    def zero_grad(self) -> None:
        """Drop all gradients."""

    def state_dict(self) -> dict[str, Any]:
        """Weights and buffers by name."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Set weights and buffers by name."""
