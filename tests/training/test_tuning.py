"""Starting from a model: settings are taken over, and only the chosen weights train."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file
from small_data import write_patients
from tiny import LABELS, NETWORK, SETTINGS, cardioseg, save_tiny_model
from torch import nn

from cardioseg.bundle import build_network, load_model, save_model
from cardioseg.core.config import PreparationConfig, parse_overrides
from cardioseg.core.errors import EXIT_USAGE, ConfigError, UsageError
from cardioseg.data.manifest import Manifest
from cardioseg.training.setup import resolve
from cardioseg.training.starting import starting_model
from cardioseg.training.transfer import transferable
from cardioseg.training.tuning import freeze, trained_names
from cardioseg.workflows.prepare import prepare
from cardioseg.workflows.train import TrainingRequest, train

QUICK = (
    "training.steps=3",
    "training.batch=2",
    "training.warmup=1",
    "training.workers=0",
    "training.learning_rate=0.01",
)
SPACING = {"spacing_mm": 4.0}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare(
        write_patients(folder / "raw", 2),
        output=folder / "prepared",
        config=PreparationConfig(**SPACING),
    )
    return folder / "prepared"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of 4 mm data: width 16, two loops, windows of 32, otherwise the defaults."""
    return save_tiny_model(
        tmp_path_factory.mktemp("models") / "tiny", preparation={**SPACING, "neighbours": 1}
    )


def tuned(prepared, model, output, tune, *overrides, **changes):
    return train(
        TrainingRequest(
            prepared,
            output,
            overrides=QUICK + overrides,
            init_from=str(model),
            tune=tune,
            **changes,
        )
    )


def bvit(folder, **preparation):
    """A tiny model of another network."""
    network = {
        key: NETWORK[key]
        for key in ("channels", "classes", "patch_size", "width", "heads", "stem_channels", "loops")
    }
    network |= {"name": "bvit"}
    settings = {
        **SETTINGS,
        "network": network,
        "preparation": {**SPACING, "neighbours": 1, **preparation},
    }
    save_model(
        folder,
        build_network(network, source="test").state_dict(),
        settings,
        {"name": "other", "labels": LABELS},
    )
    return folder


# -------------------------------------------------------------------------------------- which train


def test_head_is_the_decoder_and_the_norms_before_it(model):
    network = load_model(model).network
    parts = {name.partition(".")[0] for name in trained_names(network, "head")}
    assert parts == {"core_norm", "coda_norm", "decoder"}
    assert trained_names(network, "all") == {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize(
    ("stem", "last"), [("conv", "decoder.classify."), ("patch", "decoder.expand.")]
)
def test_lora_is_adapters_norms_and_the_last_layer(stem, last):
    network = build_network({**NETWORK, "stem": stem, "lora_rank": 2}, source="test")
    names = trained_names(network, "lora")
    assert {
        "lora.down.weight",
        "lora.up.weight",
        "lora.scale",
        f"{last}weight",
        f"{last}bias",
    } <= names
    others = {name for name in names if not name.startswith(("lora.", last))}
    modules = dict(network.named_modules())
    assert all(
        isinstance(modules[name.rpartition(".")[0]], nn.LayerNorm | nn.GroupNorm) for name in others
    )
    assert {"block.norm_attention.weight", "coda_norm.bias"} <= others
    assert freeze(network, "lora") == sum(
        p.numel() for name, p in network.named_parameters() if name in names
    )
    assert {name for name, p in network.named_parameters() if p.requires_grad} == names


def test_a_network_without_adapters_has_none_to_train(tmp_path):
    with pytest.raises(ValueError, match="no adapters"):
        trained_names(load_model(bvit(tmp_path / "m")).network, "lora")


# ---------------------------------------------------------------------------------------- the start


@pytest.mark.parametrize("kind", ["scale", "full"])
@torch.no_grad()
def test_new_adapters_start_as_the_models_function(prepared, model, kind):
    origin = starting_model(str(model), "lora", Manifest.read(prepared))
    values = origin.with_settings({"network": {"lora": kind, "lora_rank": 3}})["network"]
    network = build_network(values, source="test").eval()
    taken = sum(origin.fill(network, values).values())
    assert 0 < taken < sum(value.numel() for value in network.state_dict().values())
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ours, theirs = network(image), origin.model.network(image)
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.steps, theirs.steps)


