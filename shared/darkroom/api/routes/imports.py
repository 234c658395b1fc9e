"""How does a list of pictures behind URLs become jobs?

The rows are checked at once and fetched later, each by a message of its own. What the table is, its bytes say: JSON
begins with a bracket, anything else is CSV.
"""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, RootModel

from darkroom.api.core.places import place_kept
from darkroom.api.core.reading import checked, parse_json, read_form, read_raw
from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import asked_pipeline
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

#: Bytes of a list: the rows of the largest import, a few hundred bytes each.
MAX_LIST_BYTES = 16 * 1024 * 1024
#: How long a row may wait until it is fetched, in seconds: messages of Pub/Sub are kept for seven days.
ROWS_WAIT_S = 7 * 24 * 3600
#: Problems and duplicates that an answer names.
MAX_NAMED = 200
#: Bytes of the pipeline as JSON: it travels in the metadata of every picture.
MAX_PIPELINE_BYTES = 4000
_BODIES = ("application/json", "text/csv", "multipart/form-data")
_COLUMN = r"^[^\x00-\x1f\x7f]{1,100}$"


class ImportQuery(BaseModel):
    """What is to be done with the pictures, and under which names the columns stand."""

    model_config = ConfigDict(extra="forbid")

    pipeline: str | None = Field(
        None,
        max_length=20_000,
        description="a preset's name, or a pipeline as JSON; if absent, what is configured for each SKU or group",
    )
    url_column: str = Field("image_url", pattern=_COLUMN)
    sku_column: str = Field("sku_id", pattern=_COLUMN)
    product_group_column: str = Field("product_group_id", pattern=_COLUMN)
    image_type_column: str = Field("image_type", pattern=_COLUMN)

    def columns(self) -> Columns:
        """The same as the domain says it."""
        return Columns(
            image_url=self.url_column,
            sku_id=self.sku_column,
            product_group_id=self.product_group_column,
            image_type=self.image_type_column,
        )

    def asked(self) -> Pipeline | None:
        """The pipeline. Raises BadPipeline, or Invalid if it is too long to travel with every picture."""
        if self.pipeline is None:
            return None
        pipeline = asked_pipeline(self.pipeline)
        size = len(pipeline.model_dump_json(exclude_defaults=True).encode())
        if size > MAX_PIPELINE_BYTES:
            raise Invalid(
                f"a pipeline of {size} bytes exceeds {MAX_PIPELINE_BYTES}", value=size, limit=MAX_PIPELINE_BYTES
            )
        return pipeline


class ImportRow(BaseModel):
    """One picture of one product; more fields are passed over."""

    product_group_id: str = ""
    sku_id: str
    image_url: str
    image_type: str = ""


class ImportImages(BaseModel):
    """The list in an object."""

    images: list[ImportRow]


class ImportList(RootModel[list[ImportRow] | ImportImages]):
    """Rows, by themselves or under `images`. Each row is checked by itself."""


class ImportView(BatchView):
    """An import, and how far it is."""

    accepted: int = Field(description="rows that are being fetched")
    rejected: int = Field(description="rows that are not valid")
    duplicates: int = Field(description="rows that say the same as an earlier one")
    fetched: int = Field(description="rows whose pictures have jobs")
    waiting: int = Field(description="rows that were not fetched yet")
    problems: list[RowProblem] = Field(description=f"of rejected rows, at most {MAX_NAMED}; rows are counted from 1")
    first_duplicates: list[Duplicate] = Field(description=f"at most {MAX_NAMED}")


def create(call: RequestContext) -> ApiResponse:
    """Import pictures."""
    batch = started(call)
    return ApiResponse(content=import_view(call, batch), status=202, headers={"Location": f"/v1/import/{batch.id}"})


