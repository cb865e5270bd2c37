"""``cardioseg doctor``: what a bug report should say about the installation and the machine.

It names no person, no computer and no folder. A broken package is reported, not raised.
"""

import os
import platform
import re
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from cardioseg.core.errors import EXIT_MODEL, EXIT_OK
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table
from cardioseg.core.version import __version__

GIB = 2**30
NAME = re.compile(r"[\w.-]+")
OPTIONAL = re.compile(r"extra == ['\"]dicom['\"]")
FOLDERS = re.compile(
    r"(?:~|[A-Za-z]:)?[/\\](?:[^/\\:;'\"]+[/\\])*"
)  # the start of an absolute path
VERIFIED = "ok"


class Machine(Record):
    """The computer, as far as it matters for a run.

    Attributes:
        platform: operating system, its release and the processor architecture.
        python: implementation and version.
        cores: processors that this process may use.
        threads: threads that torch uses; None if torch cannot be imported.
        memory_gib: main memory; None if the system does not tell.
        free_disk_gib: free space in the current folder; None if the system does not tell.
        device: what ``--device auto`` chooses; None if torch cannot be imported.
        gpus: name and memory of each CUDA device.
        torch_error: why torch cannot be imported or cannot see its devices; "" if it can.
    """

    platform: str
    python: str
    cores: int
    threads: int | None
    memory_gib: float | None
    free_disk_gib: float | None
    device: str | None
    gpus: tuple[str, ...]
    torch_error: str


class DoctorData(Machine):
    """``cardioseg doctor --json``: the installation and the machine.

    Attributes:
        cardioseg: its version.
        packages: package → version; None if it is missing.
        models: shipped model → "ok", or what is wrong with it.
    """

    cardioseg: str
    packages: dict[str, str | None]
    models: dict[str, str]


def doctor() -> Report:
    """Versions, machine, and whether each shipped model passes its check; exit code 5 if not."""
    packages = package_versions()
    machine = this_machine()
    models = checked_models()
    broken = [f"{name}: {state}" for name, state in models.items() if state != VERIFIED]
    if not models:
        broken = ["no model is installed; install cardioseg again"]
    torch_error = [f"torch: {machine.torch_error}"] if machine.torch_error else []
    data = DoctorData(**dict(machine), cardioseg=__version__, packages=packages, models=models)
    return Report(
        "doctor",
        data,
        _tables(machine, packages, models),
        (*torch_error, *broken),
        exit_code=EXIT_MODEL if broken else EXIT_OK,
    )


# ---------------------------------------------------------------------------------------- packages


def package_versions() -> dict[str, str | None]:
    """Installed version of each required package, and of those for DICOM-SEG; None if missing."""
    try:
        requirements = metadata.requires("cardioseg") or []
    except metadata.PackageNotFoundError:  # run from a source folder
        requirements = ["torch"]
    kept = [text for text in requirements if "extra ==" not in text or OPTIONAL.search(text)]
    names = sorted({match[0] for text in kept if (match := NAME.match(text))}, key=str.lower)
    return {name: _version(name) for name in names}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# ----------------------------------------------------------------------------------------- machine


def this_machine() -> Machine:
    """What this process finds."""
    threads, device, gpus, error = _torch()
    return Machine(
        platform=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        cores=_cores(),
        threads=threads,
        memory_gib=_memory_gib(),
        free_disk_gib=_free_disk_gib(),
        device=device,
        gpus=gpus,
        torch_error=error,
    )


def _torch() -> tuple[int | None, str | None, tuple[str, ...], str]:
    """Threads, chosen device, GPUs, error."""
    try:
        import torch

        from cardioseg.layers.devices import choose_device

        found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        gpus = tuple(f"{gpu.name}, {gpu.total_memory / GIB:.0f} GiB" for gpu in found)
        return torch.get_num_threads(), choose_device("auto").type, gpus, ""
    except Exception as error:  # noqa: BLE001 — a broken installation is what this verb reports
        return None, None, (), without_paths(f"{type(error).__name__}: {error}")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    except (AttributeError, OSError, ValueError):  # Windows; systems without these names
        return None


def _free_disk_gib() -> float | None:
    try:
        return round(shutil.disk_usage(".").free / GIB, 1)
    except OSError:
        return None


# ------------------------------------------------------------------------------------------ models


def checked_models() -> dict[str, str]:
    """For each shipped model "ok" if it loads with the right hash, else the reason."""
    try:
        from cardioseg.bundle import load_model, shipped_models
    except Exception as error:  # noqa: BLE001 — as above
        reason = without_paths(f"{type(error).__name__}: {error}")
        return {"models": f"not checked, because the code that reads them fails: {reason}"}
    return {name: _checked(name, load_model) for name in shipped_models()}


def _checked(name: str, load: Callable[[str], object]) -> str:
    try:
        load(name)
    except Exception as error:  # noqa: BLE001 — as above
        return without_paths(str(error) or type(error).__name__)
    return VERIFIED


def without_paths(text: str) -> str:
    """``text`` on one line, its paths without their folders, which can hold a person's name."""
    hidden = " ".join(text.split()).replace(str(Path.home()), "~")
    return FOLDERS.sub("…/", hidden)


# ------------------------------------------------------------------------------------------ report


def _tables(
    machine: Machine, packages: dict[str, str | None], models: dict[str, str]
) -> tuple[Table, ...]:
    facts = (
        ("cardioseg", __version__),
        ("Python", machine.python),
        ("platform", machine.platform),
        ("device", machine.device or "unknown"),
        *(("GPU", gpu) for gpu in machine.gpus),
        ("cores", str(machine.cores)),
        ("threads", "unknown" if machine.threads is None else str(machine.threads)),
        ("memory", _gib(machine.memory_gib)),
        ("free disk", _gib(machine.free_disk_gib)),
    )
    versions = tuple((name, version or "not installed") for name, version in packages.items())
    return (
        Table("Machine", ("", ""), facts),
        Table("Packages", ("package", "version"), versions),
        Table("Models", ("model", "check"), tuple(models.items())),
    )


def _gib(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} GiB"
