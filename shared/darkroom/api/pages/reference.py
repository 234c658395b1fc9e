"""How do people read the description?

One page of HTML made from the OpenAPI document, here: no script, nothing loaded from anywhere, so it works offline and
needs no exception from the policy but its own style.
"""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from darkroom.api.pages.layout import policy

Json = dict[str, Any]

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --strong: #2563eb }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0 } h2 { margin: 2.5rem 0 .75rem; font-size: 1.1rem; text-transform: capitalize }
nav a { margin-right: .9rem } a { color: var(--strong) }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; overflow: hidden }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .3rem .8rem; padding: .55rem .8rem;
  background: var(--soft) }
summary:focus-visible { outline: 2px solid var(--strong); outline-offset: -2px }
.inside { padding: .4rem .8rem 1rem }
.method { font: 600 .8rem/1.9 ui-monospace, monospace; min-width: 4.2rem }
code, pre { font: .86rem/1.5 ui-monospace, monospace }
pre { overflow-x: auto; background: var(--soft); padding: .8rem; border-radius: 6px }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top }
h3 { font-size: .9rem; margin: 1rem 0 .2rem } .role { margin-left: auto; opacity: .75; font-size: .85rem }
"""

#: The policy of this page: its own style and nothing else.
POLICY = policy(STYLE)


def render(document: Json) -> str:
    """The page."""
    info = document["info"]
    sections = _sections(document)
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in sections)
    parts = "".join(_section(name, operations) for name, operations in sections.items())
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<link rel='icon' href='data:,'><title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API</h1><p>Version {escape(info['version'])}. {escape(info['description'])} "
        'The same for machines: <a href="openapi.json">openapi.json</a>.</p>'
        f'<nav aria-label="Sections">{links}<a href="#schemas">models</a></nav>{parts}'
        f'<h2 id="schemas">models</h2>{schemas}</body></html>'
    )


def _sections(document: Json) -> dict[str, list[tuple[str, str, Json]]]:
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def _anchor(name: str) -> str:
    return escape(name.replace(" ", "-"))


def _section(name: str, operations: list[tuple[str, str, Json]]) -> str:
    return f'<h2 id="{_anchor(name)}">{escape(name)}</h2>' + "".join(_operation(*each) for each in operations)


def _operation(method: str, path: str, operation: Json) -> str:
    role = operation.get("x-role", "anyone")
    inside = "".join((*_parameters(operation), *_body(operation), *_responses(operation)))
    return (
        f'<details id="op-{escape(operation["operationId"])}"><summary><span class="method">{method}</span>'
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span>"
        f'<span class="role">{escape(role)}</span></summary><div class="inside">{inside}</div></details>'
    )


def _parameters(operation: Json) -> Iterator[str]:
    if not operation["parameters"]:
        return
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td><td>{_kind(each['schema'])}</td>"
        f"<td>{_prose(each.get('description', ''))}</td></tr>"
        for each in operation["parameters"]
    )
    yield f"<h3>Parameters</h3><table><tr><th>name</th><th>in</th><th>type</th><th></th></tr>{rows}</table>"


def _body(operation: Json) -> Iterator[str]:
    content: Json = operation.get("requestBody", {}).get("content", {})
    if content:
        rows = "".join(
            f"<tr><td><code>{escape(kind)}</code></td><td>{_kind(each['schema'])}</td></tr>"
            for kind, each in content.items()
        )
        yield f"<h3>Body</h3><table>{rows}</table>"


def _responses(operation: Json) -> Iterator[str]:
    rows = "".join(
        f"<tr><td>{status}</td><td>{_prose(each['description'])}</td><td>{_contents(each)}</td></tr>"
        for status, each in operation["responses"].items()
    )
    yield f"<h3>Answers</h3><table>{rows}</table>"


def _contents(response: Json) -> str:
    told = (
        f"<code>{escape(kind)}</code> {_kind(each['schema'])}" for kind, each in response.get("content", {}).items()
    )
    return "<br>".join(told)


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _kind(schema: Json) -> str:
    """A schema in a few words, with a link to the model that it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#model-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "properties" in schema:
        return ", ".join(f"<code>{escape(name)}</code>" for name in schema["properties"])
    limits = "".join(f" {sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema)
    kind = schema.get("format") or schema.get("type") or "any"
    return escape(f"{kind}{limits}")


_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _schema(name: str, schema: Json) -> str:
    text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return (
        f'<details id="model-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f'<div class="inside"><pre>{text}</pre></div></details>'
    )
