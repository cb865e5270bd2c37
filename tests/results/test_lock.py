"""Locks of an output folder: one holder, released by a kill, not inherited by forked children."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from cardioseg.core.errors import OutputError
from cardioseg.results.lock import case_lock, folder_lock, holder, locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses fork and signals")

HOLD = """
import sys, time
from pathlib import Path
from cardioseg.results.lock import locked
with locked(Path(sys.argv[1]), wait_seconds=5):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held_elsewhere(tmp_path):
    """A process that holds ``.x_lock``."""
    path = tmp_path / ".x_lock"
    command = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield path, process
        process.kill()


def test_a_second_run_is_told_who_holds_the_case(held_elsewhere):
    path, process = held_elsewhere
    with pytest.raises(OutputError) as caught, locked(path, wait_seconds=0.1):
        pass
    assert caught.value.file == str(path.parent)
    assert f"process {process.pid}, since " in caught.value.found
    assert "the case x" in caught.value.found
    assert path.exists()


def test_a_kill_releases_the_lock(held_elsewhere):
    path, process = held_elsewhere
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    assert holder(path) is None
    with locked(path, wait_seconds=0):
        pass
    assert not path.exists()


def test_a_lock_excludes_its_own_process_too(tmp_path):
    with case_lock(tmp_path, "x"), case_lock(tmp_path, "y"), folder_lock(tmp_path):
        assert str(os.getpid()) in holder(tmp_path / ".x_lock")
        with pytest.raises(OutputError), locked(tmp_path / ".x_lock", wait_seconds=0):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path):
    path = tmp_path / ".x_lock"
    context = multiprocessing.get_context("fork")
    with locked(path, wait_seconds=0):
        child = context.Process(target=time.sleep, args=(30,))
        child.start()
    with locked(path, wait_seconds=0):
        pass
    child.kill()
    child.join()


def test_folders_made_for_the_lock_go_with_it_unless_something_is_in_them(tmp_path):
    deep = tmp_path / "a" / "b"
    with case_lock(deep, "x"):
        pass
    assert not (tmp_path / "a").exists()
    with case_lock(deep, "x"):
        (deep / "result").touch()
    assert [path.name for path in deep.iterdir()] == ["result"]


def test_of_many_processes_one_is_inside_at_a_time(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=_count, args=(tmp_path, counter)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert counter.read_text() == "40"


def _count(folder, counter):
    for _ in range(10):
        with locked(folder / ".x_lock", wait_seconds=60):
            counter.write_text(str(int(counter.read_text()) + 1))
