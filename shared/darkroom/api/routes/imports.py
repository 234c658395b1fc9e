"""Routes that import pictures from a list of URLs.

The rows are checked at once and fetched later, each with its own message. The format of the list is detected from its
bytes: JSON begins with a bracket, anything else is CSV.
"""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, RootModel

from darkroom.api.core.bodies import UnreadBody
from darkroom.api.core.reading import checked, parse_json, read_form, read_raw
from darkroom.api.core.reservations import reserve_until_expiry
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import read_pipeline
from darkroom.api.routes.batches import BatchView, batch_of, new_id, view
from darkroom.domain.errors import BatchNotFound
from darkroom.domain.field_errors import FieldProblem
from darkroom.domain.http_errors import Invalid, UnreadableType
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.batches import Batch, RowTotals
from darkroom.domain.products.rows import (
    MAX_ROWS,
    TEMPLATE,
    Checked,
    Columns,
    Duplicate,
    RowProblem,
    check_rows,
    csv_rows,
)
from darkroom.domain.quota import Reservation
from darkroom.handlers.imports import start_import
from darkroom.handlers.objects import pin_objects

#: Largest list in bytes: MAX_ROWS rows of a few hundred bytes.
MAX_LIST_BYTES = 16 * 1024 * 1024
#: Longest time until a row is fetched, in seconds: Pub/Sub keeps messages for seven days.
ROWS_WAIT_S = 7 * 24 * 3600
#: Largest number of problems, and of duplicates, in a response.
MAX_NAMED = 200
#: Largest pipeline as JSON in bytes: it is stored in the metadata of every picture.
MAX_PIPELINE_BYTES = 4000
#: Content types of a list.
_BODIES = ("application/json", "text/csv", "multipart/form-data")
#: Names of columns.
_COLUMN = r"^[^\x00-\x1f\x7f]{1,100}$"


class ImportQuery(BaseModel):
    """The pipeline of the pictures, and the names of the columns."""

    model_config = ConfigDict(extra="forbid")

    pipeline: str | None = Field(
        None,
        max_length=20_000,
        description="a preset's name, or a pipeline as JSON; if absent, the configuration of each SKU or group",
    )
    url_column: str = Field("image_url", pattern=_COLUMN)
    sku_column: str = Field("sku_id", pattern=_COLUMN)
    product_group_column: str = Field("product_group_id", pattern=_COLUMN)
    image_type_column: str = Field("image_type", pattern=_COLUMN)

    def columns(self) -> Columns:
        """The columns for the domain."""
        return Columns(
            image_url=self.url_column,
            sku_id=self.sku_column,
            product_group_id=self.product_group_column,
            image_type=self.image_type_column,
        )

    def to_pipeline(self) -> Pipeline | None:
        """The pipeline. Raises BadPipeline, or Invalid if it is too long for the metadata of a picture."""
        if self.pipeline is None:
            return None
        pipeline = read_pipeline(self.pipeline)
        size = len(pipeline.model_dump_json(exclude_defaults=True).encode())
        if size > MAX_PIPELINE_BYTES:
            raise Invalid(
                f"a pipeline of {size} bytes exceeds {MAX_PIPELINE_BYTES}", value=size, limit=MAX_PIPELINE_BYTES
            )
        return pipeline


class ImportRow(BaseModel):
    """One picture of one product; other fields are ignored."""

    product_group_id: str = ""
    sku_id: str
    image_url: str
    image_type: str = ""


class ImportImages(BaseModel):
    """The list as a field of an object."""

    images: list[ImportRow]


class ImportList(RootModel[list[ImportRow] | ImportImages]):
    """A list of rows, or an object with the list in `images`. Each row is checked separately."""


class ImportView(BatchView):
    """An import and its progress."""

    accepted: int = Field(description="valid rows")
    rejected: int = Field(description="invalid rows")
    duplicates: int = Field(description="rows that repeat an earlier row")
    fetched: int = Field(description="rows whose pictures have jobs")
    waiting: int = Field(description="rows that are not fetched yet")
    problems: list[RowProblem] = Field(description=f"of rejected rows, at most {MAX_NAMED}; rows are counted from 1")
    first_duplicates: list[Duplicate] = Field(description=f"at most {MAX_NAMED}")


def create(context: RequestContext[ImportQuery, object]) -> ApiResponse:
    """Import pictures."""
    batch = started(context)
    return ApiResponse(content=import_view(context, batch), status=202, headers={"Location": f"/v1/import/{batch.id}"})


