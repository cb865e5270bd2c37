"""Table: seconds and peak memory to segment one patient's ED and ES from the command line, and the time of --help.

Every figure is the smallest of a few whole processes, start and imports included.

    python benchmarks/speed.py ED.nii.gz ES.nii.gz
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

from cardioseg.bundle import load_model
from cardioseg.core.atomic import write_json

RESULTS = Path(__file__).parent / "results"


def run(command: list[str]) -> float:
    """Wall-clock seconds of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "cardioseg.cli.app", *command], check=True, capture_output=True)  # noqa: S603 — our own
    return time.perf_counter() - started


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+")
    parser.add_argument("--model", default="rdvit-2d")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    result: dict[str, object] = {"--help, seconds": round(min(run(["--help"]) for _ in range(3)), 2)}
    for views in ("all", "none"):
        with tempfile.TemporaryDirectory() as folder:
            command = ["segment", *options.images, "-o", folder, "--model", options.model, "--views", views, "--overwrite"]
            seconds = min(run(command) for _ in range(options.rounds))
        result[f"ED and ES, views {views}, seconds"] = round(seconds, 1)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    result |= {"peak memory, MiB": round(peak), "threads": os.environ.get("OMP_NUM_THREADS", "all"), "cores": os.cpu_count()}
    write_json(
        RESULTS / "speed" / f"{Path(options.model).name}.json",
        {"model": options.model, "model_sha256": load_model(options.model).sha256, "result": result},
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
