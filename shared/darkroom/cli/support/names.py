"""An option or argument whose value is one of some names."""

from typing import Any

import click

from darkroom.domain.nearness import suggestion


class Name(click.Choice[str]):
    """A choice whose error message suggests the name that was probably meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as exc:
            raise click.BadParameter(f"{exc.message.rstrip('.')}{self._hint(value)}", ctx, param) from exc

    def _hint(self, value: Any) -> str:
        return suggestion(str(value), map(str, self.choices))
