"""docs/command-line.md and the commands' help say the same, and every example in them works."""

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from darkroom.cli.commands.keys import keys_of
from darkroom.cli.main import COMMANDS, cli
from darkroom.cli.support.pipeline_options import OutputOption
from darkroom.cli.support.schema import allowed, default, description
from darkroom.cli.support.service import Service
from darkroom.domain.parameters import FinishParameters
from darkroom.domain.pipeline import PRESETS
from darkroom.runtime.ports import JobQuery
from tests import networks
from tests.pictures import jpeg_bytes, png_bytes
from tests.world import World, memory_world

DOCS = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
#: Files that the examples speak of; a folder with one picture needs no other process.
PICTURES = ("photo.jpg", "front.jpg", "back.jpg", "portrait.jpg", "photos/1931/a.jpg")
EXAMPLE_ID = "3f2a91c0b7d2"
#: Commands that occupy a terminal or the whole machine; their examples are parsed here and run in tests/e2e.
LONG = ("up", "demo")
#: Fetches from elsewhere: its examples are parsed here, and tests/weights.py runs it.
FETCHING = ["models", "get"]


def commands() -> dict[str, click.Command]:
    ctx = click.Context(cli)
    return {name: command for name in COMMANDS if (command := cli.get_command(ctx, name))}


def section(name: str) -> str:
    """The part of the docs about a command, with its heading."""
    parts = re.split(r"^(?=## )", DOCS, flags=re.MULTILINE)
    return next(part for part in parts if re.match(rf"## .*\b{name}\b", part))


def help_of(*path: str) -> str:
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0, result.output
    return result.output


def examples_in(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if re.match(r"\s*darkroom (?!COMMAND)[a-z]", line)]


def all_examples() -> list[str]:
    from_help = [example for name in COMMANDS for example in examples_in(commands()[name].epilog or "")]
    return sorted({*from_help, *examples_in(cli.epilog or ""), *examples_in(DOCS)})


def argv_of(example: str) -> list[str]:
    """The arguments of the example's (first) darkroom, without redirections and what follows a pipe."""
    words = shlex.split(example)
    end = next((index for index, word in enumerate(words) if word in ("<", ">", "|")), len(words))
    return words[1:end]


