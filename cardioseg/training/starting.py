"""``train --init-from MODEL --tune all|head|lora``: the model a run starts from, and what it decides of the run's settings.

A run of the model's own architecture takes over all its weights. Where another architecture or 3-D patches are asked for, it
takes what fits (``training.transfer``: stem and decoder at least), and says how much that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cardioseg.core.config import merge
from cardioseg.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from cardioseg.bundle import Model
    from cardioseg.data.manifest import Manifest
    from cardioseg.networks import Network
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
            ConfigError: the windows have another number of axes than the patches, or a part is to be tuned of another network.
        """
        network = asked.get("network", {})
        size = list(self.model.windows.size)
        window = asked.get("sampling", {}).get("window", size)
        axes = _axes(network, self.network)
        if isinstance(window, list) and len(window) != axes:
            found, expected = (
                f"sampling.window = {window}",
                f"{axes} numbers, as in network.patch_size",
            )
            raise ConfigError(
                "--init-from",
                found=found,
                expected=expected,
                cure="set both, for 2-D or for 3-D, or neither",
            )
        if not self.same_kind(network):
            return merge({"network": self._fitting(network), "sampling": {"window": window}}, asked)
        kept = dict(self.network)
        if self.tune == "lora" and getattr(self.model.network.config, "lora_rank", None) == 0:
            kept["lora_rank"] = RANK
        windows = self.model.windows.model_dump(mode="json", exclude={"size"})
        return merge({"network": kept, "sampling": {"window": size}, "windows": windows}, asked)

    def _fitting(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The ``[network]`` settings of the model that a network of another kind can have as well."""
        from cardioseg.layers.frame import FrameConfig

        if self.tune != "all":
            found, cure = (
                f"{self.tune}, and another network than the model's",
                "pass --tune all, or ask for the model's network",
            )
            raise ConfigError("--tune", found=found, expected="the model's own network", cure=cure)
        frame, other = (
            set(FrameConfig.model_fields),
            asked.get("name", self.network["name"]) != self.network["name"],
        )
        kept = frame if other else set(self.network)
        return {
            key: self.network[key]
            for key in kept - {"patch_size", "channels"}
            if key in self.network
        }

    def same_kind(self, network: Mapping[str, Any]) -> bool:
        """Whether these ``[network]`` settings, where they say anything, are of the model's architecture and number of axes."""
        same_name = network.get("name", self.network["name"]) == self.network["name"]
        return same_name and _axes(network, self.network) == len(self.network["patch_size"])

    @property
    def facts(self) -> dict[str, str]:
        """What decides the start, for the run's record and the hash that guards ``--resume``."""
        return {"model": self.model.name, "weights_sha256": self.model.sha256, "tune": self.tune}

    def told(
        self, taken: Mapping[str, int], network: "Network", settings: Mapping[str, Any]
    ) -> str:
        """The start in words, for the run's record; ``taken`` is what came over into a network of these settings."""
        every = sum(value.numel() for value in network.state_dict().values())
        parts = ", ".join(sorted({name.partition(".")[0] for name in taken}))
        share = f"{sum(taken.values()):,} of {every:,} numbers taken over ({parts})"
        how = f"tune {self.tune}" if self.same_kind(settings) else share
        return f"{self.model.name} (weights {self.model.sha256[:16]}), {how}"

    def check(self, network: Mapping[str, Any]) -> None:
        """ConfigError when adapters are to train where there are none."""
        if self.tune != "lora":
            return
        if "lora_rank" not in network:
            found = f"{network['name']}, which has no place for adapters"
            raise ConfigError(
                "--tune",
                found=found,
                expected="rdvit for lora",
                cure="pass --tune head or --tune all",
            )
        if network["lora_rank"] == 0:
            raise ConfigError(
                "--set",
                found="network.lora_rank = 0",
                expected="1 or more for --tune lora",
                cure="leave it out",
            )

    def fill(self, network: "Network", settings: Mapping[str, Any]) -> dict[str, int]:
        """Take over the weights and freeze what is not to train; new adapters start as no difference.

        Args:
            network: freshly built.
            settings: its ``[network]``.

        Returns:
            How many numbers were taken over, by the weights' names.

        Raises:
            ConfigError: the weights do not fit a network of the model's own kind, or nothing fits one of another.
        """
        from cardioseg.training.transfer import transferable
        from cardioseg.training.tuning import freeze

        weights, empty = self.model.network.state_dict(), network.state_dict()
        taken = weights if self.same_kind(settings) else transferable(weights, empty)
        adapters = {
            name: value
            for name, value in empty.items()
            if name.startswith("lora.") and self.tune != "head"
        }
        kept = adapters if self.same_kind(settings) else empty
        try:
            network.load_state_dict({**kept, **taken})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            cure = "leave out the [network] settings that the weights depend on"
            raise ConfigError(
                "--init-from", found=reason, expected="a network for the model's weights", cure=cure
            ) from None
        if not taken:
            cure = "train without --init-from"
            raise ConfigError(
                "--init-from",
                found="no weights that fit",
                expected="a stem or a decoder of the same shape",
                cure=cure,
            )
        freeze(network, self.tune)
        return {name: value.numel() for name, value in taken.items()}


def _axes(asked: Mapping[str, Any], given: Mapping[str, Any]) -> int:
    """Axes of the patches that were asked for; what is no list is refused where settings are checked."""
    patch = asked.get("patch_size")
    return len(patch if isinstance(patch, list) else given["patch_size"])


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
        raise UsageError(
            "--tune",
            found=repr(tune),
            expected=f"one of {', '.join(TUNES)}",
            cure="correct the word",
        )
    if name is None:
        if tune != "all":
            raise UsageError(
                "--tune",
                found=f"{tune}, and no model",
                expected="weights to start from",
                cure="pass --init-from",
            )
        return None
    model = load_model(name, device="cpu")
    _same_data(model, manifest)
    tuned: Any = tune
    return StartingModel(model, dict(read_toml(find_model(name) / "config.toml")["network"]), tuned)


def _same_data(model: "Model", manifest: "Manifest") -> None:
    """ConfigError unless the prepared data look to the network as its own did."""
    if model.labels != manifest.labels:
        found, expected = (", ".join(table.names) for table in (manifest.labels, model.labels))
        cure = (
            "give the data set's labels the model's names and order, or train without --init-from"
        )
        raise ConfigError(
            "--init-from", found=f"data with labels {found}", expected=expected, cure=cure
        )
    mine, theirs = manifest.preparation.model_dump(), model.preparation.model_dump()
    differing = sorted(key for key, value in theirs.items() if mine[key] != value)
    if differing:
        key = differing[0]
        found, expected = f"data prepared with {key} = {mine[key]}", f"{theirs[key]}, the model's"
        cure = f"run cardioseg prepare --set {key}={theirs[key]}"
        raise ConfigError("--init-from", found=found, expected=expected, cure=cure)
