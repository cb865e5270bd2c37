"""``cardioseg demo`` end to end on a small heart and an untrained model."""

import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from cardioseg.bundle import build_network, save_model
from cardioseg.cli.demo import demo_command
from cardioseg.clinical.quality import check_cine_mask
from cardioseg.core.errors import EXIT_OK, ModelError, OutputError
from cardioseg.core.labels import ACDC_LABELS, LabelTable
from cardioseg.core.volume import Volume
from cardioseg.evaluation.metrics import overlap_dice
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import write_truth
from cardioseg.results.records import RunRecord
from cardioseg.workflows import demo as workflow
from cardioseg.workflows.demo import compared, demo

HEART = PhantomConfig(shape=(96, 104, 5), spacing_mm=(2.6, 2.6, 18.0), frames=4)
NETWORK = {
    "name": "rdvit",
    "channels": 3,
    "width": 16,
    "heads": 2,
    "stem_channels": [8, 8],
    "loops": 3,
    "expert_hidden": 8,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained network in a model folder."""
    folder = tmp_path_factory.mktemp("models") / "untrained"
    torch.manual_seed(0)
    network = build_network(NETWORK, source="test")
    settings = {
        "network": NETWORK,
        "preparation": {"spacing_mm": 2.6},
        "windows": {"size": [64, 64]},
    }
    save_model(folder, network.state_dict(), settings, {"labels": list(ACDC_LABELS.names)})
    return str(folder)


@pytest.fixture(scope="module")
def done(tmp_path_factory, model):
    """A demo and its folder."""
    output = tmp_path_factory.mktemp("out") / "demo ♥"
    told = []
    return demo(output, model=model, heart=HEART, on_progress=told.append), output, told


def voxels(path):
    return np.asarray(nib.load(path).dataobj)


# --------------------------------------------------------------------------------------- end to end


def test_everything_is_there_and_the_picture_is_first(done):
    report, output, told = done
    assert report.exit_code == EXIT_OK
    assert report.files[0] == output / "heart_preview.png"
    assert all(path.is_file() for path in report.files)
    shape = (*HEART.shape, HEART.frames)
    for name in ("heart", "heart_truth", "heart_mask", "heart_halting", "heart_experts"):
        assert output / f"{name}.nii.gz" in report.files
        assert nib.load(output / f"{name}.nii.gz").shape == shape, name
    with Image.open(report.files[0]) as picture:
        assert min(picture.size) > 300
    assert told[0].message == "drawing a heart"
    assert told[-1].done == told[-1].total


def test_dice_and_volumes_are_those_of_the_files(done):
    report, output, _ = done
    mask, truth = voxels(output / "heart_mask.nii.gz"), voxels(output / "heart_truth.nii.gz")
    assert (mask > 0).any(), "an untrained model still says something"
    assert report.data.frames == {"ed": 0, "es": 1}
    for phase, frame in report.data.frames.items():
        for value, name in enumerate(ACDC_LABELS.structures, start=1):
            expected = overlap_dice(mask[..., frame] == value, truth[..., frame] == value)
            assert report.data.dice[phase][name] == pytest.approx(expected, abs=1e-6), (
                phase,
                name,
            )
    ml = np.prod(HEART.spacing_mm) / 1000
    for side, array in (("predicted", mask), ("truth", truth)):
        for ventricle, value in (("lv", 3), ("rv", 1)):
            edv, esv = (np.count_nonzero(array[..., frame] == value) * ml for frame in (0, 1))
            found = getattr(getattr(report.data, side), ventricle)
            assert (found.edv_ml, found.esv_ml) == pytest.approx((edv, esv), rel=1e-5)
            assert found.ef_percent == pytest.approx(
                100 * (edv - esv) / edv if edv else None, rel=1e-4
            )


def test_the_tables_show_the_numbers_and_the_verdict(done):
    report, output, _ = done
    run = RunRecord.read(output / "heart_run.json")
    assert report.data.run == run
    assert "not a medical device" in report.data.notice
    overlap, volumes, work = report.tables
    dice = report.data.dice
    assert overlap.rows == tuple(
        (n, f"{dice['ed'][n]:.3f}", f"{dice['es'][n]:.3f}") for n in ACDC_LABELS.structures
    )
    assert [row[0] for row in volumes.rows] == [
        f"{v} {q}" for v in ("LV", "RV") for q in ("EDV (ml)", "ESV (ml)", "EF (%)")
    ]
    assert volumes.rows[0][2] == f"{report.data.truth.lv.edv_ml:.1f}"
    assert work.rows[0][:4] == (run.quality.verdict, f"{run.mean_steps:.2f}", "3", "4")


def test_the_hints_name_files_that_are_there(done):
    report, output, _ = done
    for name in ("heart_preview.png", "heart_report.html"):
        assert any(str(output / name) in hint for hint in report.hints)
        assert (output / name).is_file()


def test_the_drawn_heart_passes_the_quality_check():
    phantom = draw(workflow.HEART)
    grid = Volume(phantom.label[..., 0], np.diag([*phantom.spacing_mm, 1.0]), phantom.spacing_mm)
    phases = (phantom.ed + 1, phantom.es + 1)
    assert check_cine_mask(phantom.label, grid, ACDC_LABELS, phases=phases).verdict == "pass"


# -------------------------------------------------------------------------------- the known answers


@pytest.mark.parametrize(
    "names",
    [
        ACDC_LABELS.names,
        ("background", "LV", "MYO", "RV"),
        ("background", "atrium", "LV", "MYO", "RV"),
    ],
)
def test_a_mask_that_is_the_truth_scores_one_in_any_numbering(tmp_path, names):
    phantom, labels = draw(HEART), LabelTable(names)
    table = np.array([labels.value(name) for name in ACDC_LABELS.names], np.uint8)
    renumbered = replace(phantom, label=table[phantom.label])
    write_truth(tmp_path / "heart_mask.nii.gz", renumbered)
    found = compared(tmp_path, phantom, labels)
    assert found.mean_dice == 1
    assert found.predicted == found.truth
    assert 40 < found.truth.lv.ef_percent < 75, "a healthy heart"


def test_a_missing_structure_scores_zero_and_has_no_ejection_fraction(tmp_path):
    phantom = draw(HEART)
    empty = replace(phantom, label=np.zeros_like(phantom.label))
    write_truth(tmp_path / "heart_mask.nii.gz", empty)
    found = compared(tmp_path, phantom, ACDC_LABELS)
    assert found.mean_dice == 0
    assert found.predicted.lv.ef_percent is None


# ----------------------------------------------------------------------------------------- refusals


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, model):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        demo(tmp_path, model=model, heart=HEART)
    with pytest.raises(OutputError, match="a file"):
        demo(tmp_path / "notes.txt", model=model, heart=HEART)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_overwrite_replaces_an_earlier_demo(tmp_path, model):
    small = PhantomConfig(shape=(64, 64, 2), spacing_mm=(4.0, 4.0, 30.0), frames=2)
    demo(tmp_path, model=model, heart=small)
    report = demo(tmp_path, model=model, heart=replace(small, seed=1), overwrite=True)
    assert report.exit_code == EXIT_OK
    assert report.data.run.frames == 2


def test_without_a_model_nothing_is_written(tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        demo(tmp_path / "out", model="no-such-model", heart=HEART)
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------- command line


def test_the_command_says_where_it_writes_and_refuses_what_exists(tmp_path):
    app = Typer(pretty_exceptions_enable=False)
    app.command()(demo_command)
    text = re.sub(
        r"\x1b\[[0-9;]*m", "", CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    )
    assert "out/demo" in text
    assert "not a medical device" in text
    (tmp_path / "notes.txt").write_text("mine")
    result = CliRunner().invoke(app, ["--output", str(tmp_path), "--quiet"])
    assert isinstance(result.exception, OutputError)
