"""The model that a training run starts from (``--init-from``), and what it decides.

A run of the model's own architecture takes over all of its weights. A run of another architecture,
or with 3-D patches of a 2-D model, takes over the weights that fit (``training.transfer``), at
least stem and decoder, and the run record says how many.
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

RANK = 8  # default rank of adapters for a model without any; 4,160 values at width 256


@dataclass(frozen=True)
class StartingModel:
    """A model whose weights a run takes over.

    Attributes:
        model: as loaded.
        network: its ``[network]`` settings, including the name.
        tune: which weights train: "all", "head" or "lora".
    """

    model: "Model"
    network: dict[str, Any]
    tune: "Tune" = "all"

    def with_settings(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that the caller gave, over those of the model.

        Raises:
            ConfigError: windows and patches differ in their number of axes, or ``tune`` is not
                "all" for another kind of network.
        """
        network = asked.get("network", {})
        size = list(self.model.windows.size)
        window = asked.get("sampling", {}).get("window", size)
        axes = _axes(network, self.network)
        if isinstance(window, list) and len(window) != axes:
            raise ConfigError(
                "--init-from",
                found=f"sampling.window = {window}",
                expected=f"{axes} numbers, as in network.patch_size",
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
        """The model's ``[network]`` settings that another kind of network shares."""
        from cardioseg.layers.frame import FrameConfig

        if self.tune != "all":
            raise ConfigError(
                "--tune",
                found=f"{self.tune} with a network other than the model's",
                expected="the model's own network",
                cure="pass --tune all, or train the model's network",
            )
        other = asked.get("name", self.network["name"]) != self.network["name"]
        kept = set(FrameConfig.model_fields) if other else set(self.network)
        return {
            key: self.network[key]
            for key in kept - {"patch_size", "channels"}
            if key in self.network
        }

    def same_kind(self, network: Mapping[str, Any]) -> bool:
        """Whether ``[network]`` settings keep the model's architecture and number of axes."""
        same_name = network.get("name", self.network["name"]) == self.network["name"]
        return same_name and _axes(network, self.network) == len(self.network["patch_size"])

    @property
    def facts(self) -> dict[str, str]:
        """The start, for the run record and for the hash that ``--resume`` checks."""
        return {"model": self.model.name, "weights_sha256": self.model.sha256, "tune": self.tune}

    def describe(
        self, taken: Mapping[str, int], network: "Network", settings: Mapping[str, Any]
    ) -> str:
        """The start in words, for the run record.

        Args:
            taken: values taken over, by weight name.
            network: that was filled.
            settings: its ``[network]``.
        """
        every = sum(value.numel() for value in network.state_dict().values())
        parts = ", ".join(sorted({name.partition(".")[0] for name in taken}))
        share = f"{sum(taken.values()):,} of {every:,} values taken over ({parts})"
        how = f"tune {self.tune}" if self.same_kind(settings) else share
        return f"{self.model.name} (weights {self.model.sha256[:16]}), {how}"

    def check(self, network: Mapping[str, Any]) -> None:
        """Raise ConfigError where ``tune`` is "lora" and the network has no adapters."""
        if self.tune != "lora":
            return
        if "lora_rank" not in network:
            found = f"{network['name']}, which has no adapters"
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
        """Take over the weights and freeze those that do not train; new adapters start at zero.

        Args:
            network: freshly built.
            settings: its ``[network]``.

        Returns:
            Number of values taken over, by weight name.

        Raises:
            ConfigError: the weights do not fit.
        """
        from cardioseg.training.transfer import transferable
        from cardioseg.training.tuning import freeze

        weights, empty = self.model.network.state_dict(), network.state_dict()
        if self.same_kind(settings):
            adapters = () if self.tune == "head" else (n for n in empty if n.startswith("lora."))
            taken, kept = weights, {name: empty[name] for name in adapters}
        else:
            taken, kept = transferable(weights, empty), empty
        try:
            network.load_state_dict({**kept, **taken})
        except RuntimeError as error:
            found = " ".join(str(error).split())[:160]
            expected = "a network for the model's weights"
            cure = "leave out the [network] settings that the weights depend on"
            raise ConfigError("--init-from", found=found, expected=expected, cure=cure) from None
        if not taken:
            expected, cure = "a stem or a decoder of the same shape", "train without --init-from"
            raise ConfigError(
                "--init-from", found="no weights that fit", expected=expected, cure=cure
            )
        freeze(network, self.tune)
        return {name: value.numel() for name, value in taken.items()}


def _axes(asked: Mapping[str, Any], given: Mapping[str, Any]) -> int:
    """Axes of the patches; a value that is not a list is refused when settings are checked."""
    patch = asked.get("patch_size")
    return len(patch if isinstance(patch, list) else given["patch_size"])


def starting_model(name: str | None, tune: str, manifest: "Manifest") -> StartingModel | None:
    """The model to start from, checked against the prepared data; None without one.

    Raises:
        UsageError: ``tune`` is unknown, or it is not "all" and no model is named.
        ConfigError: the data were prepared with other settings, or have other labels.
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
                found=f"{tune} without a model",
                expected="weights to start from",
                cure="pass --init-from",
            )
        return None
    model = load_model(name, device="cpu")
    _same_data(model, manifest)
    tuned: Any = tune
    return StartingModel(model, dict(read_toml(find_model(name) / "config.toml")["network"]), tuned)


def _same_data(model: "Model", manifest: "Manifest") -> None:
    """Raise ConfigError unless labels and preparation are those of the model."""
    if model.labels != manifest.labels:
        found, expected = (", ".join(table.names) for table in (manifest.labels, model.labels))
        cure = "use the model's label names and order, or train without --init-from"
        raise ConfigError(
            "--init-from", found=f"data with labels {found}", expected=expected, cure=cure
        )
    mine, theirs = manifest.preparation.model_dump(), model.preparation.model_dump()
    differing = sorted(key for key, value in theirs.items() if mine[key] != value)
    if differing:
        key = differing[0]
        found, expected = (
            f"data prepared with {key} = {mine[key]}",
            f"{theirs[key]}, as for the model",
        )
        cure = f"run cardioseg prepare --set {key}={theirs[key]}"
        raise ConfigError("--init-from", found=found, expected=expected, cure=cure)
