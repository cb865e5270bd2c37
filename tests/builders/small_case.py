"""A finished case without a network: a phantom, its truth as mask, and maps of known values."""

import numpy as np
from PIL import Image

from cardioseg.clinical.beat import Beat, cine_function, frame_volumes_ml
from cardioseg.clinical.body import Body
from cardioseg.clinical.quality import Finding, Quality, check_volume
from cardioseg.core.config import WindowConfig
from cardioseg.core.digest import sha256
from cardioseg.core.labels import ACDC_LABELS
from cardioseg.core.volume import Volume
from cardioseg.data.patients import Patient
from cardioseg.pages.report import write_report
from cardioseg.phantom.config import PhantomConfig
from cardioseg.phantom.draw import draw
from cardioseg.phantom.files import acdc_header, oblique_header, save
from cardioseg.results.curve import write_curve
from cardioseg.results.folder import case_files
from cardioseg.results.records import (
    ClinicalRecord,
    ExitChoice,
    Recipe,
    RunRecord,
    Times,
    clinical_record,
)

SPACING = (3.0, 3.0, 15.0)
SHAPE = (64, 60, 6)
LOOPS = 6
PASS, FAIL = Quality(verdict="pass"), Quality(verdict="fail")
# A verdict as the quality checks put it into a run record.
WALL_MASS = Finding(
    rule="wall_mass_ratio",
    where="ED and ES",
    severity="warn",
    value=1.61234,
    limit=1.5,
    text="the wall's mass at ES is 1.61 times that at ED",
)
WARN = Quality(verdict="warn", reasons=(WALL_MASS,))
BODY = Body(height_cm=175, weight_kg=70, heart_rate_bpm=60)


def record_of_case(name, **changes) -> RunRecord:
    """The run record of a volume as ``segment`` writes it; ``changes`` replace fields."""
    recipe = Recipe(
        cardioseg="0.1.0",
        input_sha256="f" * 64,
        model_sha256="0" * 64,
        config_sha256="1" * 64,
        loops=LOOPS,
        exit=ExitChoice(rule="act", threshold=0.9),
        windows=WindowConfig(),
        trust="pixdim",
    )
    record = RunRecord(
        case=name,
        model="rdvit-2d",
        recipe=recipe,
        versions={"cardioseg": "0.1.0", "torch": "2.13.0"},
        device="cpu",
        frames=1,
        spacing_mm=SPACING,
        labels={label: value for value, label in enumerate(ACDC_LABELS.names)},
        extrapolated=False,
        mean_steps=2.4,
        expert_shares=(0.4, 0.3, 0.2, 0.1),
        removed_voxels={"RV": 12},
        times=Times(predicting_seconds=1.5, total_seconds=2.5, made="2026-01-02T03:04:05+00:00"),
        patient=Patient(name=name),
        volumes_ml={"RV": [80.04], "MYO": [90.0], "LV": [100.0]},
        quality=PASS,
    )
    return record.model_copy(update=changes)


def with_recipe(record, **changes) -> RunRecord:
    """The record with other fields in its recipe."""
    return record.model_copy(update={"recipe": record.recipe.model_copy(update=changes)})


def grid_of(mask) -> Volume:
    """A mask (X, Y, Z) on a grid without an orientation."""
    return Volume(mask, np.diag([*SPACING, 1.0]), SPACING)


def write_case(folder, name="heart", *, frames=3, shown=0, experts=4, image_folder=None, **changes):
    """Write image, maps and run record of a phantom; returns its truth (X, Y, Z, T).

    ``shown`` is the frame of a single volume: 0 is ED, 1 is ES.
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
    truth = phantom.label if frames > 1 else label[..., None]
    record = record_of_case(
        name,
        frames=frames,
        expert_shares=(0.4, 0.3, 0.2, 0.1)[:experts],
        volumes_ml=frame_volumes_ml(truth, ACDC_LABELS, SPACING),
    )
    record = with_recipe(record, input_sha256=sha256(path)).model_copy(update=changes)
    record.write(folder / f"{name}_run.json")
    record_files(folder, name)
    return truth


def record_files(folder, name) -> RunRecord:
    """Put the hashes of the case's files into its run record; returns the record."""
    files = {path.name: sha256(path) for path in case_files(folder, name)}
    record = read_run(folder, name).model_copy(update={"files": files})
    record.write(folder / f"{name}_run.json")
    return record


def header(frames):
    """Of a volume ACDC's, which misleads; of a cine a scanner's, which is oblique."""
    if frames == 1:
        return acdc_header(SPACING)
    return oblique_header((*SHAPE, frames), SPACING, frame_s=0.05)


def maps_of(label, experts):
    """One loop outside the heart, 2, 4 and 6 in RV, MYO and LV; one expert a structure."""
    made = {"mask": label.astype(np.uint8), "halting": np.array([1, 2, 4, LOOPS], np.uint8)[label]}
    return made | ({"experts": (label + 1).astype(np.uint8)} if experts else {})


def read_run(folder, name="heart") -> RunRecord:
    """``NAME_run.json``."""
    return RunRecord.read(folder / f"{name}_run.json")


def read_heart(folder, name="heart") -> ClinicalRecord:
    """``NAME_clinical.json``."""
    return ClinicalRecord.read(folder / f"{name}_clinical.json")


def write_heart(folder, name, truth, body=BODY) -> ClinicalRecord:
    """``NAME_clinical.json`` and ``NAME_curve.csv`` of a cine's truth (X, Y, Z, T)."""
    found = cine_function(truth, grid_of(truth[..., 0]), ACDC_LABELS, Beat(frame_ms=50, body=body))
    heart = clinical_record(
        name,
        found.function,
        found.phases,
        kind="cine",
        made_by="cardioseg segment",
        why_none=found.why_none,
    ).model_copy(update={"volumes_ml": found.curve.volumes_ml})
    heart.write(folder / f"{name}_clinical.json")
    write_curve(folder / f"{name}_curve.csv", found.curve)
    return heart


def write_picture(folder, name):
    """A small ``NAME_preview.png``."""
    Image.new("RGB", (80, 40), "#804020").save(folder / f"{name}_preview.png")


def write_reported_case(folder, name="heart", *, frames=8, body=BODY, **changes) -> RunRecord:
    """A finished cine with its function, its curve and a picture; returns its run record."""
    truth = write_case(folder, name, frames=frames, **changes)
    if frames > 1:
        write_heart(folder, name, truth, body)
    write_picture(folder, name)
    return record_files(folder, name)


def write_pair(folder, name="p", **changes) -> dict[str, RunRecord]:
    """ED and ES of one patient as two finished cases; returns their run records by case."""
    records = {}
    for shown, phase in enumerate(("ED", "ES")):
        case = f"{name}_{phase}"
        patient = Patient(
            name=name, phase=phase, told_by="file names", height_cm=175.0, weight_kg=70.0
        )
        truth = write_case(folder, case, frames=1, shown=shown)[..., 0]
        record = read_run(folder, case).model_copy(
            update={"patient": patient, "quality": check_volume(grid_of(truth), ACDC_LABELS)}
        )
        records[case] = record.model_copy(update=changes)
        records[case].write(folder / f"{case}_run.json")
        write_picture(folder, case)
        write_report(folder, case, records[case])
    return records
