"""End-diastole and end-systole from the LV volumes of a cine, and how sure the choice is.

ED is the largest and ES the smallest volume of the curve, smoothed over the beat; the last frame is
followed by the first. Scanners trigger on the R wave, so frame 1 is ED if its volume is nearly the
largest (149 of 150 patients of ACDC), unless the largest comes more than a tenth of the beat later:
then the trigger was early (ACDC's patient090). A frame whose volume does not fit the frames before
and after it is never ED or ES. The reported volumes are unsmoothed. Frames are counted from 0 here
and from 1 in whatever a person reads. Knows volumes only, not masks, electrocardiograms or valves,
which define both phases (ES is the closure of the aortic valve).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cardioseg.clinical.measures import ranges

CURVE = "volume curve"
SMOOTHING = 1 / 30  # standard deviation, as a share of the beat: one frame of thirty
NEARLY_LARGEST = 0.05  # of the stroke, below the largest volume
LATE = 0.1  # of the beat: a largest volume so long after frame 1 shows that the trigger came early
FLAT = 0.05  # of the largest volume; the weakest of ACDC's 150 ejects 7.6 %
ES_BETWEEN = (0.2, 0.7)  # of the beat after ED; 0.25 to 0.69 in ACDC's 100 training patients
AS_DEEP, APART = (
    0.1,
    1 / 6,
)  # a second minimum: within this share of the stroke, this share of the beat away
JUMP = 0.15  # of the stroke, between a frame and the smoothed curve
MISFIT = 0.3  # of the stroke, between a frame and what the frames before and after predict
FEWEST_FOR_MISFIT = 8  # frames; with fewer, early ejection changes as much between two frames
FEW_FRAMES = 10  # 80 to 100 ms each: ES may fall between two


Confidence = Literal["high", "medium", "low", "none"]


@dataclass(frozen=True)
class Phases:
    """Two frames, and how sure they are.

    Attributes:
        ed, es: frames from 0; None where the curve shows none.
        source: "volume curve", "given", or "given and volume curve" when one of them was given.
        confidence: "high", "medium", "low"; "none" when there are no phases.
        reasons: what speaks against the choice, or must be known about it, in sentences.
        smoothed_ml: (T,) the curve that was looked at.
    """

    ed: int | None
    es: int | None
    source: str
    confidence: Confidence
    reasons: tuple[str, ...]
    smoothed_ml: tuple[float, ...]


def find_phases(
    volumes_ml: Sequence[float], *, ed: int | None = None, es: int | None = None
) -> Phases:
    """ED and ES of one beat.

    Args:
        volumes_ml: (T,) LV volume of every frame in ml.
        ed: frame from 0 that the person chose.
        es: likewise.

    Returns:
        The two frames; both None when there is one frame, or no LV in any.
    """
    stored = np.asarray(volumes_ml, dtype=float)
    misfits = misfit_frames(stored)
    raw = _bridged(stored, misfits)
    smooth = smoothed(raw)
    curve = tuple(float(value) for value in smooth)
    given = ed is not None and es is not None
    nothing = _why_no_beat(raw)
    if nothing and not given:
        return Phases(None, None, CURVE, "none", (nothing,), curve)
    first = _end_diastole(raw, smooth, es, misfits) if ed is None else ed
    last = _end_systole(smooth, first, misfits) if es is None else es
    against = _reversed(raw, first, last) if given else _doubts(raw, smooth, first, last)
    doubts = (*_misfit_text(misfits), *against)
    remarks = () if given else _remarks(len(raw), first, ed)
    reasons = (*doubts, *remarks)
    return Phases(first, last, _source(ed, es), _confidence(doubts, remarks), reasons, curve)


def _confidence(doubts: tuple[str, ...], remarks: tuple[str, ...]) -> Confidence:
    if doubts:
        return "low"
    return "medium" if remarks else "high"


def _why_no_beat(raw: np.ndarray) -> str:
    """Why a curve has no phases; "" if it can have some."""
    if len(raw) < 2:
        return "one frame shows no beat"
    return "no LV in any frame" if raw.max() <= 0 else ""


def _source(ed: int | None, es: int | None) -> str:
    """What ED and ES were taken from."""
    if ed is not None and es is not None:
        return "given"
    return CURVE if ed is None and es is None else f"given and {CURVE}"


def misfit_frames(volumes_ml: Sequence[float] | np.ndarray) -> tuple[int, ...]:
    """Frames, from 0, whose volume does not fit the two frames before and the two after.

    The worst one is bridged before the next is looked for, so that a bad frame does not make its
    neighbours look bad.

    Args:
        volumes_ml: (T,) LV volume of every frame; the last is followed by the first.
    """
    raw = np.asarray(volumes_ml, dtype=float)
    found: list[int] = []
    while len(raw) >= FEWEST_FOR_MISFIT and len(found) < len(raw) // 4:
        bridged = _bridged(raw, found)
        away = np.minimum(abs(bridged - _predicted(bridged)), abs(bridged - _from_inside(bridged)))
        worst = int(away.argmax())
        stroke = np.ptp(np.delete(bridged, worst))
        if away[worst] <= MISFIT * stroke or worst in found:
            break
        found.append(worst)
    return tuple(sorted(found))


def _predicted(raw: np.ndarray) -> np.ndarray:
    """(T,) each frame from the two on either side, by a cubic."""
    near = np.roll(raw, 1) + np.roll(raw, -1)
    far = np.roll(raw, 2) + np.roll(raw, -2)
    return np.asarray((4 * near - far) / 6)


def _from_inside(raw: np.ndarray) -> np.ndarray:
    """(T,) the first and last two frames, predicted from inside; infinite for the others.

    A cine may end before the beat does, so that its last frame is not followed by its first.
    """
    found = np.full(len(raw), np.inf)
    found[0], found[-1] = 2 * raw[1] - raw[2], 2 * raw[-2] - raw[-3]
    found[1], found[-2] = (raw[0] + raw[2]) / 2, (raw[-1] + raw[-3]) / 2
    return found


def _bridged(raw: np.ndarray, frames: Sequence[int]) -> np.ndarray:
    """The curve with ``frames`` interpolated between their neighbours in the beat."""
    kept = np.setdiff1d(np.arange(len(raw)), frames)
    return np.asarray(np.interp(np.arange(len(raw)), kept, raw[kept], period=len(raw)))


def _misfit_text(frames: Sequence[int]) -> tuple[str, ...]:
    if not frames:
        return ()
    names = ranges(frame + 1 for frame in frames)
    one = len(frames) == 1
    noun, verb = ("frame", "does") if one else ("frames", "do")
    return (f"the LV volume of {noun} {names} {verb} not fit the frames before and after",)


def smoothed(volumes_ml: np.ndarray) -> np.ndarray:
    """(T,) the curve under a Gaussian of a thirtieth of the beat, its ends joined."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(volumes_ml, SMOOTHING * len(volumes_ml), mode="wrap"))


