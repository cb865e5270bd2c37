"""Counts: what kill -9, a full disk and several runs at once do to the results of four verbs.

    python benchmarks/kills.py --kills 100 --folder /tmp/kills --json kills.json

Every call runs in a forked process, so that kills meet its work and not its imports. The clock
that goes into records stands still, so that results are equal byte for byte. After each kill,
``cardioseg check`` must call no half-made case whole; then the same call runs to its end, and its
folder must equal that of an undisturbed run. Uses a model with random weights; Linux only.
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "builders"))
from tiny import save_image, save_tiny_model, voxels, write_patients

from cardioseg.cli import app
from cardioseg.core.atomic import write_json
from cardioseg.core.errors import EXIT_OK, EXIT_RESOURCES
from cardioseg.results import frames, recording
from cardioseg.results.folder import recorded_names, stored_case
from cardioseg.workflows import segment, segmentation

Call = tuple[str, ...]
OUTPUT = "OUTPUT"  # stands in a call for the output folder
DISK_KB = (40, 60, 80, 100, 120, 160)


def calls(folder: Path) -> dict[str, Call]:
    """A call of each verb on small inputs, which are made here."""
    raw, model = write_patients(folder / "raw"), save_tiny_model(folder / "model")
    cine = voxels((40, 36, 6, 8))
    save_image(folder / "in" / "cine.nii.gz", cine)
    save_image(folder / "in" / "p_ED.nii.gz", voxels(seed=1))
    save_image(folder / "in" / "p_ES.nii.gz", voxels(seed=2))
    mask = save_image(folder / "cine_mask.nii.gz", (cine > 150).astype("uint8") * 3)
    end = ("-o", OUTPUT)
    return {
        "segment": ("segment", f"{folder / 'in'}", "-q", "-m", f"{model}", *end),
        "measure": ("measure", f"{mask}", *end),
        "evaluate": ("evaluate", f"{raw}", f"{raw}", "-q", *end),
        "prepare": ("prepare", f"{raw}", "-q", "--workers", "1", *end),
    }


def start(call: Call, output: Path, *more: str) -> int:
    """The process id of a call that has begun."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        sys.argv = ["cardioseg", *(f"{output}" if part == OUTPUT else part for part in call), *more]
        silent = io.StringIO()
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            app.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Exit code of a call; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def half_done(folder: Path, whole: dict[str, bytes]) -> list[str]:
    """Files under their own names that are not as an undisturbed run writes them.

    Tables of the folder are left out: they describe the cases that are there.
    """
    named = [
        n for n in recorded_names(folder) if (found := stored_case(folder, n)) and found.problems
    ]
    for name, data in content(folder).items():
        derived = name.startswith(("study.csv", "index.html", "p_clinical", "p_report"))
        if not Path(name).name.startswith(".") and not derived and whole.get(name) != data:
            named.append(name)
    return named


