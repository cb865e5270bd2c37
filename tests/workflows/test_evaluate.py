"""``cardioseg evaluate`` end to end on tiny ACDC-like folders with ACDC's unit affine."""

import csv
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from cardioseg.cli.evaluate import evaluate_command
from cardioseg.core.errors import EXIT_OK, InputError, OutputError
from cardioseg.data.pairs import case_name
from cardioseg.evaluation.metrics import score_case
from cardioseg.evaluation.summary import Evaluation
from cardioseg.evaluation.tables import title
from cardioseg.workflows.evaluate import EvaluationRequest, evaluate, evaluate_masks

SPACING = (1.5, 1.5, 8.0)
SHAPE = (24, 24, 6)
PATIENTS = {"patient001": "DCM", "patient002": "DCM", "patient003": "NOR", "patient004": "NOR"}


def heart(radius, shift=0):
    """RV, myocardium and LV as cylinders through the inner slices."""
    x, y = np.meshgrid(*(np.arange(n) for n in SHAPE[:2]), indexing="ij")
    from_lv, from_rv = np.hypot(x - 14 - shift, y - 12), np.hypot(x - 7 - shift, y - 12)
    plane = np.select([from_lv <= radius, from_lv <= radius + 2, from_rv <= radius], [3, 2, 1], 0)
    mask = np.repeat(plane[:, :, None], SHAPE[2], axis=2).astype(np.uint8)
    mask[:, :, 0] = 0
    return mask


def write_mask(path, array, spacing=SPACING):
    """As ACDC stores it: unit affine, true spacing in pixdim only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header["pixdim"][1:4] = spacing
    nib.save(image, path)
    assert np.allclose(np.abs(np.diag(nib.load(path).affine)), 1), "the trap is set"


def evaluated(pred, ref, **options):
    return evaluate_masks(EvaluationRequest(pred, ref, **options))


def frames(patient):
    """Name → reference mask of a patient's ED and ES."""
    number = int(patient[-3:])
    return {
        f"{patient}_frame01": heart(6 + 0.3 * number),
        f"{patient}_frame10": heart(4 - 0.2 * number),
    }


@pytest.fixture
def acdc(tmp_path):
    root = tmp_path / "truth"
    for patient, group in PATIENTS.items():
        for name, mask in frames(patient).items():
            write_mask(root / patient / f"{name}_gt.nii.gz", mask)
            write_mask(root / patient / f"{name}.nii.gz", mask * 50)
        (root / patient / "Info.cfg").write_text(
            f"ED: 1\nES: 10\nGroup: {group}\nHeight: 171.0\nNbFrame: 30\nWeight: 77.0\n"
        )
    return root


@pytest.fixture
def predicted(tmp_path):
    root = tmp_path / "Müller – 心臓" / "masks"
    for patient in PATIENTS:
        for name, mask in frames(patient).items():
            write_mask(root / name / f"{name}_mask.nii.gz", np.roll(mask, 1, axis=0))
            write_mask(root / name / f"{name}_halting.nii.gz", np.full(SHAPE, 9, np.uint8))
    return root


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_an_acdc_folder_gives_every_file_and_the_right_numbers(acdc, predicted, tmp_path):
    report = evaluated(predicted, acdc, output=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "cases.csv", "patients.csv", "metrics.json", "dice.png", "bland_altman.png",
    }  # fmt: skip
    assert set(report.files) == set((tmp_path / "out").iterdir())
    assert report.exit_code == EXIT_OK
    assert not report.warnings
    rows = table(tmp_path / "out" / "cases.csv")
    assert len(rows) == 8 * 3
    row = next(
        row for row in rows if (row["case"], row["structure"]) == ("patient003_frame10", "LV")
    )
    reference = frames("patient003")["patient003_frame10"]
    voxel_ml = 1.5 * 1.5 * 8 / 1000
    assert float(row["reference_ml"]) == pytest.approx((reference == 3).sum() * voxel_ml), (
        "spacing must come from pixdim"
    )
    assert (row["phase"], row["group"], row["missed"], row["prediction"]) == (
        "ES",
        "NOR",
        "False",
        "found",
    )
    scores = [
        score_case(np.roll(mask, 1, axis=0), mask, spacing_mm=SPACING, labels=_acdc_labels())
        for patient in PATIENTS
        for mask in frames(patient).values()
    ]
    for name, found in report.data.structures.items():
        for key in ("dice", "hd95_mm", "assd_mm"):
            assert getattr(found, key).mean == pytest.approx(
                np.mean([getattr(s[name], key) for s in scores]), abs=1e-3
            )
    means = [found.dice.mean for found in report.data.structures.values()]
    assert report.data.mean_dice == pytest.approx(np.mean(means), abs=1e-5)


