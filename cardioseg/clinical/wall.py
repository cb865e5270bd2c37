"""Wall thickness of the left ventricle in the AHA segments, from one short-axis mask.

Source: Cerqueira et al., Circulation 105, 2002. There are three levels from base to apex: six
sectors of 60° in the basal and mid levels, four of 90° in the apical one. The septum lies between
the two insertions of the RV. Levels are thirds of the slices that show cavity and wall. Angles are
measured around the centre of the cavity of each slice; 180° is midway between the insertions, those
of the slice itself if the RV touches the wall there, otherwise those of the other slices. Thickness
is radial: a sector of 15° with cavity area a and wall area w has the radii √(2a / 15°) and
√(2(a + w) / 15°), and their difference is the thickness. A segment is the mean of its sectors.

Handedness shows which insertion is the anterior one: (apex → base) × (LV → RV) points to the front.
An oblique affine gives it. An affine along the scanner's axes (ACDC, files without orientation)
cannot be that of a short-axis stack; the array is then taken as viewers show it: seen from the
apex, the first axis to the right, the second down.

Shape legend: U, V in-plane, W slices, last. Does not know the apical cap (segment 17), which no
short-axis slice cuts, nor how far a slice is from being perpendicular to the wall.
"""

from dataclasses import dataclass

import numpy as np

from cardioseg.clinical.volumes import structure_value
from cardioseg.core.labels import LabelTable
from cardioseg.core.volume import Volume
from cardioseg.imaging.preprocess import slice_axis, slices_last, spacing_slices_last

WALLS = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
APICAL = ("anterior", "septal", "inferior", "lateral")
SEGMENTS = (
    *(f"{level} {wall}" for level in ("basal", "mid") for wall in WALLS),
    *(f"apical {wall}" for wall in APICAL),
    "apex",
)
SECTORS = 24
FINER = 3  # each pixel as 3 × 3, so that few lie across the border of two sectors
NEAR_MM = 3.0  # from RV to wall: a gap of one voxel is still an insertion
COVERED = 0.5  # of a segment's sectors
ALONG_AN_AXIS = 0.999  # cosine of 2.6°

Slices = dict[int, "Slice"]


@dataclass(frozen=True)
class Slice:
    """A slice with cavity and wall.

    Attributes:
        cavity: (U, V) bool.
        wall: (U, V) bool.
        centre: of the cavity, (u, v) in mm.
        septum: angle in the (u, v) plane midway between the insertions, in radians; None if the
            RV does not touch the wall.
    """

    cavity: np.ndarray
    wall: np.ndarray
    centre: np.ndarray
    septum: float | None


@dataclass(frozen=True)
class Wall:
    """Thickness at one phase.

    Attributes:
        segments_mm: 17 numbers in the order of ``SEGMENTS``, None where there is none.
        mean_mm: over all directions and slices, None where there is none.
        reasons: segment (or "mean") → why it is None.
        anterior: how the anterior side was told: "from the affine" or "as displayed".
    """

    segments_mm: tuple[float | None, ...]
    mean_mm: float | None
    reasons: dict[str, str]
    anterior: str


def wall_thickness(mask: Volume, labels: LabelTable) -> Wall:
    """Thickness of the LV's wall in ``mask``, (X, Y, Z) label values."""
    axis = slice_axis(mask)
    spacing = spacing_slices_last(mask.spacing, axis)[:2]
    oblique = _oblique(mask.affine)
    anterior = "from the affine" if oblique else "as displayed"
    values = {name: structure_value(name, labels) for name in ("LV", "MYO", "RV")}
    array = slices_last(mask.array, axis)
    slices = {} if None in (values["LV"], values["MYO"]) else _slices(array, values, spacing)
    thickness = [_thickness(found, 0.0, 1, spacing) for found in slices.values()]
    if not slices or not np.isfinite(thickness).any():
        return _without("no slice shows LV cavity and wall", None, anterior)
    mean = float(np.nanmean(thickness))
    why_no_segments = _why_no_segments(slices)
    if why_no_segments:
        return _without(why_no_segments, mean, anterior)
    base_first = _base_first(slices)
    turn = _turn(mask.affine, axis, base_first=base_first) if oblique else 1
    segments, reasons = _segments(slices, turn, spacing, base_first=base_first)
    return Wall(segments, mean, reasons, anterior)


def _why_no_segments(slices: Slices) -> str:
    """Why the wall cannot be divided into segments; "" if it can."""
    if len(slices) < 3:
        return "fewer than three slices show LV cavity and wall"
    touching = any(found.septum is not None for found in slices.values())
    return "" if touching else "the RV touches the LV's wall in no slice"


def _without(reason: str, mean_mm: float | None, anterior: str) -> Wall:
    reasons = dict.fromkeys(SEGMENTS, reason) | ({"mean": reason} if mean_mm is None else {})
    return Wall((None,) * len(SEGMENTS), mean_mm, reasons, anterior)


# -------------------------------------------------------------------------------------- directions


