"""The files below a folder, found alike by every verb."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """Files at any depth, by name within each folder; links to files and folders are followed.

    Each real folder is visited once, and before links to it, so that loops of links end. Hidden
    files and folders are skipped. Broken links are listed, so that a lost file is named.
    """
    seen: set[str] = {os.path.realpath(folder)}
    plain, links = deque([folder]), deque[Path]()
    while plain or links:
        here = plain.popleft() if plain else links.popleft()
        if here is not folder:
            real = os.path.realpath(here)
            if real in seen:
                continue
            seen.add(real)
        folders, files = _content(here)
        yield from files
        links.extend(path for path in folders if path.is_symlink())
        plain.extendleft(path for path in reversed(folders) if not path.is_symlink())


def _content(folder: Path) -> tuple[list[Path], list[Path]]:
    """Visible folders and files of a folder, by name; none where it cannot be read."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return [], []
    folders = [path for path in entries if _is_folder(path)]
    return folders, [path for path in entries if path not in folders]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