def _acdc_labels():
    from cardioseg.core.labels import ACDC_LABELS

    return ACDC_LABELS


def test_patients_and_agreement(acdc, predicted, tmp_path):
    small = frames("patient002")["patient002_frame01"]
    write_mask(
        predicted / "patient002_frame01" / "patient002_frame01_mask.nii.gz",
        np.where(small == 3, 0, small),
    )
    data = evaluated(predicted, acdc, output=tmp_path / "out").data
    rows = {row["patient"]: row for row in table(tmp_path / "out" / "patients.csv")}
    ed, es = frames("patient001").values()
    voxel_ml = 1.5 * 1.5 * 8 / 1000
    assert float(rows["patient001"]["lv_edv_ml_reference"]) == pytest.approx(
        (ed == 3).sum() * voxel_ml
    )
    assert float(rows["patient001"]["lv_mass_g_predicted"]) == pytest.approx(
        (ed == 2).sum() * voxel_ml * 1.05
    )
    fraction = 100 * ((ed == 3).sum() - (es == 3).sum()) / (ed == 3).sum()
    assert float(rows["patient001"]["lv_ef_percent_predicted"]) == pytest.approx(fraction, abs=1e-5)
    assert rows["patient002"]["lv_ef_percent_predicted"] == "", "an EF without EDV is empty, not 0"
    assert rows["patient002"]["reasons"] == "lv_ef_percent: prediction: EDV is 0 ml"
    assert data.agreement["lv_ef_percent"].n == 3
    assert data.agreement["lv_ef_percent"].failed == 1
    assert data.agreement["lv_ef_percent"].reasons == {"patient002": "prediction: EDV is 0 ml"}
    assert data.agreement["rv_ef_percent"].model_dump() == {
        "bias": 0, "sd": 0, "lower": 0, "upper": 0,
        "r": 1, "mae": 0, "n": 4, "failed": 0, "reasons": {},
    }  # fmt: skip
    assert data.structures["LV"].missed == 1
    assert data.structures["LV"].detected.dice > data.structures["LV"].dice.mean
    assert data.groups["DCM"].structures["LV"].missed == 1
    assert data.groups["NOR"].structures["LV"].missed == 0
    assert data.groups["NOR"].agreement["lv_edv_ml"].n == 2


def test_a_missing_prediction_counts_as_background_and_is_named(acdc, predicted, tmp_path):
    (predicted / "patient004_frame01" / "patient004_frame01_mask.nii.gz").unlink()
    report = evaluated(predicted, acdc, output=tmp_path / "out")
    assert report.data.missing == ("patient004_frame01",)
    assert [found.missed for found in report.data.structures.values()] == [1, 1, 1]
    assert any("patient004_frame01" in line for line in report.warnings)
    rows = [
        row for row in table(tmp_path / "out" / "cases.csv") if row["case"] == "patient004_frame01"
    ]
    assert {(row["dice"], row["prediction"], row["missed"]) for row in rows} == {
        ("0.0", "missing", "True")
    }
    assert float(rows[0]["hd95_mm"]) == pytest.approx(
        np.linalg.norm(np.multiply(SHAPE, SPACING)), abs=1e-5
    )
    assert report.data.agreement["lv_ef_percent"].failed == 1


def test_no_path_and_no_height_in_any_text_file(acdc, predicted, tmp_path):
    evaluated(predicted, acdc, output=tmp_path / "out")
    for path in (tmp_path / "out").glob("*.[cj]s*"):
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert "Müller" not in text
        assert "171" not in text


