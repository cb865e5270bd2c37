"""Names, values and colours of the structures in a mask.

ACDC stores RV 1, MYO 2, LV 3; UK Biobank and MONAI's model zoo store LV 1, MYO 2, RV 3. So no other
module compares a mask with a literal number.

Files may store any values; in memory a structure's value is its place in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MYOCARDIAL_DENSITY_G_PER_ML = 1.05

IGNORED = 255  # in memory: a voxel without a label, left out of loss, sampling and scores
IGNORE_NAME = "ignore"  # nnU-Net's name for such voxels
BACKGROUND = "background"
LARGEST_VALUE = 2**24  # float32 voxels hold larger integers inexactly

# Structure colours in every figure and viewer, from Okabe and Ito's set for colour-blind readers.
# Blue, yellow and vermilion also differ in brightness and stand out from grey.
PALETTE = {"RV": "#56b4e9", "MYO": "#f0e442", "LV": "#d55e00"}
OTHER_COLOURS = ("#cc79a7", "#009e73", "#0072b2", "#e69f00")


@dataclass(frozen=True)
class LabelTable:
    """Class names; a name's index is its value in memory, and 0 is the background.

    Attributes:
        names: the background, then the structures.
        values: the value of each name in mask files; () where files store the indices.
        ignored: the value in mask files of voxels without a label; None without such voxels.
    """

    names: tuple[str, ...]
    values: tuple[int, ...] = field(default=(), compare=False)
    ignored: int | None = field(default=None, compare=False)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "LabelTable":
        """Build a table from name → value, or value → name as in nnU-Net 1; gaps are allowed.

        Raises:
            ValueError: a value is not a whole number from 0, two names share one, a name stands
                for several values (a region), there is no structure, or the background is not 0.
        """
        by_value = _by_value(_names_first(mapping))
        ignored = next((v for v, name in by_value.items() if name.lower() == IGNORE_NAME), None)
        by_value.pop(-1 if ignored is None else ignored, None)
        _check_background(by_value)
        if not 2 <= len(by_value) <= IGNORED:
            raise ValueError(f"{len(by_value) - 1} structures, not 1 to {IGNORED - 1}")
        values = tuple(sorted(by_value))
        return cls(tuple(by_value[value] for value in values), values, ignored)

    @property
    def stored(self) -> tuple[int, ...]:
        """The value of each name in mask files."""
        return self.values or tuple(range(len(self.names)))

    @property
    def structures(self) -> tuple[str, ...]:
        """The names without the background."""
        return self.names[1:]

    @property
    def colours(self) -> dict[str, str]:
        """Structure → "#rrggbb": from ``PALETTE`` by name in any case, else ``OTHER_COLOURS``."""
        others = [name for name in self.structures if name.upper() not in PALETTE]
        turns = {
            name: OTHER_COLOURS[index % len(OTHER_COLOURS)] for index, name in enumerate(others)
        }
        return {name: PALETTE.get(name.upper()) or turns[name] for name in self.structures}

    def value(self, name: str) -> int:
        """The mask value of a structure; KeyError if the table has no such name."""
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(f"no structure {name!r} among {', '.join(self.names)}") from None

    def __len__(self) -> int:
        return len(self.names)


def _names_first(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """``mapping`` as name → value; nnU-Net 1 wrote {"0": "background", "1": "LV"}."""
    turned = mapping and all(
        str(key).strip().isdecimal() and isinstance(value, str) and not value.strip().isdecimal()
        for key, value in mapping.items()
    )
    if not turned:
        return mapping
    if len(set(mapping.values())) < len(mapping):
        raise ValueError("one name for two values (a region); each value needs a name of its own")
    return {str(name): key for key, name in mapping.items()}


def _by_value(mapping: Mapping[str, Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    for name, given in mapping.items():
        value = _whole(name, given)
        if value in found:
            raise ValueError(f"value {value} for both {found[value]!r} and {name!r}")
        found[value] = str(name).strip()
    return found


def _whole(name: str, given: Any) -> int:
    if isinstance(given, list | tuple) and len(given) == 1:
        given = given[0]
    if isinstance(given, list | tuple):
        raise ValueError(  # noqa: TRY004 — a wrong table, whatever its types
            f"the region {name!r} of several values; each value needs a name of its own"
        )
    try:
        number = float(given) if isinstance(given, str | int | float) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if isinstance(given, bool) or not (0 <= number <= LARGEST_VALUE and number.is_integer()):
        raise ValueError(f"{name!r} = {str(given)[:40]}, not a whole number from 0")
    return int(number)


def _check_background(by_value: dict[int, str]) -> None:
    """Add the background where the table leaves it out."""
    elsewhere = [v for v, name in by_value.items() if v and name.lower() == BACKGROUND]
    if elsewhere:
        raise ValueError(f"{BACKGROUND!r} = {elsewhere[0]}; the background must be 0")
    if by_value.setdefault(0, BACKGROUND).upper() in PALETTE:
        raise ValueError(f"{by_value[0]!r} = 0; 0 must be the background")


ACDC_LABELS = LabelTable(("background", "RV", "MYO", "LV"))
