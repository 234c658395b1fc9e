"""mypy refuses a handler whose query or body differs from the models of its route."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = """
from pydantic import BaseModel

from darkroom.api.core.bodies import JsonBody
from darkroom.api.core.routing import ApiResponse, RequestContext, route


class Page(BaseModel):
    cursor: str


class Name(BaseModel):
    text: str


def by_page(context: RequestContext[Page, None]) -> ApiResponse:
    return ApiResponse(content=context.query)


def by_name(context: RequestContext[None, Name]) -> ApiResponse:
    return ApiResponse(content=context.body)


def anything(context: RequestContext) -> ApiResponse:
    return ApiResponse(content=b"")


route(method="POST", path="/a", name="a", summary="", access="anyone", responses=(), {fields})
"""
FITTING = [
    "handler=anything",
    "query=Page, handler=anything",
    "query=Page, handler=by_page",
    "body=JsonBody(Name), handler=by_name",
]
WRONG = [
    "handler=by_page",
    "handler=by_name",
    "query=Name, handler=by_page",
    "body=JsonBody(Page), handler=by_name",
    "query=Page, body=JsonBody(Name), handler=by_name",
]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What mypy reports on each module, by its arguments of `route`."""
    folder = tmp_path_factory.mktemp("modules")
    files = {f"case_{number}": fields for number, fields in enumerate([*FITTING, *WRONG])}
    for name, fields in files.items():
        (folder / f"{name}.py").write_text(MODULE.replace("{fields}", fields), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    paths = [str(folder / f"{name}.py") for name in files]
    done = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert all("case_" in line for line in lines), done.stdout
    return {fields: "\n".join(line for line in lines if f"{name}.py" in line) for name, fields in files.items()}


@pytest.mark.parametrize("fields", FITTING)
def test_a_handler_that_fits_its_route_is_accepted(errors: dict[str, str], fields: str) -> None:
    assert errors[fields] == ""


@pytest.mark.parametrize("fields", WRONG)
def test_a_handler_that_does_not_fit_its_route_is_refused(errors: dict[str, str], fields: str) -> None:
    assert "route" in errors[fields]
