"""Deadlines and attempts fit together, and every function that is subscribed exists."""

import ast
from pathlib import Path

import pytest

from darkroom.adapters.broker import backoff_s
from darkroom.domain.messages import DEAD_LETTER_TOPIC, EVENTS_TOPIC
from darkroom.domain.products.messages import BATCHES_TOPIC, IMPORTS_TOPIC
from darkroom.domain.topology import (
    LOCAL_SUBSCRIPTIONS,
    RETENTION_S,
    STAGES,
    SUBSCRIPTIONS,
    Subscription,
    stage_subscription,
)
from darkroom.local_cloud.cloud import BACKOFF_SCALE

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
#: Limits of Pub/Sub: https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
MAX_ACK_DEADLINE_S, MAX_BACKOFF_S, ATTEMPTS = 600, 600, range(5, 101)


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda subscription: subscription.name)
def test_a_subscription_is_within_the_limits_of_the_service(subscription: Subscription) -> None:
    assert 10 <= subscription.ack_deadline_s <= MAX_ACK_DEADLINE_S
    assert 0 < subscription.min_backoff_s <= subscription.max_backoff_s <= MAX_BACKOFF_S
    assert subscription.max_attempts is None or subscription.max_attempts in ATTEMPTS


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda subscription: subscription.name)
def test_a_message_is_given_up_before_it_is_forgotten(subscription: Subscription) -> None:
    if subscription.max_attempts is not None:
        longest = subscription.max_attempts * (subscription.ack_deadline_s + subscription.max_backoff_s)
        assert longest < RETENTION_S


def test_every_topic_has_a_subscription_and_every_stage_its_own() -> None:
    topics = {subscription.topic for subscription in SUBSCRIPTIONS}
    assert {EVENTS_TOPIC, DEAD_LETTER_TOPIC, IMPORTS_TOPIC, BATCHES_TOPIC} <= topics
    assert len({subscription.name for subscription in SUBSCRIPTIONS}) == len(SUBSCRIPTIONS) == len(STAGES) + 6


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda subscription: subscription.name)
def test_the_subscribed_function_exists(subscription: Subscription) -> None:
    tree = ast.parse((FUNCTIONS / subscription.function / "main.py").read_text())
    names = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}  # type: ignore[attr-defined]
    assert subscription.entry_point in names


def test_the_attempts_of_a_stage_on_one_machine_span_more_than_a_minute() -> None:
    (assess,) = (each for each in LOCAL_SUBSCRIPTIONS if each.name == stage_subscription("assess").name)
    assert assess.max_attempts is not None
    waits = [backoff_s(assess, attempts, BACKOFF_SCALE) for attempts in range(1, assess.max_attempts)]
    assert waits == [1.0, 4.0, 16.0, 64.0]
