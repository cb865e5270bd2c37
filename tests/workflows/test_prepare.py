"""``prepare``: the same preprocessing as inference, resumable, a manifest only when complete."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_data import CASES_PER_PATIENT, SPACING, write_patient, write_patients
from small_prepare import CONFIG, prepare_beside, rewrite

from cardioseg.core.config import PreparationConfig
from cardioseg.core.digest import sha256
from cardioseg.core.errors import InputError, LabelError
from cardioseg.data.manifest import Manifest, load_case
from cardioseg.imaging.open import read
from cardioseg.imaging.preprocess import preprocess, preprocess_label
from cardioseg.phantom.files import acdc_header, save
from cardioseg.workflows.prepare import prepare


@pytest.fixture
def raw(tmp_path):
    return write_patients(tmp_path / "raw", 3)


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cases").iterdir()}


# ------------------------------------------------------------------------------------ what it holds


def test_what_is_stored_is_what_inference_would_see(raw):
    prepare_beside(raw)
    manifest = Manifest.read(raw.parent / "prepared")
    assert len(manifest.entries) == 3 * CASES_PER_PATIENT
    for entry in manifest.entries:
        arrays = load_case(manifest.folder, entry)
        image = read(raw / entry.patient / f"{entry.name}.nii.gz")
        label = read(raw / entry.patient / f"{entry.name}_gt.nii.gz")
        seen = preprocess(image, manifest.preparation)
        assert arrays["image"].dtype == np.float16
        assert np.array_equal(arrays["image"], seen.astype(np.float16))
        assert np.array_equal(
            arrays["label"], preprocess_label(label, manifest.preparation, classes=4)
        )
        assert np.array_equal(arrays["reference"], label.array)
        assert arrays["label"].shape == seen.shape == (48, 45, 5)
        assert {key: arrays[key].dtype.name for key in ("label", "reference")} == {
            "label": "uint8",
            "reference": "uint8",
        }
        assert set(np.unique(arrays["reference"])) == {0, 1, 2, 3}


def test_the_hash_of_one_file_is_that_of_its_bytes_and_of_several_that_of_their_digests(tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(path.name.encode())
    one, two = (hashlib.sha256(path.read_bytes()) for path in paths)
    assert sha256(paths[0]) == sha256(paths[0], None) == one.hexdigest()
    assert (
        sha256(*paths)
        == hashlib.sha256(one.digest() + two.digest()).hexdigest()
        != sha256(*reversed(paths))
    )


def test_trust_affine_reaches_the_prepared_grid(raw):
    prepare_beside(raw, trust="affine")
    manifest = Manifest.read(raw.parent / "prepared")
    assert manifest.entries[0].spacing_mm == (1.0, 1.0, 1.0)
    assert load_case(manifest.folder, manifest.entries[0])["image"].shape == (16, 15, 5)


def test_slices_may_lie_along_any_axis(tmp_path):
    folder = write_patient(tmp_path / "raw", 1)
    straight = prepare(tmp_path / "raw", output=tmp_path / "straight", config=CONFIG)
    for path in folder.glob("*.nii.gz"):
        rewrite(path, lambda array: np.moveaxis(array, 2, 0), spacing=(18.0, 3.0, 3.0))
    turned = prepare(tmp_path / "raw", output=tmp_path / "turned", config=CONFIG)
    for report in (straight, turned):
        assert report.data.entries[0].spacing_mm == SPACING
    one, other = (Manifest.read(tmp_path / name) for name in ("straight", "turned"))
    for a, b in zip(one.entries, other.entries, strict=True):
        arrays, again = load_case(one.folder, a), load_case(other.folder, b)
        assert all(np.array_equal(arrays[key], again[key]) for key in arrays)


def test_nnunet_classes_go_through(tmp_path):
    raw = tmp_path / "Dataset 7 ä"
    labels = ["background", "LV", "MYO", "RV", "LA", "RA"]
    raw.mkdir()
    (raw / "dataset.json").write_text(
        json.dumps({"labels": {name: value for value, name in enumerate(labels)}})
    )
    random = np.random.default_rng(0)
    blocks = random.integers(0, 6, (4, 4, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    save(
        raw / "imagesTr" / "anna_0000.nii.gz",
        random.random((32, 32, 3)).astype(np.float32),
        acdc_header((1.5, 1.5, 8.0)),
    )
    save(raw / "labelsTr" / "anna.nii.gz", blocks, acdc_header((1.5, 1.5, 8.0)))
    prepare(raw, output=tmp_path / "out")
    manifest = Manifest.read(tmp_path / "out")
    assert (manifest.source, list(manifest.labels.names)) == ("nnunet", labels)
    assert np.array_equal(load_case(manifest.folder, manifest.entries[0])["label"], blocks)


def test_a_table_of_single_slices_is_prepared_and_rows_without_masks_are_left_out(tmp_path):
    random = np.random.default_rng(0)
    for name, array in (
        ("a", random.random((40, 32))),
        ("b", random.random((40, 32))),
        ("a_gt", np.eye(40, 32)),
    ):
        kind = np.uint8 if name.endswith("gt") else np.float32
        nib.save(
            nib.Nifti1Image(array.astype(kind), np.diag([2.0, 2.0, 1.0, 1.0])),
            tmp_path / f"{name}.nii.gz",
        )
    (tmp_path / "cases.csv").write_text("image,label\na.nii.gz,a_gt.nii.gz\nb.nii.gz,\n")
    report = prepare(
        tmp_path / "cases.csv", output=tmp_path / "out", config=CONFIG, labels="RV=1,MYO=2,LV=3"
    )
    assert [entry.name for entry in report.data.entries] == ["a"]
    manifest = Manifest.read(tmp_path / "out")
    assert load_case(manifest.folder, manifest.entries[0])["image"].shape == (20, 16, 1)


def test_masks_stored_as_float_count_as_whole_numbers(raw):
    rewrite(
        raw / "patient001/patient001_frame01_gt.nii.gz", lambda mask: mask.astype(np.float32) + 1e-5
    )
    prepare_beside(raw)
    manifest = Manifest.read(raw.parent / "prepared")
    assert set(np.unique(load_case(manifest.folder, manifest.entries[0])["reference"])) == {
        0,
        1,
        2,
        3,
    }


# ----------------------------------------------------------------------------------------- going on


def test_a_second_run_keeps_everything(raw):
    prepare_beside(raw)
    folder = raw.parent / "prepared"
    before, manifest = stamps(folder), (folder / "manifest.json").read_bytes()
    report = prepare_beside(raw)
    assert (report.data.kept, report.data.cases) == (6, 6)
    assert stamps(folder) == before
    assert (folder / "manifest.json").read_bytes() == manifest


def test_only_what_changed_is_prepared_again(raw):
    prepare_beside(raw)
    folder = raw.parent / "prepared"
    before, old = stamps(folder), Manifest.read(folder)
    rewrite(raw / "patient002/patient002_frame09_gt.nii.gz", lambda mask: mask[::-1])
    write_patient(raw, 4)
    report = prepare_beside(raw)
    assert (report.data.kept, report.data.cases) == (5, 8)
    after, new = stamps(folder), Manifest.read(folder)
    assert {name for name in before if after[name] != before[name]} == {
        "patient002_frame09.safetensors"
    }
    hashes = [
        {entry.name: entry.source_sha256 for entry in manifest.entries} for manifest in (old, new)
    ]
    assert {name for name in hashes[0] if hashes[0][name] != hashes[1][name]} == {
        "patient002_frame09"
    }


@pytest.mark.parametrize(
    "changes", [{"config": PreparationConfig(spacing_mm=5.0)}, {"trust": "affine"}]
)
def test_other_settings_prepare_everything_again(raw, changes):
    prepare_beside(raw)
    assert prepare_beside(raw, **changes).data.kept == 0


def test_a_damaged_case_is_prepared_again(raw):
    prepare_beside(raw)
    path = raw.parent / "prepared/cases/patient001_frame01.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    manifest = Manifest.read(raw.parent / "prepared")
    with pytest.raises(InputError, match="SHA-256"):
        load_case(manifest.folder, manifest.entries[0])
    assert prepare_beside(raw).data.kept == 5
    assert path.read_bytes() == whole


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from cardioseg.core.config import PreparationConfig
    from cardioseg.workflows.prepare import prepare

    def stop(progress):
        if progress.done == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    config = PreparationConfig(spacing_mm=4.0)
    prepare(Path(sys.argv[1]), output=Path(sys.argv[2]), config=config, on_progress=stop)
"""


