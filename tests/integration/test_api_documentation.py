"""docs/http.md tells what the API does: routes, roles and codes are held to the code."""

import ast
import re
from pathlib import Path

from darkroom.api.routes.table import ROUTES
from darkroom.domain import http_errors
from tests.api_client import service
from tests.docs.pages import names, page, table

PACKAGE = Path(http_errors.__file__).parents[1]


def test_the_page_lists_every_route_with_its_summary_and_role() -> None:
    rows = re.findall(r"^\| `(\w+) (/\S*)` \| (.*?) \| (\w+) \|$", page("docs/http.md"), re.MULTILINE)
    expected = [(route.method, route.path, route.summary, route.access) for route in ROUTES]
    assert sorted(rows) == sorted(expected)


def refused() -> dict[str, int]:
    """Every code that only the API has, with its status."""
    kinds = {name: kind for name, kind in vars(http_errors).items() if isinstance(kind, type)}
    kinds = {name: kind for name, kind in kinds.items() if issubclass(kind, http_errors.HttpError)}
    found = {kind.code: kind.status for kind in kinds.values()}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name in kinds:
                assert isinstance(node, ast.Call)
                given = [each.value for each in node.keywords if each.arg == "code"]
                found |= {ast.literal_eval(value): kinds[name].status for value in given}
    return found


def test_the_page_lists_every_code_of_the_api_with_its_status() -> None:
    told = {names(cells[0])[0]: int(cells[1]) for cells in table("docs/http.md", "problem")}
    assert told == refused() | {"unexpected": 500}


def test_a_browser_gets_a_problem_as_a_page_with_links_and_a_program_as_json() -> None:
    api = service()
    api.key("ada", "admin")
    for path, status in (("/no<where>", 404), ("/", 401)):
        page = api.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
        document = api.client.get(path)
        assert (page.status_code, page.mimetype) == (status, "text/html")
        assert (document.status_code, document.mimetype) == (status, "application/problem+json")
        assert document.get_json()["code"] in page.text
        assert "<where>" not in page.text
        assert re.findall(r'href="(/[a-z]*)"', page.text) == ["/", "/review", "/docs"]
    assert page.headers["WWW-Authenticate"] == document.headers["WWW-Authenticate"]
