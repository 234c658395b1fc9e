"""The `darkroom` command and its subcommands.

A command's module is imported when the command is used: `darkroom --help` needs none of them.
"""

import importlib
from collections.abc import Mapping

import click

from darkroom.cli.support.errors import one_line_each

#: The commands by subject, each with its one line of help; `darkroom NAME` is `darkroom.cli.commands.<module>.<NAME>`.
SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Here, without a server": {
        "run": ("run", "Develop files or whole folders on this machine."),
        "up": ("up", "Run the whole service on this machine until Ctrl-C."),
        "demo": ("demo", "Send a photograph through the service on this machine and show the result."),
    },
    "The service (on this machine, or on Google Cloud if so configured)": {
        "submit": ("submit", "Upload photographs to the uploads bucket."),
        "jobs": ("jobs", "List jobs, newest first."),
        "show": ("jobs", "Show one job."),
        "explain": ("explain", "Explain what happened to a job, why, and what to do next."),
        "get": ("get", "Fetch a result, its manifest, the original, or the picture after a stage."),
        "cancel": ("job_actions", "Stop jobs."),
        "replay": ("job_actions", "Let failed jobs go on from the step that failed."),
        "review": ("job_actions", "Approve or reject a result, or have it done again in another way."),
        "verdict": ("verdict", "Fit the verdict to the decisions of reviewers."),
        "keys": ("keys", "Create, list and revoke keys of the HTTP API."),
    },
    "What there is": {
        "stages": ("list_info", "List the stages with their parameters, limits and defaults."),
        "presets": ("list_info", "List the presets and what each of them does."),
        "models": ("models", "List the installed models with licence, version and checksum."),
        "estimate": ("estimate", "Estimate what pictures cost on Google Cloud."),
    },
}
COMMANDS: Mapping[str, tuple[str, str]] = {name: it for section in SECTIONS.values() for name, it in section.items()}


class Darkroom(click.Group):
    """The group; every failure of a command passes through `one_line_each`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"darkroom.cli.commands.{module}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as exc:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=list(COMMANDS), ctx=ctx) from exc

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(len("presets")), summary) for name, (_, summary) in commands.items()])

    def invoke(self, ctx: click.Context) -> object:
        with one_line_each(debug=bool(ctx.params["debug"])):
            return super().invoke(ctx)


EPILOG = """\b
Examples:
  darkroom run photo.jpg -o restored.jpg
  darkroom run photos -o restored --preset restore
  darkroom COMMAND --help"""


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from darkroom import __version__

        click.echo(f"darkroom {__version__}")
        ctx.exit()


@click.group(
    cls=Darkroom,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EPILOG,
)
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected failure.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
def cli(debug: bool) -> None:
    """Restore, correct and finish photographs.

    Exit status: 0 if everything was done, 1 if anything failed (one file of many too), 2 if the command line is not
    valid, 130 after Ctrl-C.
    """


def main() -> None:
    """The console script."""
    cli(prog_name="darkroom")
