"""How far a workflow has come: a record that it hands to whoever watches, so that no workflow knows of a screen."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """Where a workflow stands now, not what changed since the last call.

    Attributes:
        done: work finished, in the unit of ``total`` (cases, steps, minutes).
        total: all the work; 0 while it is not known.
        message: what is being worked on, "" for nothing to say.
        fields: figures beside the bar, already formatted: ``{"loss": "0.31", "dice": "0.88"}``.
    """

    done: float
    total: float
    message: str = ""
    fields: dict[str, str] = field(default_factory=dict)


OnProgress = Callable[[Progress], None]


def unwatched(progress: Progress) -> None:
    """The watcher of a workflow that nobody watches; the default of every ``on_progress``."""
