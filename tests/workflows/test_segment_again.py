"""``cardioseg segment`` run again: kept and redone cases; failures, interrupts and kills."""

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import (
    SHAPE,
    TABLES,
    cardioseg,
    cine_results,
    names_in,
    results,
    save_image,
    stored,
    voxels,
)

from cardioseg.core.errors import EXIT_INPUT, EXIT_OK, EXIT_RESOURCES

# ------------------------------------------------------------------------------------- what is kept


def ages(folder):
    return {
        path.name: path.stat().st_mtime_ns
        for path in folder.iterdir()
        if path.name.startswith("heart")
    }


def state(done):
    return json.loads(done.out)["data"]["cases"][0]["state"]


def test_a_finished_case_is_kept_until_something_changes(segment, out, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    assert state(segment(path, "--json")) == "done"
    first = ages(out)
    assert state(segment(path, "--json")) == "kept"
    assert ages(out) == first
    for change in (
        ("--loops", "3"),
        ("--views", "flips"),
        ("--save", "probs"),
        ("--trust", "affine"),
        ("--overlap", "0.5"),
    ):
        done = segment(path, *change, code=EXIT_RESOURCES)
        assert done.err.startswith(
            f"error: {out / 'heart_run.json'}: found results made from another"
        )
        assert "--overwrite" in done.err
    save_image(path, voxels(seed=5))
    segment(path, code=EXIT_RESOURCES)
    assert ages(out) == first
    assert state(segment(path, "--json", "--overwrite")) == "done"
    assert all(ages(out)[name] > first[name] for name in first)


def test_another_model_of_the_same_weights_is_another_model(tmp_path, model):
    other = tmp_path / "other"
    shutil.copytree(model, other)
    (other / "config.toml").write_text(
        (other / "config.toml").read_text().replace("spacing_mm = 1.5", "spacing_mm = 1.6")
    )
    path = save_image(tmp_path / "heart.nii.gz")
    codes = [
        cardioseg("segment", path, "-q", "-o", tmp_path / "out", "-m", folder).code
        for folder in (model, model, other)
    ]
    assert codes == [EXIT_OK, EXIT_OK, EXIT_RESOURCES]


def test_overwriting_leaves_no_map_of_the_run_before(segment, out, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz", np.stack([voxels(), voxels(seed=1)], -1))
    segment(path, "--save", "probs,routing")
    segment(path, "--overwrite")
    assert names_in(out) == cine_results("heart") | TABLES


def test_a_case_that_lost_a_file_is_done_again(segment, out, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    segment(path)
    (out / "heart_mask.nii.gz").unlink()
    assert state(segment(path, "--json")) == "done"
    assert names_in(out) == results("heart") | TABLES


@pytest.mark.parametrize("text", ["{", "[]", '{"case": "heart"}', '{"schema_version": 99}'])
def test_a_record_that_cannot_be_read_is_named_and_replaced_on_demand(segment, out, tmp_path, text):
    path, other = save_image(tmp_path / "heart.nii.gz"), save_image(tmp_path / "other.nii.gz")
    segment(path)
    record = out / "heart_run.json"
    record.write_text(text)
    assert segment(path, code=EXIT_RESOURCES).err.startswith(f"error: {record}: found ")
    done = segment(other, "--json")
    assert any(str(record) in line for line in json.loads(done.out)["warnings"])
    assert (record.read_text(), state(done)) == (text, "done")
    assert state(segment(path, "--overwrite", "--json")) == "done"
    assert names_in(out) == results("heart") | results("other") | TABLES


def test_somebody_elses_mask_is_not_overwritten_unasked(segment, tmp_path):
    path, mine = (
        save_image(tmp_path / "in" / "heart.nii.gz"),
        save_image(tmp_path / "in" / "heart_mask.nii.gz"),
    )
    before = mine.read_bytes()
    done = segment(path, output=path.parent, code=EXIT_RESOURCES)
    assert done.err.startswith(f"error: {mine}: found ")
    assert (mine.read_bytes(), names_in(path.parent)) == (
        before,
        {"heart.nii.gz", "heart_mask.nii.gz"},
    )
    segment(path, "--overwrite", output=path.parent)
    assert mine.read_bytes() != before


def test_a_failure_leaves_earlier_results_as_they_are(segment, out, tmp_path):
    path, other = save_image(tmp_path / "heart.nii.gz"), save_image(tmp_path / "heart_2.nii.gz")
    segment(path, other, "--save", "probs")
    before = ages(out)
    broken = voxels(dtype=np.float32)
    broken[3, 4, 1] = np.nan
    save_image(path, broken)
    segment(path, "--overwrite", code=EXIT_INPUT)
    assert ages(out) == before
    assert names_in(out) == results("heart", "probs") | results("heart_2", "probs") | TABLES


def test_a_frame_that_fails_leaves_nothing_of_the_frames_before_it(segment, out, tmp_path):
    cine = np.stack([voxels(), voxels(), np.full(SHAPE, 7, np.int16)], -1)
    path = save_image(tmp_path / "heart.nii.gz", cine)
    done = segment(path, "--save", "probs", code=EXIT_INPUT)
    assert done.err.startswith(f"error: {path} (frame 3): found a constant image (every voxel 7); ")
    assert not out.exists()


# ----------------------------------------------------------------------------- kills and interrupts


@pytest.fixture
def started(model, tmp_path):
    """The command in a separate process, stopped by a signal while a cine is written."""
    folder = tmp_path / "stopped"

    def stop(with_signal):
        path = save_image(tmp_path / "heart.nii.gz", CINE)
        options = [
            "--save",
            "probs",
            "--overlap",
            "0.6",
            "--output",
            folder,
            "--model",
            model,
            "--quiet",
        ]
        command = [sys.executable, "-m", "cardioseg.cli.app", "segment", path, *options]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — a job in the background ignores it
        )
        deadline = time.monotonic() + 120
        while not (folder / "heart_probs_frame02.nii.gz").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(with_signal)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return folder, stop


CINE = np.stack([voxels((64, 60, 6), seed=frame) for frame in range(24)], -1)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_an_interrupt_ends_with_130_and_leaves_nothing(started):
    folder, stop = started
    code, printed, err = stop(signal.SIGINT)
    assert (code, printed) == (130, "")
    assert "Traceback" not in err
    assert not names_in(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_after_a_kill_there_is_no_record_and_the_next_run_finishes(started, segment, tmp_path):
    folder, stop = started
    code, _, _ = stop(signal.SIGKILL)
    assert code == -signal.SIGKILL
    left = names_in(folder)
    assert "heart_probs_frame01.nii.gz" in left
    assert "heart_run.json" not in left
    (folder / ".heart_mask.nii.gz.a1b2c3d4.part.nii.gz").touch()
    segment(tmp_path / "heart.nii.gz", output=folder)
    assert names_in(folder) == cine_results("heart") | TABLES
    assert stored(folder / "heart_mask.nii.gz").shape == CINE.shape


@pytest.mark.parametrize("table", sorted(TABLES))
def test_somebody_elses_table_of_colours_stays_unless_told_otherwise(segment, out, tmp_path, table):
    path = save_image(tmp_path / "heart.nii.gz")
    out.mkdir()
    (out / table).write_text("mine")
    done = segment(path, code=EXIT_RESOURCES)
    assert done.err.startswith(f"error: {out / table}: found ")
    assert names_in(out) == {table}
    assert (out / table).read_text() == "mine"
    segment(path, "--overwrite")
    assert "RV" in (out / table).read_text().upper()
    segment(save_image(tmp_path / "other.nii.gz"))
