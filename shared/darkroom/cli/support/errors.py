"""Prints failures in the terminal and sets the exit status.

One line on stderr, `darkroom: …`, and an exit status: 1 for a failure, 2 for a command line that is not valid (click's
own), 130 for an interruption. Only an unexpected failure has a traceback, and only with `--debug`.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from darkroom.cli.support.text import of_file, printable
from darkroom.domain.errors import DarkroomError
from darkroom.runtime.extras import missing_extra

INTERRUPTED = 130
#: Where to find details of an unexpected failure.
WHERE = "`darkroom --debug …` shows where"


class Failure(click.ClickException):
    """A failure in one line."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"darkroom: {printable(self.message)}", file=file, err=True)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what is left to do as its message."""


@contextmanager
def one_line_each(*, debug: bool) -> Iterator[None]:
    """Turn every exception into click's, which ends the process."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt as exc:
        click.echo(f"darkroom: {exc if isinstance(exc, Interrupted) else 'interrupted'}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from exc
    except DarkroomError as exc:
        raise Failure(str(exc)) from exc
    except OSError as exc:
        if exc.errno == errno.EPIPE:  # the reader of our output has gone, as `head` does; click ends quietly
            raise
        raise Failure(of_file(exc)) from exc
    except Exception as exc:
        if isinstance(exc, ModuleNotFoundError) and (missing := missing_extra(exc)):
            raise Failure(str(missing)) from exc
        if debug:
            raise
        raise Failure(f"unexpected {type(exc).__name__}: {exc} ({WHERE})") from exc
