"""What the documentation promises exists: commands, options, files, figures, pictures."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer.main
from PIL import Image

from cardioseg.bundle import models_folder
from cardioseg.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *(ROOT / name / "README.md" for name in ("benchmarks", "data", "docker", "models")),
    )
    if path.name != "lab-log.md"  # history: it names what was there then
)
CODE = re.compile(r"^```[^\n]*\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def commands(page: Path) -> list[list[str]]:
    """Words of every `cardioseg` command in the page's code blocks, without prompt and comment."""
    blocks = "\n".join(CODE.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    lines = (part for line in blocks.splitlines() for part in re.split(r"&&|\|", line))
    split = [shlex.split(line.strip().removeprefix("$ "), comments=True) for line in lines if line]
    return [words[1:] for words in split if words[:1] == ["cardioseg"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page):
    for words in commands(page):
        command = typer.main.get_command(app)
        rest = list(words)
        while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            assert rest[0] in command.commands, " ".join(words)
            command = command.commands[rest.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        asked = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert asked <= options | {"--help", "-h"}, " ".join(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readme_quotes_the_model_that_ships():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folder = models_folder() / "rdvit-2d"
    metrics, metadata = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("metrics.json", "metadata.json")
    )
    found = metrics["validation"]
    structures = [f"{found['structures'][name]['dice']:.3f}" for name in ("RV", "MYO", "LV")]
    row = next(line for line in readme.splitlines() if "`rdvit-2d`" in line)
    assert f"| {found['mean_dice']:.3f} | {', '.join(structures)} |" in row
    assert f"| {metadata['parameters'] / 1e6:.1f} M |" in row


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "images").glob("*.jpg")), ids=str)
def test_pictures_show_the_model_that_ships(picture):
    metadata = json.loads((models_folder() / "rdvit-2d" / "metadata.json").read_text())
    with Image.open(picture) as image:
        comment = image.info["comment"].decode()
    assert comment == f"weights {metadata['weights_sha256']}", "run `make pictures`"