def _end_diastole(
    raw: np.ndarray, smooth: np.ndarray, es: int | None, misfits: Sequence[int]
) -> int:
    """The frame of largest volume, or frame 1 if its volume is nearly that; never a misfit.

    The curve may fall right after frame 1, so smoothing lowers it.
    """
    excluded = {*misfits, *(() if es is None else (es,))}
    curve = smooth.copy()
    curve[list(excluded)] = -np.inf
    largest = int(curve.argmax())
    nearly = curve[largest] - NEARLY_LARGEST * (smooth.max() - smooth.min())
    early = LATE < largest / len(raw) < 0.5
    first = 0 not in excluded and not early and max(raw[0], smooth[0]) >= nearly
    return 0 if first else largest


def _end_systole(smooth: np.ndarray, ed: int, misfits: Sequence[int]) -> int:
    """The frame of smallest volume; never a misfit."""
    curve = smooth.copy()
    curve[[ed, *misfits]] = np.inf
    return int(curve.argmin())


def _doubts(raw: np.ndarray, smooth: np.ndarray, ed: int, es: int) -> tuple[str, ...]:
    """What speaks against the two frames."""
    stroke = float(smooth.max() - smooth.min())
    if stroke < FLAT * smooth.max():
        return (f"the LV volume changes by only {100 * stroke / smooth.max():.1f} % over the beat",)
    found = list(_reversed(raw, ed, es))
    after = (es - ed) % len(raw) / len(raw)
    if len(raw) >= FEW_FRAMES and not ES_BETWEEN[0] <= after <= ES_BETWEEN[1]:
        low, high = (f"{100 * share:.0f}" for share in ES_BETWEEN)
        found.append(f"ES lies {100 * after:.0f} % of the beat after ED, not {low} to {high} %")
    found += [
        f"frame {frame + 1} is a second minimum" for frame in _other_minima(smooth, es, stroke)
    ]
    found += [
        f"the volume jumps at frame {frame + 1}"
        for frame in np.flatnonzero(np.abs(raw - smooth) > JUMP * stroke)
    ]
    return tuple(found)


def _other_minima(smooth: np.ndarray, es: int, stroke: float) -> list[int]:
    frames = len(smooth)
    away = np.abs(np.arange(frames) - es)
    far = np.minimum(away, frames - away) > max(1, APART * frames)
    lowest = (smooth < np.roll(smooth, 1)) & (smooth <= np.roll(smooth, -1))
    deep = smooth <= smooth[es] + AS_DEEP * stroke
    return [int(frame) for frame in np.flatnonzero(far & lowest & deep)]


def _reversed(raw: np.ndarray, ed: int, es: int) -> tuple[str, ...]:
    if raw[es] <= raw[ed]:
        return ()
    return (f"the LV is larger at ES (frame {es + 1}) than at ED (frame {ed + 1})",)


def _remarks(frames: int, ed: int, given: int | None) -> tuple[str, ...]:
    few = (f"{frames} frames are few: ES may fall between two",) if frames < FEW_FRAMES else ()
    late = (f"ED is frame {ed + 1}, not the first",) if ed and given is None else ()
    return few + late
