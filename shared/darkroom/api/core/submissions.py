"""A picture with its options, in any of the forms in which clients send it.

multipart/form-data   the file, and the options as fields of the form or of the query
application/json      `url` and the options
any other type        the bytes of the picture, and the options as fields of the query
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic

from flask import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from typing_extensions import TypeVar

from darkroom.api.core.reading import FILE_FIELD, MASK_FIELD, checked, read_form, read_json, read_mask, read_raw
from darkroom.domain.http_errors import Invalid, UnreadableType
from darkroom.domain.new_job import LABEL_NAME
from darkroom.domain.pipeline import Pipeline, build_pipeline, parse_pipeline


def _from_text(value: object) -> object:
    """The JSON in a text: fields of forms and queries hold text only."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"expected a JSON object, not {value[:80]!r}") from exc


#: The beginning of a form without files: a name and an equals sign. No format of pictures begins so.
_FIELD = re.compile(rb"([a-z_]{1,40})=")
#: Texts by name, or the same as JSON in a text.
Labels = Annotated[
    dict[
        Annotated[str, Field(pattern=f"^{LABEL_NAME}$")],
        Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")],
    ],
    BeforeValidator(_from_text),
    Field(max_length=20),
]
#: Parameters of a stage, or the same as JSON in a text.
Values = Annotated[dict[str, JsonValue], BeforeValidator(_from_text)]


class PictureRequest(BaseModel):
    """The options of every request with a picture."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    url: str | None = Field(
        None, min_length=8, max_length=2000, description="URL of the picture, instead of a file: http or https"
    )


class PipelineRequest(PictureRequest):
    """A picture for a pipeline."""

    pipeline: str | dict[str, JsonValue] | None = Field(
        None,
        description="a preset's name, or a pipeline as JSON, see /v1/presets and /v1/stages; `auto` if absent. Its "
        "`quality` chooses the default models: `fast` the built-in ones, `best` (the default) the best installed ones",
    )

    def to_pipeline(self) -> Pipeline:
        """The pipeline. Raises BadPipeline."""
        return read_pipeline(self.pipeline)


def read_pipeline(value: JsonValue) -> Pipeline:
    """The pipeline of a preset's name or of JSON; `auto` for None. Raises BadPipeline."""
    if value is None:
        return Pipeline()
    return parse_pipeline(value) if isinstance(value, str) else build_pipeline(value)


RequestT_co = TypeVar("RequestT_co", bound=PictureRequest, covariant=True, default=PictureRequest)
RequestT = TypeVar("RequestT", bound=PictureRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Generic[RequestT_co]):
    """A picture as a client sent it, and its options."""

    #: The bytes of the picture; None if the body gives its URL instead.
    data: bytes | None
    #: The client's name of the file; may be empty, is not trusted.
    name: str
    options: RequestT_co
    #: The bytes of the mask; only a form can have one.
    mask: bytes | None = None

    def picture(self, fetch: Callable[[str], bytes]) -> bytes:
        """The bytes of the picture; `fetch` reads a URL. Raises Invalid if there is no picture."""
        url = self.options.url
        if self.data is not None and url is not None:
            raise Invalid("give a picture or a url, not both")
        if url is not None:
            return fetch(url)
        if self.data is None:
            raise Invalid(
                f"there is no picture: send the form field {FILE_FIELD!r}, the bytes as the body, or a url",
                code="no_picture",
            )
        return self.data


def read_submission(request: Request, model: type[RequestT], *, takes_mask: bool = False) -> Submission[RequestT]:
    """The picture and its options, checked. Raises HttpError, also for a mask that nothing would read."""
    query = {name: values[-1] for name, values in request.args.lists()}
    if request.mimetype == "application/json":
        value = read_json(request)
        if not isinstance(value, dict):
            raise Invalid(f"the body is a JSON {type(value).__name__}, expected an object")
        return Submission(data=None, name="", options=checked(model, {**query, **value}))
    if request.mimetype == "multipart/form-data":
        fields, file = read_form(request)
        options = checked(model, {**query, **fields})
        name, data = file or ("", None)
        return Submission(data=data, name=name, options=options, mask=_mask_of(request, takes_mask=takes_mask))
    options = checked(model, query)
    data = read_raw(request)
    _refuse_fields(request, data)
    return Submission(data=data or None, name="", options=options)


def _refuse_fields(request: Request, data: bytes) -> None:
    """Raises UnreadableType for `name=value` instead of a picture: `curl -d` sends it. A picture has the same type."""
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    if is_form and (found := _FIELD.match(data)):
        name = found[1].decode()
        raise UnreadableType(
            f"the body is the field {name!r} of a form without files; send JSON with `Content-Type: application/json`, "
            f"or multipart/form-data (`curl -F {name}=…`), or the bytes of the picture",
            value=request.mimetype,
        )


def _mask_of(request: Request, *, takes_mask: bool) -> bytes | None:
    mask = read_mask(request)
    if mask is not None and not takes_mask:
        raise Invalid(
            f"this request takes no form field {MASK_FIELD!r}; a job's mask is an object that its pipeline names as "
            "mask_object of repair or background"
        )
    return mask
