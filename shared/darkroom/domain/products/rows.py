"""Reads and checks the rows of an import.

Rows come as a JSON list or as CSV with a header. Each row is checked separately: an error names the number of its row,
and valid rows are accepted. Rows are counted from 1; the header of a CSV file does not count.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field

from darkroom.domain.errors import PermanentError
from darkroom.domain.messages import Record

#: Rows of one import.
MAX_ROWS = 50_000
#: Bytes of an id or a type in UTF-8: all of them together, with the URL and the pipeline, must fit into the 8 KiB of
#: metadata that an object in Cloud Storage may have.
MAX_TEXT_BYTES = 200
MAX_URL_CHARS = 2000
TEMPLATE = (
    "product_group_id,sku_id,image_url,image_type\r\n"
    "LAMPS,LAMP-001,https://shop.example/lamp-001-front.jpg,primary\r\n"
    "LAMPS,LAMP-001,https://shop.example/lamp-001-side.jpg,side\r\n"
)

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_REQUIRED = ("sku_id", "image_url")
#: What is quoted already must not be quoted again, so every ASCII character stays as it is.
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_DELIMITERS = ",;\t|"


class Row(Record):
    """One picture of one product."""

    product_group_id: str = ""
    sku_id: str
    image_url: str
    image_type: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the picture's job."""
        named = {"product_group_id": self.product_group_id, "sku_id": self.sku_id, "image_type": self.image_type}
        return {name: value for name, value in named.items() if value}

    def identity(self, owner: str) -> str:
        """32 hex digits, the same for the same row of the same owner, so that it becomes one job however often."""
        text = json.dumps([owner, self.product_group_id, self.sku_id, self.image_url, self.image_type])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Numbered(Record):
    """A row with its number."""

    row: int = Field(ge=1)
    picture: Row


class RowProblem(Record):
    """What is wrong with one field of a row."""

    row: int
    field: str
    message: str
    #: What was given, cut to 80 characters, and the limit that it broke.
    value: str | None = None
    limit: int | None = None


class Duplicate(Record):
    """A row that is equal to an earlier one."""

    row: int
    same_as: int


class Columns(Record):
    """The names of the columns of each field."""

    product_group_id: str = "product_group_id"
    sku_id: str = "sku_id"
    image_url: str = "image_url"
    image_type: str = "image_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The rows of an import, sorted out."""

    good: tuple[Numbered, ...]
    duplicates: tuple[Duplicate, ...]
    #: Of the rows that are not good; one row may have several.
    problems: tuple[RowProblem, ...]

    @property
    def rejected(self) -> int:
        """How many rows are not good."""
        return len({problem.row for problem in self.problems})


def check_rows(values: Iterable[object], columns: Columns) -> Checked:
    """Check every row. Raises PermanentError for more rows than an import may have."""
    good: list[Numbered] = []
    duplicates: list[Duplicate] = []
    problems: list[RowProblem] = []
    seen: dict[Row, int] = {}
    for number, value in enumerate(values, start=1):
        if number > MAX_ROWS:
            raise PermanentError(
                f"an import has at most {MAX_ROWS} rows; send several", code="too_many_rows", limit=MAX_ROWS
            )
        found = _check(number, value, columns)
        if not isinstance(found, Row):
            problems += found
        elif found in seen:
            duplicates.append(Duplicate(row=number, same_as=seen[found]))
        else:
            seen[found] = number
            good.append(Numbered(row=number, picture=found))
    return Checked(good=tuple(good), duplicates=tuple(duplicates), problems=tuple(problems))


