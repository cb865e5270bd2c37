"""Finding the short-axis cine of a study: the series with many slices at many phases each.

Scanners store a cine as one series of all slices, or as one series per slice; the latter are
joined here. The choice uses geometry, time, kind of image and body part; not the series
description, which differs between sites and may name the patient. Voxels are not read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.errors import InputError, UsageError
from cardioseg.imaging.dicom.grid import by_position, grouped, normal_of, parallel
from cardioseg.imaging.plane import Plane

FEWEST_SLICES = 3
# Perfusion and mapping series have as many images, but at fewer times after the R wave.
FEWEST_PHASES = 8
# From first to last slice. Left ventricles in ACDC's ground truth are longer than 50 mm.
SHORTEST_STACK_MM = 30
# The heart's usual long axis, base to apex: left, anterior, inferior.
LONG_AXIS_LPS = np.array([0.75, -0.5, -0.43])
# Long-axis planes contain the axis (90°); axial and coronal planes are off by about 60°.
WIDEST_ANGLE_DEGREES = 45
# A single series is refused only beyond this angle: hearts differ, and there is no other to choose.
REFUSED_ANGLE_DEGREES = 55
UNLIKE = "this does not look like a short-axis cine"
LONGEST_LIST = 12


@dataclass(frozen=True)
class CineCandidate:
    """Planes that may be the short-axis cine.

    Attributes:
        planes: in no particular order.
        notes: how they were chosen; () when there was no choice.
    """

    planes: tuple[Plane, ...]
    notes: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        """Number of positions; 0 when the planes are not parallel or differ in size."""
        first = self.planes[0]
        alike = all(parallel(plane, first) and plane.size == first.size for plane in self.planes)
        return len(by_position(self.planes)) if alike else 0

    @property
    def phases(self) -> int:
        """Median number of trigger times per position."""
        counts = [
            len({plane.trigger_ms for plane in planes}) for planes in by_position(self.planes)
        ]
        return int(np.median(counts))

    @property
    def length_mm(self) -> float:
        """Distance from first to last slice."""
        along = [float(normal_of(self.planes[0]) @ plane.position) for plane in self.planes]
        return max(along) - min(along)

    @property
    def off_axis_degrees(self) -> float:
        """Angle between the normal and the left ventricle's usual long axis."""
        cosine = abs(normal_of(self.planes[0]) @ LONG_AXIS_LPS) / np.linalg.norm(LONG_AXIS_LPS)
        return float(np.degrees(np.arccos(min(1.0, cosine))))

    @property
    def is_cine_stack(self) -> bool:
        """Whether it has enough parallel slices, phases and length for a heart."""
        return (
            self.slices >= FEWEST_SLICES
            and self.phases >= FEWEST_PHASES
            and self.length_mm >= SHORTEST_STACK_MM
        )

    @property
    def numbers(self) -> str:
        """Its series numbers in the syntax of ``--series``."""
        numbers = {plane.number for plane in self.planes if plane.number is not None}
        return ranges(sorted(numbers)) or "without a number"

    @property
    def content(self) -> str:
        """Its size, such as "10 slices × 25 phases"."""
        size = f"{_count(self.slices, 'slice')} × {_count(self.phases, 'phase')}"
        return size if self.slices else f"{_count(len(self.planes), 'image')}, not parallel"

    @property
    def described(self) -> str:
        """One entry of the list to choose from: "12 (10 slices × 25 phases, 256 × 208)"."""
        columns, rows = self.planes[0].size
        return f"{self.numbers} ({self.content}, {columns} × {rows})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers in the syntax of ``--series``: "5-9,11"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def choose_cine(planes: Sequence[Plane], wanted: tuple[int, ...], *, source: Path) -> CineCandidate:
    """The short-axis cine among all planes of a study, or the requested series.

    Raises:
        InputError: several studies, or not exactly one series that could be the short-axis cine.
        UsageError: a requested series does not exist.
    """
    _check_one_study(planes, source)
    if wanted:
        return _requested(planes, wanted, source)
    hearts = [plane for plane in planes if not plane.kind and not plane.body_part]
    if not hearts:
        raise _unlike(source, _shown(planes))
    series = _series(hearts)
    if len(series) == 1:
        return _only(series[0], len(planes) - len(hearts), source)
    taken = _cine_among(series, source)
    note = (
        f"series {taken.numbers} ({taken.content}) was used as the short-axis cine; "
        f"the study has {len(_series(planes))} series"
    )
    return CineCandidate(taken.planes, (note,))


def _check_one_study(planes: Sequence[Plane], source: Path) -> None:
    studies = {plane.study for plane in planes}
    if len(studies) > 1:
        raise InputError(
            source,
            found=f"{len(studies)} studies",
            expected="one study in a folder",
            cure="give each study its own folder",
        )


