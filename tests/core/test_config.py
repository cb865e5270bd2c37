"""Settings from outside: too large, too deep, not finite, of the wrong type."""

import pytest

from cardioseg.core.config import (
    PreparationConfig,
    WindowConfig,
    parse_overrides,
    read_toml,
    validate,
)
from cardioseg.core.errors import ConfigError
from cardioseg.data.augment import AugmentConfig
from cardioseg.data.loading import SamplingConfig
from cardioseg.training.config import TrainingConfig

DEEP = 200_000


@pytest.mark.parametrize(
    "text", ["a = " + "[" * DEEP, "[" + "a." * DEEP + "a]\nb = 1", "a = [", "\x00"], ids=range(4)
)
def test_toml_that_cannot_be_read_is_a_config_error(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        validate(PreparationConfig, read_toml(path), source=path)
    assert caught.value.file == str(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "pair", ["a=" + "[" * DEEP, "a." * DEEP + "a=1", "a={" + "b={" * DEEP], ids=range(3)
)
def test_overrides_nested_too_deeply_are_refused(pair):
    with pytest.raises(ConfigError) as caught:
        validate(PreparationConfig, parse_overrides([pair, pair]), source="--set")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("kind", "pair"),
    [
        (SamplingConfig, "window=[1000000,1000000]"),
        (SamplingConfig, "window=[32]"),
        (SamplingConfig, "jitter=1000000000"),
        (WindowConfig, "size=[1000000,1000000]"),
        (WindowConfig, "margin=1000000000"),
        (AugmentConfig, "zoom=[0,1e300]"),
        (AugmentConfig, "zoom=[-1,1]"),
        (AugmentConfig, "elastic_magnitude=[0,1e9]"),
        (AugmentConfig, "rotation=1e400"),
        (TrainingConfig, "learning_rate=1e400"),
        (TrainingConfig, "learning_rate=nan"),
        (TrainingConfig, "steps=1000000000000"),
        (TrainingConfig, "steps=1e400"),
        (TrainingConfig, "penalties={ponder=inf}"),
        (TrainingConfig, "penalties={ponder='x'}"),
        (PreparationConfig, "spacing_mm=1e-9"),
        (PreparationConfig, "spacing_mm=1e400"),
        (PreparationConfig, "neighbours=1000000"),
    ],
)
def test_values_out_of_range_are_named(kind, pair):
    with pytest.raises(ConfigError) as caught:
        validate(kind, parse_overrides([pair]), source="--set")
    assert pair.partition("=")[0] in caught.value.found