def csv_rows(data: bytes, columns: Columns) -> Iterator[dict[str, str]]:
    """The rows of a CSV in UTF-8 with a header; its fields are separated by commas, semicolons, tabs or bars.

    Raises PermanentError if it is not such a table, or if a required column is missing.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise PermanentError(f"the table is not UTF-8: byte {exc.start} is not", code="bad_table") from exc
    header, _, _ = text.partition("\n")
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        _require_columns(reader.fieldnames or (), columns)
        for row in reader:
            yield {name: value for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}
    except csv.Error as exc:
        raise PermanentError(f"the table cannot be read after line {reader.line_num}: {exc}", code="bad_table") from exc


def _require_columns(found: Iterable[str], columns: Columns) -> None:
    names = [name.strip() for name in found]
    missing = [name for name in (getattr(columns, field) for field in _REQUIRED) if name not in names]
    if missing:
        raise PermanentError(
            f"the table has no column {', '.join(missing)}, only {', '.join(names)[:500] or 'none'}", code="bad_table"
        )


def _check(number: int, value: object, columns: Columns) -> Row | list[RowProblem]:
    """The row, or what is wrong with it."""
    if not isinstance(value, Mapping):
        message = f"a row is an object with fields, not {type(value).__name__}"
        return [RowProblem(row=number, field="", message=message, value=_short(value))]
    # Names of columns may have blanks around them in a table that was typed by hand.
    given = {str(name).strip(): each for name, each in value.items()}
    texts, problems = {}, []
    for field in Columns.model_fields:
        try:
            texts[field] = _text(field, given.get(getattr(columns, field)))
        except _Wrong as exc:
            problems.append(RowProblem(row=number, field=field, message=str(exc), value=exc.value, limit=exc.limit))
    return problems or Row(**texts)


class _Wrong(ValueError):
    """A field that is not valid."""

    def __init__(self, message: str, *, value: str | None = None, limit: int | None = None) -> None:
        super().__init__(message)
        self.value = value
        self.limit = limit


def _text(field: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise _Wrong(f"expected a text, not {type(value).__name__}", value=_short(value))
    text = (value or "").strip()
    if not text and field in _REQUIRED:
        raise _Wrong("missing")
    if field == "image_url":
        return checked_url(text)
    check_text(text)
    return text


def check_text(text: str) -> None:
    """Raises ValueError for an id that cannot be a label."""
    size = len(text.encode(errors="replace"))
    if size > MAX_TEXT_BYTES:
        raise _Wrong(f"{size} bytes exceed {MAX_TEXT_BYTES}", value=_short(text), limit=MAX_TEXT_BYTES)
    if _UNPRINTABLE.search(text) or not _is_unicode(text):
        raise _Wrong("contains characters that cannot be printed", value=_short(text))


def _is_unicode(text: str) -> bool:
    """Whether a text can be encoded; JSON may contain half of a surrogate pair."""
    return text.isprintable() or text.encode(errors="ignore").decode() == text


def checked_url(text: str) -> str:
    """The URL, with what is not ASCII in its path and its query written as percent signs.

    Raises ValueError for what is no http or https URL of a host, and for more than 2000 characters.
    """
    if not _is_unicode(text) or _UNPRINTABLE.search(text) or " " in text:
        raise _Wrong("contains spaces or characters that cannot be printed", value=_short(text))
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise _Wrong(f"is no URL: {exc}", value=_short(text)) from exc
    if parts.scheme not in ("http", "https") or not host:
        raise _Wrong("is no http or https URL with a host", value=_short(text))
    if parts.username is not None or parts.password is not None:
        raise _Wrong("has a user name or a password, with which nothing is fetched", value=_short(host))
    if not _is_name(host):
        raise _Wrong("has a host that no name can be", value=_short(host))
    path, query = quote(parts.path, safe=_ASCII), quote(parts.query, safe=_ASCII)
    plain = urlunsplit(parts._replace(path=path, query=query, fragment=""))
    if len(plain) > MAX_URL_CHARS:
        raise _Wrong(f"{len(plain)} characters exceed {MAX_URL_CHARS}", value=_short(text), limit=MAX_URL_CHARS)
    return plain


def _is_name(host: str) -> bool:
    """Whether a host name can be resolved: no part of a name is empty, or longer than 63 bytes (RFC 1035)."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text[:80].encode(errors="replace").decode()
