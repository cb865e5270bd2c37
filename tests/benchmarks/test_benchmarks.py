"""The benchmark scripts on a tiny model: rows train, stop and resume; the page lists all tables."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from small_data import write_patient, write_patients
from tiny import NETWORK, TRAINING, save_tiny_model

from cardioseg.core.case import Case
from cardioseg.core.config import PreparationConfig
from cardioseg.core.errors import ConfigError, OutputError, UsageError
from cardioseg.data.manifest import Manifest, load_case
from cardioseg.evaluation.summary import Evaluation
from cardioseg.workflows.prepare import prepare

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = [
    f"network.{key}={json.dumps(value)}"
    for key, value in NETWORK.items()
    if key not in ("channels", "classes", "name")
]
SPACING = {"spacing_mm": 4.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two prepared patients, one of them held out."""
    folder = tmp_path_factory.mktemp("data")
    prepare(
        write_patients(folder / "raw", 2),
        output=folder / "prepared",
        config=PreparationConfig(**SPACING),
    )
    (folder / "split.json").write_text('{"train": [1], "val": [2], "fractions": [{"10": [1]}]}')
    save_tiny_model(folder / "tiny", preparation={**SPACING, "neighbours": 1})
    return folder


@pytest.fixture
def script(monkeypatch, data, tmp_path):
    """Run ``main`` or another function of a script on the tiny data, into ``tmp_path/results``."""

    def run(name, *options, call="main"):
        folder = data / ("raw" if name == "robustness" else "prepared")
        common = [folder, "--split", data / "split.json", "--results", tmp_path / "results"]
        monkeypatch.setattr(sys, "argv", [name, *map(str, [*common, *options])])
        module = importlib.import_module(name)
        return getattr(module, call)() if isinstance(call, str) else call(module)

    return run


def result(tmp_path, table, name):
    return json.loads((tmp_path / "results" / table / f"{name}.json").read_text())


# ------------------------------------------------------------------------------------ training rows


def fill(module):
    rows = importlib.import_module("rows")
    module.fill(
        "data",
        (
            rows.Row("one", fraction="10"),
            rows.Row("two", ("training.learning_rate=1e-4",), seed=1, start="one"),
        ),
        "a table",
    )


def test_rows_train_stop_resume_and_are_done_once(script, tmp_path, capsys):
    small = [
        "--runs",
        tmp_path / "runs",
        "--steps",
        2,
        "--extra-set",
        *SMALL,
        *TRAINING[:1],
        *TRAINING[2:],
        "training.steps=2",
    ]
    script("rows", *small, "--only", "one", "--max-minutes", "1e-9", call=fill)
    assert "stopped at step 1 of 2" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
    for runs, found in (("elsewhere", "no run"), ("runs", "step 1")):
        with pytest.raises(UsageError, match=f"{found}.*row one"):
            script("rows", *small[:1], tmp_path / runs, *small[2:], "--only", "two", call=fill)
    script("rows", *small, "--only", "one", call=fill)
    found = result(tmp_path, "data", "one")
    assert (found["training"]["steps"], found["training"]["patients"], found["fraction"]) == (
        2,
        1,
        "10",
    )
    assert "fraction 10 draw 0" in found["training"]["split"]
    assert (found["patients"], found["volumes"]) == (1, 2)
    assert found["gflop_per_volume"] >= 0
    assert [entry["step"] for entry in found["history"]] == [2]
    assert set(found["dice"]) == {"RV", "MYO", "LV", "mean"}
    assert not re.search(r"patient0", json.dumps(found)), "no patient is named"
    written = (tmp_path / "results" / "data" / "one.json").stat().st_mtime_ns
    script("rows", *small, call=fill)
    assert "one: done" in capsys.readouterr().out
    assert (tmp_path / "results" / "data" / "one.json").stat().st_mtime_ns == written
    assert (result(tmp_path, "data", "two")["seed"], result(tmp_path, "data", "two")["start"]) == (
        1,
        "one",
    )
    origin = json.loads((tmp_path / "runs" / "two" / "run.json").read_text())["training"][
        "started_from"
    ]
    assert found["model_sha256"][:16] in origin, "the row it starts from"
    with pytest.raises(OutputError, match="a row of 2 steps"):
        script("rows", "--runs", tmp_path / "runs", "--steps", 3, call=fill)
    with pytest.raises(UsageError, match="three"):
        script("rows", "--only", "three", call=fill)