def _cine_among(series: list[CineCandidate], source: Path) -> CineCandidate:
    """The only series or joined stack that could be the short-axis cine."""
    fitting = [stack for stack in [*_joined(series), *series] if stack.is_cine_stack]
    across = [stack for stack in fitting if stack.off_axis_degrees <= WIDEST_ANGLE_DEGREES]
    chosen = fitting if len(fitting) == 1 else across
    if len(chosen) != 1:
        raise _undecided(fitting or series, bool(fitting), source)
    _check_view(chosen[0], source)
    return chosen[0]


def _only(stack: CineCandidate, others: int, source: Path) -> CineCandidate:
    """The only series of magnitude images of a heart, if its planes lie across the heart."""
    _check_view(stack, source)
    notes = (f"{others} images of another kind or organ were not used",) if others else ()
    return CineCandidate(stack.planes, notes)


def _check_view(stack: CineCandidate, source: Path) -> None:
    if stack.slices and stack.off_axis_degrees > REFUSED_ANGLE_DEGREES:
        raise _unlike(
            source,
            f"its planes are {stack.off_axis_degrees:.0f}° from the usual short axis, as in a "
            f"long-axis, axial or coronal view ({stack.content})",
        )


def _shown(planes: Sequence[Plane]) -> str:
    """What planes show other than a heart: "200 images of the BRAIN, 40 phase images"."""
    texts = [plane.kind or f"images of body part {plane.body_part}" for plane in planes]
    parts = sorted({plane.body_part for plane in planes if plane.kind and plane.body_part})
    counts = Counter(texts).most_common()
    listed = ", ".join(f"{text} ({_count(count, 'image')})" for text, count in counts)
    return f"{listed}, body part {', '.join(parts)}" if parts else listed


def _unlike(source: Path, shown: str) -> InputError:
    return InputError(
        source,
        found=f"{UNLIKE}: {shown}",
        expected="magnitude images of the heart in parallel short-axis slices",
        cure="check the export; where the header is wrong, choose the series with --series NUMBER",
    )


def _series(planes: Sequence[Plane]) -> list[CineCandidate]:
    """One candidate per series, by number."""
    series: dict[str, list[Plane]] = {}
    for plane in planes:
        series.setdefault(plane.series, []).append(plane)
    ordered = sorted(series.values(), key=lambda group: (group[0].number or 0, group[0].series))
    return [CineCandidate(tuple(group)) for group in ordered]


def _joined(series: list[CineCandidate]) -> list[CineCandidate]:
    """Single-slice cines joined into stacks where they are parallel and of one size and spacing."""
    single = [stack for stack in series if stack.slices == 1 and stack.phases >= FEWEST_PHASES]
    groups = [group for group in grouped(single, _belong) if len(group) > 1]
    planes = [[plane for stack in group for plane in stack.planes] for group in groups]
    return [CineCandidate(tuple(joined)) for joined in planes]


def _belong(one: CineCandidate, other: CineCandidate) -> bool:
    a, b = one.planes[0], other.planes[0]
    return parallel(a, b) and a.size == b.size and np.allclose(a.spacing, b.spacing, rtol=1e-3)


def _requested(planes: Sequence[Plane], wanted: tuple[int, ...], source: Path) -> CineCandidate:
    missing = sorted(set(wanted) - {plane.number for plane in planes})
    if missing:
        present = ranges(sorted({plane.number for plane in planes if plane.number is not None}))
        raise UsageError(
            "--series",
            found=f"no series {ranges(missing)} in {source}",
            expected=f"numbers among {present}",
            cure="correct --series",
        )
    chosen = [plane for plane in planes if plane.number in wanted]
    usable = tuple(plane for plane in chosen if not plane.kind)
    if not usable:
        raise _unlike(source, _shown(chosen))
    return CineCandidate(usable, _doubts(CineCandidate(usable), len(chosen) - len(usable)))


def _doubts(stack: CineCandidate, others: int) -> tuple[str, ...]:
    """What speaks against a requested series, which is used nonetheless."""
    notes = []
    if others:
        notes.append(f"{others} images of another kind were not used")
    parts = sorted({plane.body_part for plane in stack.planes if plane.body_part})
    if parts:
        notes.append(f"{UNLIKE}: body part {', '.join(parts)}")
    if stack.slices and stack.off_axis_degrees > REFUSED_ANGLE_DEGREES:
        notes.append(
            f"{UNLIKE}: its planes are {stack.off_axis_degrees:.0f}° from the usual short axis"
        )
    return tuple(notes)


def _undecided(stacks: list[CineCandidate], several: bool, source: Path) -> InputError:
    listed = "; ".join(stack.described for stack in stacks[:LONGEST_LIST])
    more = f"; and {len(stacks) - LONGEST_LIST} more" if len(stacks) > LONGEST_LIST else ""
    if several:
        found, cure = "several series that could be the short-axis cine", "choose one"
    else:
        found, cure = (
            f"{UNLIKE}, none of these series",
            "check the export, or choose one",
        )
    return InputError(
        source,
        found=f"{found}: {listed}{more}",
        expected="exactly one",
        cure=f"{cure} with --series NUMBER",
    )
