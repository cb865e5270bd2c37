"""Atomic writes: what a killed writer leaves is cleared, what a live one writes is not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cardioseg.core.atomic import clear_parts, parts, replacing, write_text

DESCRIPTORS = Path("/proc/self/fd")
WRITE = """
import sys, time
from pathlib import Path
from cardioseg.core.atomic import replacing
with replacing(Path(sys.argv[1]), suffix=".nii.gz") as path:
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_parts_of_a_live_writer_stay_and_those_of_a_killed_one_go(tmp_path):
    target = tmp_path / "x.nii.gz"
    command = [sys.executable, "-c", WRITE, target]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        replacing(tmp_path / "mine") as temporary,
    ):
        assert process.stdout.readline() == b"writing\n"
        clear_parts(tmp_path)
        assert temporary.exists()
        assert len(parts(tmp_path)) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        clear_parts(tmp_path)
        assert parts(tmp_path) == [temporary]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", [".x.part", "x.a1b2c3d4.part", ".x.A1B2C3D4.part", ".part", "a"])
def test_files_of_other_names_are_not_cleared(tmp_path, name):
    (tmp_path / name).touch()
    clear_parts(tmp_path, tmp_path / "missing")
    assert (tmp_path / name).exists()


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts open files by Linux's /proc")
def test_no_descriptor_stays_open(tmp_path):
    before = len(list(DESCRIPTORS.iterdir()))
    for index in range(20):
        write_text(tmp_path / f"{index}", "x")
    with pytest.raises(ValueError, match="stop"), replacing(tmp_path / "y"):
        raise ValueError("stop")
    assert len(list(DESCRIPTORS.iterdir())) == before
    assert not parts(tmp_path)
