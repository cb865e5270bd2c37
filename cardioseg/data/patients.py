"""Whose heart an image shows, at which phase, and what lies beside it about the body: from paths and ACDC's Info.cfg alone.

``patient001_ED`` and ``patient001_frame12`` are phases of patient001 (ACDC, and nnU-Net's copies of it, ``_0000`` included);
which phase a frame is says Info.cfg in a folder of the patient's name, or ``--ed`` and ``--es``. Opens no image.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.clinical.function import Body
from cardioseg.core.errors import UsageError
from cardioseg.data.acdc import read_info
from cardioseg.data.nnunet import PHASE
from cardioseg.imaging.image import stem

if TYPE_CHECKING:
    from cardioseg.results.function import Beat

HEIGHT_CM, WEIGHT_KG, HEART_RATE_BPM = (40.0, 250.0), (2.0, 400.0), (20.0, 250.0)
CHANNEL = "_0000"


@dataclass(frozen=True)
class Patient:
    """Who a case is of.

    Attributes:
        name: of the patient: the case's without its phase.
        phase: "ED", "ES" or "".
        frame: number from 1 that the case's name states.
        told_by: what named the phase: "Info.cfg", "--ed, --es" or "file names"; "" without one.
        height_cm: as Info.cfg has it.
        weight_kg: likewise.
    """

    name: str
    phase: str = ""
    frame: int | None = None
    told_by: str = ""
    height_cm: float | None = None
    weight_kg: float | None = None

    def facts(self) -> dict[str, Any]:
        """For the run record."""
        return asdict(self)


def patient_of(case: str, path: Path, *, ed: int | None = None, es: int | None = None) -> Patient:
    """The patient of a case.

    Args:
        case: its name.
        path: of the image.
        ed: frame from 1 that is end-diastole, when somebody said so.
        es: likewise end-systole.

    Raises:
        InputError: the Info.cfg beside it is broken.
    """
    found = PHASE.match(case.removesuffix(CHANNEL))
    name = found["patient"] if found else case
    info = _info(path)
    height, weight = _number(info, "Height", HEIGHT_CM), _number(info, "Weight", WEIGHT_KG)
    if found is None:
        return Patient(name, height_cm=height, weight_kg=weight)
    if found["phase"].upper() in ("ED", "ES"):
        return Patient(name, found["phase"].upper(), None, "file names", height, weight)
    frame = int(found["phase"][len("frame") :])
    for told_by, phases in (("--ed, --es", {ed: "ED", es: "ES"}), ("Info.cfg", _phases(info))):
        if frame in phases:
            return Patient(name, phases[frame], frame, told_by, height, weight)
    return Patient(name, "", frame, "", height, weight)


def body_of(patient: dict[str, Any], given: Body, *, heart_rate_bpm: float | None = None) -> Body:
    """What the person said of the body, else what lies beside the image (``facts`` of its patient)."""
    height = given.height_cm if given.height_cm is not None else patient.get("height_cm")
    weight = given.weight_kg if given.weight_kg is not None else patient.get("weight_kg")
    rate = given.heart_rate_bpm if given.heart_rate_bpm is not None else heart_rate_bpm
    return Body(height, weight, rate)


def check_body(body: Body) -> None:
    """No body is that large, small, fast or slow.

    Raises:
        UsageError: one of its numbers is out of range.
    """
    limits = (
        ("--height-cm", body.height_cm, HEIGHT_CM),
        ("--weight-kg", body.weight_kg, WEIGHT_KG),
    )
    for option, value, (low, high) in (
        *limits,
        ("--heart-rate", body.heart_rate_bpm, HEART_RATE_BPM),
    ):
        if value is not None and not low <= value <= high:
            raise UsageError(
                option,
                found=f"{value:g}",
                expected=f"{low:g} to {high:g}",
                cure="check number and unit",
            )


def check_one_patient(beat: "Beat", images: Mapping[str, Path]) -> None:
    """Frame numbers, height, weight and heart rate are those of one patient.

    Raises:
        UsageError: they are given for several, or out of range.
    """
    check_body(beat.body)
    body = (beat.body.height_cm, beat.body.weight_kg, beat.body.heart_rate_bpm)
    if all(value is None for value in (beat.ed, beat.es, *body)):
        return
    names = sorted({patient_of(case, path).name for case, path in images.items()})
    if len(names) > 1:
        found, options = (
            f"{len(names)} patients ({names[0]}, {names[1]} …)",
            "--ed, --es, --height-cm, --weight-kg, --heart-rate",
        )
        raise UsageError(
            options,
            found=found,
            expected="one patient",
            cure="segment each patient in a call of its own",
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
    """A number within the limits of bodies; anything else is not known."""
    try:
        value = float(info[key])
    except (KeyError, ValueError):
        return None
    return value if limits[0] <= value <= limits[1] else None
