"""How does a picture come with its wishes?

multipart/form-data   the file, and the wishes as fields of the form (or of the query)
application/json      `url`, and the wishes beside it
anything else         the bytes of the picture, and the wishes as fields of the query
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from flask import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from darkroom.api.core.reading import FILE_FIELD, checked, read_form, read_json, read_raw
from darkroom.api.core.routing import RequestContext
from darkroom.domain.http_errors import Invalid
from darkroom.domain.pipeline import Pipeline, build_pipeline, parse_pipeline


def _from_text(value: Any) -> Any:
    """JSON in a field of a form or of a query, which holds text only."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"expected a JSON object, not {value[:80]!r}") from exc


#: Texts by name, or the same as JSON in a text.
Labels = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")],
        Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")],
    ],
    BeforeValidator(_from_text),
    Field(max_length=20),
]
#: Parameters of a stage, or the same as JSON in a text.
Values = Annotated[dict[str, JsonValue], BeforeValidator(_from_text)]


class EnhanceRequest(BaseModel):
    """What may come with every picture."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    url: str | None = Field(
        None, min_length=8, max_length=2000, description="where the picture lies, instead of a file: http or https"
    )


class PipelineWishes(EnhanceRequest):
    """A picture that a pipeline is to work on."""

    pipeline: str | dict[str, JsonValue] | None = Field(
        None,
        description="a preset's name, or a pipeline as JSON, see /v1/presets and /v1/stages; `auto` if absent. Its "
        "`quality` chooses the default models: `fast` the built-in ones, `best` (the default) the best installed ones",
    )

    def asked(self) -> Pipeline:
        """The pipeline. Raises BadPipeline."""
        return asked_pipeline(self.pipeline)


def asked_pipeline(told: str | dict[str, JsonValue] | None) -> Pipeline:
    """The pipeline of a preset's name or of JSON, `auto` if there is none. Raises BadPipeline."""
    if told is None:
        return Pipeline()
    return parse_pipeline(told) if isinstance(told, str) else build_pipeline(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What came."""

    #: None if the body says where the picture lies instead.
    data: bytes | None
    #: What the client calls the file; may be empty, is never believed.
    name: str
    wishes: Any


def read_submission(request: Request, model: type[BaseModel]) -> Submission:
    """The picture and its wishes, checked. Raises Refused in one of its kinds."""
    query = {name: values[-1] for name, values in request.args.lists()}
    if request.mimetype == "application/json":
        value = read_json(request)
        if not isinstance(value, dict):
            raise Invalid(f"the body is a JSON {type(value).__name__}, expected an object")
        return Submission(data=None, name="", wishes=checked(model, {**query, **value}))
    if request.mimetype == "multipart/form-data":
        fields, file = read_form(request)
        wishes = checked(model, {**query, **fields})
        name, data = file or ("", None)
        return Submission(data=data, name=name, wishes=wishes)
    wishes = checked(model, query)
    return Submission(data=read_raw(request) or None, name="", wishes=wishes)


def picture_of(call: RequestContext) -> bytes:
    """The bytes of the picture, fetched if they lie behind a URL. Raises Invalid if there are none."""
    submission: Submission = call.body
    url = submission.wishes.url
    if submission.data is not None and url is not None:
        raise Invalid("give a picture or a url, not both")
    if url is not None:
        return call.parts.fetch(url)
    if submission.data is None:
        raise Invalid(
            f"there is no picture: send the form field {FILE_FIELD!r}, the bytes as the body, or a url",
            code="no_picture",
        )
    return submission.data
