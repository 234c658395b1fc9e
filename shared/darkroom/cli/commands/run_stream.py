"""`darkroom run -`: the bytes of one picture in, those of its result out, and nothing else on stdout."""

import os
import sys
from pathlib import Path

import click

from darkroom.cli.support.errors import Failure
from darkroom.cli.support.files import write_atomically
from darkroom.cli.support.process_file import Source, develop_bytes
from darkroom.cli.support.run_plan import in_format_of
from darkroom.cli.support.text import printable
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.review import step_reasons
from darkroom.runtime.bootstrap import processors
from darkroom.runtime.settings import Settings, read_settings

STREAM = Path("-")


def develop_stream(source: Path, output: Path, pipeline: Pipeline, *, overwrite: bool, mask: Path | None) -> None:
    """Develop from stdin, to stdout, or both. Raises PermanentError if the picture cannot be developed."""
    pipeline = _for_output(output, pipeline, overwrite=overwrite)
    settings = read_settings(os.environ)
    name = "stdin" if source == STREAM else str(source)
    given = Source(name=name, data=_read(source, settings), mask=mask)
    made = develop_bytes(given, pipeline, settings, threads=settings.threads or processors())
    for reason in step_reasons(made.job.records):
        click.echo(f"needs review: {printable(reason.message)}", err=True)
    if output == STREAM:
        sys.stdout.buffer.write(made.data)
    else:
        write_atomically(output, made.data)


def _for_output(output: Path, pipeline: Pipeline, *, overwrite: bool) -> Pipeline:
    """The pipeline for this output. Raises UsageError or Failure if nothing can be written there."""
    if output == STREAM:
        if sys.stdout.isatty():
            raise click.UsageError("the bytes of a picture are nothing for a terminal; send them to a file or a pipe")
        return pipeline
    if output.is_dir():
        raise click.UsageError(f"{output} is a folder; what comes from stdin has no name, so give the result one")
    if output.exists() and not overwrite:
        raise Failure(f"{output} is there already (--overwrite makes it again)")
    return in_format_of(output, pipeline)


def _read(source: Path, settings: Settings) -> bytes:
    """The bytes; of a stream at most one more than are allowed, so that an endless one ends too."""
    if source != STREAM:
        return source.read_bytes()
    if sys.stdin.isatty():
        raise click.UsageError("stdin is a terminal; send a picture to it, as in `darkroom run - < photo.jpg`")
    return sys.stdin.buffer.read(settings.max_bytes + 1)
