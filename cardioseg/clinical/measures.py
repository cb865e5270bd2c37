"""Numbers that quality rules look at, with the slices or frames that they concern."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field

from cardioseg.core.record import Record


@dataclass(frozen=True)
class Located:
    """A number, and where in the stack or the beat it comes from.

    Attributes:
        value: the number.
        at: slices, or frames for a measure of a cine, from 1.
    """

    value: float
    at: tuple[int, ...]


Value = float | str | Located  # a number, why there is none, or a number with its place


class Measures(Record):
    """Numbers by name; None where one could not be computed, with the reason under the same name.

    Attributes:
        values: measure → number.
        reasons: measure → why its number is None.
        at: measure → slices, or frames of a cine, from 1, that it concerns.
    """

    values: dict[str, float | None] = Field(default={})
    reasons: dict[str, str] = Field(default={})
    at: dict[str, tuple[int, ...]] = Field(default={})

    @classmethod
    def of(cls, found: Mapping[str, Value]) -> "Measures":
        """Sort into numbers, rounded to six decimals, reasons and places."""
        return cls(
            values={name: _number(value) for name, value in found.items()},
            reasons={name: value for name, value in found.items() if isinstance(value, str)},
            at={
                n: value.at for n, value in found.items() if isinstance(value, Located) and value.at
            },
        )

    def with_others(self, others: "Measures") -> "Measures":
        """Both together; ``others`` wins where a name is in both."""
        return Measures(
            values=self.values | others.values,
            reasons=self.reasons | others.reasons,
            at=self.at | others.at,
        )


def _number(value: Value) -> float | None:
    if isinstance(value, str):
        return None
    return round(float(value.value if isinstance(value, Located) else value), 6)


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in words: ``3, 5–7`` for 3, 5, 6, 7."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in found)
