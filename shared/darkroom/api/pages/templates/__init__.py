"""Renders HTML pages from the Jinja2 templates, style sheets and scripts in this folder.

A page contains its style and its script, and loads nothing. Its Content-Security-Policy allows exactly these two.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Page:
    """A page with the template, the style and the script of one name."""

    name: str
    has_script: bool = True

    @property
    def style(self) -> str:
        """The style sheet."""
        return _read(f"{self.name}.css")

    @property
    def script(self) -> str:
        """The script; empty without one."""
        return _read(f"{self.name}.js") if self.has_script else ""

    def render(self, **values: object) -> str:
        """The page with these values, which are escaped. Raises UndefinedError for a value that is missing."""
        template = _environment().get_template(f"{self.name}.html")
        return template.render(style=Markup(self.style), script=Markup(self.script), **values)

    def policy(self, *, forms: str = "'none'", pictures: str = "data:") -> str:
        """The Content-Security-Policy: its own style, its own script, and requests of the script to this origin.

        Parameters
        ----------
        forms
            Targets of forms.
        pictures
            Sources of pictures.
        """
        scripts = f"; connect-src 'self'; script-src {_hash_source(self.script)}" if self.has_script else ""
        return (
            f"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action {forms}; img-src {pictures}; "
            f"style-src {_hash_source(self.style)}{scripts}"
        )


def _hash_source(text: str) -> str:
    """The `hash-source` of CSP 3, which allows an inline style or script with exactly this text."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
