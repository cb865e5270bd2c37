"""Output that is in the way, on a full or closed disk, or in a folder of any name."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import pytest
from broken import refused
from tiny import SETS, SHAPE, cardioseg, names_in, run_record, save_image, write_patients

from cardioseg.core.errors import (
    EXIT_OK,
    EXIT_RESOURCES,
)


@pytest.fixture
def raw(tmp_path):
    return write_patients(tmp_path / "raw")


# ------------------------------------------------------------------------------------------- output


@pytest.fixture
def verbs(raw, prepared, model, tmp_path):
    """Every verb that writes, without its --output."""
    image = save_image(tmp_path / "x.nii.gz")
    return {
        "segment": ("segment", image, "-m", model, "-q"),
        "prepare": ("prepare", raw, "-q", "--workers", 2),
        "train": ("train", prepared, "-q", *SETS),
        "evaluate": ("evaluate", raw, raw, "-q"),
    }


@pytest.mark.parametrize("verb", ["segment", "prepare", "train", "evaluate"])
@pytest.mark.parametrize("below", [".", "deep/below"])
def test_a_file_where_the_folder_should_be_is_named_and_stays(verbs, tmp_path, verb, below):
    file = tmp_path / "file"
    file.write_text("in the way")
    refused(cardioseg(*verbs[verb], "-o", file / below), EXIT_RESOURCES, file)
    assert file.read_text() == "in the way"


def test_output_that_exists_is_refused_and_stays(verbs, prepared, tmp_path):
    out = tmp_path / "there"
    assert cardioseg(*verbs["segment"], "-o", out / "segment").code == EXIT_OK
    assert cardioseg(*verbs["evaluate"], "-o", out / "evaluate").code == EXIT_OK
    assert cardioseg(*verbs["train"], "-o", out / "train").code == EXIT_OK
    before = {name: (out / name).read_bytes() for name in names_in(out)}
    refused(
        cardioseg(*verbs["segment"], "--loops", 3, "-o", out / "segment"),
        EXIT_RESOURCES,
        out,
        "results made from another",
    )
    assert cardioseg(*verbs["evaluate"], "-o", out / "evaluate").code == EXIT_OK  # the same results
    other = (*verbs["evaluate"], "--by-index", "-o", out / "segment")
    refused(cardioseg(*other), EXIT_RESOURCES, out, "not empty")
    refused(
        cardioseg(*verbs["train"], "-o", out / "train"), EXIT_RESOURCES, out, "a run of 2 steps"
    )
    assert {name: (out / name).read_bytes() for name in names_in(out)} == before


ON_ANOTHER_DISK = """
import json, shutil, sys
from pathlib import Path
given = json.load(sys.stdin)
sys.path.insert(0, given["tests"])
from tiny import cardioseg, names_in
ended = []
for call in given["calls"]:
    done = cardioseg(*call, "-o", given["output"])
    ended.append((done.code, done.err.splitlines()[-1], sorted(names_in(Path(given["output"])))))
    shutil.rmtree(given["output"], ignore_errors=True)
print(json.dumps(ended))
"""


@pytest.fixture
def on_a_disk(tmp_path):
    """Run commands whose output lies on a small temporary file system."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def run(how, calls):
        mount = f'mount -t tmpfs -o size=96k none "$0" && {how} && exec "$@"'
        inside = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, disk]
        if (
            not shutil.which("unshare")
            or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
        ):
            pytest.skip("this system lets nobody mount a small file system")
        given = {
            "tests": str(Path(__file__).parents[1] / "builders"),
            "output": str(disk / "out"),
            "calls": [list(map(str, call)) for call in calls],
        }
        command = [*inside, sys.executable, "-c", ON_ANOTHER_DISK]
        done = subprocess.run(
            command, input=json.dumps(given), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return disk / "out", run


def test_a_full_disk_is_named_and_nothing_half_written_stays(verbs, on_a_disk):
    out, run = on_a_disk
    ended = run(
        'head -c 70000 /dev/zero > "$0/ballast"',
        [verbs[verb] for verb in ("segment", "prepare", "train")],
    )
    for code, line, _ in ended:
        assert code == EXIT_RESOURCES, line
        assert line.startswith(f"error: {out}")
        assert (
            "found No space left on device; expected a folder with space and write permission; "
            in line
        )
    segmented, prepared, trained = (left for _, _, left in ended)
    assert segmented == []
    assert not any(".part" in name or name == "manifest.json" for name in prepared)
    assert not any(".part" in name or name.endswith(".safetensors") for name in trained)


def test_a_folder_that_cannot_be_written_is_named(verbs, on_a_disk):
    out, run = on_a_disk
    for code, line, _ in run('mount -o remount,ro "$0"', verbs.values()):
        assert code == EXIT_RESOURCES, line
        assert line.startswith(f"error: {out}")
        assert "found Read-only file system; " in line


# -------------------------------------------------------------------------------------------- paths


def test_every_verb_works_in_a_folder_of_spaces_and_other_scripts(tmp_path):
    home = tmp_path / "Müller – 心臓 (1)"
    raw = write_patients(home / "raw data", 3)
    steps = [
        ("prepare", raw, "-o", home / "pré paré", "--workers", 2),
        ("train", home / "pré paré", "-o", home / "läuft 走", "--fold", 0, *SETS),
        ("models", "export", home / "läuft 走", "-o", home / "modèle 模"),
        ("segment", raw, "-o", home / "masks ✓", "-m", home / "modèle 模", "--views", "none"),
        ("evaluate", home / "masks ✓", raw, "-o", home / "scores é"),
        ("models", "verify", home / "modèle 模"),
    ]
    for step in steps:
        done = cardioseg(*step)
        assert done.code == EXIT_OK, (step, done.err)
    assert len(list((home / "masks ✓").glob("*_run.json"))) == 6
    assert run_record(home / "masks ✓", "patient003_frame02")["model"] == "modèle 模"
    assert (
        json.loads((home / "scores é" / "metrics.json").read_text(encoding="utf-8"))["labels"][1]
        == "RV"
    )
    assert nib.load(home / "masks ✓" / "patient003_frame02_mask.nii.gz").shape == SHAPE
