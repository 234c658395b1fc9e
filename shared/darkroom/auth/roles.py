"""Defines the roles of callers and what each may do."""

import re
from typing import Literal, cast, get_args

#: Each may do what those before it may.
Role = Literal["submitter", "reviewer", "admin"]
_WHO = re.compile(r"[^\s=@]+(@[^\s=@]+)?")


def read_roles(text: str) -> dict[str, Role]:
    """The roles of people, by address, or by the domain of it, as a setting tells them. Raises ValueError.

    >>> read_roles("ada@example.com=admin, shop.example=submitter")
    {'ada@example.com': 'admin', 'shop.example': 'submitter'}
    """
    found: dict[str, Role] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        who, _, role = part.partition("=")
        if role not in get_args(Role) or not _WHO.fullmatch(who):
            raise ValueError(
                f"{part!r} is no role, expected address=role or domain=role, of {', '.join(get_args(Role))}"
            )
        found[who.lower()] = cast(Role, role)
    return found