def test_metrics_json_is_the_report(acdc, predicted, tmp_path):
    report = evaluated(predicted, acdc, output=tmp_path / "out")
    assert Evaluation.read(tmp_path / "out" / "metrics.json") == report.data
    assert [table.title.split(",")[0] for table in report.tables][-1] == "By group"
    for shown in report.tables:
        assert all(len(row) == len(shown.columns) for row in shown.rows)


def test_the_python_call_gives_what_the_command_writes(acdc, predicted, tmp_path):
    out = tmp_path / "out"
    found = evaluate(predicted, acdc, output=str(out))
    assert Evaluation.read(out / "metrics.json") == found
    assert evaluate(str(predicted), str(acdc)) == found, "without files"
    assert found.structures["LV"].dice.n == 2 * len(PATIENTS)
    assert found.groups["DCM"].agreement["lv_ef_percent"].n == 2


def test_labels_name_the_values(acdc, predicted):
    swapped = evaluate(predicted, acdc, labels="LV=1,MYO=2,RV=3")
    own = evaluate(predicted, acdc)
    assert swapped.labels == ("background", "LV", "MYO", "RV")
    assert swapped.structures["LV"] == own.structures["RV"]


def test_split_scores_the_validation_patients_only(acdc, predicted, tmp_path):
    split = tmp_path / "split.json"
    split.write_text('{"train": [1, 2, 4], "val": [3]}')
    report = evaluated(predicted, acdc, output=tmp_path / "out", split=split)
    assert report.data.volumes == 2
    assert {row["patient"] for row in table(tmp_path / "out" / "cases.csv")} == {"patient003"}


def test_spacing_may_differ_by_rounding(acdc, predicted, tmp_path):
    write_mask(
        predicted / "patient001_frame01" / "patient001_frame01_mask.nii.gz",
        heart(5),
        (1.501, 1.5, 8.0),
    )
    evaluated(predicted, acdc, output=tmp_path / "out")


def test_a_mask_that_lies_elsewhere_is_compared_by_index_and_named(acdc, predicted, tmp_path):
    path = predicted / "patient001_frame01" / "patient001_frame01_mask.nii.gz"
    turned = nib.Nifti1Image(heart(5), np.diag([*SPACING, 1.0]))
    nib.save(turned, path)
    report = evaluated(predicted, acdc, output=tmp_path / "out")
    assert list(report.data.apart) == ["patient001_frame01"]
    assert report.data.apart["patient001_frame01"] > 30
    assert any(
        "by their headers" in line and "patient001_frame01" in line for line in report.warnings
    )


def test_missing_info_is_an_error(acdc, predicted, tmp_path):
    (acdc / "patient002" / "Info.cfg").unlink()
    with pytest.raises(InputError, match=r"Info\.cfg"):
        evaluated(predicted, acdc, output=tmp_path / "out")


