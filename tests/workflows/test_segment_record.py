"""The run record that ``cardioseg segment`` writes; no file holds a path or an identity."""

import gzip
import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from PIL import Image
from tiny import names_in, run_record, save_image, voxels


def test_the_record_says_with_what_and_when_it_was_made(segment, out, tmp_path):
    before = datetime.now(UTC).replace(microsecond=0)
    segment(save_image(tmp_path / "heart.nii.gz"))
    facts = run_record(out, "heart")
    assert list(facts["versions"]) == ["python", "cardioseg", "torch", "monai", "numpy", "nibabel"]
    assert facts["versions"]["python"] == platform.python_version()
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["versions"]["torch"] == torch.__version__
    times = facts["times"]
    assert 0 < times["predicting_seconds"] <= times["total_seconds"]
    assert before <= datetime.fromisoformat(times["made"]) <= datetime.now(UTC)
    assert times["made"].endswith("+00:00")
    assert len(times["made"]) == len("2026-01-02T03:04:05+00:00")


RENAMED: list[Path] = []
sys.addaudithook(
    lambda event, given: (
        RENAMED.append(Path(os.fsdecode(given[1]))) if event == "os.rename" else None
    )
)


def test_the_record_is_the_last_file_and_written_once(segment, out, tmp_path):
    path = save_image(tmp_path / "heart.nii.gz")
    RENAMED.clear()
    segment(path, "--save", "probs,routing")
    written = [
        renamed.name for renamed in RENAMED if renamed.parent == out and "heart" in renamed.name
    ]
    assert {"heart_mask.nii.gz", "heart_routing.nii.gz", "heart_preview.png"} < set(written)
    assert written.index("heart_run.json") == len(written) - 1


def contents(path):
    """A file's content: voxels unpacked, a picture with its texts, a page without pictures."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return (
                raw + json.dumps({key: str(value) for key, value in picture.info.items()}).encode()
            )
    return re.sub(rb"base64,[\w+/=]+", b"", raw) if path.suffix == ".html" else raw


def test_no_path_and_no_identity_reaches_a_result(segment, out, tmp_path):
    folder = tmp_path / "Doe_Jane_1950"
    folder.mkdir()
    image = nib.Nifti1Image(voxels(), np.diag([1.5, 1.5, 8, 1]))
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        image.header[field] = b"DOE^JANE"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"PatientName: DOE^JANE"))
    nib.save(image, folder / "heart.nii.gz")
    assert gzip.decompress((folder / "heart.nii.gz").read_bytes()).count(b"DOE^JANE") == 5, (
        "it is planted"
    )
    segment(folder / "heart.nii.gz", "--save", "probs,routing")
    for name in names_in(out):
        said = contents(out / name).lower()
        # .heart_source holds the relative path of the image; it is not a result.
        assert b"jane" not in said or name == ".heart_source", name
        assert str(tmp_path).encode().lower() not in said, name
        assert os.fsencode(Path.home()).lower() not in said, name


def test_planted_names_would_be_seen_in_pictures(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Title", "DOE^JANE", zip=True)
    Image.new("L", (4, 4)).save(tmp_path / "x.png", pnginfo=text)
    assert b"JANE" not in (tmp_path / "x.png").read_bytes()
    assert b"JANE" in contents(tmp_path / "x.png")
