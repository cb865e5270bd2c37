"""Progress of a workflow, passed to a callback so that workflows need no screen."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """The current state of a workflow.

    Attributes:
        done: work finished, in the unit of ``total`` (cases, steps, minutes).
        total: all the work; 0 while unknown.
        message: the current item, "" for none.
        fields: formatted figures beside the bar: ``{"loss": "0.31", "dice": "0.88"}``.
    """

    done: float
    total: float
    message: str = ""
    fields: dict[str, str] = field(default_factory=dict)


OnProgress = Callable[[Progress], None]


def unwatched(progress: Progress) -> None:
    """Ignore progress; the default of every ``on_progress``."""