def test_nothing_in_common_two_masks_of_one_case_or_no_folder_are_errors(acdc, predicted, tmp_path):
    write_mask(tmp_path / "other" / "somebody_mask.nii.gz", heart(5))
    with pytest.raises(InputError, match="names such as"):
        evaluated(tmp_path / "other", acdc, output=tmp_path / "out")
    write_mask(predicted / "again" / "patient001_frame01_mask.nii.gz", heart(5))
    with pytest.raises(InputError, match="second mask of patient001_frame01"):
        evaluated(predicted, acdc, output=tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        evaluated(tmp_path / "nowhere", acdc, output=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no mask"):
        evaluated(tmp_path / "empty", acdc, output=tmp_path / "out")


def test_a_folder_that_is_not_empty_is_kept_unless_told(acdc, predicted, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    (out / "bland_altman.png").write_text("from an earlier run")
    with pytest.raises(OutputError, match="--overwrite"):
        evaluated(predicted, acdc, output=out)
    for info in acdc.rglob("*frame10_gt.nii.gz"):
        info.unlink()
    report = evaluated(predicted, acdc, output=out, overwrite=True)
    assert (out / "mine.txt").read_text() == "keep"
    assert not (out / "bland_altman.png").exists(), (
        "no patient has both phases, and the old picture would mislead"
    )
    assert report.data.without_ed_and_es == tuple(sorted(PATIENTS))


def test_nnunet_names_its_labels_and_phases(tmp_path):
    root = tmp_path / "Dataset001"
    swap = np.array([0, 3, 2, 1], np.uint8)
    for phase, mask in {"ED": heart(6), "ES": heart(4)}.items():
        write_mask(root / "labelsTr" / f"anna_{phase}.nii.gz", swap[mask])
        write_mask(root / "imagesTr" / f"anna_{phase}_0000.nii.gz", mask * 20)
        write_mask(tmp_path / "pred" / f"anna_{phase}.nii.gz", swap[mask])
    (root / "dataset.json").write_text(
        json.dumps({"labels": {"background": 0, "LV": 1, "MYO": 2, "RV": 3}})
    )
    for ref in (root, root / "labelsTr"):
        data = evaluated(tmp_path / "pred", ref, output=tmp_path / "out", overwrite=True).data
        assert data.labels == ("background", "LV", "MYO", "RV")
        assert data.mean_dice == 1
        row = table(tmp_path / "out" / "patients.csv")[0]
        assert float(row["lv_edv_ml_reference"]) == pytest.approx(
            (heart(6) == 3).sum() * 1.5 * 1.5 * 8 / 1000
        )


def test_plain_folders_without_phases_give_overlap_only(tmp_path):
    write_mask(tmp_path / "ref" / "one.nii.gz", heart(5))
    write_mask(tmp_path / "pred" / "one_mask.nii.gz", heart(5, shift=1))
    write_mask(tmp_path / "pred" / "two_mask.nii.gz", heart(5))
    report = evaluated(tmp_path / "pred", tmp_path / "ref", output=tmp_path / "out")
    assert report.data.patients == 0
    assert report.data.unmatched == ("two",)
    assert len(report.warnings) == 2
    assert table(tmp_path / "out" / "patients.csv") == []


@pytest.mark.parametrize(
    "name", ["a.b_mask.nii.gz", "a.b_gt.nii", "a.b_0000.nii.gz", "a.b.nrrd", "a.b_0000_mask.nii.gz"]
)
def test_case_names(name):
    assert case_name(Path("folder_mask") / name) == "a.b"


def test_titles_of_quantities():
    assert [title(name) for name in ("lv_ef_percent", "rv_edv_ml", "lv_mass_g")] == [
        "LV EF (%)",
        "RV EDV (ml)",
        "LV mass (g)",
    ]


def test_the_command_prints_tables_or_json(acdc, predicted, tmp_path):
    app = Typer()
    app.command()(evaluate_command)
    shown = CliRunner().invoke(app, [str(predicted), str(acdc), "--output", str(tmp_path / "a")])
    assert shown.exit_code == 0, shown.output
    assert "By group" in shown.stdout
    printed = CliRunner().invoke(
        app, [str(predicted), str(acdc), "-o", str(tmp_path / "b"), "--json", "--quiet"]
    )
    assert json.loads(printed.stdout)["data"]["volumes"] == 8


@pytest.mark.acdc
@pytest.mark.skipif(
    "CARDIOSEG_ACDC" not in os.environ, reason="CARDIOSEG_ACDC names no ACDC folder"
)
def test_real_acdc_volumes_and_perfect_scores(tmp_path):
    root = next(Path(os.environ["CARDIOSEG_ACDC"]).rglob("patient001"))
    reference = tmp_path / "ref"
    reference.mkdir()
    (reference / "patient001").symlink_to(root)
    for path in root.glob("*_gt.nii.gz"):
        (tmp_path / "pred").mkdir(exist_ok=True)
        (tmp_path / "pred" / path.name.replace("_gt", "_mask")).symlink_to(path)
    data = evaluated(tmp_path / "pred", reference, output=tmp_path / "out").data
    assert data.mean_dice == 1
    row = table(tmp_path / "out" / "patients.csv")[0]
    known = {
        "lv_edv_ml": 295.51,
        "lv_esv_ml": 225.61,
        "lv_ef_percent": 23.66,
        "lv_mass_g": 172.47,
        "rv_edv_ml": 139.72,
        "rv_esv_ml": 59.55,
    }
    assert {key: float(row[f"{key}_predicted"]) for key in known} == pytest.approx(known, abs=0.01)