def test_every_row_of_every_table_has_settings_that_a_network_takes(monkeypatch):
    from cardioseg.bundle import build_network
    from cardioseg.core.config import parse_overrides

    modules = [importlib.import_module(name) for name in ("data_table", "volume_table", "ablation")]
    rows = [row for module in modules for row in module.rows()]
    assert len({row.name for row in rows}) == len(rows), "a run folder each"
    for row in rows:
        build_network(
            {"name": "rdvit", **parse_overrides(row.settings).get("network", {})}, source=row.name
        )
    names = {row.name for row in modules[0].rows()}
    assert {
        "rdvit-10-2",
        "vit-25-0",
        "rdvit-50-0",
        "edge-recvit-100-1",
        *modules[2].UNCHANGED,
    } <= names
    assert len(names) == 3 * 4 + 2 * 2 + 2 * 4


# ---------------------------------------------------------------------------------------- on models


def test_a_step_that_would_leave_one_phase_is_refused(monkeypatch):
    thinned = importlib.import_module("held_out").thinned
    cases = [
        Case(f"p{n // 2}", ("ED", "ES")[n % 2], Path("x.nii"), None, "", f"c{n}") for n in range(12)
    ]
    assert [case.name for case in thinned(cases, 3)] == ["c0", "c3", "c6", "c9"]
    with pytest.raises(UsageError, match=r"4.*ED"):
        thinned(cases, 4)
    assert len(thinned(cases[::2], 2)) == 3, "there is one phase alone to begin with"


def test_importance_is_asked_on_windows_as_the_model_s_own_settings_say(script, data, tmp_path):
    save_tiny_model(
        tmp_path / "other", preparation={**SPACING, "neighbours": 1}, augment={"zooom": [1, 1]}
    )
    with pytest.raises(ConfigError, match="zooom"):
        script("pruning", "--model", tmp_path / "other", "--loops", "1", "--learn-windows", "1")


def test_tuning_scores_held_out_patients_only(script, data, capsys):
    with pytest.raises(SystemExit):
        script("tuning", "--model", data / "tiny", "--side", "train")
    assert "--side" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("depth", ("--loops", "1", "2", "--exits", "off")),
        ("exits", ("--slices", "1", "--rounds", "1")),
        ("halting", ()),
        ("experts", ()),
        ("robustness", ()),
        ("similarity", ("--loops", "2", "--tokens", "8")),
        (
            "pruning",
            ("--loops", "2", "--shares", "0.5", "--learn-every", "2", "--learn-windows", "2"),
        ),
        ("maps", ()),
    ],
)
def test_a_script_measures_a_model(script, data, tmp_path, name, options):
    script(name, "--model", data / "tiny", "--name", "rdvit-2d", "--every", "2", *options)
    found = result(tmp_path, name, "rdvit-2d")
    assert (found["every"], found["side"]) == (2, "val")
    assert found["result"]
    page = importlib.import_module("results_page").page(tmp_path / "results")
    assert found["model_sha256"][:12] in page or name == "maps"


def test_tuning_is_scored_on_the_group_the_others_and_turned_images(monkeypatch, data, tmp_path):
    for number, group in ((1, "HCM"), (2, "HCM"), (3, "NOR")):
        write_patient(tmp_path / "raw", number, group=group)
    prepare(tmp_path / "raw", output=tmp_path / "prepared", config=PreparationConfig(**SPACING))
    (tmp_path / "split.json").write_text('{"train": [1], "val": [2, 3]}')
    options = [
        "--split",
        "split.json",
        "--results",
        "results",
        "--runs",
        "runs",
        "--model",
        data / "tiny",
        "--name",
        "rdvit-2d",
    ]
    monkeypatch.setattr(sys, "argv", ["tuning", "prepared", *map(str, options), "--steps", "1"])
    monkeypatch.chdir(tmp_path)
    tuning = importlib.import_module("tuning")
    monkeypatch.setattr(tuning, "TUNES", ("head",))
    tuning.main()
    rows = result(tmp_path, "tuning", "rdvit-2d")["result"]["rows"]
    assert list(rows) == ["as it is", "head, adamw", "head, muon"]
    assert {tuple(row) for row in rows.values()} == {("group", "others", "turned")}
    plain, turned = (Manifest.read(tmp_path / folder) for folder in ("prepared", "runs/turned"))
    assert [entry.patient for entry in turned.entries] == [
        entry.patient for entry in plain.entries[:4]
    ]
    before, after = (load_case(each.folder, each.entries[0]) for each in (plain, turned))
    assert np.array_equal(after["image"], -before["image"])
    assert np.array_equal(after["reference"], before["reference"])
    page = importlib.import_module("results_page").page(tmp_path / "results")
    assert "| head, muon | " in page


