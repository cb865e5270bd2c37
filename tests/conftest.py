"""What all tests share: threads, plots, a Hypothesis profile, ACDC where it is available."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from cardioseg.core.errors import EXIT_OK

os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # before torch is imported: the workers share the cores already

settings.register_profile("cardioseg", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("cardioseg")

ACDC = os.environ.get("CARDIOSEG_ACDC")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``acdc`` unless CARDIOSEG_ACDC names the folder."""
    if ACDC:
        return
    for item in items:
        if item.get_closest_marker("acdc"):
            item.add_marker(pytest.mark.skip(reason="CARDIOSEG_ACDC names no folder"))


@pytest.fixture(scope="session")
def acdc() -> Path:
    """The ACDC folder; for tests marked ``acdc``."""
    folder = Path(ACDC or "").expanduser()
    assert ACDC, "a test that asks for ACDC must be marked acdc"
    assert any(folder.rglob("patient*/Info.cfg")), f"CARDIOSEG_ACDC={folder} holds no patient"
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from tiny import save_tiny_model  # brings torch, which must see the number of threads first

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def unmeasured(monkeypatch):
    """Processes that the test starts run without coverage, which costs them time."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def out(tmp_path):
    """Where results go; not there yet."""
    return tmp_path / "out"


@pytest.fixture(scope="module")
def browser():
    from browser import Browser

    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def attempt(model, out):
    """Run the command into ``out``, however it ends."""
    from tiny import cardioseg

    def run(*arguments, output=out, by=model):
        return cardioseg("segment", *arguments, "--output", output, "--model", by, "--quiet")

    return run


@pytest.fixture
def segment(attempt, out):
    """Run the command into ``out`` and check its exit code."""

    def run(*arguments, output=out, code=EXIT_OK):
        done = attempt(*arguments, output=output)
        assert done.code == code, done.err
        return done

    return run
