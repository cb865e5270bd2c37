"""Table: time and peak memory of the command line for ED and ES, for a cine, and for --help.

Each time is the smallest of a few whole processes, including start and imports. A cine with fewer
frames than ``--frames`` is lengthened by repeating some.

    python benchmarks/speed.py ED.nii.gz ES.nii.gz --cine CINE.nii.gz --frames 30
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from cardioseg.bundle import load_model
from cardioseg.core.atomic import write_json

RESULTS = Path(__file__).parent / "results"


def run(command: list[str]) -> float:
    """Wall-clock seconds of a command that must succeed."""
    started = time.perf_counter()
    whole = [sys.executable, "-m", "cardioseg.cli.app", *command]
    subprocess.run(whole, check=True, capture_output=True)  # noqa: S603 — our own command
    return time.perf_counter() - started


def segment_seconds(images: list[str], model: str, rounds: int, *extra: str) -> float:
    """Seconds to segment images from the command line, the smallest of some rounds."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["segment", *images, "-o", folder, "--model", model, *extra]
        return round(min(run(command) for _ in range(rounds)), 1)


def peak_mib() -> int:
    """Peak memory of the largest process so far."""
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def long_cine(path: Path, frames: int, folder: str) -> str:
    """A copy of a cine with ``frames`` frames, sampled evenly."""
    cine = nib.nifti1.load(path)
    chosen = np.round(np.linspace(0, cine.shape[3] - 1, frames)).astype(int)
    copy = nib.nifti1.Nifti1Image(np.asarray(cine.dataobj)[..., chosen], None, cine.header)
    copy.header["pixdim"] = cine.header["pixdim"]
    nib.save(copy, Path(folder) / "cine.nii.gz")
    return str(Path(folder) / "cine.nii.gz")


def main() -> None:
    """Measure the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="+")
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cine", type=Path, help="4-D NIfTI to measure as well")
    parser.add_argument("--frames", type=int, default=30)
    options = parser.parse_args()
    result: dict[str, object] = {
        "--help, seconds": round(min(run(["--help"]) for _ in range(3)), 2)
    }
    for views in ("all", "none"):
        extra = ["--views", views, "--overwrite"]
        seconds = segment_seconds(options.images, options.model, options.rounds, *extra)
        result[f"ED and ES, views {views}, seconds"] = seconds
    result |= {
        "peak memory, MiB": peak_mib(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "cores": os.cpu_count(),
    }
    if options.cine is not None:
        with tempfile.TemporaryDirectory() as folder:
            cine = long_cine(options.cine, options.frames, folder)
            seconds = segment_seconds([cine], options.model, 1)
        result[f"cine of {options.frames} frames, seconds"] = seconds
        result[f"cine of {options.frames} frames, peak memory, MiB"] = peak_mib()
    write_json(
        RESULTS / "speed" / f"{Path(options.model).name}.json",
        {
            "model": options.model,
            "model_sha256": load_model(options.model).sha256,
            "result": result,
        },
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
