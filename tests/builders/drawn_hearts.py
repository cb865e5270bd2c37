"""Hearts of known size: images that encode a radius, and masks drawn with it."""

import csv
import json

import nibabel as nib
import numpy as np
from analytic_hearts import drawn
from tiny import cardioseg, save_image, voxels

from cardioseg.core.errors import EXIT_OK
from cardioseg.core.prediction import Prediction
from cardioseg.inference import native
from cardioseg.workflows import segmentation

SHAPE = (128, 96, 10)
PAIR = {"patient007_clinical.json", "patient007_report.html"}


def draw_masks(monkeypatch):
    """Every image is "segmented" as the heart whose radius its first voxel names."""

    def predict(model, volume, **settings):
        radius = float(volume.array[0, 0, 0])
        mask = volume.with_array(drawn(radius).array if radius else np.zeros(SHAPE, np.uint8))
        steps = volume.with_array(np.ones(SHAPE, np.uint8))
        return native.Predicted(Prediction(mask, steps, steps, 2, 1.0, (0.5, 0.5)), {})

    monkeypatch.setattr(native, "predict_volume", predict)
    monkeypatch.setattr(
        segmentation, "write_contact_sheet", lambda path, *given, **named: path.write_bytes(b"")
    )  # a second each


def segment_into(out, model):
    """The command: data of its report, or what it said of an error."""

    def run(*arguments, code=EXIT_OK):
        done = cardioseg(
            "segment", *arguments, "--output", out, "--model", model, "--json", "--quiet"
        )
        assert done.code == code, done.err
        return json.loads(done.out)["data"] if code == EXIT_OK else done.err

    return run


def heart(path, *radii):
    """An image of a heart, or a cine of one; the radius is what ``drawn_masks`` reads."""
    frames = []
    for radius in radii:
        frame = voxels(SHAPE, dtype=np.float32)
        frame[0, 0, 0] = radius
        frames.append(frame)
    header = nib.Nifti1Header()
    array = frames[0] if len(frames) == 1 else np.stack(frames, -1)
    header.set_data_shape(array.shape)
    header.set_zooms((1.25, 1.25, 10.0, 0.07)[: array.ndim])
    header.set_xyzt_units("mm", "sec")
    return save_image(path, array, header=header)


def acdc_patient(folder, number, radii=(25, 16), *, ed=1, es=9):
    name = f"patient{number:03d}"
    for frame, radius in zip((ed, es), radii, strict=True):
        heart(folder / name / f"{name}_frame{frame:02d}.nii.gz", radius)
    (folder / name / "Info.cfg").write_text(
        f"ED: {ed}\nES: {es}\nGroup: NOR\nHeight: 170.0\nWeight: 65.0\n"
    )
    return folder / name


def clinical(out, name):
    return json.loads((out / f"{name}_clinical.json").read_text())


def study(out):
    return list(csv.DictReader((out / "study.csv").read_text().splitlines()))