def test_a_kill_leaves_no_manifest_and_the_next_run_finishes(raw):
    folder = raw.parent / "prepared"
    prepare_beside(raw)
    expected = (folder / "manifest.json").read_bytes()
    for path in (folder / "cases").iterdir():
        path.unlink()
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OMP_NUM_THREADS": "1",
    }
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(raw), str(folder)],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with pytest.raises(InputError, match=r"no manifest\.json") as caught:
        Manifest.read(folder)
    assert "cardioseg prepare" in caught.value.cure
    assert prepare_beside(raw).data.kept == 2
    assert (folder / "manifest.json").read_bytes() == expected


def test_a_failed_run_leaves_no_manifest_either(raw):
    prepare_beside(raw)
    rewrite(raw / "patient003/patient003_frame01_gt.nii.gz", lambda mask: mask + 7)
    with pytest.raises(LabelError):
        prepare_beside(raw)
    with pytest.raises(InputError, match=r"no manifest\.json"):
        Manifest.read(raw.parent / "prepared")
    assert len(stamps(raw.parent / "prepared")) == 6


def test_more_processes_prepare_the_same(raw):
    seen = []
    report = prepare(
        raw, output=raw.parent / "two", config=CONFIG, workers=2, on_progress=seen.append
    )
    prepare_beside(raw)
    assert (raw.parent / "two/manifest.json").read_bytes() == (
        raw.parent / "prepared/manifest.json"
    ).read_bytes()
    assert report.data.kept == 0
    assert [progress.done for progress in seen] == [1, 2, 3, 4, 5, 6]
    assert {progress.message for progress in seen} == {entry.name for entry in report.data.entries}


# ------------------------------------------------------------------------------------------ classes


def test_every_structure_is_counted_and_missing_ones_are_said(tmp_path, raw):
    for path in raw.rglob("*_gt.nii.gz"):
        rewrite(path, lambda mask: np.where(mask == 1, 0, mask))
    rewrite(raw / "patient001/patient001_frame01_gt.nii.gz", np.zeros_like)
    report = prepare_beside(raw)
    cases = report.data.cases
    assert report.data.masks_with == {"RV": 0, "MYO": cases - 1, "LV": cases - 1}
    assert any("RV" in line and str(cases) in line for line in report.warnings)
    assert any("patient001_frame01" in line for line in report.warnings)
    again = prepare_beside(raw)
    assert (again.data.masks_with, again.warnings) == (report.data.masks_with, report.warnings)
