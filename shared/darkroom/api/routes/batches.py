"""How are many pictures done again together, and how far are they?"""

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import asked_pipeline
from darkroom.domain.http_errors import ProductNotFound
from darkroom.domain.job import Status
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.batches import MAX_PICTURES, Batch, BatchProgress, Kind, Refusal, Selection, State
from darkroom.domain.products.messages import Member
from darkroom.handlers.batches import cancel_batch, progress_of, read_batch, refusals, start_batch
from darkroom.handlers.objects import pin_objects
from darkroom.runtime.ports import JobQuery

#: Names in one request, and failures in one answer.
MAX_NAMED = 1000
MAX_FAILURES = 100

_Text = Annotated[str, Field(min_length=1, max_length=200)]


class BatchWishes(BaseModel):
    """Which pictures, and what is to be done with them. Give one of the first five."""

    model_config = ConfigDict(extra="forbid")

    sku_id: _Text | None = None
    product_group_id: _Text | None = None
    label: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,63}=.*$", max_length=300, description="name=value")
    jobs: list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]] = Field(
        [], max_length=MAX_NAMED, description="ids of jobs"
    )
    objects: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(
        [], max_length=MAX_NAMED, description="names of objects in the uploads bucket; those without a job get one"
    )
    pipeline: str | dict[str, JsonValue] | None = Field(
        None,
        description="a preset's name, or a pipeline as JSON; if absent, what is configured for each SKU or group, or "
        "else what each picture had",
    )
    budget: int = Field(MAX_PICTURES, ge=1, le=MAX_PICTURES, description="at most so many pictures")

    @model_validator(mode="after")
    def _one_way(self) -> "BatchWishes":
        given = [self.sku_id, self.product_group_id, self.label, self.jobs or self.objects or None]
        count = sum(each is not None for each in given)
        if count != 1:
            raise ValueError(f"give one of sku_id, product_group_id, label or a list of jobs and objects, not {count}")
        return self

    def selection(self, owner: str | None) -> Selection:
        """The same as the domain says it."""
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
    """A picture that has no result."""

    job: str | None = Field(description="null for what never became a job of the batch")
    what: str | None = Field(description="number of a row, id of a job or name of an object that was refused")
    code: str
    message: str
    image_url: str | None = Field(description="of a row")


class BatchLinks(BaseModel):
    """Where to go on."""

    batch: str
    jobs: str
    export: str


class BatchView(BaseModel):
    """Pictures that are done together."""

    id: str
    kind: Kind
    owner: str
    status: State
    created_at: datetime
    total: int | None = Field(description="pictures; null while they are being chosen")
    done: int
    percent: float | None
    eta_s: float | None = Field(description="seconds that the rest takes if it goes on as it went")
    jobs: dict[Status, int] = Field(description="how many jobs have each status now")
    refused: int = Field(description="pictures that never became jobs of the batch")
    failures: list[Failure] = Field(description=f"at most {MAX_FAILURES}")
    links: BatchLinks


def create(call: RequestContext) -> ApiResponse:
    """Have many pictures done again."""
    wishes: BatchWishes = call.body
    pipeline = None if wishes.pipeline is None else asked_pipeline(wishes.pipeline)
    batch = started(call, wishes, pipeline)
    return ApiResponse(content=view(call, batch), status=202, headers={"Location": f"/v1/batch/{batch.id}"})


def started(call: RequestContext, wishes: BatchWishes, pipeline: Pipeline | None) -> Batch:
    """The batch, which is being chosen. Raises NotInCatalogue if no picture is meant, ObjectNotFound for a pipeline
    that names an object which no picture of the batch may read; each job is checked again when it is taken.
    """
    system, caller = call.parts.system, call.caller
    owner = None if caller.role == "admin" else caller.owner
    if pipeline is not None:
        pin_objects(system, owner, pipeline)
    batch = Batch(
        id=new_id(),
        kind="rework",
        owner=caller.owner,
        created_at=call.parts.now(),
        pipeline=pipeline,
        budget=wishes.budget,
        selection=wishes.selection(owner),
    )
    _require_any(call, batch)
    start_batch(system, batch)
    return batch


def new_id() -> str:
    """The id of a new import or batch."""
    return secrets.token_hex(12)


def _require_any(call: RequestContext, batch: Batch) -> None:
    selection = batch.selection
    if selection is None or selection.label is None:
        return
    query = JobQuery(label=selection.label, owner=selection.owner)
    if not call.parts.system.jobs.count(query):
        name, value = selection.label
        raise ProductNotFound(f"no picture has the label {name}={value[:100]!r}")


def batch_of(call: RequestContext) -> Batch:
    """The batch that the path names, if the caller may see it. Raises BatchNotFound."""
    batch = read_batch(call.parts.system, call.path["batch"])
    call.caller.require_batch(batch)
    return batch


def view(call: RequestContext, batch: Batch) -> BatchView:
    """The batch as it stands now."""
    progress = progress_of(call.parts.system, batch)
    return BatchView(
        id=batch.id,
        kind=batch.kind,
        owner=batch.owner,
        status=progress.state,
        created_at=batch.created_at,
        total=progress.total,
        done=progress.done,
        percent=progress.percent,
        eta_s=progress.remaining_s(call.parts.now()),
        jobs=dict(progress.jobs),
        refused=progress.refused,
        failures=_failures(call, batch, progress),
        links=BatchLinks(
            batch=f"/v1/batch/{batch.id}",
            jobs=f"/v1/jobs?batch={batch.id}",
            export=f"/v1/export.csv?batch={batch.id}",
        ),
    )


def _failures(call: RequestContext, batch: Batch, progress: BatchProgress) -> list[Failure]:
    system = call.parts.system
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


def show(call: RequestContext) -> ApiResponse:
    """How far a batch is."""
    return ApiResponse(content=view(call, batch_of(call)))


def cancel(call: RequestContext) -> ApiResponse:
    """Stop a batch."""
    batch = batch_of(call)
    call.caller.require_own_batch(batch)
    cancel_batch(call.parts.system, batch, who=call.caller.owner)
    return ApiResponse(content=view(call, batch), status=202)


BATCH = ResponseSpec(what="the batch", model=BatchView)
ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/batch",
        name="create_batch",
        summary="Have many pictures done again: of a SKU, of a group, with a label, or named",
        access="submitter",
        handler=create,
        outcomes=(ResponseSpec(what="the batch, which is being worked on", status=202, model=BatchView),),
        problems=(404,),
        body=BatchWishes,
    ),
    Route(
        method="GET",
        path="/v1/batch/{batch}",
        name="show_batch",
        summary="How far a batch or an import is",
        access="submitter",
        handler=show,
        outcomes=(BATCH,),
        problems=(404,),
    ),
    Route(
        method="POST",
        path="/v1/batch/{batch}/cancel",
        name="cancel_batch",
        summary="Stop a batch or an import: what has ended stays",
        access="submitter",
        handler=cancel,
        outcomes=(ResponseSpec(what="the batch, whose jobs are being cancelled", status=202, model=BatchView),),
        problems=(404,),
    ),
)
