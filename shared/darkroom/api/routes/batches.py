"""Routes for batches: many pictures that are processed again together."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from darkroom.api.core.bodies import JsonBody
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import read_pipeline
from darkroom.domain.http_errors import ProductNotFound
from darkroom.domain.job import Status
from darkroom.domain.new_job import LABEL_NAME
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.batches import MAX_PICTURES, Batch, BatchProgress, Kind, Refusal, Selection, State
from darkroom.domain.products.messages import Member
from darkroom.handlers.batches import cancel_batch, progress_of, read_batch, refusals, start_batch
from darkroom.handlers.objects import pin_objects
from darkroom.runtime.ports import JobQuery

#: Largest number of jobs or objects in one request.
MAX_NAMED = 1000
#: Largest number of failures in one response.
MAX_FAILURES = 100

_Text = Annotated[str, Field(min_length=1, max_length=200)]


class BatchRequest(BaseModel):
    """The pictures of a batch and their pipeline. Give one of the first five fields."""

    model_config = ConfigDict(extra="forbid")

    sku_id: _Text | None = None
    product_group_id: _Text | None = None
    label: str | None = Field(None, pattern=f"^{LABEL_NAME}=.*$", max_length=300, description="name=value")
    jobs: list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]] = Field(
        [], max_length=MAX_NAMED, description="ids of jobs"
    )
    objects: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(
        [], max_length=MAX_NAMED, description="names of objects in the uploads bucket; those without a job get one"
    )
    pipeline: str | dict[str, JsonValue] | None = Field(
        None,
        description="a preset's name, or a pipeline as JSON; if absent, the configuration of each SKU or group, or "
        "else the last pipeline of each picture",
    )
    budget: int = Field(MAX_PICTURES, ge=1, le=MAX_PICTURES, description="largest number of pictures")

    @model_validator(mode="after")
    def _one_selection(self) -> "BatchRequest":
        given = [self.sku_id, self.product_group_id, self.label, self.jobs or self.objects or None]
        count = sum(each is not None for each in given)
        if count != 1:
            raise ValueError(f"give one of sku_id, product_group_id, label or a list of jobs and objects, not {count}")
        return self

    def selection(self, owner: str | None) -> Selection:
        """The selection for the domain."""
        labels = {"sku_id": self.sku_id, "product_group_id": self.product_group_id}
        named = [(name, value) for name, value in labels.items() if value is not None]
        if self.label is not None:
            name, _, value = self.label.partition("=")
            named.append((name, value))
        return Selection(label=named[0] if named else None, members=tuple(self._members()), owner=owner)

    def _members(self) -> Iterator[Member]:
        yield from (Member(kind="job", name=name) for name in dict.fromkeys(self.jobs))
        yield from (Member(kind="object", name=name) for name in dict.fromkeys(self.objects))


class Failure(BaseModel):
    """A picture without a result."""

    job: str | None = Field(description="null for a picture that did not become a job of the batch")
    what: str | None = Field(description="the refused row number, job id or object name")
    code: str
    message: str
    image_url: str | None = Field(description="URL of the row")


class BatchLinks(BaseModel):
    """Paths of related resources."""

    batch: str
    jobs: str
    export: str


class BatchView(BaseModel):
    """Pictures that are processed together."""

    id: str
    kind: Kind
    owner: str
    status: State
    created_at: datetime
    total: int | None = Field(description="number of pictures; null while they are selected")
    done: int
    percent: float | None
    eta_s: float | None = Field(description="estimated remaining time in seconds, from the rate so far")
    jobs: dict[Status, int] = Field(description="number of jobs by status")
    refused: int = Field(description="pictures that did not become jobs of the batch")
    failures: list[Failure] = Field(description=f"at most {MAX_FAILURES}")
    links: BatchLinks


def create(context: RequestContext[object, BatchRequest]) -> ApiResponse:
    """Process many pictures again."""
    options = context.body
    pipeline = None if options.pipeline is None else read_pipeline(options.pipeline)
    batch = started(context, options, pipeline)
    return ApiResponse(content=view(context, batch), status=202, headers={"Location": f"/v1/batch/{batch.id}"})


def started(context: RequestContext, options: BatchRequest, pipeline: Pipeline | None) -> Batch:
    """The new batch; its pictures are selected later.

    Raises ProductNotFound if no picture matches. Raises ObjectNotFound for a pipeline with an object that no picture
    of the batch may read; each job is checked again when it is created.
    """
    system, caller = context.app.system, context.caller
    owner = None if caller.role == "admin" else caller.owner
    if pipeline is not None:
        pin_objects(system, owner, pipeline)
    batch = Batch(
        id=new_id(),
        kind="rework",
        owner=caller.owner,
        created_at=context.app.now(),
        pipeline=pipeline,
        budget=options.budget,
        selection=options.selection(owner),
    )
    _require_any(context, batch)
    start_batch(system, batch)
    return batch


def new_id() -> str:
    """The id of a new import or batch."""
    return secrets.token_hex(12)


def _require_any(context: RequestContext, batch: Batch) -> None:
    selection = batch.selection
    if selection is None or selection.label is None:
        return
    query = JobQuery(label=selection.label, owner=selection.owner)
    if not context.app.system.jobs.count(query):
        name, value = selection.label
        raise ProductNotFound(f"no picture has the label {name}={value[:100]!r}")


def batch_of(context: RequestContext) -> Batch:
    """The batch that the path names, if the caller may read it. Raises BatchNotFound."""
    batch = read_batch(context.app.system, context.path["batch"])
    context.caller.require_read_batch(batch)
    return batch


def view(context: RequestContext, batch: Batch) -> BatchView:
    """The current state of the batch."""
    progress = progress_of(context.app.system, batch)
    return BatchView(
        id=batch.id,
        kind=batch.kind,
        owner=batch.owner,
        status=progress.state,
        created_at=batch.created_at,
        total=progress.total,
        done=progress.done,
        percent=progress.percent,
        eta_s=progress.remaining_s(context.app.now()),
        jobs=dict(progress.jobs),
        refused=progress.refused,
        failures=_failures(context, batch, progress),
        links=BatchLinks(
            batch=f"/v1/batch/{batch.id}",
            jobs=f"/v1/jobs?batch={batch.id}",
            export=f"/v1/export.csv?batch={batch.id}",
        ),
    )


def _failures(context: RequestContext, batch: Batch, progress: BatchProgress) -> list[Failure]:
    system = context.app.system
    found = [_refused(each) for each in refusals(system, batch.id, MAX_FAILURES)] if progress.refused else []
    room = MAX_FAILURES - len(found)
    if room and progress.jobs["failed"]:
        page = system.jobs.query(JobQuery(batch=batch.id, status="failed", limit=room))
        found += [
            Failure(job=job.id, what=None, code=job.error.code, message=job.error.message, image_url=None)
            for job in page.jobs
            if job.error is not None
        ]
    return found


def _refused(refusal: Refusal) -> Failure:
    url = refusal.image_url
    return Failure(job=None, what=refusal.what, code=refusal.code, message=refusal.message, image_url=url)


def show(context: RequestContext) -> ApiResponse:
    """The progress of a batch."""
    return ApiResponse(content=view(context, batch_of(context)))


def cancel(context: RequestContext) -> ApiResponse:
    """Stop a batch."""
    batch = batch_of(context)
    context.caller.require_write_batch(batch)
    cancel_batch(context.app.system, batch, who=context.caller.owner)
    return ApiResponse(content=view(context, batch), status=202)


BATCH = ResponseSpec(description="the batch", model=BatchView)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/v1/batch",
        name="create_batch",
        summary="Process many pictures again: of a SKU, of a group, with a label, or by id",
        access="submitter",
        handler=create,
        responses=(ResponseSpec(description="the accepted batch", status=202, model=BatchView),),
        problems=(404,),
        body=JsonBody(BatchRequest),
    ),
    route(
        method="GET",
        path="/v1/batch/{batch}",
        name="show_batch",
        summary="Show the progress of a batch or an import",
        access="submitter",
        handler=show,
        responses=(BATCH,),
        problems=(404,),
    ),
    route(
        method="POST",
        path="/v1/batch/{batch}/cancel",
        name="cancel_batch",
        summary="Stop a batch or an import; finished jobs stay",
        access="submitter",
        handler=cancel,
        responses=(ResponseSpec(description="the batch; its jobs are cancelled", status=202, model=BatchView),),
        problems=(404,),
    ),
)