def test_settings_come_from_the_model_unless_asked_for(prepared, model, tmp_path):
    tuned(
        prepared,
        model,
        tmp_path / "run",
        "all",
        "network.halting_threshold=0.5",
        "windows.overlap=0.1",
    )
    new, old = load_model(tmp_path / "run" / "model"), load_model(model)
    changed = {"halting_threshold": 0.5}
    assert new.network.config == old.network.config.model_copy(update=changed)
    assert (new.windows.size, new.windows.views, new.windows.overlap) == ((32, 32), "none", 0.1)
    record = json.loads((tmp_path / "run" / "model" / "metadata.json").read_text())
    assert record["training"]["started_from"] == f"tiny (weights {old.sha256[:16]}), tune all"


SOLID = ("network.patch_size=[8,8,1]", "sampling.window=[32,32,4]", "training.steps=1")
OTHERS = {
    "another network": ("network.name=vit", "network.loops=2"),
    "3-D": ("network.patch_size=[8,8,1]", "sampling.window=[32,32,4]", "training.steps=1"),
    "another network in 3-D": (
        "network.name=bvit",
        "network.patch_size=[8,8,1]",
        "sampling.window=[32,32,4]",
        "training.steps=1",
    ),
}


@pytest.mark.parametrize("overrides", OTHERS.values(), ids=OTHERS)
def test_another_network_takes_over_what_fits_and_says_so(prepared, model, tmp_path, overrides):
    origin = starting_model(str(model), "all", Manifest.read(prepared))
    asked = parse_overrides([*QUICK, *overrides])
    values = resolve(None, (*QUICK, *overrides), Manifest.read(prepared), start=origin).network
    network = build_network(values, source="test")
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    taken = origin.fill(network, values)
    theirs, mine = origin.model.network.state_dict(), network.state_dict()
    came = {name for name in mine if not torch.equal(mine[name], fresh[name])}
    assert {name.partition(".")[0] for name in came} >= {"stem", "decoder"}
    assert came <= set(taken)
    assert (
        any(name.startswith(("prelude", "block")) for name in came)
        or asked["network"].get("name") == "vit"
    )
    assert (
        sum(mine[name].numel() for name in came)
        <= sum(taken.values())
        <= sum(value.numel() for value in mine.values())
    )
    first = "stem.stages.0.0.weight"
    middle = (
        theirs[first] if mine[first].ndim == 4 else theirs[first].sum(1, keepdim=True)[..., None]
    )
    assert torch.equal(mine[first], middle)
    tuned(prepared, model, tmp_path / "run", "all", *overrides)
    told = json.loads((tmp_path / "run" / "run.json").read_text())["training"]["started_from"]
    assert f"{sum(taken.values()):,} of " in told
    assert all(name.partition(".")[0] in told for name in taken)


def test_an_inflated_kernel_sees_its_middle_slice_alone():
    flat = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    grown = transferable(
        {"k": flat, "other": flat}, {"k": torch.empty(5, 2, 3, 3, 3), "new": torch.empty(1)}
    )
    assert set(grown) == {"k"}
    volume = torch.randn(1, 2, 8, 8, 4, generator=torch.Generator().manual_seed(1))
    seen = nn.functional.conv3d(volume, grown["k"], padding=1)
    for index in range(4):
        assert torch.allclose(
            seen[..., index], nn.functional.conv2d(volume[..., index], flat, padding=1), atol=1e-5
        )


@pytest.mark.parametrize("tune", ["head", "lora"])
def test_what_is_frozen_stays_to_the_last_bit(prepared, model, tmp_path, tune):
    report = tuned(
        prepared,
        model,
        tmp_path / "run",
        tune,
        "network.lora_rank=2" if tune == "lora" else "training.seed=1",
    )
    new, old = (
        load_model(tmp_path / "run" / "model").network,
        load_model(model).network.state_dict(),
    )
    names = trained_names(new, tune)
    assert report.data.trained_parameters == sum(
        p.numel() for name, p in new.named_parameters() if name in names
    )
    assert ("trained parameters", f"{report.data.trained_parameters:,}") == tuple(
        cell.split(" (")[0]
        for cell in next(row for row in report.tables[0].rows if row[0] == "trained parameters")
    )
    running = {
        k.removeprefix("network."): v
        for k, v in load_file(tmp_path / "run/checkpoint.safetensors").items()
    }
    for name, value in old.items():
        if name not in names:
            assert torch.equal(new.state_dict()[name], value), name
            assert torch.equal(running[name], value), name
    moved = {name for name in names if name in old and not torch.equal(running[name], old[name])}
    assert any(name.startswith("decoder") for name in moved)
    assert any("norm" in name for name in moved)
    if tune == "lora":
        assert running["lora.scale"].abs().sum() > 0, "the adapters learn"


