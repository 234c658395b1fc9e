"""Messages through Pub/Sub."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from darkroom.adapters.broker import check_message
from darkroom.adapters.gcp.errors import translated

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.pubsub_v1 import PublisherClient

#: For one message with all its retries, in seconds; a caller that still waits then is better off failing.
PATIENCE_S = 60.0


class PubsubPublisher:
    """Topics of a project. Each message is sent at once and alone, and has been stored when `publish` returns.

    The client is built on first use. `patience_s` is how long a call is retried while the service does not answer, in
    seconds.
    """

    def __init__(
        self, project: str, *, client: "PublisherClient | None" = None, patience_s: float = PATIENCE_S
    ) -> None:
        self._project = project
        self._given = client
        self._patience_s = patience_s

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        from google.pubsub_v1 import PublisherClient as Api

        check_message(topic, data)
        with translated(f"publish on topic {topic} of project {self._project}"):
            request = {
                "topic": f"projects/{self._project}/topics/{topic}",
                "messages": [{"data": data, "attributes": dict(attributes)}],
            }
            # The plain call of the API: the client's own `publish` collects messages in a thread, takes attributes
            # as keyword arguments, and waits for ever if that thread finds no credentials.
            answer = Api.publish(self._client, request, retry=_retry(self._patience_s), timeout=PATIENCE_S)
        return str(answer.message_ids[0])

    @cached_property
    def _client(self) -> "PublisherClient":
        from google.cloud.pubsub_v1 import PublisherClient

        return self._given or PublisherClient()


def _retry(patience_s: float) -> "Retry":
    """A message that was sent twice is delivered twice, which every receiver expects."""
    from google.api_core.exceptions import Aborted, InternalServerError, ResourceExhausted, ServiceUnavailable
    from google.api_core.retry import Retry, if_exception_type

    passing = if_exception_type(Aborted, InternalServerError, ResourceExhausted, ServiceUnavailable)
    return Retry(predicate=passing, initial=0.1, maximum=10.0, multiplier=2.0, timeout=patience_s)
