"""Settings: one strict reader for TOML files and ``--set section.key=value``.

An unknown setting is an error: a misspelt key that silently trains the default costs a day.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cardioseg.core.errors import ConfigError

# Windows larger than 1024 voxels, 1.5 m at 1.5 mm, exceed any image of a heart.
Size = Annotated[int, Field(ge=1, le=1024)]
MOST_LEVELS = 8
LONGEST_VALUE = 80  # characters of a value that a message shows
Percentile = Annotated[float, Field(ge=0, le=100)]


class Settings(BaseModel):
    """A frozen section of the settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PreparationConfig(Settings):
    """Preprocessing, saved with the model so that training and inference agree.

    By default slices are not resampled: they are 5 to 10 mm apart, and interpolation between them
    invents anatomy.
    """

    spacing_mm: float = Field(
        1.5, ge=0.1, le=1000, description="in-plane voxel size of the working grid, in mm"
    )
    slice_spacing_mm: float | None = Field(
        None,
        ge=0.1,
        le=1000,
        description="slice spacing of the working grid, in mm; None keeps the file's",
    )
    clip_percentiles: tuple[Percentile, Percentile] = Field(
        (0.5, 99.5), description="intensity percentiles to clip to, before standardising"
    )
    neighbours: int = Field(
        1, ge=0, le=16, description="slices above and below given as extra channels (2-D networks)"
    )

    @property
    def channels(self) -> int:
        """Input channels of a 2-D network."""
        return 1 + 2 * self.neighbours


class WindowConfig(Settings):
    """How a volume is cut into windows and stitched; saved with the model."""

    size: tuple[Size, ...] = Field(
        (128, 128),
        min_length=2,
        max_length=3,
        description="window size in voxels of the working grid; 3 numbers for a 3-D network",
    )
    overlap: float = Field(
        0.5, ge=0, lt=1, description="share of a window that its neighbour overlaps"
    )
    views: Literal["none", "flips", "all"] = Field(
        "all", description="orientations averaged: none (1), flips (4) or all (8)"
    )
    common_storage: bool = Field(
        True,
        description="turn every slice to a common one of eight orientations; "
        "off for models trained on the files' own",
    )
    focus: bool = Field(
        True,
        description="find the heart in one orientation, segment only there in all orientations",
    )
    margin: int = Field(16, ge=0, le=1024, description="voxels kept around the heart found first")
    batch: int = Field(8, ge=1, le=1024, description="windows per forward pass")


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as nested dictionaries.

    Raises:
        ConfigError: the file is missing, unreadable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            path, found=str(error), expected="a readable TOML file", cure="check the path"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            path, found=f"invalid TOML ({error})", expected="TOML", cure="fix that line"
        ) from None
    except RecursionError:
        found, cure = "tables or lists nested too deeply", "use section and setting"
        raise ConfigError(path, found=found, expected="two levels", cure=cure) from None


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` updated with ``changes``, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(inner, value)
        else:
            merged[key] = value
    return merged


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse ``section.key=value`` strings into nested dictionaries.

    Values are TOML; anything that is not TOML is taken as text.

    Raises:
        ConfigError: a string without a key or an equals sign, or nested too deeply.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                "--set",
                found=repr(pair),
                expected="section.key=value",
                cure="write it with an equals sign",
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        except RecursionError:
            raise _too_deep(pair) from None
        parts = key.strip().split(".")
        if len(parts) > MOST_LEVELS:
            raise _too_deep(pair)
        for part in reversed(parts):
            value = {part: value}
        settings = merge(settings, value)
    return settings


def _too_deep(pair: str) -> ConfigError:
    return ConfigError(
        "--set",
        found=f"{_short(pair)}, nested too deeply",
        expected="section.key=value",
        cure="name one setting",
    )


def _short(value: object) -> str:
    """At most 80 characters of a value, for messages."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def validate(kind: type[SettingsT], values: Mapping[str, Any], *, source: Path | str) -> SettingsT:
    """Check ``values`` against the settings class ``kind``.

    Raises:
        ConfigError: an unknown setting or an invalid value; names the key, value and limits.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(kind.model_fields)
            raise ConfigError(
                source,
                found=f"unknown setting {key!r}",
                expected=f"one of {allowed}",
                cure="correct the name",
            ) from None
        expected = first["msg"].removeprefix("Input should be ")
        raise ConfigError(
            source,
            found=f"{key} = {_short(first['input'])}",
            expected=expected,
            cure="correct the value",
        ) from None
