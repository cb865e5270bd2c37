"""``cardioseg evaluate`` with unusable predictions: they are named and count as empty masks."""

import json

import nibabel as nib
import numpy as np
import pytest
from test_evaluate import PATIENTS, SPACING, acdc, evaluated, heart, predicted, table, write_mask
from tiny import cardioseg

from cardioseg.core.errors import (
    EXIT_INPUT,
    EXIT_SOME_FAILED,
    GeometryError,
    InputError,
    LabelError,
)
from cardioseg.evaluation import scores

__all__ = ["acdc", "predicted"]  # fixtures
CASE = "patient001_frame01"


def unknown_value():
    mask = heart(5)
    mask[0, 0, :2] = 7
    return mask


BAD = {
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:200]), ("unreadable data",)),
    "empty": (lambda path: path.write_bytes(b""), ("an empty file",)),
    "no image": (lambda path: path.write_bytes(b"hello " * 90), ("unreadable data",)),
    "another shape": (lambda path: write_mask(path, heart(5)[:-1]), ("23 × 24 × 6", "24 × 24 × 6")),
    "another spacing": (
        lambda path: write_mask(path, heart(5), (1.5, 1.52, 8.0)),
        ("1.52", "1.5 × 1.5 × 8 mm"),
    ),
    "a cine": (lambda path: write_mask(path, np.stack([heart(5)] * 2, -1)), ("2 frames",)),
    "unknown values": (
        lambda path: write_mask(path, unknown_value()),
        ("found values 7 (2 voxels); expected ", "3 LV"),
    ),
    "fractions": (lambda path: write_mask(path, heart(5).astype(np.float32) / 2), ("0.5 (",)),
}


def path_of(predicted, case=CASE):
    return predicted / case / f"{case}_mask.nii.gz"


@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD)
def test_a_bad_prediction_is_named_counts_as_empty_and_the_others_are_scored(
    acdc, predicted, tmp_path, spoil, words
):
    path_of(predicted).unlink()
    expected = evaluated(predicted, acdc, output=tmp_path / "missing").data.model_dump(mode="json")
    write_mask(path_of(predicted), heart(5))
    spoil(path_of(predicted))
    done = cardioseg("evaluate", predicted, acdc, "-o", tmp_path / "out", "--json", "-q")
    assert done.code == EXIT_SOME_FAILED, done.err
    found = json.loads(done.out)
    first, second = found["warnings"][:2]
    assert first.startswith(f"{path_of(predicted)}: found ")
    assert all(word in first for word in words)
    assert second == f"1 of 8 predictions failed and count as empty: {CASE}"
    written = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert written == found["data"]
    assert written["failed"] == {CASE: first.replace(f"{path_of(predicted).parent}/", "")}
    assert str(tmp_path) not in json.dumps(written, ensure_ascii=False), "results name no folders"
    assert written["missing"] == []
    for key in ("mean_dice", "structures", "agreement", "groups", "patients", "volumes"):
        assert written[key] == expected[key], "as if the file were not there"
    rows = [row for row in table(tmp_path / "out" / "cases.csv") if row["case"] == CASE]
    assert {(row["dice"], row["prediction"], row["missed"]) for row in rows} == {
        ("0.0", "failed", "True")
    }


def test_an_error_that_names_no_file_is_led_by_it(acdc, predicted, tmp_path, monkeypatch):
    read = scores.open_image

    def faulty(path, **options):
        if path == path_of(predicted):
            raise RuntimeError("what now")
        return read(path, **options)

    monkeypatch.setattr(scores, "open_image", faulty)
    report = evaluated(predicted, acdc, output=tmp_path / "out")
    assert report.exit_code == EXIT_SOME_FAILED
    assert report.warnings[0].startswith(f"{path_of(predicted)}: RuntimeError: what now")
    assert report.data.failed[CASE].startswith(f"{CASE}_mask.nii.gz: RuntimeError: what now")


def test_failed_and_missing_are_told_apart(acdc, predicted, tmp_path):
    path_of(predicted).unlink()
    path_of(predicted, "patient002_frame10").write_bytes(b"")
    data = evaluated(predicted, acdc, output=tmp_path / "out").data
    assert (data.missing, list(data.failed)) == ((CASE,), ["patient002_frame10"])
    states = {row["case"]: row["prediction"] for row in table(tmp_path / "out" / "cases.csv")}
    assert {name: state for name, state in states.items() if state != "found"} == {
        CASE: "missing", "patient002_frame10": "failed",
    }  # fmt: skip


def test_where_every_prediction_is_bad_the_first_error_ends_the_call(acdc, predicted, tmp_path):
    for patient in PATIENTS:
        for frame in ("frame01", "frame10"):
            path_of(predicted, f"{patient}_{frame}").write_bytes(b"")
    write_mask(path_of(predicted), unknown_value())
    with pytest.raises(LabelError, match="values 7"):
        evaluated(predicted, acdc, output=tmp_path / "out")
    path_of(predicted).unlink()
    with pytest.raises(InputError, match=r"patient001_frame10_mask\.nii\.gz: found an empty file"):
        evaluated(predicted, acdc, output=tmp_path / "out")
    assert not (tmp_path / "out").exists(), "nothing is written"


def test_a_bad_pair_of_files_ends_the_call(tmp_path):
    write_mask(tmp_path / "a.nii.gz", heart(5)[:-1])
    write_mask(tmp_path / "b.nii.gz", heart(5))
    done = cardioseg(
        "evaluate", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "-o", tmp_path / "out", "-q"
    )
    assert (done.code, "23 × 24 × 6" in done.err) == (EXIT_INPUT, True)
    assert not (tmp_path / "out").exists()


def test_a_bad_reference_is_an_error_at_once(acdc, predicted, tmp_path):
    (acdc / "patient002" / "patient002_frame01_gt.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match="patient002_frame01_gt"):
        evaluated(predicted, acdc, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------ spacing


def test_the_affines_spacing_is_trusted_when_asked(acdc, predicted, tmp_path):
    """ACDC's affine states 1 mm."""
    rows = {}
    for trust in ("pixdim", "affine"):
        done = cardioseg(
            "evaluate", predicted, acdc, "-o", tmp_path / trust, "--trust", trust, "-q", "--json"
        )
        assert json.loads(done.out)["data"]["trust"] == trust
        rows[trust] = float(table(tmp_path / trust / "cases.csv")[0]["reference_ml"])
    assert rows["pixdim"] == pytest.approx(rows["affine"] * np.prod(SPACING), rel=1e-5)


def test_a_grid_is_compared_as_it_is_trusted(tmp_path):
    """A mask that lost its pixdim, and whose affine is right, as the reference's is."""
    for name, zooms in (("a", SPACING), ("b", (1.5, 1.5, 5.0))):
        image = nib.Nifti1Image(heart(5), np.diag([*SPACING, 1.0]))
        image.header["pixdim"][1:4] = zooms
        nib.save(image, tmp_path / f"{name}.nii.gz")
    with pytest.raises(GeometryError, match=r"1\.5 × 1\.5 × 5 mm"):
        evaluated(tmp_path / "b.nii.gz", tmp_path / "a.nii.gz", output=tmp_path / "out")
    data = evaluated(
        tmp_path / "b.nii.gz", tmp_path / "a.nii.gz", output=tmp_path / "out", trust="affine"
    ).data
    assert (data.mean_dice, data.volumes) == (1, 1)
