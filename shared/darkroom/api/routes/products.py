"""The route that lists the pictures of a product group."""

from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.domain.http_errors import ProductNotFound
from darkroom.domain.job import Job, JobError, QcStatus, Status
from darkroom.handlers.uploads import SOURCE_URL_KEY
from darkroom.runtime.ports import JobQuery


class ProductsQuery(BaseModel):
    """One page of the group."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=200, description="pictures on one page")
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")


class PictureView(BaseModel):
    """One picture of a product."""

    job: str
    display_name: str
    image_type: str
    image_url: str | None = Field(description="its source; null for an upload")
    status: Status
    qc_status: QcStatus
    score_before: float | None
    score_after: float | None
    error: JobError | None
    result: str | None = Field(description="path of the finished picture; null until there is one")


class Product(BaseModel):
    """One SKU with its pictures."""

    sku_id: str = Field(description="empty for pictures without one")
    pictures: list[PictureView]


class ProductGroup(BaseModel):
    """The products of a group."""

    product_group_id: str
    pictures: int = Field(description="of the whole group")
    products: list[Product] = Field(description="newest change first; a product may continue on the next page")
    next_cursor: str | None


def show(context: RequestContext[ProductsQuery, object]) -> ApiResponse:
    """The products of a group with their pictures, jobs and verdicts."""
    group, jobs = context.path["group"], context.app.system.jobs
    owner = None if context.caller.sees_all else context.caller.owner
    limit, cursor = context.query.limit, context.query.cursor
    query = JobQuery(label=("product_group_id", group), owner=owner, limit=limit, cursor=cursor)
    total, page = jobs.count(query), jobs.query(query)
    if not total:
        raise ProductNotFound(f"there is no product group {group[:100]!r}")
    products: dict[str, list[PictureView]] = {}
    for job in page.jobs:
        products.setdefault(job.labels.get("sku_id", ""), []).append(picture_view(job))
    found = [Product(sku_id=sku, pictures=pictures) for sku, pictures in products.items()]
    return ApiResponse(
        content=ProductGroup(product_group_id=group, pictures=total, products=found, next_cursor=page.next_cursor)
    )


def picture_view(job: Job) -> PictureView:
    """One picture of a product, from its job."""
    return PictureView(
        job=job.id,
        display_name=job.display_name,
        image_type=job.labels.get("image_type", ""),
        image_url=job.source.metadata.get(SOURCE_URL_KEY),
        status=job.status,
        qc_status=job.qc_status,
        score_before=job.before.score if job.before else None,
        score_after=job.after.score if job.after else None,
        error=job.error,
        result=f"/v1/jobs/{job.id}/result" if job.result else None,
    )


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/products/{group}",
        name="show_products",
        summary="The products of a group with their pictures, jobs and verdicts",
        access="submitter",
        handler=show,
        responses=(ResponseSpec(description="one page of the group", model=ProductGroup),),
        problems=(404,),
        query=ProductsQuery,
    ),
)