def described_networks() -> list[str]:
    """The descriptions of networks of one's own that docs/models.md shows."""
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    return [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[contract]" in block]


def runs_here(example: str) -> bool:
    return argv_of(example)[0] not in LONG and argv_of(example)[:2] != FETCHING


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the examples name."""
    for index, name in enumerate(PICTURES):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_bytes(quality=80 + index))
    (tmp_path / "mask.png").write_bytes(png_bytes(np.diag(np.full(64, 255, np.uint8))[:48]))
    (tmp_path / "pipeline.json").write_text('{"preset": "optimize"}')
    (tmp_path / "steps").mkdir()
    (tmp_path / "general-x4v3.onnx").write_bytes(networks.srvgg(4, 2))
    (tmp_path / "x2.onnx").write_bytes(networks.srvgg(4, 2, scale=2))
    (tmp_path / "mine.onnx").write_bytes(networks.nafnet())
    (tmp_path / "mine.toml").write_text(described_networks()[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKROOM_THREADS", "1")
    monkeypatch.setenv("DARKROOM_MODELS", str(tmp_path / "models"))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_heading_and_its_summary_is_the_first_line_of_its_help(name: str) -> None:
    assert section(name)
    summary = COMMANDS[name][1]
    assert (commands()[name].help or "").splitlines()[0] == summary


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_in_its_help_and_every_example_of_the_help_is_in_the_docs(name: str) -> None:
    examples = examples_in(commands()[name].epilog or "")
    assert any(argv_of(example)[0] == name for example in examples)
    assert [example for example in examples if example not in examples_in(DOCS)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_section_of_its_command(name: str) -> None:
    options = [param for param in commands()[name].params if isinstance(param, click.Option)]
    own = [option for option in options if not isinstance(option, OutputOption)]
    missing = [
        word for option in own for word in (*option.opts, *option.secondary_opts) if f"`{word}" not in section(name)
    ]
    assert missing == []


def test_every_option_of_the_group_is_in_the_docs() -> None:
    assert [word for param in cli.params for word in param.opts if word not in DOCS] == []


def test_the_table_of_output_options_is_the_table_of_finish_parameters() -> None:
    expected = []
    for name, schema in FinishParameters.model_json_schema()["properties"].items():
        usual = {"true": "on", "false": "off"}.get(default(schema), default(schema))
        value = "" if schema.get("type") == "boolean" else f"`{allowed(schema)}`".replace("|", "\\|")
        expected.append(f"| `--{name.replace('_', '-')}` | {value} | {description(schema)} | {usual} |")
    table = [line for line in section("run").splitlines() if line.startswith("| `--")][-len(expected) :]
    assert table == expected


@pytest.mark.parametrize("name", ["run", "submit", "review"])
def test_the_output_options_of_a_command_are_the_parameters_of_finish(name: str) -> None:
    found = {param.name for param in commands()[name].params if isinstance(param, OutputOption)}
    assert found == set(FinishParameters.model_fields) - ({"background_object"} if name == "run" else set())


def test_every_preset_that_an_example_names_exists() -> None:
    named = [word for example in all_examples() for word in re.findall(r"--preset (\w+)", example)]
    assert named
    assert set(named) <= set(PRESETS)


@pytest.mark.parametrize("example", all_examples())
def test_every_example_parses(example: str, here: Path) -> None:
    name, *args = argv_of(example)
    with commands()[name].make_context(name, args, parent=click.Context(cli)) as ctx:
        assert ctx.command.name == name


@pytest.mark.parametrize("example", [example for example in all_examples() if runs_here(example)])
def test_every_example_that_can_run_here_does(example: str, here: Path) -> None:
    result = run_example(example, prepared(example))
    assert result.exit_code == 0, f"{example}\n{result.output}"


def run_example(example: str, world: World) -> Result:
    service = Service(system=world.system, pause=lambda _seconds: world.deliver_all())
    given = Path("photo.jpg").read_bytes() if "<" in shlex.split(example) else None
    known = next((job.id for job in world.system.jobs.query(JobQuery()).jobs), "")
    known = known or next((key.id for key in keys_of(world.system).all()), "")
    args = [known[: len(word)] if EXAMPLE_ID.startswith(word) else word for word in argv_of(example)]
    return CliRunner().invoke(cli, args, obj=service, input=given)


def prepared(example: str) -> World:
    """A world in which the example has something to act on: one job, in the state that its command expects."""
    world = memory_world()
    name = argv_of(example)[0]
    if name in ("jobs", "show", "explain", "get", "review", "cancel"):
        world.drop("denoise/photo.jpg", jpeg_bytes())
        world.deliver(limit=1) if name == "cancel" else world.deliver_all()
    elif name == "keys":
        keys_of(world.system).create("shop", "submitter")
    elif "models remove" in example:
        added = "models add upscale general-x4v3.onnx --as realesr-general-x4v3"
        assert CliRunner().invoke(cli, added.split()).exit_code == 0
    elif "models use upscale" in example:
        assert CliRunner().invoke(cli, ["models", "add", "upscale", "x2.onnx", "--as", "span-x2"]).exit_code == 0
    elif name == "replay":
        world.drop("denoise/photo.jpg", b"no picture")
        world.deliver_all()
    return world


EXIT_STATUSES: dict[str, tuple[list[str], int]] = {
    "everything done": (["run", "photo.jpg", "-o", "out", "--preset", "optimize"], 0),
    "a file that is no picture": (["run", "pipeline.json", "-o", "out"], 1),
    "an unknown job": (["show", "0123456789ab"], 1),
    "an unknown option": (["run", "photo.jpg", "--sharpness", "2"], 2),
    "a value out of range": (["run", "photo.jpg", "-o", "out", "--quality", "101"], 2),
    "a pipeline that cannot be": (["run", "photo.jpg", "-o", "out", "--stages", "denoise:strength=2"], 2),
}


@pytest.mark.parametrize("case", EXIT_STATUSES)
def test_exit_statuses_are_as_documented(case: str, here: Path) -> None:
    args, status = EXIT_STATUSES[case]
    result = CliRunner().invoke(cli, args, obj=Service(system=memory_world().system))
    assert result.exit_code == status, result.output
    assert re.search(rf"^\| {status} \|", DOCS, re.MULTILINE)
