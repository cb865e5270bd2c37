"""A model with random weights, small images, and the command line in this process."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from cardioseg.bundle import build_network, save_model
from cardioseg.cli import app

SPACING = (1.5, 1.5, 8.0)
SHAPE = (40, 36, 3)
GEOMETRY = (
    "sform_code",
    "qform_code",
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
    "srow_x",
    "srow_y",
    "srow_z",
    "xyzt_units",
)  # fields of a NIfTI header that place its voxels; spacing is in pixdim
LABELS = ["background", "RV", "MYO", "LV"]
NETWORK = {
    "name": "rdvit",
    "channels": 3,
    "classes": 4,
    "patch_size": [8, 8],
    "width": 16,
    "heads": 2,
    "stem_channels": [4, 8],
    "experts": 2,
    "expert_hidden": 8,
    "loops": 2,
    "max_loops": 2,
    "prelude_blocks": 0,
    "coda_blocks": 0,
}
SETTINGS = {
    "network": NETWORK,
    "preparation": {"spacing_mm": 1.5, "neighbours": 1},
    "windows": {"size": [32, 32], "overlap": 0.25, "views": "none", "focus": False},
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def cardioseg(*arguments) -> Outcome:
    """Run ``cardioseg ARGUMENTS`` through ``main`` in this process, to save start-up time."""
    before, out, err = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["cardioseg", *map(str, arguments)]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            app.main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    return Outcome(code, out.getvalue(), err.getvalue())


def save_tiny_model(folder: Path, **changes) -> Path:
    """A model folder with random weights from a fixed seed."""
    torch.manual_seed(3)
    settings = {name: dict(section) for name, section in (SETTINGS | changes).items()}
    network = build_network(settings["network"], source="test")
    save_model(folder, network.state_dict(), settings, {"name": "tiny", "labels": LABELS})
    return folder


def voxels(shape=SHAPE, *, seed=0, dtype=np.int16) -> np.ndarray:
    """Noise around 100 with a bright disc."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(*(np.arange(n) for n in shape[:2]), indexing="ij")
    disc = 80 * (np.hypot(x - shape[0] / 2, y - shape[1] / 2) < shape[0] / 5)
    return (
        random.normal(100, 15, shape) + disc.reshape(*shape[:2], *(1 for _ in shape[2:]))
    ).astype(dtype)


def save_image(path: Path, array=None, *, spacing=SPACING, header=None) -> Path:
    """A NIfTI file; with ``header`` its geometry is kept as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = voxels() if array is None else array
    if header is None:
        image = nib.Nifti1Image(array, np.diag([*spacing, 1.0]), dtype=array.dtype)
    else:
        header.set_data_dtype(array.dtype)
        image = nib.Nifti1Image(array, None, header)
    nib.save(image, path)
    return path


def stored(path: Path) -> np.ndarray:
    """The voxels of a NIfTI file as they are stored."""
    return np.asarray(nib.load(path).dataobj)


def run_record(output: Path, name: str) -> dict:
    """``NAME_run.json``."""
    return json.loads((output / f"{name}_run.json").read_text(encoding="utf-8"))


def besides_quality(lines: list[str]) -> list[str]:
    """Warnings without quality verdicts, as random weights never draw a plausible heart."""
    return [line for line in lines if ": quality " not in line]


def names_in(folder: Path) -> set[str]:
    """Every file below a folder, hidden ones too."""
    return (
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if folder.exists()
        else set()
    )


TRAINING = (
    "training.batch=2",
    "training.steps=2",
    "training.workers=0",
    "training.validate_cases=1",
    "sampling.window=[32,32]",
)
TINY = [
    f"network.{key}={json.dumps(value)}"
    for key, value in NETWORK.items()
    if key not in ("channels", "classes")
]
SETS = [part for setting in (*TRAINING, *TINY) for part in ("--set", setting)]


def write_patients(root, count=2):
    """ACDC's layout with noise in it."""
    for number in range(1, count + 1):
        name = f"patient{number:03d}"
        for frame in (1, 2):
            label = np.random.default_rng(number).integers(0, 4, SHAPE).astype(np.uint8)
            save_image(root / name / f"{name}_frame{frame:02d}.nii.gz", voxels(seed=number * frame))
            save_image(root / name / f"{name}_frame{frame:02d}_gt.nii.gz", label)
        (root / name / "Info.cfg").write_text("ED: 1\nES: 2\nGroup: NOR\n")
    return root


MAPS = ("mask", "halting", "experts")


def results(name, *kinds):
    """The files of a finished volume, beside the viewers' tables; hidden, where its image lay."""
    maps = (f"{name}_{kind}.nii.gz" for kind in (*MAPS, *kinds))
    return {
        *maps,
        f".{name}_source",
        f"{name}_preview.png",
        f"{name}_report.html",
        f"{name}_run.json",
    }


def cine_results(name, *kinds):
    """Likewise of a cine."""
    return results(name, *kinds) | {
        f"{name}_clinical.json",
        f"{name}_curve.csv",
        f"{name}_curve.png",
    }


TABLES = {
    "labels.txt",
    "labels.ctbl",
    "index.html",
    "study.csv",
}  # of a folder that holds a finished case
