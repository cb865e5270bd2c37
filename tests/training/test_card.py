"""Model cards match the files beside them."""

import json
from pathlib import Path

import pytest

from cardioseg.bundle import models_folder, shipped_models
from cardioseg.training.card import CITATION, card_text, every_nth

SHIPPED = shipped_models()


def read(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_model_ships() -> None:
    assert SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_is_the_one_its_files_make(name: str) -> None:
    folder = models_folder() / name
    made = card_text(name, read(folder / "metadata.json"), read(folder / "metrics.json"))
    assert (folder / "README.md").read_text(encoding="utf-8") == made


@pytest.mark.parametrize("name", SHIPPED)
def test_every_model_names_licence_citation_and_limits(name: str) -> None:
    folder = models_folder() / name
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert CITATION in card
    assert "CC BY-NC-SA 4.0" in card
    assert "Not a medical device" in card
    assert "CC BY-NC-SA 4.0" in (folder / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_metrics_were_measured_on_these_weights(name: str) -> None:
    folder = models_folder() / name
    digest = read(folder / "metadata.json")["weights_sha256"]
    tables = [
        value
        for value in read(folder / "metrics.json").values()
        if isinstance(value, dict) and "model_sha256" in value
    ]
    assert tables
    assert all(table["model_sha256"] == digest for table in tables)


def test_a_card_without_metrics_shows_no_results() -> None:
    card = card_text("x", {"labels": ["background", "A"], "parameters": 12}, {})
    assert "## Validation" not in card
    assert "12" in card


def test_the_choice_of_volumes_as_text() -> None:
    assert [every_nth(number) for number in (1, 3, 7, 13)] == [
        "every ",
        "every 3rd ",
        "every 7th ",
        "every 13th ",
    ]
