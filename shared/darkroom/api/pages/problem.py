"""The page that shows a problem to a person: a browser that opens an address gets it instead of JSON."""

from flask import Request

from darkroom.api.core.problems import Problem
from darkroom.api.pages.templates import Page

PAGE = Page("problem", has_script=False)


def wants_page(request: Request) -> bool:
    """Whether a browser opens an address: it reads, and prefers HTML to JSON."""
    accepted = request.accept_mimetypes
    return request.method in ("GET", "HEAD") and accepted["text/html"] > accepted["application/json"]


def page_of(problem: Problem) -> bytes:
    """The page as HTML."""
    return PAGE.render(problem=problem).encode(errors="replace")