def kill_at_random(call: Call, folder: Path, times: int, chance: random.Random) -> Counter[str]:
    """Kill the call at random points; count what was wrong afterwards."""
    whole, seconds = undisturbed(call, folder / "whole")
    print(f"{call[0]}: {seconds:.1f} s undisturbed", file=sys.stderr, flush=True)
    counts: Counter[str] = Counter()
    for number in range(times):
        output = folder / f"killed-{number}"
        child = start(call, output)
        time.sleep(chance.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        counts["killed"] += ended(child) == -signal.SIGKILL
        counts["half-done looks done"] += bool(output.is_dir() and half_done(output, whole))
        counts["rerun fails"] += ended(start(call, output)) != EXIT_OK
        counts["rerun differs"] += content(output) != whole
        shutil.rmtree(output, ignore_errors=True)
    print(f"{call[0]}: {dict(counts)}", file=sys.stderr, flush=True)
    return counts


def undisturbed(call: Call, output: Path) -> tuple[dict[str, bytes], float]:
    """Files and duration of a call that nothing disturbs; the second of two is timed."""
    ended(start(call, output.with_name(f"{output.name}-first")))
    started = clock()
    code = ended(start(call, output))
    if code != EXIT_OK:
        raise SystemExit(f"{call[0]} ends with {code}")
    return content(output), clock() - started


def at_once(call: Call, folder: Path, runs: int) -> Counter[str]:
    """Start the call several times into one folder."""
    whole, _ = undisturbed(call, folder / "whole-at-once")
    output = folder / f"at-once-{runs}"
    codes = [ended(child) for child in [start(call, output) for _ in range(runs)]]
    counts = Counter(
        {
            "runs": runs,
            "finished": codes.count(EXIT_OK),
            "refused": codes.count(EXIT_RESOURCES),
            "other ends": sum(code not in (EXIT_OK, EXIT_RESOURCES) for code in codes),
            "folder differs": int(content(output) != whole),
        }
    )
    print(f"{call[0]} × {runs}: {dict(counts)}", file=sys.stderr, flush=True)
    return counts


def mixed(call: Call, folder: Path) -> Counter[str]:
    """Segment with two budgets into one folder at once; every case must be of one run."""
    output = folder / "mixed"
    children = [start(call, output), start(call, output, "--loops", "1", "--overwrite")]
    codes = [ended(child) for child in children]
    cases = [stored_case(output, name) for name in recorded_names(output)]
    broken = sum(case is None or bool(case.problems) for case in cases)
    return Counter({"cases": len(cases), "mixed": broken, "other ends": codes.count(1)})


def full_disk(verbs: dict[str, Call], folder: Path) -> Counter[str]:
    """Run every call on file systems that are too small; nothing half-written may stay."""
    counts: Counter[str] = Counter()
    disk = folder / "disk"
    disk.mkdir()
    for size in DISK_KB:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", disk], check=True)  # noqa: S603, S607
        try:
            for call in verbs.values():
                code = ended(start(call, disk / "out"))
                counts["runs"] += 1
                counts["full"] += code == EXIT_RESOURCES
                counts["other ends"] += code not in (EXIT_OK, EXIT_RESOURCES)
                left = content(disk / "out") if code else {}
                counts["temporary files left"] += sum(".part" in name for name in left)
                shutil.rmtree(disk / "out", ignore_errors=True)
        finally:
            subprocess.run(["umount", disk], check=True)  # noqa: S603, S607
    return counts


def own_mounts() -> None:
    """Continue in a name space where an ordinary user may mount a file system."""
    if os.environ.get("KILLS_INSIDE") or os.geteuid() == 0 or not shutil.which("unshare"):
        return
    os.environ["KILLS_INSIDE"] = "1"
    inside = ["unshare", "--mount", "--map-root-user", sys.executable, *sys.argv]
    os.execvp(inside[0], inside)  # noqa: S606


def attempt(count: Callable[[], Counter[str]]) -> dict[str, int] | str:
    """The counts; a sentence where this system does not allow the attempt."""
    try:
        return dict(count())
    except (OSError, subprocess.CalledProcessError) as error:
        return f"not run: {error}"


def stop_clock() -> None:
    """Let records state the same times in every run."""
    recording.datetime = StoppedDate  # type: ignore[attr-defined]
    for module in (frames, segment, segmentation):
        module.time = StoppedTime()  # type: ignore[attr-defined]


class StoppedTime:
    """A clock that stands still."""

    def perf_counter(self) -> float:
        """Always 0."""
        return 0.0


class StoppedDate:
    """A calendar that stands still."""

    @staticmethod
    def now(zone: tzinfo) -> datetime:
        """Always the same."""
        return datetime(2000, 1, 1, tzinfo=zone)


clock = time.perf_counter


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything and print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="over all verbs")
    parser.add_argument("--folder", type=Path, required=True, help="for scratch files; new")
    parser.add_argument("--json", type=Path, help="also write the counts there")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    own_mounts()
    torch.set_num_threads(1)
    stop_clock()
    chance, folder = random.Random(asked.seed), asked.folder.absolute()
    folder.mkdir(parents=True)
    verbs = calls(folder)
    ended(start(verbs["segment"], folder / "warm"))  # reads libraries from disk once
    each = asked.kills // len(verbs)
    counts: dict[str, object] = {
        "kills": {
            verb: kill_at_random(call, folder / verb, each, chance) for verb, call in verbs.items()
        },
        "at once": {
            f"{verb} × {runs}": at_once(verbs[verb], folder / f"{verb}-{runs}", runs)
            for verb in ("segment", "prepare", "evaluate", "measure")
            for runs in (2, 4)
        },
        "mixed": mixed(verbs["segment"], folder),
        "full disk": attempt(lambda: full_disk(verbs, folder)),
    }
    print(json.dumps(counts, indent=1))
    if asked.json:
        write_json(asked.json, counts)


if __name__ == "__main__":
    main()
