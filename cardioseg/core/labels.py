"""Names, values and colours of the structures in a mask.

ACDC stores RV 1, MYO 2, LV 3; UK Biobank and MONAI's model zoo store LV 1, MYO 2, RV 3. So no other
module compares a mask with a literal number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MYOCARDIAL_DENSITY_G_PER_ML = 1.05

# Structure colours in every figure and viewer, from Okabe and Ito's set for colour-blind readers.
# Blue, yellow and vermilion also differ in brightness and stand out from grey.
PALETTE = {"RV": "#56b4e9", "MYO": "#f0e442", "LV": "#d55e00"}
OTHER_COLOURS = ("#cc79a7", "#009e73", "#0072b2", "#e69f00")


@dataclass(frozen=True)
class LabelTable:
    """Class names; a name's index is its value in the mask, and 0 is the background."""

    names: tuple[str, ...]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, int]) -> "LabelTable":
        """Build a table from name → value.

        Raises:
            ValueError: the values are not 0, 1, 2, … without a gap.
        """
        by_value = {int(value): str(name) for name, value in mapping.items()}
        if sorted(by_value) != list(range(len(mapping))):
            raise ValueError(
                f"label values are {sorted(mapping.values())}, not 0 to {len(mapping) - 1}"
            )
        return cls(tuple(by_value[value] for value in range(len(by_value))))

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


ACDC_LABELS = LabelTable(("background", "RV", "MYO", "LV"))
