"""``train --init-from MODEL --tune all|head|lora``: the model a run starts from, and what it decides of the run's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cardioseg.core.config import merge
from cardioseg.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from torch import nn

    from cardioseg.bundle import Model
    from cardioseg.data.manifest import Manifest
    from cardioseg.training.tuning import Tune

RANK = 8  # of adapters that the model does not have yet and nobody gave a rank; 4,160 numbers at width 256


@dataclass(frozen=True)
class StartingModel:
    """A model whose weights a run takes over.

    Attributes:
        model: as loaded.
        network: its ``[network]`` settings, name among them.
        tune: what trains: "all", "head" or "lora".
    """

    model: "Model"
    network: dict[str, Any]
    tune: "Tune" = "all"

    def under(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked for, laid over the model's network, the windows it saw, and how it is cut at inference.

        Raises:
            ConfigError: another architecture is asked for, or 3-D patches of a 2-D network or the reverse.
        """
        name = asked.get("network", {}).get("name", self.network["name"])
        if name != self.network["name"]:
            expected = f"{self.network['name']!r}, the model's"
            raise ConfigError("--init-from", found=f"network.name = {name!r}", expected=expected, cure="leave it out")
        size = list(self.model.windows.size)
        window = asked.get("sampling", {}).get("window", size)
        if isinstance(window, list) and len(window) != len(size):
            found, expected = f"sampling.window = {window}", f"{len(size)} numbers, as in the model"
            raise ConfigError("--init-from", found=found, expected=expected, cure="correct the window or leave it out")
        network = dict(self.network)
        if self.tune == "lora" and getattr(self.model.network.config, "lora_rank", None) == 0:
            network["lora_rank"] = RANK
        windows = self.model.windows.model_dump(mode="json", exclude={"size"})
        return merge({"network": network, "sampling": {"window": size}, "windows": windows}, asked)

    @property
    def facts(self) -> dict[str, str]:
        """What decides the start, for the run's record and the hash that guards ``--resume``."""
        return {"model": self.model.name, "weights_sha256": self.model.sha256, "tune": self.tune}

    def check(self, network: Mapping[str, Any]) -> None:
        """ConfigError when adapters are to train where there are none."""
        if self.tune != "lora":
            return
        if "lora_rank" not in network:
            found = f"{network['name']}, which has no place for adapters"
            raise ConfigError("--tune", found=found, expected="rdvit for lora", cure="pass --tune head or --tune all")
        if network["lora_rank"] == 0:
            raise ConfigError("--set", found="network.lora_rank = 0", expected="1 or more for --tune lora", cure="leave it out")

    def fill(self, network: "nn.Module") -> int:
        """Take over the weights and freeze what is not to train; new adapters start as no difference.

        Returns:
            How many numbers will train.

        Raises:
            ConfigError: the weights do not fit the network.
        """
        from cardioseg.training.tuning import freeze

        weights = self.model.network.state_dict()
        fresh = {name: value for name, value in network.state_dict().items() if name.startswith("lora.") and name not in weights}
        try:
            network.load_state_dict({**weights, **(fresh if self.tune != "head" else {})})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            cure = "leave out the [network] settings that the weights depend on"
            raise ConfigError("--init-from", found=reason, expected="a network for the model's weights", cure=cure) from None
        return freeze(network, self.tune)


def starting_model(name: str | None, tune: str, manifest: "Manifest") -> StartingModel | None:
    """The model to start from, fitted to the prepared data; None when there is none.

    Raises:
        UsageError: something other than everything is to be tuned, and there is no model; or nobody knows ``tune``.
        ConfigError: the data were prepared in another way, or have other labels.
        ModelError: the model cannot be read.
    """
    from cardioseg.bundle import find_model, load_model
    from cardioseg.core.config import read_toml
    from cardioseg.training.tuning import TUNES

    if tune not in TUNES:
        raise UsageError("--tune", found=repr(tune), expected=f"one of {', '.join(TUNES)}", cure="correct the word")
    if name is None:
        if tune != "all":
            raise UsageError("--tune", found=f"{tune}, and no model", expected="weights to start from", cure="pass --init-from")
        return None
    model = load_model(name)
    _same_data(model, manifest)
    tuned: Any = tune
    return StartingModel(model, dict(read_toml(find_model(name) / "config.toml")["network"]), tuned)


def _same_data(model: "Model", manifest: "Manifest") -> None:
    """ConfigError unless the prepared data look to the network as its own did."""
    if model.labels != manifest.labels:
        found, expected = (", ".join(table.names) for table in (manifest.labels, model.labels))
        cure = "give the data set's labels the model's names and order, or train without --init-from"
        raise ConfigError("--init-from", found=f"data with labels {found}", expected=expected, cure=cure)
    mine, theirs = manifest.preparation.model_dump(), model.preparation.model_dump()
    differing = sorted(key for key, value in theirs.items() if mine[key] != value)
    if differing:
        key = differing[0]
        found, expected = f"data prepared with {key} = {mine[key]}", f"{theirs[key]}, the model's"
        cure = f"run cardioseg prepare --set {key}={theirs[key]}"
        raise ConfigError("--init-from", found=found, expected=expected, cure=cure)