def test_adapters_have_a_rank_of_their_own_accord(prepared, model, tmp_path):
    tuned(prepared, model, tmp_path / "run", "lora", "training.steps=1")
    assert load_model(tmp_path / "run" / "model").network.config.lora_rank == 8
    again = tuned(
        prepared, tmp_path / "run" / "model", tmp_path / "again", "lora", "training.steps=1"
    )
    assert again.data.step == 1, "adapters that are there are trained on"


# ----------------------------------------------------------------------------------------- going on


def test_resume_notices_another_start(prepared, model, tmp_path):
    run = tmp_path / "run"
    tuned(prepared, model, run, "head", "training.steps=1")
    other = save_tiny_model(tmp_path / "other", preparation={**SPACING, "neighbours": 1})
    weights = load_model(other).network.state_dict()
    settings = {**SETTINGS, "preparation": {**SPACING, "neighbours": 1}}
    save_model(
        other,
        {name: value + 1 for name, value in weights.items()},
        settings,
        {"name": "other", "labels": LABELS},
    )
    for start, tune in ((model, "all"), (other, "head")):
        with pytest.raises(ConfigError, match="starting model"):
            tuned(prepared, start, run, tune, resume=True)
    assert tuned(prepared, model, run, "head", resume=True).data.step == 3


# ------------------------------------------------------------------------------------------ refused


REFUSED = {
    "a part of another network": ("head", ("network.name=vit",), "the model's own network"),
    "nothing that fits": (
        "all",
        ("network.name=vit", "network.width=32", "network.stem=patch"),
        "no weights that fit",
    ),
    "another width": ("all", ("network.width=32",), "a network for the model's weights"),
    "rank 0": ("lora", ("network.lora_rank=0",), "network.lora_rank = 0"),
    "adapters nobody trains": ("head", ("network.lora_rank=2",), "--init-from"),
    "a window of three sizes": (
        "all",
        ("sampling.window=[32,32,4]",),
        "2 numbers, as in network.patch_size",
    ),
    "3-D patches of 2-D windows": (
        "all",
        ("network.patch_size=[8,8,1]",),
        "3 numbers, as in network.patch_size",
    ),
}


@pytest.mark.parametrize(("tune", "overrides", "named"), REFUSED.values(), ids=REFUSED)
def test_settings_that_do_not_fit_the_model_are_refused(
    prepared, model, tmp_path, tune, overrides, named
):
    with pytest.raises(ConfigError, match=re.escape(named)):
        tuned(prepared, model, tmp_path / "run", tune, *overrides)
    assert not (tmp_path / "run").exists(), "nothing is begun"


def test_data_prepared_otherwise_or_with_other_labels_are_refused(prepared, tmp_path):
    near = save_tiny_model(tmp_path / "near", preparation={"spacing_mm": 1.5, "neighbours": 1})
    with pytest.raises(ConfigError, match=r"spacing_mm = 4\.0") as caught:
        tuned(prepared, near, tmp_path / "run", "all")
    assert "--set spacing_mm=1.5" in caught.value.cure
    turned = tmp_path / "turned"
    settings = {**SETTINGS, "preparation": {**SPACING, "neighbours": 1}}
    weights = build_network(NETWORK, source="test").state_dict()
    save_model(
        turned, weights, settings, {"name": "turned", "labels": ["background", "LV", "MYO", "RV"]}
    )
    with pytest.raises(ConfigError, match="labels background, RV, MYO, LV"):
        tuned(prepared, turned, tmp_path / "run", "all")


def test_lora_needs_a_network_with_adapters(prepared, tmp_path):
    with pytest.raises(ConfigError, match="bvit"):
        tuned(prepared, bvit(tmp_path / "m"), tmp_path / "run", "lora")
    report = tuned(prepared, tmp_path / "m", tmp_path / "head", "head", "training.steps=1")
    assert report.data.trained_parameters > 0


def test_tuning_a_part_needs_a_model(prepared, tmp_path):
    with pytest.raises(UsageError, match="lora"):
        train(TrainingRequest(prepared, tmp_path / "run", tune="lora"))
    with pytest.raises(UsageError, match="'heads'"):
        train(TrainingRequest(prepared, tmp_path / "run", tune="heads"))
    outcome = cardioseg(
        "train", prepared, "--output", tmp_path / "run", "--tune", "head", "--quiet"
    )
    assert outcome.code == EXIT_USAGE
    assert "--init-from" in outcome.err
