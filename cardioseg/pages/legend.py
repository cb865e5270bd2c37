"""Names and colours of the values in a case's maps."""

from dataclasses import dataclass

from cardioseg.figures.palette import expert_colours, loop_colours
from cardioseg.results.finished import FinishedCase


@dataclass(frozen=True)
class LegendRow:
    """A value with its name and its colour; None if it is left clear."""

    value: int
    name: str
    colour: str | None


@dataclass(frozen=True)
class Legend:
    """What the values of a map mean.

    Attributes:
        key: "mask", "halting" or "experts".
        caption: what the map shows.
        names: name of each value from 0; "" for one that does not occur.
        colours: "#rrggbb" of each value; None for one that is left clear.
    """

    key: str
    caption: str
    names: tuple[str, ...]
    colours: tuple[str | None, ...]

    @property
    def rows(self) -> tuple[LegendRow, ...]:
        """The values that occur, without the background."""
        named = enumerate(zip(self.names, self.colours, strict=True))
        return tuple(LegendRow(v, name, colour) for v, (name, colour) in named if name and v)


def legends(case: FinishedCase) -> tuple[Legend, ...]:
    """The legends of a case's maps, in the order of ``case.maps``."""
    when = " in this frame" if case.image.frames > 1 else ""
    experts = range(len(case.record.expert_shares))
    made = {
        "mask": Legend(
            "mask",
            f"Structures, volume{when}",
            case.labels.names,
            (None, *case.labels.colours.values()),
        ),
        # One loop is the rule far from the heart. It is left clear, so that the image is visible.
        "halting": Legend(
            "halting",
            "Loops used, share of the heart",
            ("", *(f"{n} loop{'s' * (n > 1)}" for n in range(1, case.loops + 1))),
            (None, None, *loop_colours(case.loops)[1:]),
        ),
        "experts": Legend(
            "experts",
            "Strongest expert, share of the heart",
            ("", *(f"expert {n + 1}" for n in experts)),
            (None, *expert_colours(len(experts))),
        ),
    }
    return tuple(made[key] for key in case.maps)
