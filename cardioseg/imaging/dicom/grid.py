"""Planes sorted by position along their normal and by time: a full grid of phases × slices, or an error that names what is amiss.

Source: DICOM PS3.3 C.7.6.2.1.1 (image position and orientation). The distance between slices comes from their positions, never
from the slice thickness, which leaves out the gap. It does not know which series a plane should be taken from, and cannot miss a
slice beyond the first or the last.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.errors import GeometryError
from cardioseg.imaging.dicom.planes import Plane

SAME_POSITION_MM = 0.2
SAME_ORIENTATION = 2e-3  # of a unit vector's parts: 0.4 mm at the edge of a field of view of 400 mm
UNEVEN = 0.1  # share of the mean distance by which two neighbouring slices may miss it
LARGEST_SHIFT_MM = 20  # in-plane between slices; further apart they are not one stack
ORDERS: tuple[tuple[str, Callable[[Plane], float | None]], ...] = (
    ("trigger time", lambda plane: plane.trigger_ms),
    ("temporal position", lambda plane: plane.temporal),
    ("instance number", lambda plane: plane.instance),
)


@dataclass(frozen=True)
class Grid:
    """Planes in order.

    Attributes:
        planes: by phase, then slice; slices along the normal.
        affine: (4, 4) column, row and slice index → RAS world in mm.
        spacing: mm between columns, rows and slices.
        order: what the phases are sorted by, "" of a single phase.
        notes: decisions to be wary of.
    """

    planes: tuple[tuple[Plane, ...], ...]
    affine: np.ndarray
    spacing: tuple[float, float, float]
    order: str
    notes: tuple[str, ...]


def normal_of(plane: Plane) -> np.ndarray:
    """Unit normal (3,) of a plane, LPS: row × column."""
    cross = np.cross(plane.orientation[:3], plane.orientation[3:])
    return cross / np.linalg.norm(cross)


def parallel(one: Plane, other: Plane) -> bool:
    """Whether two planes have the same orientation, turned in-plane alike."""
    return bool(np.abs(np.subtract(one.orientation, other.orientation)).max() <= SAME_ORIENTATION)


def by_position(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Parallel planes in groups of one position each, along the normal."""
    normal = normal_of(planes[0])
    along = sorted(planes, key=lambda plane: float(normal @ plane.position))
    groups: list[list[Plane]] = []
    for plane in along:
        if (
            groups
            and normal @ np.subtract(plane.position, groups[-1][-1].position) <= SAME_POSITION_MM
        ):
            groups[-1].append(plane)
        else:
            groups.append([plane])
    return groups


def sort_grid(planes: Sequence[Plane], *, source: Path) -> Grid:
    """The planes of one stack as a grid.

    Raises:
        GeometryError: mixed sizes, spacings or orientations; a slice or phase that is missing or doubled; slices that are not
            evenly apart.
    """
    _check_alike(planes, source)
    slices = by_position(planes)
    order, key, notes = _order(slices, source)
    _check_doubled(slices, key, source)
    _check_complete(slices, source)
    gap_mm, distance_notes = _slice_distance(slices, source)
    affine, shift_notes = _affine(slices, gap_mm, source)
    ordered = [sorted(planes, key=lambda plane: key(plane) or 0.0) for planes in slices]
    spacing = (*planes[0].spacing, gap_mm)
    return Grid(
        tuple(zip(*ordered, strict=True)),
        affine,
        spacing,
        order,
        notes + distance_notes + shift_notes,
    )


def counted(values: Iterable[Hashable]) -> str:
    """How often each value occurs: "240 of 256 × 256, 20 of 192 × 192"."""
    return ", ".join(f"{count} of {value}" for value, count in Counter(values).most_common(4))


def _check_alike(planes: Sequence[Plane], source: Path) -> None:
    cure = "choose the series of the cine with --series, or move the other files elsewhere"
    sizes = [f"{plane.size[0]} × {plane.size[1]}" for plane in planes]
    spacings = [f"{plane.spacing[0]:.3f} × {plane.spacing[1]:.3f} mm" for plane in planes]
    for values, what in ((sizes, "image sizes"), (spacings, "pixel spacings")):
        if len(set(values)) > 1:
            raise GeometryError(
                source,
                found=f"mixed {what} ({counted(values)})",
                expected="one in a series",
                cure=cure,
            )
    kinds: list[list[Plane]] = []
    for plane in planes:
        alike = next((kind for kind in kinds if parallel(plane, kind[0])), None)
        if alike is None:
            kinds.append([plane])
        else:
            alike.append(plane)
    if len(kinds) > 1:
        counts = sorted((len(kind) for kind in kinds), reverse=True)
        found = f"mixed orientations ({' + '.join(str(count) for count in counts[:4])} of {len(planes)} images)"
        raise GeometryError(source, found=found, expected="parallel slices in a series", cure=cure)


