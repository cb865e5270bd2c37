"""``cardioseg check`` and what ``segment`` does about cases that are not whole."""

import json
import subprocess
import sys

import numpy as np
import pytest
from small_case import write_case, write_reported_case
from tiny import (
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


def checked(folder, code):
    """State and problems of every case."""
    done = cardioseg("check", folder, "--json")
    assert done.code == code, done.err
    return {c["case"]: (c["state"], c["problems"]) for c in json.loads(done.out)["data"]["cases"]}


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {"cut": cut, "one bit": flip, "empty": lambda path: path.write_bytes(b"")}


@pytest.mark.parametrize(
    "ending", ["mask.nii.gz", "halting.nii.gz", "clinical.json", "preview.png"]
)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_every_damaged_file_is_named(tmp_path, ending, damage):
    write_reported_case(tmp_path, "a")
    write_case(tmp_path, "b", frames=1)
    assert checked(tmp_path, EXIT_OK) == {"a": ("whole", []), "b": ("whole", [])}
    damage(tmp_path / f"a_{ending}")
    (tmp_path / "b_mask.nii.gz").unlink()
    found = checked(tmp_path, EXIT_INPUT)
    assert {case: state for case, (state, _) in found.items()} == {"a": "changed", "b": "changed"}
    assert [line.split()[0] for _, lines in found.values() for line in lines] == [
        f"a_{ending}",
        "b_mask.nii.gz",
    ]


def test_a_page_written_later_is_no_damage(tmp_path):
    write_case(tmp_path, "a")
    (tmp_path / "a_view.html").write_text("later")
    assert checked(tmp_path, EXIT_OK) == {"a": ("whole", [])}


def test_records_that_prove_nothing_are_not_whole(tmp_path):
    write_case(tmp_path, "a", frames=1)
    record = tmp_path / "a_run.json"
    values = json.loads(record.read_text())
    for files, state in (({}, "changed"), ({"../a": "0" * 64}, "changed")):
        record.write_text(json.dumps(values | {"files": files}))
        assert checked(tmp_path, EXIT_INPUT)["a"][0] == state
    record.write_text("{")
    assert checked(tmp_path, EXIT_INPUT)["a"][0] == "unreadable"
    record.unlink()
    (tmp_path / ".a_unfinished").touch()
    assert checked(tmp_path, EXIT_INPUT)["a"][0] == "unfinished"


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_cases_is_an_error(tmp_path, make):
    if make:
        (tmp_path / "x").mkdir()
    assert cardioseg("check", tmp_path / "x").code == EXIT_INPUT


HOLD = """
import sys, time
from pathlib import Path
from cardioseg.results.lock import case_lock
with case_lock(Path(sys.argv[1]), "heart"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_case_that_another_run_makes_is_running_and_is_left_alone(
    attempt, out, tmp_path, monkeypatch
):
    monkeypatch.setattr("cardioseg.results.lock.CASE_WAIT_SECONDS", 0.2)
    image, other = save_image(tmp_path / "heart.nii.gz"), save_image(tmp_path / "other.nii.gz")
    out.mkdir()
    (out / ".heart_unfinished").touch()
    (out / "heart_mask.nii.gz").write_text("of the other run")
    command = [sys.executable, "-c", HOLD, out]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert checked(out, EXIT_INPUT)["heart"][0] == "running"
        done = attempt(image, "--overwrite")
        assert done.code == EXIT_RESOURCES
        assert f"process {process.pid}" in done.err
        both = json.loads(attempt(image, other, "--json").out)["data"]["cases"]
        assert [case["state"] for case in both] == ["failed", "done"]
        assert (out / "heart_mask.nii.gz").read_text() == "of the other run"
        process.kill()
    assert attempt(image).code == EXIT_OK
    assert names_in(out) == results("heart") | results("other") | TABLES


# ----------------------------------------------------------------------------------- made again


def again(segment, *arguments):
    """State of the only case, and the warnings that say it was made again."""
    printed = json.loads(segment(*arguments, "--json").out)
    warnings = [line for line in printed["warnings"] if "made again" in line]
    return printed["data"]["cases"][0]["state"], warnings


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_map_is_made_again_and_that_is_said(segment, out, tmp_path, damage):
    image = save_image(tmp_path / "heart.nii.gz")
    segment(image)
    before = (out / "heart_halting.nii.gz").read_bytes()
    damage(out / "heart_halting.nii.gz")
    state, (warning,) = again(segment, image)
    assert state == "done"
    assert "heart_halting.nii.gz" in warning
    assert (out / "heart_halting.nii.gz").read_bytes() == before
    assert names_in(out) == results("heart") | TABLES
    assert again(segment, image) == ("kept", [])


def test_a_mask_that_a_person_corrected_is_kept_under_another_name(segment, out, tmp_path):
    cine = np.stack([voxels(), voxels(seed=1)], -1)
    image, mask = save_image(tmp_path / "heart.nii.gz", cine), out / "heart_mask.nii.gz"
    segment(image)
    made = mask.read_bytes()
    corrected = [np.full(cine.shape, value, np.uint8) for value in (1, 2)]
    save_image(mask, corrected[0])
    (warning,) = again(segment, image)[1]
    assert "heart_mask_changed.nii.gz" in warning
    assert mask.read_bytes() == made
    save_image(mask, corrected[1])
    segment(image, "--overwrite")
    assert mask.read_bytes() == made
    kept = {"heart_mask_changed.nii.gz", "heart_mask_changed_2.nii.gz"}
    assert names_in(out) == cine_results("heart") | TABLES | kept
    for name, array in zip(sorted(kept), corrected, strict=True):
        assert np.array_equal(stored(out / name), array)
    assert again(segment, image) == ("kept", [])


def test_a_changed_mask_with_other_settings_is_refused_and_stays(segment, out, tmp_path):
    image, mask = save_image(tmp_path / "heart.nii.gz"), out / "heart_mask.nii.gz"
    segment(image)
    cut(mask)
    before = mask.read_bytes()
    segment(image, "--loops", "1", code=EXIT_RESOURCES)
    assert mask.read_bytes() == before


def test_a_case_whose_mask_changed_is_not_in_the_tables(segment, out, tmp_path):
    image, other = save_image(tmp_path / "heart.nii.gz"), save_image(tmp_path / "other.nii.gz")
    segment(image, other)
    flip(out / "heart_mask.nii.gz")
    printed = json.loads(segment(other, "--json").out)
    assert any("heart_mask.nii.gz" in line for line in printed["warnings"])
    cases = [line.split(",")[0] for line in (out / "study.csv").read_text().splitlines()]
    assert cases == ["case", "other"]


def test_leftovers_of_a_killed_run_are_cleared(segment, out, tmp_path):
    image = save_image(tmp_path / "heart.nii.gz")
    segment(image)
    for name in (
        ".heart_run.json.a1b2c3d4.part",
        ".study.csv.a1b2c3d4.part",
        ".gone_mask.nii.gz.a1b2c3d4.part.nii.gz",
        ".heart_unfinished",
        ".heart_lock",
        ".cardioseg_lock",
    ):
        (out / name).touch()
    assert again(segment, image) == ("kept", [])
    assert names_in(out) == results("heart") | TABLES
