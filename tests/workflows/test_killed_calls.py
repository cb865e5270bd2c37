"""Killed calls of evaluate, measure and prepare: the next call clears up and finishes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny import cardioseg, names_in, save_image, voxels, write_patients

from cardioseg.core.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_RESOURCES, exit_code, explain
from cardioseg.results.lock import folder_lock
from cardioseg.workflows import prepare as preparing

FORKED = pytest.mark.skipif(sys.platform != "linux", reason="changed functions must be inherited")
PARTS = (".x.csv.a1b2c3d4.part", ".cardioseg_lock")


@pytest.fixture
def masks(tmp_path):
    return write_patients(tmp_path / "raw")


def test_evaluate_goes_on_where_a_killed_run_stopped(masks, out):
    call = ("evaluate", masks, masks, "-q", "-o", out)
    out.mkdir()
    (out / ".evaluating").touch()
    for name in (*PARTS, "cases.csv"):
        (out / name).write_text("half")
    assert cardioseg(*call).code == EXIT_OK
    files = {"cases.csv", "patients.csv", "dice.png", "bland_altman.png", "metrics.json"}
    assert names_in(out) == files
    assert (out / "cases.csv").read_text() != "half"
    (out / "cases.csv").write_text("mine")
    assert cardioseg(*call).code == EXIT_RESOURCES, "a finished run is not replaced unasked"


def test_evaluate_does_not_take_another_file_for_its_own(masks, out):
    out.mkdir()
    (out / ".evaluating").touch()
    (out / "notes.txt").touch()
    done = cardioseg("evaluate", masks, masks, "-q", "-o", out)
    assert done.code == EXIT_RESOURCES
    assert names_in(out) == {".evaluating", "notes.txt"}


def test_measure_goes_on_where_a_killed_run_stopped(tmp_path, out):
    mask = save_image(tmp_path / "heart_mask.nii.gz", (voxels() > 150).astype("uint8"))
    call = ("measure", mask, "-o", out)
    out.mkdir()
    for name in (*PARTS, "heart_clinical.json", ".heart_lock", ".heart_measuring"):
        (out / name).write_text("half")
    assert cardioseg(*call).code == EXIT_OK
    assert names_in(out) == {"heart_clinical.json", ".cardioseg_lock"}
    assert json.loads((out / "heart_clinical.json").read_text())["case"] == "heart"
    (out / "heart_clinical.json").write_text("mine")
    assert cardioseg(*call).code == EXIT_RESOURCES


def test_prepare_clears_leftovers_and_waits_its_turn(masks, out, monkeypatch):
    monkeypatch.setattr("cardioseg.workflows.prepare.CASE_WAIT_SECONDS", 0.1)
    call = ("prepare", masks, "-q", "--workers", 1, "-o", out)
    with folder_lock(out):
        done = cardioseg(*call)
        assert done.code == EXIT_RESOURCES
        assert f"process {os.getpid()}" in done.err
    (out / "cases").mkdir(parents=True)
    for name in (*PARTS, "cases/.x.safetensors.a1b2c3d4.part"):
        (out / name).touch()
    assert cardioseg(*call).code == EXIT_OK
    assert not [name for name in names_in(out) if "/." in name or name.startswith(".")]


def kill_worker(job):
    os.kill(os.getpid(), signal.SIGKILL)


@FORKED
def test_a_killed_worker_is_a_lack_of_resources(masks, out, monkeypatch):
    monkeypatch.setattr(preparing, "prepare_case", kill_worker)
    done = cardioseg("prepare", masks, "-q", "--workers", 2, "-o", out)
    assert done.code == EXIT_RESOURCES
    assert "--workers 1" in done.err
    assert "Traceback" not in done.err
    assert names_in(out) == set()


@pytest.mark.parametrize(
    "text",
    [
        "DataLoader worker (pid 12) is killed by signal: Killed. ",
        "DataLoader worker (pid(s) 1, 2) exited unexpectedly",
        "unable to allocate shared memory(shm) for file </torch_1_2_0>: No space left (28)",
    ],
)
def test_a_killed_loader_is_a_lack_of_resources(text):
    assert exit_code(RuntimeError(text)) == EXIT_RESOURCES
    assert "training.workers=0" in explain(RuntimeError(text))


SLOW = """
import sys, time
from cardioseg.workflows import prepare
from cardioseg.cli.app import main
def slow(job):
    print("begun", flush=True)
    time.sleep(60)
prepare.prepare_case = slow
main()
"""


@FORKED
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent_and_say_nothing(masks, out, how):
    command = [sys.executable, "-c", SLOW, "prepare", masks, "-q", "--workers", "2", "-o", out]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 — a job in the background ignores it
    ) as process:
        for _ in range(2):  # both workers
            assert process.stdout.readline() == "begun\n"
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does
        else:
            process.kill()
        started = time.monotonic()
        _, err = process.communicate(timeout=90)  # ends when no worker holds the pipe any more
    if how == signal.SIGKILL:
        assert time.monotonic() - started < 30
    else:
        assert process.returncode == EXIT_INTERRUPTED
        assert err == "error: interrupted\n"