def _order(
    slices: list[list[Plane]], source: Path
) -> tuple[str, Callable[[Plane], float | None], tuple[str, ...]]:
    """What sorts the phases: the first of ``ORDERS`` that all planes state and that is not the same for all of a position."""
    if all(len(planes) == 1 for planes in slices):
        return "", ORDERS[0][1], ()
    for name, key in ORDERS:
        values = [[key(plane) for plane in planes] for planes in slices]
        stated = all(value is not None for row in values for value in row)
        if stated and any(len(set(row)) > 1 for row in values):
            fallback = f"trigger times are missing or all alike: phases are sorted by {name}"
            return name, key, () if name == ORDERS[0][0] else (fallback,)
    raise GeometryError(
        source,
        found="several images at a position and nothing to sort them by",
        expected="trigger times, temporal positions or instance numbers",
        cure="export the series again with them",
    )


def _check_doubled(
    slices: list[list[Plane]], key: Callable[[Plane], float | None], source: Path
) -> None:
    """No two images of one position and one time."""
    extra = [len(planes) - len({key(plane) for plane in planes}) for planes in slices]
    if any(extra):
        total, where = (
            sum(len(planes) for planes in slices),
            [index for index, count in enumerate(extra) if count],
        )
        which = (
            f"slice {where[0] + 1}{_series_of(slices[where[0]])}"
            if len(where) == 1
            else f"{len(where)} slices"
        )
        raise GeometryError(
            source,
            found=f"doubled images: {sum(extra)} of {total}, in {which}, have the position and time of another",
            expected="one image per slice and phase",
            cure="remove the copies, or name the series to use with --series; of magnitude and phase images keep the magnitude",
        )


def _check_complete(slices: list[list[Plane]], source: Path) -> None:
    """Every position has as many images as most have."""
    counts = Counter(len(planes) for planes in slices)
    usual = max(counts, key=lambda count: (counts[count], count))
    for index, planes in enumerate(slices, start=1):
        if len(planes) != usual:
            few = len(planes) < usual
            state = "missing" if few else "doubled"
            raise GeometryError(
                source,
                found=f"{state} images: slice {index} of {len(slices)} has {len(planes)}{_series_of(planes)}",
                expected=f"{usual} phases, as most slices have",
                cure="export or copy the series again"
                if few
                else "name the series to use with --series, or remove the others",
            )


def _series_of(planes: list[Plane]) -> str:
    numbers = sorted({plane.number for plane in planes if plane.number is not None})
    return f" (series {', '.join(str(number) for number in numbers)})" if numbers else ""


def _slice_distance(slices: list[list[Plane]], source: Path) -> tuple[float, tuple[str, ...]]:
    """Mean distance in mm between neighbouring slices, perpendicular to them."""
    if len(slices) == 1:
        thickness = slices[0][0].thickness_mm
        told = "its thickness" if thickness else "no thickness is stated, 1 mm"
        return thickness or 1.0, (f"one slice position only: {told} stands for the slice distance",)
    normal = normal_of(slices[0][0])
    places = np.array([np.mean([normal @ plane.position for plane in planes]) for planes in slices])
    gaps = np.diff(places)
    usual = _usual(gaps)
    worst = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[worst] - usual) > UNEVEN * usual:
        ratio = gaps[worst] / usual
        state = (
            "a missing slice"
            if ratio >= 1.5
            else "a doubled slice"
            if ratio <= 0.5
            else "uneven slices"
        )
        raise GeometryError(
            source,
            found=f"{state}: {gaps[worst]:.1f} mm between slices {worst + 1} and {worst + 2} of {len(slices)}",
            expected=f"{usual:.1f} mm, as between the others",
            cure="export the series again, or take the slice that does not belong out of the folder",
        )
    return float(gaps.mean()), ()


def _usual(gaps: np.ndarray) -> float:
    """The gap that most others resemble, the smaller of two such."""
    alike = [int((np.abs(gaps - gap) <= UNEVEN * gap).sum()) for gap in gaps]
    return min(float(gap) for gap, count in zip(gaps, alike, strict=True) if count == max(alike))


def _affine(
    slices: list[list[Plane]], gap_mm: float, source: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Index → RAS world in mm. Slices that are shifted against each other in-plane lie on their mean line."""
    first = slices[0][0]
    normal = normal_of(first)
    origins = np.array([np.mean([plane.position for plane in planes], axis=0) for planes in slices])
    across = origins - np.outer(origins @ normal, normal)
    shift = float(np.linalg.norm(across - across.mean(0), axis=1).max())
    if shift > LARGEST_SHIFT_MM:
        raise GeometryError(
            source,
            found=f"slices shifted in-plane by {shift:.0f} mm",
            expected=f"at most {LARGEST_SHIFT_MM} mm in a stack",
            cure="choose the series of the cine with --series",
        )
    note = f"slices are shifted in-plane by up to {shift:.1f} mm; the affine is that of their mean line"
    lps = np.eye(4)
    lps[:3, 0] = np.array(first.orientation[:3]) * first.spacing[0]
    lps[:3, 1] = np.array(first.orientation[3:]) * first.spacing[1]
    lps[:3, 2] = normal * gap_mm
    lps[:3, 3] = across.mean(0) + normal * float(origins[0] @ normal)
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, (note,) if shift > min(first.spacing) / 2 else ()
