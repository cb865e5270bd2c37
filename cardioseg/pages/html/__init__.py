"""Self-contained HTML pages, put together by Jinja from the templates beside this file.

Everything is escaped. A page loads nothing: its content security policy forbids the browser every
request.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.core.atomic import remove, write_bytes
from cardioseg.core.errors import OutputError
from cardioseg.core.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS = Path(__file__).parent
NOTICE = "Research use only; not a medical device."
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; form-action 'none'"
)
GENERATOR = f'<meta name="generator" content="cardioseg {__version__}">'
OURS = b'<meta name="generator" content="cardioseg'
HEAD_BYTES = 4096


def render(template: str, **facts: Any) -> str:
    """A page from the template of this name."""
    return (
        _environment()
        .get_template(template)
        .render(
            notice=NOTICE,
            policy=POLICY,
            generator=GENERATOR,
            maker=f"cardioseg {__version__}",
            **facts,
        )
    )


def write_page(path: Path, page: str, *, overwrite: bool = False) -> None:
    """Write a page, also over an earlier page of ours; invalid Unicode becomes question marks.

    Raises:
        OutputError: there is another file of this name, or the folder cannot be written.
    """
    if not overwrite and path.exists() and not is_page(path):
        cure = "choose another --output, or pass --overwrite to lose it"
        raise OutputError(
            path,
            found="a file that cardioseg did not make",
            expected="none of this name",
            cure=cure,
        )
    write_bytes(path, page.encode("utf-8", "replace"))


def remove_page(path: Path, *, mark: str = "") -> None:
    """Remove a page of ours, with ``mark`` one that has it; another file of its name stays.

    Raises:
        OutputError: it is there to stay.
    """
    if is_page(path, mark=mark):
        remove(path)


def is_page(path: Path, *, mark: str = "") -> bool:
    """Whether a page of ours lies there, with ``mark`` in its head."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return OURS in head and mark.encode() in head


def brief(value: Any) -> str:
    """A number in four digits; "–" for none; anything else as it is."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def asset(name: str) -> Markup:
        """A file of ours as it is: a style, a script."""
        return Markup((ASSETS / name).read_text(encoding="utf-8"))  # noqa: S704 — it lies in the package, no input reaches it

    def data(value: Any) -> Markup:
        """JSON for a script element, which only "<" could end."""
        return Markup(json.dumps(value, allow_nan=False).replace("<", "\\u003c"))  # noqa: S704 — escaped on this line

    loader = FileSystemLoader(ASSETS, encoding="utf-8")
    # Everything is escaped, whatever a template's name ends in.
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=asset)
    environment.filters.update(data=data, brief=brief)
    return environment
