"""The age of messages that wait, as Cloud Monitoring measures it for every subscription of Pub/Sub."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from darkroom.adapters.gcp.errors import translated
from darkroom.adapters.system import SystemClock
from darkroom.runtime.ports import Clock

if TYPE_CHECKING:
    from requests import Session

#: Address of the API: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
SERVICE_URL = "https://monitoring.googleapis.com"
#: Age in seconds of a figure that still counts: it is measured every 60 s and shown up to 180 s later.
_LATEST_S = 600
#: Seconds to wait for an answer.
TIMEOUT_S = 30.0
#: The figure of all subscriptions of a project: https://cloud.google.com/monitoring/api/metrics_gcp_p_z
_FILTER = (
    'metric.type="pubsub.googleapis.com/subscription/oldest_unacked_message_age" '
    'AND resource.type="pubsub_subscription"'
)


class PubsubBacklog:
    """What waits in the subscriptions of a project; the session with its credentials is built on first use.

    A subscription without a figure, where others have one, has had nothing to measure; without any figure at all the
    answer is None.
    """

    def __init__(
        self, project: str, *, session: "Session | None" = None, url: str = SERVICE_URL, clock: Clock | None = None
    ) -> None:
        self._project = project
        self._given = session
        self._url = f"{url}/v3/projects/{project}/timeSeries"
        self._clock = clock or SystemClock()

    def waiting_since(self) -> Mapping[str, datetime] | None:
        ages = [_latest(series) for series in self._series()]
        if not ages:
            return None
        return {name: measured_at - age for name, measured_at, age in ages if age > timedelta(0)}

    def _series(self) -> Iterator[Any]:
        now, token = self._clock.now(), ""
        interval = {
            "interval.startTime": (now - timedelta(seconds=_LATEST_S)).isoformat(),
            "interval.endTime": now.isoformat(),
        }
        while True:
            parameters = {"filter": _FILTER, **interval, **({"pageToken": token} if token else {})}
            with translated(f"read the backlog of project {self._project}"):
                answer = self._session.get(self._url, params=parameters, timeout=TIMEOUT_S)
                answer.raise_for_status()
                page = answer.json()
            yield from (series for series in page.get("timeSeries", ()) if series.get("points"))
            token = page.get("nextPageToken", "")
            if not token:
                return

    @cached_property
    def _session(self) -> "Session":
        if self._given is not None:
            return self._given
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        with translated(f"reach Cloud Monitoring in project {self._project}"):
            credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/monitoring.read"])
            session: Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
            return session


def _latest(series: Any) -> tuple[str, datetime, timedelta]:
    """Subscription, moment and age of the newest point; the service lists it first."""
    point = series["points"][0]
    age = timedelta(seconds=int(point["value"]["int64Value"]))
    return series["resource"]["labels"]["subscription_id"], datetime.fromisoformat(point["interval"]["endTime"]), age