def _oblique(affine: np.ndarray) -> bool:
    """Whether an axis of the array is oblique to the scanner's axes."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool((np.abs(directions).max(axis=0) < ALONG_AN_AXIS).any())


def _turn(affine: np.ndarray, axis: int, *, base_first: bool) -> int:
    """1 when a quarter turn from u to v leads from the septum's direction to the front, else -1."""
    u, v, w = affine[:3, :3].T[[*(other for other in range(3) if other != axis), axis]]
    to_base = -w if base_first else w
    return 1 if np.cross(to_base, u) @ v > 0 else -1


def _base_first(slices: Slices) -> bool:
    """The ventricle narrows towards the apex."""
    order = sorted(slices)
    areas = np.array(
        [(slices[index].cavity | slices[index].wall).sum() for index in order], dtype=float
    )
    return bool(np.polyfit(np.arange(len(order)), areas, 1)[0] < 0)


def _insertions_middle(
    wall: np.ndarray, rv: np.ndarray, centre: np.ndarray, spacing: tuple[float, float]
) -> float | None:
    """Angle midway between the outermost points of the wall that the RV is near to."""
    from scipy.ndimage import distance_transform_edt

    if not rv.any():
        return None
    touching = wall & (distance_transform_edt(~rv, sampling=spacing) <= max(NEAR_MM, *spacing))
    if not touching.any():
        return None
    u, v = (np.argwhere(touching) * spacing - centre).T
    angles = np.arctan2(v, u)
    mean = _mean_angle(angles)
    around = np.angle(np.exp(1j * (angles - mean)))
    return mean + float(around.min() + around.max()) / 2


def _mean_angle(angles: np.ndarray) -> float:
    return float(np.angle(np.exp(1j * np.asarray(angles)).mean()))


# --------------------------------------------------------------------------------------- thickness


def _slices(
    array: np.ndarray, values: dict[str, int | None], spacing: tuple[float, float]
) -> Slices:
    found = {}
    for index in range(array.shape[2]):
        cavity, wall = array[:, :, index] == values["LV"], array[:, :, index] == values["MYO"]
        if cavity.any() and wall.any():
            centre = np.argwhere(cavity).mean(axis=0) * spacing
            rv = np.zeros_like(wall) if values["RV"] is None else array[:, :, index] == values["RV"]
            found[index] = Slice(
                cavity, wall, centre, _insertions_middle(wall, rv, centre, spacing)
            )
    return found


def _thickness(found: Slice, septum: float, turn: int, spacing: tuple[float, float]) -> np.ndarray:
    """(SECTORS,) mm; the angle is 180° at the septum and 90° in front; nan without a wall."""
    cavity, wall = (
        _sector_areas(part, found.centre, septum, turn, spacing)
        for part in (found.cavity, found.wall)
    )
    angle = 2 * np.pi / SECTORS
    inner, outer = np.sqrt(2 * cavity / angle), np.sqrt(2 * (cavity + wall) / angle)
    return np.where(wall > 0, outer - inner, np.nan)


def _sector_areas(
    part: np.ndarray, centre: np.ndarray, septum: float, turn: int, spacing: tuple[float, float]
) -> np.ndarray:
    """(SECTORS,) mm² of a (U, V) bool."""
    steps = (np.arange(FINER) + 0.5) / FINER - 0.5
    fine = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    points = (np.argwhere(part)[:, None] + fine).reshape(-1, 2) * spacing - centre
    beyond = np.arctan2(points[:, 1], points[:, 0]) - septum
    angle = np.arctan2(turn * np.sin(beyond), -np.cos(beyond)) % (2 * np.pi)
    sectors = np.minimum((angle * SECTORS / (2 * np.pi)).astype(int), SECTORS - 1)
    return np.bincount(sectors, minlength=SECTORS) * (float(np.prod(spacing)) / FINER**2)


def _segments(
    slices: Slices, turn: int, spacing: tuple[float, float], *, base_first: bool
) -> tuple[tuple[float | None, ...], dict[str, str]]:
    """The 17 numbers, and why some are None."""
    known = [found.septum for found in slices.values() if found.septum is not None]
    order = sorted(slices, reverse=not base_first)
    sectors: list[list[float]] = [[] for _ in SEGMENTS]
    for rank, index in enumerate(order):
        septum = slices[index].septum
        thickness = _thickness(
            slices[index], _mean_angle(np.array(known)) if septum is None else septum, turn, spacing
        )
        for sector, segment in enumerate(_segment_of_sector(3 * rank // len(order))):
            sectors[segment].append(float(thickness[sector]))
    numbers: list[float | None] = []
    reasons = {SEGMENTS[16]: "no short-axis slice cuts across the apical cap"}
    for name, found in zip(SEGMENTS[:16], sectors, strict=False):
        enough = np.isfinite(found).mean() >= COVERED
        numbers.append(float(np.nanmean(found)) if enough else None)
        if not enough:
            reasons[name] = "more than half of the segment has no wall"
    return (*numbers, None), reasons


def _segment_of_sector(level: int) -> np.ndarray:
    """(SECTORS,) index into ``SEGMENTS`` at level 0 (base), 1 or 2 (apex)."""
    degrees = (np.arange(SECTORS) + 0.5) * 360 / SECTORS
    if level == 2:
        return 12 + ((degrees - 45) % 360 // 90).astype(int)
    return 6 * level + ((degrees - 60) % 360 // 60).astype(int)
