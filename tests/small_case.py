"""A finished case without a network: a small phantom, its truth as the mask, and maps whose values are known."""

import json

import numpy as np
from cardioseg.results.function import Beat, Body, cine_function, write_function
from cardioseg.workflows.products import Study
from cardioseg.workflows.request import SegmentRequest
from PIL import Image

from cardioseg.clinical.quality import check_volume
from cardioseg.clinical.volumes import structure_volumes_ml
from cardioseg.core.digest import sha256
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.pages.report import write_report
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import acdc_header, oblique_header, save
from cardioseg.results.finished import read_record

SPACING = (3.0, 3.0, 18.0)
SHAPE = (64, 60, 5)
LOOPS = 6


def write_case(folder, name="heart", *, frames=3, shown=0, experts=4, image_folder=None, **facts):
    """Image, mask, halting map, expert map and run record of a phantom; returns its truth as (X, Y, Z, T).

    Of one volume ``shown`` is the frame of the beat: 0 is ED, 1 is ES.
    """
    drawn = max(frames, shown + 1)
    phantom = draw(
        PhantomConfig(seed=1, shape=SHAPE, spacing_mm=SPACING, frames=drawn, radius_mm=22)
    )
    label = phantom.label if frames > 1 else phantom.label[..., shown]
    image = phantom.image if frames > 1 else phantom.image[..., shown]
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
            "beat": {"body": {"height_cm": None, "weight_kg": None, "heart_rate_bpm": None}},
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
        "times": {
            "predicting_seconds": 1.5,
            "total_seconds": 2.5,
            "made": "2026-01-02T03:04:05+00:00",
        },
        "warnings": [],
        "files": [],
    }
    (folder / f"{name}_run.json").write_text(json.dumps(record | facts), encoding="utf-8")
    return phantom.label if frames > 1 else label[..., None]


def header(frames):
    """Of a volume ACDC's, which misleads; of a cine a scanner's, which is oblique."""
    return (
        acdc_header(SPACING)
        if frames == 1
        else oblique_header((*SHAPE, frames), SPACING, frame_s=0.05)
    )


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
        write_function(
            folder,
            name,
            cine_function(name, truth, grid, ACDC_LABELS, Beat(frame_ms=50, body=body)),
        )
    Image.new("RGB", (80, 40), "#804020").save(folder / f"{name}_preview.png")
    return read_record(folder / f"{name}_run.json")


def write_pair(folder, name="p", **facts):
    """ED and ES of one patient as finished cases of their own; returns their run records by case."""
    records = {}
    for shown, phase in enumerate(("ED", "ES")):
        case, grid = f"{name}_{phase}", np.diag([*SPACING, 1.0])
        who = {
            "name": name,
            "phase": phase,
            "frame": None,
            "told_by": "file names",
            "height_cm": 175.0,
            "weight_kg": 70.0,
        }
        truth = write_case(folder, case, frames=1, shown=shown, patient=who)[..., 0]
        volumes = {
            label: [ml]
            for label, ml in structure_volumes_ml(Volume(truth, grid, SPACING), ACDC_LABELS).items()
        }
        quality = check_volume(Volume(truth, grid, SPACING), ACDC_LABELS).facts()
        path = folder / f"{case}_run.json"
        path.write_text(
            json.dumps(
                json.loads(path.read_text()) | {"volumes_ml": volumes, "quality": quality} | facts
            )
        )
        Image.new("RGB", (80, 40), "#804020").save(folder / f"{case}_preview.png")
        records[case] = read_record(path)
        write_report(folder, case, records[case])
    return records


def study_of(folder, records, **asked):
    """The folder as the end of a call sees it."""
    return Study(SegmentRequest((), folder, **asked), records)
