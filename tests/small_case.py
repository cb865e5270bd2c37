"""A finished case without a network: a small phantom, its truth as the mask, and maps whose values are known."""

import json

import numpy as np
from PIL import Image

from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.data.manifest import sha256
from cardioseg.data.phantom import PhantomConfig, draw
from cardioseg.data.phantom_files import acdc_header, oblique_header, save
from cardioseg.workflows.finished import read_record
from cardioseg.workflows.function import Beat, Body, cine_function, write_function

SPACING = (3.0, 3.0, 18.0)
SHAPE = (64, 60, 5)
LOOPS = 6


def write_case(folder, name="heart", *, frames=3, experts=4, seed=1, image_folder=None, **facts):
    """Image, mask, halting map, expert map and run record of a phantom; returns its truth as (X, Y, Z, T)."""
    phantom = draw(PhantomConfig(seed=seed, shape=SHAPE, spacing_mm=SPACING, frames=frames, radius_mm=22))
    label = phantom.label if frames > 1 else phantom.label[..., 0]
    image = phantom.image if frames > 1 else phantom.image[..., 0]
    path = (image_folder or folder) / f"{name}.nii.gz"
    save(path, np.rint(image).astype(np.int16), header(frames))
    for kind, array in maps_of(label, experts).items():
        save(folder / f"{name}_{kind}.nii.gz", array, header(frames))
    record = {
        "case": name,
        "recipe": {
            "input_sha256": sha256(path),
            "trust": "pixdim",
            "model_sha256": "0" * 64,
            "config_sha256": "1" * 64,
            "loops": LOOPS,
        },
        "model": "rdvit-2d",
        "versions": {"cardioseg": "0.1.0", "torch": "2.13.0"},
        "device": "cpu",
        "frames": frames,
        "spacing_mm": list(SPACING),
        "spacing_rule": "pixdim",
        "labels": {label: value for value, label in enumerate(ACDC_LABELS.names)},
        "loops": LOOPS,
        "extrapolated": False,
        "mean_steps": 2.4,
        "expert_shares": [0.4, 0.3, 0.2, 0.1][:experts],
        "removed_voxels": {"RV": 12},
        "seconds": 1.5,
        "warnings": [],
        "files": [],
    }
    (folder / f"{name}_run.json").write_text(json.dumps(record | facts), encoding="utf-8")
    return phantom.label


def header(frames):
    """Of a volume ACDC's, which misleads; of a cine a scanner's, which is oblique."""
    return acdc_header(SPACING) if frames == 1 else oblique_header((*SHAPE, frames), SPACING, frame_s=0.05)


def maps_of(label, experts):
    """One loop outside the heart, 2, 4 and 6 in RV, MYO and LV; one expert a structure."""
    made = {"mask": label.astype(np.uint8), "halting": np.array([1, 2, 4, LOOPS], np.uint8)[label]}
    return made | ({"experts": (label + 1).astype(np.uint8)} if experts else {})


# A verdict as the quality checks put it into a run record.
QUALITY = {
    "verdict": "warn",
    "reasons": [
        {
            "rule": "wall_mass_ratio",
            "where": "ED and ES",
            "severity": "warn",
            "value": 1.61234,
            "limit": 1.5,
            "text": "the wall's mass at ES is 1.61 times that at ED",
        }
    ],
}


BODY = Body(175, 70, 60)


def write_reported_case(folder, name="heart", *, frames=8, body=BODY, **facts):
    """A finished cine with its function, its curve and a picture; returns its run record."""
    truth = write_case(folder, name, frames=frames, **facts)
    if frames > 1:
        grid = Volume(truth[..., 0], np.diag([*SPACING, 1.0]), SPACING)
        write_function(folder, name, cine_function(name, truth, grid, ACDC_LABELS, Beat(frame_ms=50, body=body)))
    Image.new("RGB", (80, 40), "#804020").save(folder / f"{name}_preview.png")
    return read_record(folder / f"{name}_run.json")
