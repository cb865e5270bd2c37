"""The command line from outside: help, exit codes, messages, tables, JSON, progress."""

import errno
import json
import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cardioseg.cli import app as cli
from cardioseg.cli import progress
from cardioseg.cli.alike import shortened
from cardioseg.cli.progress import progress_bar
from cardioseg.cli.render import envelope, finish
from cardioseg.core import errors
from cardioseg.core.progress import Progress
from cardioseg.core.record import Record
from cardioseg.core.report import Report, Table
from cardioseg.core.version import __version__

HEAVY = (
    "torch",
    "monai",
    "SimpleITK",
    "nibabel",
    "matplotlib",
    "skimage",
    "scipy",
    "lightning_fabric",
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a separate process."""
    return subprocess.run(
        [sys.executable, "-m", "cardioseg.cli.app", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def main_with(monkeypatch):
    """Run ``main`` with a given verb; returns the exit code."""

    def call(action, *arguments: str) -> int:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(action)
        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(sys, "argv", ["cardioseg", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code

    return call


# -------------------------------------------------------------------------------------------- start


def test_help_imports_nothing_heavy():
    program = f"""
import sys
from cardioseg.cli import app
sys.argv = ["cardioseg", "--help"]
try:
    app.main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Usage" in result.stdout
    assert result.stderr.strip() == "[]"


def test_help_takes_half_a_second_of_work(unmeasured):
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("--help").check_returncode()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, the best of three: a busy machine does not change it, unlike the wall clock.
    assert min(seconds() for _ in range(3)) <= 0.5


def verbs(group, path: str = ""):
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        yield from verbs(command, f"{path}{name} ") if hasattr(command, "commands") else ()


def test_no_verb_is_registered_twice():
    names = [entry.name for entry in (*cli.app.registered_commands, *cli.app.registered_groups)]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(("name", "command"), list(verbs(typer.main.get_command(cli.app))))
def test_every_verb_and_option_has_help(name, command):
    assert (command.help or "").strip(), name
    silent = [option.name for option in command.params if not getattr(option, "help", None)]
    assert not silent, name


VERBS = [
    (name, command)
    for name, command in verbs(typer.main.get_command(cli.app))
    if not hasattr(command, "commands")
]


@pytest.mark.parametrize(("name", "command"), VERBS)
def test_every_verb_has_an_example_that_it_accepts(name, command):
    example = re.fullmatch(r"Example: `cardioseg (.+)`", command.epilog)[1]
    assert example.startswith(name)
    command.make_context(name, shlex.split(example.removeprefix(name)))


@pytest.mark.parametrize(("name", "command"), VERBS)
def test_every_option_stands_in_a_panel_of_the_help(name, command):
    shown = CliRunner().invoke(cli.app, [*name.split(), "--help"]).stdout
    options = [entry for entry in command.params if entry.param_type_name == "option"]
    panels = {entry.rich_help_panel for entry in options}
    assert None not in panels
    assert all(f"─ {panel} ─" in shown for panel in panels)


def test_version():
    assert run("--version").stdout == f"cardioseg {__version__}\n"


# --------------------------------------------------------------------------------------- exit codes

EXIT_CODES = [
    (errors.UsageError, 2),
    (errors.ConfigError, 2),
    (errors.InputError, 4),
    (errors.GeometryError, 4),
    (errors.LabelError, 4),
    (errors.ModelError, 5),
    (errors.OutputError, 6),
]


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_has_its_code_here():
    ours = {
        kind for kind in subclasses(errors.CardioSegError) if kind.__module__ == errors.__name__
    }
    assert ours == {errors.CardioSegError} | {kind for kind, _ in EXIT_CODES}


@pytest.mark.parametrize(("kind", "code"), EXIT_CODES)
def test_an_error_is_one_line_and_its_exit_code(main_with, capsys, kind, code):
    def verb() -> None:
        raise kind(Path("heart.nii.gz"), found="3\nchannels", expected="1", cure="split the file")

    assert main_with(verb) == code
    shown = capsys.readouterr()
    assert shown.err == "error: heart.nii.gz: found 3 channels; expected 1; split the file\n"
    assert shown.out == ""


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ValueError("odd\nthing"), 1, "ValueError: odd thing"),
        (AssertionError(), 1, "AssertionError"),
        (OSError(errno.EACCES, "Permission denied"), 1, "Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), 6, "No space left on device"),
        (MemoryError(), 6, "out of memory"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            6,
            "can't allocate memory",
        ),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), 6, "--device"),
    ],
)
def test_a_foreign_error_is_one_line_and_a_code(main_with, capsys, error, code, says):
    def verb() -> None:
        raise error

    assert main_with(verb) == code
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert says in shown


def test_with_json_an_error_is_an_object_on_stdout_too(main_with, capsys):
    def verb(json: bool = False) -> None:
        raise errors.InputError("a.nii", found="b", expected="c", cure="d")

    assert main_with(verb, "--json") == errors.EXIT_INPUT
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert (told["exit_code"], told["data"], told["files"]) == (errors.EXIT_INPUT, {}, [])
    assert shown.err == f"error: {told['error']}\n"


def test_an_interrupt_ends_with_130_and_says_so(main_with, capsys):
    def verb() -> None:
        raise KeyboardInterrupt

    assert main_with(verb) == 130
    assert capsys.readouterr().err.strip() == "error: interrupted"


