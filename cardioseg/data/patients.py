"""Whose heart an image shows, at which phase, and the patient's size.

From paths and ACDC's Info.cfg alone. ``patient001_ED`` and ``patient001_frame12`` are phases of
patient001 (ACDC, and nnU-Net's copies of it, ``_0000`` included). Info.cfg in a folder of the
patient's name says which phase a frame is, or ``--ed`` and ``--es`` do. Opens no image.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cardioseg.clinical.beat import Beat
from cardioseg.clinical.body import Body
from cardioseg.core.errors import UsageError
from cardioseg.core.record import Record
from cardioseg.data.acdc import read_info
from cardioseg.data.nnunet import PHASE
from cardioseg.imaging.image import stem

HEIGHT_CM, WEIGHT_KG, HEART_RATE_BPM = (40.0, 250.0), (2.0, 400.0), (20.0, 250.0)
CHANNEL = "_0000"
Phase = Literal["ED", "ES", ""]


class Patient(Record):
    """Whose heart an image shows.

    Attributes:
        name: name of the patient: the case's name without its phase.
        phase: "ED", "ES" or "" where it is not known.
        frame: frame from 1 that the case's name states.
        told_by: what named the phase: "Info.cfg", "--ed, --es" or "file names"; "" if nothing did.
        height_cm: as Info.cfg or DICOM states it.
        weight_kg: likewise.
    """

    name: str
    phase: Phase = ""
    frame: int | None = None
    told_by: str = ""
    height_cm: float | None = None
    weight_kg: float | None = None

    def body(self, heart_rate_bpm: float | None = None) -> Body:
        """What is recorded of the body."""
        return Body(
            height_cm=self.height_cm, weight_kg=self.weight_kg, heart_rate_bpm=heart_rate_bpm
        )


def patient_of(case: str, path: Path, *, ed: int | None = None, es: int | None = None) -> Patient:
    """The patient of a case.

    Args:
        case: its name.
        path: of the image.
        ed: frame from 1 that is end-diastole, if the person said so.
        es: likewise end-systole.

    Raises:
        InputError: the Info.cfg beside it is broken.
    """
    found = PHASE.match(case.removesuffix(CHANNEL))
    info = _info(path)
    patient = Patient(
        name=found["patient"] if found else case,
        height_cm=_number(info, "Height", HEIGHT_CM),
        weight_kg=_number(info, "Weight", WEIGHT_KG),
    )
    if found is None:
        return patient
    word = found["phase"].upper()
    if word in ("ED", "ES"):
        return patient.model_copy(update={"phase": word, "told_by": "file names"})
    frame = int(found["phase"][len("frame") :])
    for told_by, phases in (("--ed, --es", {ed: "ED", es: "ES"}), ("Info.cfg", _phases(info))):
        if frame in phases:
            known = {"phase": phases[frame], "frame": frame, "told_by": told_by}
            return patient.model_copy(update=known)
    return patient.model_copy(update={"frame": frame})


def merged_body(given: Body, recorded: Body) -> Body:
    """The body as the person gave it; what they left out is taken from the records."""
    names = Body.model_fields
    values = {name: getattr(given, name) for name in names}
    return Body(
        **{
            name: getattr(recorded, name) if value is None else value
            for name, value in values.items()
        }
    )


def check_body(body: Body) -> None:
    """Check that height, weight and heart rate are possible.

    Raises:
        UsageError: one of them is out of range.
    """
    for option, value, (low, high) in (
        ("--height-cm", body.height_cm, HEIGHT_CM),
        ("--weight-kg", body.weight_kg, WEIGHT_KG),
        ("--heart-rate", body.heart_rate_bpm, HEART_RATE_BPM),
    ):
        if value is not None and not low <= value <= high:
            expected, cure = f"{low:g} to {high:g}", "check the number and its unit"
            raise UsageError(option, found=f"{value:g}", expected=expected, cure=cure)


def check_one_patient(beat: Beat, images: Mapping[str, Path]) -> None:
    """Check that frame numbers, height, weight and heart rate are given for one patient only.

    Raises:
        UsageError: they are given for several patients, or out of range.
    """
    check_body(beat.body)
    body = (beat.body.height_cm, beat.body.weight_kg, beat.body.heart_rate_bpm)
    if all(value is None for value in (beat.ed, beat.es, *body)):
        return
    names = sorted({patient_of(case, path).name for case, path in images.items()})
    if len(names) > 1:
        raise UsageError(
            "--ed, --es, --height-cm, --weight-kg, --heart-rate",
            found=f"{len(names)} patients ({names[0]}, {names[1]} …)",
            expected="one patient",
            cure="run the command once for each patient",
        )


def _info(path: Path) -> dict[str, str]:
    """Info.cfg of the patient's folder; empty where there is none."""
    folder = path.absolute().parent
    if not stem(path).startswith(folder.name) or not (folder / "Info.cfg").is_file():
        return {}
    return read_info(folder)


def _phases(info: dict[str, str]) -> dict[int | None, str]:
    return {int(info["ED"]): "ED", int(info["ES"]): "ES"} if info else {}


def _number(info: dict[str, str], key: str, limits: tuple[float, float]) -> float | None:
    """A number within the limits of bodies; anything else counts as not known."""
    try:
        value = float(info[key])
    except (KeyError, ValueError):
        return None
    return value if limits[0] <= value <= limits[1] else None
