"""Defines the topics and subscriptions, the functions that serve them, and their retries.

The local cloud, the emulators and Google Cloud use this one description. The deadlines satisfy

    ack deadline ≥ the function's timeout          (a slow delivery is not repeated while it still runs)
    attempts × longest backoff < retention          (a message is given up before it expires)

Pub/Sub counts a push that is refused because no instance is free (429, 503) as a delivery. So many attempts are
allowed, and the failures that a stage reports decide when its job fails: after `MAX_FAILURES` of them. On one machine a
delivery is never refused, and `LOCAL_SUBSCRIPTIONS` counts each one as a failure.
"""

from dataclasses import dataclass, replace
from typing import get_args

from darkroom.domain.messages import DEAD_LETTER_TOPIC, EVENTS_TOPIC, stage_topic
from darkroom.domain.parameters import Stage
from darkroom.domain.products.messages import BATCHES_TOPIC, IMPORTS_TOPIC, BatchCancelled
from darkroom.domain.webhooks import CALLBACKS_TOPIC

STAGES: tuple[Stage, ...] = get_args(Stage)

#: Topic of storage notifications on the laptop; on Google Cloud an event trigger replaces it.
UPLOADS_TOPIC = "uploads"
#: Seconds for which Pub/Sub keeps an unacknowledged message.
RETENTION_S = 7 * 24 * 3600
#: Failures of one step after which its job is given up.
MAX_FAILURES = 5
#: Most deliveries before the dead letter: https://cloud.google.com/pubsub/docs/handling-failures
MOST_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The receiver of a topic's messages, with its deadline, backoff and number of attempts."""

    name: str
    topic: str
    #: Folder under `functions/` and the function's name in its `main.py`.
    function: str
    entry_point: str
    #: Seconds until an unacknowledged message is delivered again.
    ack_deadline_s: int = 600
    #: Seconds before the first redelivery, and the longest ones.
    min_backoff_s: float = 10.0
    max_backoff_s: float = 300.0
    #: By how much each wait is longer than the one before; Pub/Sub doubles.
    backoff_factor: float = 2.0
    #: Deliveries before the message becomes a dead letter; None tries until the retention ends.
    max_attempts: int | None = MOST_ATTEMPTS
    #: Added to the number of finished steps where messages wait in one queue; the greatest sum is delivered first.
    precedence: int = 0
    #: Values of the attribute `type` whose messages a queue on one machine delivers before all others.
    urgent_types: tuple[str, ...] = ()


def stage_subscription(stage: Stage) -> Subscription:
    """The subscription that brings a stage its requests."""
    return Subscription(name=stage_topic(stage), topic=stage_topic(stage), function=stage, entry_point=stage)


SUBSCRIPTIONS: tuple[Subscription, ...] = (
    Subscription(
        name="dispatcher-uploads",
        topic=UPLOADS_TOPIC,
        function="dispatcher",
        entry_point="on_upload",
        ack_deadline_s=60,
        max_attempts=None,
    ),
    Subscription(
        name="dispatcher-stage-events",
        topic=EVENTS_TOPIC,
        function="dispatcher",
        entry_point="on_stage_event",
        ack_deadline_s=60,
    ),
    Subscription(
        name="dispatcher-dead-letters",
        topic=DEAD_LETTER_TOPIC,
        function="dispatcher",
        entry_point="on_dead_letter",
        ack_deadline_s=60,
        max_attempts=None,
    ),
    Subscription(
        name="dispatcher-batches",
        topic=BATCHES_TOPIC,
        function="dispatcher",
        entry_point="on_batch",
        ack_deadline_s=300,
        # A cancellation that waits behind the work of its batch cancels nothing.
        urgent_types=(BatchCancelled.__name__,),
    ),
    Subscription(
        name="importer-imports",
        topic=IMPORTS_TOPIC,
        function="importer",
        entry_point="on_import",
        ack_deadline_s=300,
        # A server that is down for some minutes is tried again; after about 20 minutes the row is given up.
        max_backoff_s=600.0,
        max_attempts=8,
    ),
    Subscription(
        name="importer-callbacks",
        topic=CALLBACKS_TOPIC,
        function="importer",
        entry_point="on_callback",
        ack_deadline_s=60,
        max_backoff_s=600.0,
        max_attempts=10,
        # A callback must not be delayed because other jobs begin.
        precedence=100,
    ),
    *(stage_subscription(stage) for stage in STAGES),
)

#: On one machine waits are a tenth (`local_cloud.cloud`) and grow fast: the attempts of a stage span 1 + 4 + 16 + 64 s.
_LOCAL_BACKOFF_FACTOR, _LOCAL_MAX_BACKOFF_S = 4.0, 3000.0
#: The subscriptions of one machine, where every delivery reaches its function.
LOCAL_SUBSCRIPTIONS: tuple[Subscription, ...] = tuple(
    replace(
        each,
        max_attempts=MAX_FAILURES,
        backoff_factor=_LOCAL_BACKOFF_FACTOR,
        max_backoff_s=_LOCAL_MAX_BACKOFF_S,
    )
    if each.topic in map(stage_topic, STAGES)
    else each
    for each in SUBSCRIPTIONS
)
