"""The route that returns the key of a caller's webhooks."""

from pydantic import BaseModel, Field

from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.auth.signing import signing_key
from darkroom.domain.http_errors import Invalid
from darkroom.domain.webhooks import callback_key


class CallbackKey(BaseModel):
    """How to verify the signature of a webhook."""

    key: str = Field(
        description="the key; the signature is HMAC-SHA256(key, timestamp + '.' + body), in hexadecimal digits"
    )
    signature_header: str = "Darkroom-Signature"
    timestamp_header: str = "Darkroom-Timestamp"


def show(context: RequestContext) -> ApiResponse:
    """The key of the caller's webhooks."""
    key = signing_key(context.app.system.settings)
    if not key:
        raise Invalid("webhooks are off: the deployment has no signing_key", code="callbacks_off")
    # The key is a secret: no cache keeps it.
    secret = CallbackKey(key=callback_key(key, context.caller.owner))
    return ApiResponse(content=secret, headers={"Cache-Control": "no-store"})


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/callback-key",
        name="callback_key",
        summary="The key that signs the caller's webhooks",
        access="submitter",
        handler=show,
        responses=(ResponseSpec(description="the key", model=CallbackKey),),
        problems=(422,),
    ),
)