def started(context: RequestContext[ImportQuery, object]) -> Batch:
    """The import, whose rows are being fetched. Raises Invalid if none of them is valid."""
    query, data = _read(context)
    pipeline, found = query.to_pipeline(), _rows(data, query.columns())
    if not found.good:
        raise _nothing(found)
    if pipeline is not None:
        pin_objects(context.app.system, context.caller.owner, pipeline)
    batch = Batch(
        id=new_id(),
        kind="import",
        owner=context.caller.owner,
        created_at=context.app.now(),
        pipeline=pipeline,
        rows=RowTotals(
            accepted=len(found.good),
            duplicates=len(found.duplicates),
            rejected=found.rejected,
            first_duplicates=found.duplicates[:MAX_NAMED],
            first_problems=found.problems[:MAX_NAMED],
        ),
    )
    with reserve_until_expiry(context, _places(context, batch.id, len(found.good))):
        start_import(context.app.system, batch, found.good)
    return batch


def _places(context: RequestContext, batch: str, count: int) -> Reservation:
    """Places for all rows, for as long as their messages may wait."""
    lifetime_s = min(ROWS_WAIT_S, context.app.system.settings.retention_s)
    return Reservation(batch=batch, count=count, expires_at=context.app.now() + timedelta(seconds=lifetime_s))


def _read(context: RequestContext[ImportQuery, object]) -> tuple[ImportQuery, bytes]:
    """The options and the bytes of the list. Raises UnreadableType, TooLarge or Invalid."""
    request = context.request
    if request.mimetype not in _BODIES:
        raise UnreadableType(
            f"the body is {request.mimetype or 'of no type'}, expected one of {', '.join(_BODIES)}",
            value=request.mimetype,
        )
    if request.mimetype != "multipart/form-data":
        return context.query, read_raw(request)
    fields, file = read_form(request)
    if file is None:
        raise Invalid("there is no list: send it as the form field 'file'", code="no_list")
    return checked(ImportQuery, context.query.model_dump(exclude_unset=True) | fields), file[1]


def _rows(data: bytes, columns: Columns) -> Checked:
    first = data.lstrip()[:1]
    if first not in (b"[", b"{"):
        _require_size(data)
        return check_rows(csv_rows(data, columns), columns)
    value = parse_json(data, max_bytes=MAX_LIST_BYTES)
    rows = value.get("images") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise Invalid("expected a list of rows, or an object with such a list under 'images'", code="no_list")
    return check_rows(rows, columns)


def _require_size(data: bytes) -> None:
    if len(data) > MAX_LIST_BYTES:
        raise Invalid(f"{len(data)} bytes exceed {MAX_LIST_BYTES}", value=len(data), limit=MAX_LIST_BYTES)


def _nothing(found: Checked) -> Invalid:
    fields = tuple(
        FieldProblem(
            where=f"{each.row}.{each.field}".strip("."), problem=each.message, value=each.value, limit=each.limit
        )
        for each in found.problems[:MAX_NAMED]
    )
    return Invalid(f"none of {found.rejected} rows is valid", code="no_valid_row", fields=fields)


def import_view(context: RequestContext, batch: Batch) -> ImportView:
    """The current state of the import."""
    assert batch.rows is not None
    progress, rows = view(context, batch), batch.rows
    fetched = sum(progress.jobs.values())
    return ImportView(
        **dict(progress),
        accepted=rows.accepted,
        rejected=rows.rejected,
        duplicates=rows.duplicates,
        fetched=fetched,
        waiting=max(rows.accepted - fetched - progress.refused, 0),
        problems=list(rows.first_problems),
        first_duplicates=list(rows.first_duplicates),
    )


def show(context: RequestContext) -> ApiResponse:
    """The progress of an import."""
    batch = batch_of(context)
    if batch.rows is None:
        raise BatchNotFound(f"batch {batch.id} is not an import")
    return ApiResponse(content=import_view(context, batch))


def template(_context: RequestContext) -> ApiResponse:
    """An empty import table."""
    headers = {"Content-Disposition": 'attachment; filename="import.csv"'}
    return ApiResponse(content=TEMPLATE.encode(), content_type="text/csv", headers=headers)


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/v1/import",
        name="create_import",
        summary=f"Import up to {MAX_ROWS:,} pictures from a list of URLs as JSON or CSV",
        access="submitter",
        handler=create,
        responses=(ResponseSpec(description="the accepted import", status=202, model=ImportView),),
        query=ImportQuery,
        body=UnreadBody(ImportList, text_types=("text/csv",)),
    ),
    route(
        method="GET",
        path="/v1/import/template.csv",
        name="import_template",
        summary="An example of an import table",
        access="submitter",
        handler=template,
        responses=(ResponseSpec(description="the header and two rows", media=("text/csv",)),),
    ),
    route(
        method="GET",
        path="/v1/import/{batch}",
        name="show_import",
        summary="Show the progress of an import, with the problems of its rows",
        access="submitter",
        handler=show,
        responses=(ResponseSpec(description="the import", model=ImportView),),
        problems=(404,),
    ),
)
