"""Planes sorted into a full grid of phases × slices, by position along their normal and by time.

Source: DICOM PS3.3 C.7.6.2.1.1 (image position and orientation). The slice distance comes from the
positions, never from the slice thickness, which excludes the gap. An incomplete grid is an error
that names the slice. A slice missing at either end cannot be detected.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cardioseg.core.errors import GeometryError
from cardioseg.imaging.plane import Plane

SAME_POSITION_MM = 0.2
SAME_ORIENTATION = 2e-3  # per vector component: 0.4 mm at the edge of a 400 mm field of view
UNEVEN = 0.1  # largest deviation of one slice distance, as a share of the usual distance
LARGEST_SHIFT_MM = 20  # in-plane, between slices of one stack
Item = TypeVar("Item")
SortKey = Callable[[Plane], float | None]
ORDERS: tuple[tuple[str, SortKey], ...] = (
    ("trigger time", lambda plane: plane.trigger_ms),
    ("temporal position", lambda plane: plane.temporal),
    ("instance number", lambda plane: plane.instance),
)


@dataclass(frozen=True)
class PlaneGrid:
    """Planes in order.

    Attributes:
        planes: by phase, then by slice; slices along the normal.
        affine: (4, 4) column, row and slice index → RAS world in mm.
        spacing: mm between columns, rows and slices.
        order: the attribute that sorts the phases, "" for a single phase.
        notes: assumptions made, for the run record.
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
    """Whether two planes have the same orientation, in-plane rotation included."""
    return bool(np.abs(np.subtract(one.orientation, other.orientation)).max() <= SAME_ORIENTATION)


