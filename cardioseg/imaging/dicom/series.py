"""Which of a study's series is the short-axis cine: the one whose planes are a stack of many slices, each at many phases.

Scanners store it in two ways: one series of all slices, or one series per slice, which are put together here. Decided by geometry
and time alone, as series descriptions differ from site to site. It does not look at voxels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.errors import InputError, UsageError
from cardioseg.imaging.dicom.grid import by_position, normal_of, parallel
from cardioseg.imaging.dicom.planes import Plane

FEWEST_SLICES = 3
FEWEST_PHASES = (
    8  # perfusion and mapping have as many images, but not at as many times after the R wave
)
SHORTEST_STACK_MM = (
    30  # from first to last slice; left ventricles on ACDC's ground truth are longer than 50 mm
)
LONG_AXIS_LPS = np.array(
    [0.75, -0.5, -0.43]
)  # from base to apex: left, anterior, inferior, as hearts usually lie
WIDEST_ANGLE_DEGREES = (
    45  # long-axis planes contain the axis (90), axial and coronal ones are about 60 off
)
LONGEST_LIST = 12


@dataclass(frozen=True)
class Stack:
    """Planes that may be a cine.

    Attributes:
        planes: in no order.
        note: how they were chosen, "" when there was no choice.
    """

    planes: tuple[Plane, ...]
    note: str = ""

    @property
    def slices(self) -> int:
        """Positions; 0 when the planes are not parallel or not of one size."""
        alike = all(
            parallel(plane, self.planes[0]) and plane.size == self.planes[0].size
            for plane in self.planes
        )
        return len(by_position(self.planes)) if alike else 0

    @property
    def phases(self) -> int:
        """Times after the R wave at the usual position."""
        counts = [
            len({plane.trigger_ms for plane in planes}) for planes in by_position(self.planes)
        ]
        return int(np.median(counts))

    @property
    def length_mm(self) -> float:
        """From first to last slice."""
        along = [float(normal_of(self.planes[0]) @ plane.position) for plane in self.planes]
        return max(along) - min(along)

    @property
    def off_axis_degrees(self) -> float:
        """Angle between the normal and the left ventricle's usual long axis."""
        cosine = abs(normal_of(self.planes[0]) @ LONG_AXIS_LPS) / np.linalg.norm(LONG_AXIS_LPS)
        return float(np.degrees(np.arccos(min(1.0, cosine))))

    @property
    def is_cine_stack(self) -> bool:
        """Many parallel slices over a heart's length, each at many phases."""
        return (
            self.slices >= FEWEST_SLICES
            and self.phases >= FEWEST_PHASES
            and self.length_mm >= SHORTEST_STACK_MM
        )

    @property
    def numbers(self) -> str:
        """Of its series, as ``--series`` takes them."""
        return (
            ranges(sorted({plane.number for plane in self.planes if plane.number is not None}))
            or "without a number"
        )

    @property
    def content(self) -> str:
        """What it holds, such as "10 slices × 25 phases"."""
        grid = f"{_count(self.slices, 'slice')} × {_count(self.phases, 'phase')}"
        return grid if self.slices else f"{_count(len(self.planes), 'image')}, not parallel"

    @property
    def described(self) -> str:
        """Numbers and description, to choose from on the screen: "12 'cine sax' (10 slices × 25 phases)"."""
        text = f" '{self.planes[0].description}'" if self.planes[0].description else ""
        return f"{self.numbers}{text} ({self.content})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers as ``--series`` takes them: "5-9,11"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def choose_stack(planes: Sequence[Plane], wanted: tuple[int, ...], *, source: Path) -> Stack:
    """The short-axis cine among all planes of a study, or the series that were asked for.

    Raises:
        InputError: several studies, or not exactly one series that could be the short-axis cine.
        UsageError: a series asked for is not there.
    """
    if len({plane.study for plane in planes}) > 1:
        found = f"{len({plane.study for plane in planes})} studies"
        raise InputError(
            source,
            found=found,
            expected="one study in a folder",
            cure="give each study a folder of its own",
        )
    if wanted:
        return _asked_for(planes, wanted, source)
    series = _series(planes)
    if len(series) == 1:
        return series[0]
    fitting = [stack for stack in [*_put_together(series), *series] if stack.is_cine_stack]
    across = [stack for stack in fitting if stack.off_axis_degrees <= WIDEST_ANGLE_DEGREES]
    chosen = fitting if len(fitting) == 1 else across
    if len(chosen) != 1:
        raise _undecided(fitting or series, bool(fitting), source)
    taken = chosen[
        0
    ]  # without its description, which somebody wrote by hand: the note stays in the records
    note = f"of {len(series)} series, {taken.numbers} ({taken.content}) was taken for the short-axis cine"
    return Stack(taken.planes, note)


def _series(planes: Sequence[Plane]) -> list[Stack]:
    """One stack per series, by number."""
    series: dict[str, list[Plane]] = {}
    for plane in planes:
        series.setdefault(plane.series, []).append(plane)
    ordered = sorted(series.values(), key=lambda group: (group[0].number or 0, group[0].series))
    return [Stack(tuple(group)) for group in ordered]


def _put_together(series: list[Stack]) -> list[Stack]:
    """Stacks of parallel one-slice cines of one size and spacing."""
    groups: list[list[Stack]] = []
    for stack in series:
        if stack.slices == 1 and stack.phases >= FEWEST_PHASES:
            group = next((group for group in groups if _belong(stack, group[0])), None)
            if group is None:
                groups.append([stack])
            else:
                group.append(stack)
    return [
        Stack(tuple(plane for stack in group for plane in stack.planes))
        for group in groups
        if len(group) > 1
    ]


def _belong(one: Stack, other: Stack) -> bool:
    a, b = one.planes[0], other.planes[0]
    return parallel(a, b) and a.size == b.size and np.allclose(a.spacing, b.spacing, rtol=1e-3)


def _asked_for(planes: Sequence[Plane], wanted: tuple[int, ...], source: Path) -> Stack:
    missing = sorted(set(wanted) - {plane.number for plane in planes})
    if missing:
        there = ranges(sorted({plane.number for plane in planes if plane.number is not None}))
        found, cure = f"no series {ranges(missing)} in {source}", "correct --series"
        raise UsageError("--series", found=found, expected=f"numbers among {there}", cure=cure)
    return Stack(tuple(plane for plane in planes if plane.number in wanted))


def _undecided(stacks: list[Stack], several: bool, source: Path) -> InputError:
    listed = "; ".join(stack.described for stack in stacks[:LONGEST_LIST])
    more = f"; and {len(stacks) - LONGEST_LIST} more" if len(stacks) > LONGEST_LIST else ""
    found = (
        "several series that could be the short-axis cine"
        if several
        else "no series that looks like a short-axis cine"
    )
    return InputError(
        source,
        found=f"{found}: {listed}{more}",
        expected="one",
        cure="choose it with --series NUMBER"
        if several
        else "check the export, or choose one with --series NUMBER",
    )
