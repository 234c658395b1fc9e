"""What do the pages have in common?

Each stands alone: nothing is loaded from elsewhere, and its policy allows nothing but what it carries itself.
"""

import hashlib
from base64 import b64encode
from html import escape

from darkroom.domain.pipeline import Preset
from darkroom.domain.presets import PRESET_RULES


def policy(style: str, script: str = "", *, forms: str = "'none'", pictures: str = "data:") -> str:
    """The Content-Security-Policy of a page with this style, and with a script that asks this origin, if it has one."""
    scripts = f"; connect-src 'self'; script-src {_hash_source(script)}" if script else ""
    return (
        f"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action {forms}; img-src {pictures}; "
        f"style-src {_hash_source(style)}{scripts}"
    )


def _hash_source(text: str) -> str:
    """By which a policy allows a style or script that stands in the page (CSP 3, `hash-source`)."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def preset_options(chosen: Preset) -> str:
    """Every preset with what it does, as the options of a `select`."""
    return "".join(
        f'<option value="{name}"{" selected" if name == chosen else ""}>{name}: {escape(rules.summary)}</option>'
        for name, rules in PRESET_RULES.items()
    )
