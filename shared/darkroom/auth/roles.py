"""Defines the roles of callers and what each may do."""

import re
from typing import Literal, cast, get_args

#: Each may do what those before it may.
Role = Literal["submitter", "reviewer", "admin"]
_ACCOUNT = re.compile(r"[^\s=@]+(@[^\s=@]+)?")


def read_roles(text: str) -> dict[str, Role]:
    """The roles from a setting, by address or by the domain of an address. Raises ValueError.

    >>> read_roles("ada@example.com=admin, shop.example=submitter")
    {'ada@example.com': 'admin', 'shop.example': 'submitter'}
    """
    found: dict[str, Role] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        account, _, role = part.partition("=")
        if role not in get_args(Role) or not _ACCOUNT.fullmatch(account):
            raise ValueError(
                f"{part!r} is no role, expected address=role or domain=role, of {', '.join(get_args(Role))}"
            )
        found[account.lower()] = cast(Role, role)
    return found