def by_position(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Parallel planes grouped by position, in order along the normal."""
    normal = normal_of(planes[0])
    along = sorted(planes, key=lambda plane: float(normal @ plane.position))
    groups: list[list[Plane]] = []
    for plane in along:
        if groups and _distance_mm(plane, groups[-1][-1], normal) <= SAME_POSITION_MM:
            groups[-1].append(plane)
        else:
            groups.append([plane])
    return groups


def _distance_mm(plane: Plane, other: Plane, normal: np.ndarray) -> float:
    return float(normal @ np.subtract(plane.position, other.position))


def grouped(items: Iterable[Item], alike: Callable[[Item, Item], bool]) -> list[list[Item]]:
    """Items in groups; each joins the first group whose first item is like it."""
    groups: list[list[Item]] = []
    for item in items:
        group = next((group for group in groups if alike(item, group[0])), None)
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    return groups


def sort_grid(planes: Sequence[Plane], *, source: Path) -> PlaneGrid:
    """The planes of one stack as a grid.

    Raises:
        GeometryError: sizes, spacings or orientations differ; a slice or phase is missing or
            duplicated; slices are not evenly spaced.
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
    notes += distance_notes + shift_notes
    return PlaneGrid(tuple(zip(*ordered, strict=True)), affine, spacing, order, notes)


def _counted(values: Iterable[Hashable]) -> str:
    """Values with their counts: "240 of 256 × 256, 20 of 192 × 192"."""
    return ", ".join(f"{count} of {value}" for value, count in Counter(values).most_common(4))


def _check_alike(planes: Sequence[Plane], source: Path) -> None:
    """Require one image size, pixel spacing and orientation."""
    sizes = [f"{plane.size[0]} × {plane.size[1]}" for plane in planes]
    spacings = [f"{plane.spacing[0]:.3f} × {plane.spacing[1]:.3f} mm" for plane in planes]
    for values, what in ((sizes, "image sizes"), (spacings, "pixel spacings")):
        if len(set(values)) > 1:
            raise _mixed(source, f"{what} ({_counted(values)})")
    _check_parallel(planes, source)


def _check_parallel(planes: Sequence[Plane], source: Path) -> None:
    groups = grouped(planes, parallel)
    if len(groups) > 1:
        counts = sorted((len(group) for group in groups), reverse=True)
        shown = " + ".join(str(count) for count in counts[:4])
        raise _mixed(source, f"orientations ({shown} of {len(planes)} images)")


def _mixed(source: Path, what: str) -> GeometryError:
    return GeometryError(
        source,
        found=f"mixed {what}",
        expected="one size, spacing and orientation in a series",
        cure="choose the cine series with --series, or move the other files elsewhere",
    )


def _order(slices: list[list[Plane]], source: Path) -> tuple[str, SortKey, tuple[str, ...]]:
    """What sorts the phases: the first of ``ORDERS`` that every plane states and that varies."""
    if all(len(planes) == 1 for planes in slices):
        return "", ORDERS[0][1], ()
    for name, key in ORDERS:
        if _sorts(key, slices):
            note = f"trigger times are missing or identical; phases are sorted by {name}"
            return name, key, () if name == ORDERS[0][0] else (note,)
    raise GeometryError(
        source,
        found="several images at one position and nothing to sort them by",
        expected="trigger times, temporal positions or instance numbers",
        cure="export the series again with these attributes",
    )


def _sorts(key: SortKey, slices: list[list[Plane]]) -> bool:
    """Whether every plane states the attribute, and it varies at one position at least."""
    values = [[key(plane) for plane in planes] for planes in slices]
    stated = all(value is not None for row in values for value in row)
    return stated and any(len(set(row)) > 1 for row in values)


def _check_doubled(slices: list[list[Plane]], key: SortKey, source: Path) -> None:
    """Refuse two images with the same position and time."""
    extra = [len(planes) - len({key(plane) for plane in planes}) for planes in slices]
    where = [index for index, count in enumerate(extra) if count]
    if not where:
        return
    first = f"slice {where[0] + 1}{_series_of(slices[where[0]])}"
    place = first if len(where) == 1 else f"{len(where)} slices"
    total = sum(len(planes) for planes in slices)
    raise GeometryError(
        source,
        found=f"{sum(extra)} duplicate images of {total} (same position and time), in {place}",
        expected="one image per slice and phase",
        cure="remove the copies, or choose the series with --series; "
        "of magnitude and phase images, keep the magnitude",
    )


def _check_complete(slices: list[list[Plane]], source: Path) -> None:
    """Require the same number of images at every position."""
    counts = Counter(len(planes) for planes in slices)
    usual = max(counts, key=lambda count: (counts[count], count))
    for index, planes in enumerate(slices, start=1):
        if len(planes) == usual:
            continue
        place = f"slice {index} of {len(slices)} has {len(planes)}{_series_of(planes)}"
        few = len(planes) < usual
        raise GeometryError(
            source,
            found=f"{'missing' if few else 'duplicate'} images: {place}",
            expected=f"{usual} phases, as in most slices",
            cure="export or copy the series again"
            if few
            else "choose the series with --series, or remove the others",
        )


def _series_of(planes: list[Plane]) -> str:
    numbers = sorted({plane.number for plane in planes if plane.number is not None})
    return f" (series {', '.join(str(number) for number in numbers)})" if numbers else ""


def _slice_distance(slices: list[list[Plane]], source: Path) -> tuple[float, tuple[str, ...]]:
    """Mean distance in mm between neighbouring slices along the normal, and notes."""
    if len(slices) == 1:
        thickness = slices[0][0].thickness_mm
        used = f"the slice thickness, {thickness:g} mm," if thickness else "1 mm"
        return thickness or 1.0, (f"only one slice position: {used} is used as slice distance",)
    normal = normal_of(slices[0][0])
    places = np.array([np.mean([normal @ plane.position for plane in planes]) for planes in slices])
    gaps = np.diff(places)
    _check_even(gaps, source)
    return float(gaps.mean()), ()


def _check_even(gaps: np.ndarray, source: Path) -> None:
    """Require equal distances between neighbouring slices; ``gaps`` in mm."""
    usual = _usual(gaps)
    worst = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[worst] - usual) <= UNEVEN * usual:
        return
    place = f"between slices {worst + 1} and {worst + 2} of {len(gaps) + 1}"
    raise GeometryError(
        source,
        found=f"{_fault(gaps[worst] / usual)}: {gaps[worst]:.1f} mm {place}",
        expected=f"{usual:.1f} mm, as between the others",
        cure="export the series again, or remove the slice that does not belong",
    )


def _fault(ratio: float) -> str:
    if ratio >= 1.5:
        return "a missing slice"
    return "a duplicate slice" if ratio <= 0.5 else "uneven slices"


def _usual(gaps: np.ndarray) -> float:
    """The gap that most others resemble; the smaller one of a tie."""
    alike = [int((np.abs(gaps - gap) <= UNEVEN * gap).sum()) for gap in gaps]
    return min(float(gap) for gap, count in zip(gaps, alike, strict=True) if count == max(alike))


def _affine(
    slices: list[list[Plane]], gap_mm: float, source: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Index → RAS world in mm, and notes. Slices shifted in-plane are placed on their mean line."""
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
            cure="choose the cine series with --series",
        )
    note = f"slices are shifted in-plane by up to {shift:.1f} mm; the affine uses their mean line"
    lps = np.eye(4)
    lps[:3, 0] = np.array(first.orientation[:3]) * first.spacing[0]
    lps[:3, 1] = np.array(first.orientation[3:]) * first.spacing[1]
    lps[:3, 2] = normal * gap_mm
    lps[:3, 3] = across.mean(0) + normal * float(origins[0] @ normal)
    notes = (note,) if shift > min(first.spacing) / 2 else ()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, notes