def test_an_interrupt_before_the_verb_ends_with_130(monkeypatch, capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_the_traceback_is_there_when_asked_for(main_with, capsys, monkeypatch):
    def verb() -> None:
        raise errors.InputError("a", found="b", expected="c", cure="d")

    monkeypatch.setenv("CARDIOSEG_DEBUG", "1")
    assert main_with(verb) == 4
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("nosuchverb",), ("--nosuchoption",)])
def test_wrong_usage_ends_with_2(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert arguments[0] in result.stderr
    assert "Traceback" not in result.stderr


# ------------------------------------------------------------------------------------------ reports


class Facts(Record):
    cases: int
    failed: tuple[str, ...] = ()
    ef: float | None = None


REPORT = Report(
    verb="segment",
    data=Facts(cases=2, failed=("b [1].nii",)),
    tables=(Table("Cases [mm]", ("case", "Dice"), (("a", "0.91"), ("b [1]", "–"))),),
    warnings=("b [1].nii: truncated",),
    files=(Path("out") / "a_mask.nii.gz", Path("out") / ("long" * 60)),
    exit_code=errors.EXIT_SOME_FAILED,
)


def test_json_is_one_object_with_the_same_keys_for_every_verb(capsys):
    with pytest.raises(typer.Exit) as caught:
        finish(REPORT, json_output=True)
    assert caught.value.exit_code == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "schema": 1,
        "version": __version__,
        "verb": "segment",
        "exit_code": 3,
        "data": {"cases": 2, "failed": ["b [1].nii"], "ef": None},
        "warnings": ["b [1].nii: truncated"],
        "files": [str(path) for path in REPORT.files],
    }
    assert shown.err == ""
    assert envelope(Report("train")).keys() == envelope(REPORT).keys()


def test_json_refuses_what_json_cannot_say():
    with pytest.raises(ValueError, match="finite"):
        Facts(cases=1, ef=float("nan"))


def test_tables_and_files_go_to_stdout_whole_and_warnings_to_stderr(capsys):
    with pytest.raises(typer.Exit):
        finish(REPORT, json_output=False)
    shown = capsys.readouterr()
    assert shown.err == "warning: b [1].nii: truncated\n"
    assert "Cases [mm]" in shown.out
    assert "b [1]" in shown.out
    assert shown.out.splitlines()[-2:] == [str(path) for path in REPORT.files]


def test_a_report_without_fault_returns(capsys):
    finish(Report("train", data=Facts(cases=3)), json_output=False)
    assert capsys.readouterr().out == ""


def test_many_warnings_are_one_line_a_kind(capsys):
    spacings = [f"case{index}: pixdim {index}.5 mm was trusted" for index in range(12)]
    verdicts = [f"case{index}: quality fail: no LV (frame {index})" for index in range(5)]
    doubt = "case3: no structure found: the mask is empty"
    shown = shortened([*spacings, *verdicts, doubt])
    assert shown == [f"12 like this: {spacings[0]}", f"5 like this: {verdicts[0]}", doubt]
    finish(Report("segment", warnings=(*spacings, doubt)), json_output=False)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_few_warnings_and_every_failure_are_shown_as_they_are():
    few = ["a: quality fail: x", "b: quality fail: x", "c: quality fail: x"]
    assert shortened(few) == few
    failed = [f"{index}.nii: found nothing; expected voxels; copy it again" for index in range(9)]
    assert shortened(failed) == failed


def test_numbers_stand_right_and_names_left(capsys):
    rows = (("a", "1.5", "9 mm"), ("bcd", "−12.25 %", "x"), ("e", "–", ""))
    finish(
        Report("evaluate", tables=(Table("t", ("name", "long title", "note of it"), rows),)),
        json_output=False,
    )
    line = next(line for line in capsys.readouterr().out.splitlines() if "9 mm" in line)
    name, number, note = (cell[1:-1] for cell in line.strip("│").split("│"))
    assert (name.rstrip(), number.strip(), note.rstrip()) == ("a", "1.5", "9 mm")
    assert number.endswith("1.5")


# ----------------------------------------------------------------------------------------- progress


def test_progress_off_a_terminal_is_plain_lines_on_stderr(capsys):
    with progress_bar("segment") as report:
        for done in range(1, 51):
            report(Progress(done, 50, f"case {done}", {"dice": "0.9"}))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "segment: 1/50 dice 0.9  case 1",
        "segment: 50/50 dice 0.9  case 50",
    ]


def test_progress_by_case_off_a_terminal_is_one_line_a_case(capsys):
    with progress_bar("segment", cases=True) as report:
        for index, name in enumerate(("a", "b", "c")):
            for share in (0, 0.25, 0.5, 1, 1):
                report(Progress(index + share, 3, name))
    assert capsys.readouterr().err.splitlines() == [
        "segment: 1/3 a",
        "segment: 2/3 b",
        "segment: 3/3 c",
    ]


def test_a_long_case_off_a_terminal_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_IN_A_CASE", 0.0)
    with progress_bar("segment", cases=True) as report:
        report(Progress(2.25, 50, "c"))
        report(Progress(2.5, 50, "c"))
    assert capsys.readouterr().err.splitlines()[-1] == "segment: 2/50 done, 50% of c"


def test_progress_says_nothing_when_quiet(capsys):
    with progress_bar("segment", quiet=True) as report:
        report(Progress(1, 1, "case"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
def test_progress_on_a_terminal_is_a_bar_and_keeps_brackets():
    import pty

    program = """
from cardioseg.cli.progress import progress_bar
from cardioseg.core.progress import Progress
with progress_bar("train [x]") as report:
    report(Progress(1, 0, "warming up"))
    report(Progress(3, 4, "case [1]", {"loss": "0.25"}))
    print("result")
"""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.stdout == b"result\n"
    assert "train [x]" in shown
    assert "75%" in shown
    assert "loss 0.25  case [1]" in shown
