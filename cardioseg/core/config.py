"""Settings: one strict reader for every TOML file and every ``--set section.key=value``.

A setting that no class names is an error, never ignored: a misspelt key that silently trains the default costs a day.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cardioseg.core.errors import ConfigError

Size = Annotated[int, Field(ge=1)]
Percentile = Annotated[float, Field(ge=0, le=100)]


class Settings(BaseModel):
    """A frozen section of the settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PreparationConfig(Settings):
    """How a volume becomes what the network sees; travels inside the model so that training and inference agree.

    The slice axis stays native: short-axis slices are 5 to 10 mm apart, and resampling between them invents anatomy.
    """

    spacing_mm: float = Field(
        1.5, gt=0, description="in-plane voxel size the network works at, in mm"
    )
    slice_spacing_mm: float | None = Field(
        None, gt=0, description="resample the slice axis to this; None keeps it native"
    )
    clip_percentiles: tuple[Percentile, Percentile] = Field(
        (0.5, 99.5), description="intensities are clipped to these, then standardised"
    )
    neighbours: int = Field(
        1, ge=0, description="slices above and below that come in as channels (2-D networks)"
    )

    @property
    def channels(self) -> int:
        """Input channels of a 2-D network."""
        return 1 + 2 * self.neighbours


class WindowConfig(Settings):
    """How a slice is cut into windows and put together again; travels inside the model."""

    size: tuple[Size, ...] = Field(
        (128, 128),
        min_length=2,
        max_length=3,
        description="voxels on the working grid; three numbers for a 3-D network",
    )
    overlap: float = Field(
        0.5, ge=0, lt=1, description="share of a window that the next one covers again"
    )
    views: Literal["none", "flips", "all"] = Field(
        "all", description="reflections and rotations averaged: 1, 4 or 8"
    )
    common_storage: bool = Field(
        True,
        description="bring every image to the one of its eight storages that all share; off where training kept the files' own",
    )
    focus: bool = Field(
        True,
        description="find the heart with one view, look again there with all views, and clear the rest",
    )
    margin: int = Field(16, ge=0, description="voxels kept around what the first look found")
    batch: int = Field(8, ge=1, description="windows per forward pass")


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as nested dictionaries; ConfigError names the file and the line."""
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


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = (
            merge(inner, value)
            if isinstance(inner, Mapping) and isinstance(value, Mapping)
            else value
        )
    return merged


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """``section.key=value`` strings as nested dictionaries; values are TOML, bare words are text."""
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
        for part in reversed(key.strip().split(".")):
            value = {part: value}
        settings = merge(settings, value)
    return settings


def validate(kind: type[SettingsT], values: Mapping[str, Any], *, source: Path | str) -> SettingsT:
    """``values`` as ``kind``; ConfigError names the key, the value and what is allowed."""
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
            source, found=f"{key} = {first['input']!r}", expected=expected, cure="correct the value"
        ) from None
