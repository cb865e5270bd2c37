"""docs/architecture.md names files, modules and packages that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cardioseg"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`([\w./]+)`", PAGE)))
PACKAGES = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
PATHS = [name for name in NAMES if "/" in name]
DOTTED = [name for name in NAMES if "/" not in name and name.partition(".")[0] in PACKAGES]


@pytest.mark.parametrize("name", PATHS)
def test_paths_exist(name):
    assert (PACKAGE / name).exists() or (ROOT / name).exists()


def module_of(parts: list[str]) -> tuple[Path, list[str]]:
    """The module that a dotted name begins with, and what follows it."""
    for count in range(len(parts), 0, -1):
        path = PACKAGE.joinpath(*parts[:count])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file, parts[count:]
    raise AssertionError(".".join(parts))


@pytest.mark.parametrize("name", DOTTED)
def test_modules_and_what_they_define_exist(name):
    module, rest = module_of(name.split("."))
    text = module.read_text(encoding="utf-8")
    assert all(re.search(rf"^(def|class) {word}\b", text, re.MULTILINE) for word in rest)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_is_in_the_table(package):
    assert re.search(rf"^\| `{package}` \|", PAGE, re.MULTILINE)