def started(call: RequestContext) -> Batch:
    """The import, whose rows are being fetched. Raises Invalid if none of them is valid."""
    asked, data = _read(call)
    pipeline, found = asked.asked(), _rows(data, asked.columns())
    if not found.good:
        raise _nothing(found)
    if pipeline is not None:
        pin_objects(call.parts.system, call.caller.owner, pipeline)
    batch = Batch(
        id=new_id(),
        kind="import",
        owner=call.caller.owner,
        created_at=call.parts.now(),
        pipeline=pipeline,
        rows=RowTotals(
            accepted=len(found.good),
            duplicates=len(found.duplicates),
            rejected=found.rejected,
            first_duplicates=found.duplicates[:MAX_NAMED],
            first_problems=found.problems[:MAX_NAMED],
        ),
    )
    with place_kept(call, _places(call, batch.id, len(found.good))):
        start_import(call.parts.system, batch, found.good)
    return batch


def _places(call: RequestContext, batch: str, count: int) -> Reservation:
    """Places for all rows, for as long as their messages may wait."""
    lifetime_s = min(ROWS_WAIT_S, call.parts.system.settings.retention_s)
    return Reservation(batch=batch, count=count, expires_at=call.parts.now() + timedelta(seconds=lifetime_s))


def _read(call: RequestContext) -> tuple[ImportQuery, bytes]:
    """The wishes and the list. Raises UnreadableType, TooLarge or Invalid."""
    request = call.request
    if request.mimetype not in _BODIES:
        raise UnreadableType(
            f"the body is {request.mimetype or 'of no type'}, expected one of {', '.join(_BODIES)}",
            value=request.mimetype,
        )
    if request.mimetype != "multipart/form-data":
        return call.query, read_raw(request)
    fields, file = read_form(request)
    if file is None:
        raise Invalid("there is no list: send it as the form field 'file'", code="no_list")
    return checked(ImportQuery, call.query.model_dump(exclude_unset=True) | fields), file[1]


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


def import_view(call: RequestContext, batch: Batch) -> ImportView:
    """The import as it stands now."""
    assert batch.rows is not None
    told, rows = view(call, batch), batch.rows
    fetched = sum(told.jobs.values())
    return ImportView(
        **dict(told),
        accepted=rows.accepted,
        rejected=rows.rejected,
        duplicates=rows.duplicates,
        fetched=fetched,
        waiting=max(rows.accepted - fetched - told.refused, 0),
        problems=list(rows.first_problems),
        first_duplicates=list(rows.first_duplicates),
    )


def show(call: RequestContext) -> ApiResponse:
    """How far an import is."""
    batch = batch_of(call)
    if batch.rows is None:
        raise BatchNotFound(f"batch {batch.id} is no import")
    return ApiResponse(content=import_view(call, batch))


def template(_call: RequestContext) -> ApiResponse:
    """A table to be filled in."""
    headers = {"Content-Disposition": 'attachment; filename="import.csv"'}
    return ApiResponse(content=TEMPLATE.encode(), content_type="text/csv", headers=headers)


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/import",
        name="create_import",
        summary=f"Fetch and work on up to {MAX_ROWS:,} pictures behind URLs, listed as JSON or CSV",
        access="submitter",
        handler=create,
        outcomes=(ResponseSpec(what="the import, whose pictures are being fetched", status=202, model=ImportView),),
        query=ImportQuery,
        body=ImportList,
        reads_body=True,
        texts=("text/csv",),
    ),
    Route(
        method="GET",
        path="/v1/import/template.csv",
        name="import_template",
        summary="A table to be filled in",
        access="submitter",
        handler=template,
        outcomes=(ResponseSpec(what="the header and two rows", media=("text/csv",)),),
    ),
    Route(
        method="GET",
        path="/v1/import/{batch}",
        name="show_import",
        summary="How far an import is, row by row where something is wrong",
        access="submitter",
        handler=show,
        outcomes=(ResponseSpec(what="the import", model=ImportView),),
        problems=(404,),
    ),
)
