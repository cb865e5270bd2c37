"""Case names that differ: files of one name take the names of their folders."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path


def distinct_names(paths: Sequence[Path], names: Sequence[str]) -> list[str]:
    """``names``, with names of parent folders in front where several files share one.

    ``1001/sa.nii.gz`` and ``1002/sa.nii.gz`` become ``1001_sa`` and ``1002_sa``. One file given
    twice keeps one name. Names that cannot be told apart by folders stay equal.
    """
    chosen = list(names)
    for indices in _shared(paths, names):
        deepest = max(len(_parents(paths[index])) for index in indices)
        for depth in range(1, deepest + 1):
            longer = {index: _longer(paths[index], names[index], depth) for index in indices}
            if not _ambiguous(paths, longer, indices):
                for index in indices:
                    chosen[index] = longer[index]
                break
    return chosen


def _shared(paths: Sequence[Path], names: Sequence[str]) -> list[list[int]]:
    """Indices of different files with one name."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        groups[name].append(index)
    return [
        indices
        for indices in groups.values()
        if len(indices) > 1 and len({os.path.realpath(paths[index]) for index in indices}) > 1
    ]


def _ambiguous(paths: Sequence[Path], names: dict[int, str], indices: Sequence[int]) -> bool:
    files = {os.path.realpath(paths[index]) for index in indices}
    return len({names[index] for index in indices}) < len(files)


def _parents(path: Path) -> tuple[str, ...]:
    """Names of the folders above a file, nearest first."""
    return tuple(parent.name for parent in Path(os.path.abspath(path)).parents if parent.name)  # noqa: PTH100 - keeps links


def _longer(path: Path, name: str, depth: int) -> str:
    return "_".join([*reversed(_parents(path)[:depth]), name])
