"""The pages tell what the code does: links, names, tables and examples are held to it."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
import pytest

from darkroom.cli.main import COMMANDS, cli
from darkroom.domain import errors
from darkroom.domain.envelope import encode
from darkroom.domain.job import Job
from darkroom.domain.manifest import build_manifest
from darkroom.domain.messages import StageAttemptFailed, StageCompleted, StageFailed, StageRequested
from darkroom.domain.parameters import PARAMETERS
from darkroom.domain.pipeline import PRESETS
from darkroom.domain.planner import make_plan
from darkroom.domain.presets import PRESET_RULES
from darkroom.domain.topology import STAGES, SUBSCRIPTIONS
from darkroom.inference.registry import Registry
from darkroom.runtime.logs import Action
from darkroom.runtime.settings import DEFAULT_REGISTRY, PREFIX, Settings
from tests.docs.pages import ROOT, anchors, blocks, names, page, pages, prose, spans, table
from tests.jobs import BUCKETS, NO_MODELS, new_job, record, report

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NODE = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
#: Variables that belong to the tests and not to the system.
TEST_VARIABLES = {f"DARKROOM_REQUIRE_{what}" for what in ("EMULATORS", "TERRAFORM", "BROWSER", "WEIGHTS", "TRAINING")}

each_page = pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))


def sources() -> list[Path]:
    return sorted((ROOT / "shared").rglob("*.py"))


@each_page
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(prose(path)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{path.name} links to {target}"


@each_page
def test_every_test_that_is_named_exists(path: Path) -> None:
    for file, test in NODE.findall(path.read_text(encoding="utf-8")):
        assert (ROOT / file).exists(), file
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"


def test_every_scenario_of_the_delivery_names_its_test() -> None:
    sections = re.split(r"^## ", page("docs/delivery.md"), flags=re.MULTILINE)[1:]
    without_scenario = {"Messages", "The manifest"}
    for section in sections:
        title = section.splitlines()[0]
        assert title in without_scenario or NODE.search(section), title


@each_page
def test_every_block_of_python_and_json_is_valid(path: Path) -> None:
    for language, content in blocks(path):
        if language == "python":
            compile(content, str(path), "exec")
        elif language == "json":
            json.loads(content)


@each_page
def test_mermaid_diagrams_keep_clear_of_what_breaks_them(path: Path) -> None:
    """In a sequence diagram a semicolon ends a statement and a hash begins an entity."""
    for language, content in blocks(path):
        if language == "mermaid":
            assert not re.search("[;#]", content), content


def examples(path: Path) -> Iterator[list[str]]:
    """The words of every `darkroom …` example of a page."""
    lines = [line.strip().removeprefix("$ ") for language, text in blocks(path) if language in ("sh", "console")
             for line in text.replace("\\\n", " ").splitlines()]  # fmt: skip
    for line in [*lines, *spans(path)]:
        if line.startswith("darkroom "):
            yield re.split(r"\s+#", line)[0].split()


@each_page
def test_every_example_of_the_command_line_has_an_existing_command_and_options(path: Path) -> None:
    for _, *words in examples(path):
        name = next((word for word in words if not word.startswith("-")), None)
        if name is None or name == "…":
            continue
        assert name in COMMANDS, " ".join(words)
        with click.Context(cli) as context:
            command = cli.get_command(context, name)
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {}
        command = next((inner[word] for word in words if word in inner), command)
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= known | {"--help", "-h", "--debug", "--version"}, " ".join(words)


@each_page
def test_every_target_of_make_that_is_named_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    told = [*spans(path), *(line for language, text in blocks(path) if language == "sh" for line in text.splitlines())]
    for line in told:
        if found := re.match(r"make ([a-z]+)", line.strip()):
            assert found[1] in targets, line


def test_the_readme_opens_with_the_two_commands() -> None:
    language, first = blocks(ROOT / "README.md")[0]
    assert language == "sh"
    assert re.findall(r"^make [a-z]+", first, re.MULTILINE)[:2] == ["make demo", "make test"]


def type_in_words(field: str) -> str:
    schema = Settings.model_json_schema()["properties"][field]
    if "enum" in schema:
        *most, last = (f"`{value}`" for value in schema["enum"])
        return f"{', '.join(most)} or {last}"
    words = {"integer": "integer", "string": "text", "boolean": "`true` or `false`"}
    return "path" if schema.get("format") == "path" else words[schema["type"]]


def default_in_words(field: str) -> str:
    if field == "registry":
        return f"`{DEFAULT_REGISTRY.relative_to(ROOT)}` of this code"
    default = Settings.model_fields[field].default
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{shown}`" if shown else ""


def test_the_table_of_settings_is_the_settings() -> None:
    told = {names(cells[0])[0]: (cells[1], cells[3]) for cells in table("docs/operations.md", "variable")}
    assert told == {
        PREFIX + field.upper(): (type_in_words(field), default_in_words(field)) for field in Settings.model_fields
    }


@each_page
def test_every_variable_that_is_named_is_a_setting(path: Path) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields} | TEST_VARIABLES
    assert set(re.findall(r"DARKROOM_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8"))) <= known


def logged() -> dict[str, set[str]]:
    """The severities under which the code logs each action; only lines of libraries are not made by a call of ours."""
    found: dict[str, set[str]] = {"library": {"WARNING", "ERROR"}}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "log_unexpected":
                found.setdefault("unexpected", set()).add("ERROR")
            elif node.func.id == "log":
                severity, action = (ast.literal_eval(argument) for argument in node.args[:2])
                found.setdefault(action, set()).add(severity)
    return found


def test_the_table_of_actions_is_what_is_logged() -> None:
    told = {names(cells[0])[0]: set(cells[1].split(", ")) for cells in table("docs/operations.md", "action")}
    assert told == logged()
    assert told.keys() == set(get_args(Action))


def test_every_field_of_a_log_line_is_in_the_table() -> None:
    told = {name for cells in table("docs/operations.md", "field") for name in names(cells[0])}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("log", "log_unexpected"):
                assert {keyword.arg for keyword in node.keywords if keyword.arg} <= told, f"{path}:{node.lineno}"


def raised() -> set[str]:
    """The codes of all errors: of their classes, given where they are raised, or with which a job fails."""
    classes = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    found = {kind.code for kind in classes.values() if kind is not errors.DarkroomError}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= set(codes_of(node, classes))
    return found


def codes_of(call: ast.Call, classes: dict[str, type]) -> Iterator[str]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code" and name in classes]
    given += call.args[1:2] if name == "failed" else []
    for value in given:
        if isinstance(value, ast.Constant):
            yield value.value


def test_the_table_of_error_codes_is_what_is_raised() -> None:
    told = [names(cells[0])[0] for cells in table("docs/operations.md", "code")]
    assert sorted(told) == sorted(raised())


def test_the_codes_of_bad_input_are_raised_and_listed() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"`fault` is `input`\):(.*?)\. With any other code", page, re.DOTALL)
    assert set(names(sentence)) == errors.INPUT_FAULTS
    assert raised() >= errors.INPUT_FAULTS


def test_codes_are_given_as_words_and_never_computed() -> None:
    """Otherwise the table could not be held to the code."""
    classes = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in classes:
                for keyword in node.keywords:
                    computed = keyword.arg == "code" and not isinstance(keyword.value, ast.Constant)
                    passed_on = computed and ast.unparse(keyword.value) == "exc.code"
                    assert not computed or passed_on, f"{path}:{node.lineno}"


def test_the_table_of_subscriptions_is_the_topology() -> None:
    told = [tuple(cells) for cells in table("docs/operations.md", "subscription")]
    assert told == [
        (
            f"`{each.name}`",
            f"`{each.topic}`",
            f"`{each.function}.{each.entry_point}`",
            str(each.ack_deadline_s),
            f"{each.min_backoff_s:g}–{each.max_backoff_s:g}",
            str(each.max_attempts or "no limit"),
        )
        for each in SUBSCRIPTIONS
    ]


def test_the_table_of_messages_is_the_messages() -> None:
    kinds = (StageRequested, StageCompleted, StageFailed, StageAttemptFailed)
    told = {names(cells[0])[0]: names(cells[3]) for cells in table("docs/delivery.md", "type")}
    assert told == {kind.__name__: list(kind.model_fields) for kind in kinds}
    request = new_job().next_request()
    assert request is not None
    attributes = [names(cells[0])[0] for cells in table("docs/delivery.md", "attribute")]
    assert attributes == list(encode(request)[1])


def finished_job() -> Job:
    job = new_job({"preset": "denoise"})
    now = datetime(2024, 5, 1, tzinfo=UTC)
    job = job.advanced(now, record(job, report=report()))
    assert job.before
    job = job.planned(now, *make_plan(job, job.before, NO_MODELS, BUCKETS))
    while len(job.records) < len(job.plan):
        job = job.advanced(now, record(job))
    return job.completed(now)


def test_the_tables_of_the_manifest_are_the_manifest() -> None:
    manifest = build_manifest(finished_job())
    fields = [name for cells in table("docs/delivery.md", "field") for name in names(cells[0])]
    assert sorted(fields) == sorted(manifest)
    of_steps = [name for cells in table("docs/delivery.md", "field of a step") for name in names(cells[0])]
    assert sorted(of_steps) == sorted(manifest["stages"][0])


def test_the_readme_lists_every_preset_with_its_summary() -> None:
    told = {names(cells[0])[0]: cells[1] for cells in table("README.md", "preset")}
    assert told == {name: PRESET_RULES[name].summary for name in PRESETS}


def test_the_readme_says_how_each_stage_runs_today() -> None:
    registry = Registry.load(DEFAULT_REGISTRY)
    told = {names(cells[0])[0]: cells[2] for cells in table("README.md", "stage")}
    assert list(told) == list(STAGES)
    for stage, how in told.items():
        entry = registry.default(stage)
        methods = [*([f"model `{entry.ref.id}`"] if entry else []), *(f"`{m}`" for m in PARAMETERS[stage].classical)]
        expected = ", ".join(methods) or "left out: no model yet"
        special = {"assess": f"measurements classical, score by {expected}", "finish": "classical"}
        assert how == special.get(stage, expected), stage


@pytest.mark.parametrize("name", ["docs/glossary.md", "docs/architecture.md"])
def test_every_stage_is_named(name: str) -> None:
    told = spans(ROOT / name)
    assert [stage for stage in STAGES if stage not in told] == []


def test_the_glossary_has_each_word_once() -> None:
    lines = re.findall(r"^\* (\*\*.+?\*\*):", page("docs/glossary.md"), re.MULTILINE)
    words = [word for line in lines for word in re.findall(r"\*\*(.+?)\*\*", line)]
    assert len(words) > 50
    assert [word for word in words if words.count(word) > 1] == []