def test_images_change_and_masks_follow_where_voxels_move(monkeypatch):
    robustness = importlib.import_module("robustness")
    reference = np.zeros((40, 40, 5), np.uint8)
    reference[16:24, 12:28] = 2
    reference[18:22, 16:24] = 3
    image = reference + np.random.default_rng(0).random(reference.shape).astype(np.float32)
    seen = robustness.Seen(image, reference, (2.0, 2.0, 8.0))
    for name, way in robustness.WAYS.items():
        changed = way(seen)
        assert changed.image.shape == changed.reference.shape, name
        assert set(np.unique(changed.reference)) == {0, 2, 3}, name
        same = changed.spacing == seen.spacing and np.array_equal(changed.image, image)
        assert same == (name == "as it is"), name
    coarse = robustness.coarser(seen, 2.0)
    assert (coarse.image.shape, coarse.spacing) == ((20, 20, 5), (4.0, 4.0, 8.0))
    assert robustness.narrow(seen).image.shape == (22, 30, 5)


def test_the_boundary_is_where_voxels_of_a_mask_meet_others(monkeypatch):
    halting = importlib.import_module("halting")
    mask = np.zeros((9, 9, 2), bool)
    mask[3:6, 3:6, 0] = True
    distance = halting.boundary_distance(mask, 2.0)
    assert (distance[3, 4, 0], distance[2, 4, 0], distance[4, 4, 0], distance[0, 4, 0]) == (
        1,
        1,
        3,
        5,
    )
    assert np.isinf(distance[:, :, 1]).all()


# ----------------------------------------------------------------------------------------- the page


def test_the_page_is_what_the_generator_writes(monkeypatch):
    page = importlib.import_module("results_page")
    written = (BENCHMARKS.parent / "docs" / "results.md").read_text(encoding="utf-8")
    assert written == page.page(BENCHMARKS / "results"), "run python benchmarks/results_page.py"


def test_rows_without_a_result_are_shown_and_several_have_a_spread(monkeypatch, tmp_path):
    page = importlib.import_module("results_page")
    empty = page.page(tmp_path)
    for told in (
        "0.774",
        "0.762",
        "0.882",
        "0.872",
        "0.812",
        "0.795",
        "0.817",
        "not run yet",
        "| width-384: ",
    ):
        assert told in empty
    row = {
        "training": {"steps": 7, "minutes": 1.0, "recipe": ["training.batch=8"]},
        "patients": 1,
        "volumes": 2,
        "views": "none",
    }
    row |= {
        "parameters": 2.5e6,
        "gflop_per_volume": 1.0,
        "cpu_seconds_per_volume": 2.0,
        "history": [{"step": 5, "steps": 2.25}],
    }
    (tmp_path / "data").mkdir()
    for draw, mean in enumerate((0.8, 0.9)):
        dice = {"mean": mean, **{name: {"mean": mean} for name in ("RV", "MYO", "LV")}}
        (tmp_path / "data" / f"vit-10-{draw}.json").write_text(json.dumps({**row, "dice": dice}))
    (tmp_path / "data" / "rdvit-100-0.json").write_text(json.dumps({**row, "dice": dice}))
    filled = page.page(tmp_path)
    assert "| vit | 10 % | 2 of 3 | 0.8500 ± 0.0707 |" in filled
    assert "Budget of each run: 7 steps (training.batch=8), 1 minutes" in filled
    assert "| rdvit-100-0: learned exit | 2.25 | 5 |" in filled
    assert "| unchanged (rdvit-100-0, rdvit-100-1) | 1 of 2 | 0.9000 |" in filled


def test_a_card_takes_its_validation_from_an_evaluation():
    card = importlib.import_module("card")
    spread = {"n": 2, "mean": 0.912345, "sd": 0.0212}
    row = {"dice": spread, "hd95_mm": spread, "assd_mm": spread, "missed": 0, "detected": {}}
    agreement = {"bias": -1.23456, "mae": 2.0, "n": 1, "reasons": {}}
    scores = Evaluation(
        volumes=2,
        patients=1,
        mean_dice=0.912345,
        structures={"LV": row},
        agreement={"lv_ef_percent": agreement, "rv_ef_percent": agreement},
        groups={},
        missing=(),
        failed={},
        apart={},
        unmatched=(),
        without_ed_and_es=(),
        labels=("background", "LV"),
        trust="affine",
    )
    found = card.validation(scores)
    assert (found["mean_dice"], found["structures"]["LV"]["dice_sd"]) == (0.9123, 0.0212)
    assert found["ef"]["RV"] == {"bias": -1.235, "mae": 2.0, "r": None}
