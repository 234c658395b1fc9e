"""With which key are the callbacks of somebody's jobs signed?"""

from pydantic import BaseModel, Field

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.auth.signing import signing_key
from darkroom.domain.http_errors import Invalid
from darkroom.domain.webhooks import callback_key


class CallbackKey(BaseModel):
    """How to check that a callback is true."""

    key: str = Field(
        description="one's own; the signature is HMAC-SHA256(key, timestamp + '.' + body), in hexadecimal digits"
    )
    signature_header: str = "Darkroom-Signature"
    timestamp_header: str = "Darkroom-Timestamp"


def show(call: RequestContext) -> ApiResponse:
    """The key of one's own callbacks."""
    key = signing_key(call.parts.system.settings)
    if not key:
        raise Invalid("there are no callbacks here: the deployment has no signing_key", code="callbacks_off")
    return ApiResponse(content=CallbackKey(key=callback_key(key, call.caller.owner)))


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/callback-key",
        name="callback_key",
        summary="The key with which one's own callbacks are signed",
        access="submitter",
        handler=show,
        outcomes=(ResponseSpec(what="the key", model=CallbackKey),),
        problems=(422,),
    ),
)
