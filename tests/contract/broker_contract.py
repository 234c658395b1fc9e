"""What every `darkroom.adapters.broker.Broker` promises. An adapter inherits the suite and gives `make_broker`."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from darkroom.adapters.broker import Broker, Delivery
from darkroom.domain.envelope import STEPS_DONE
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.messages import DEAD_LETTER_TOPIC
from darkroom.domain.topology import Subscription
from tests.contract.publisher_contract import SUBSCRIPTIONS as PLAIN
from tests.contract.publisher_contract import PublisherContract
from tests.fakes.memory import ManualClock

WORK = Subscription(
    name="work",
    topic="work",
    function="none",
    entry_point="none",
    ack_deadline_s=60,
    min_backoff_s=10.0,
    max_backoff_s=300.0,
    max_attempts=3,
    urgent_types=("Stop",),
)
STUBBORN = Subscription(
    name="stubborn", topic="stubborn", function="none", entry_point="none", ack_deadline_s=60, max_attempts=None
)
MORTUARY = Subscription(
    name="mortuary", topic=DEAD_LETTER_TOPIC, function="none", entry_point="none", max_attempts=None
)
SUBSCRIPTIONS = (*PLAIN, WORK, STUBBORN, MORTUARY)

MakeBroker = Callable[..., Broker]


def one(deliveries: list[Delivery]) -> Delivery:
    (delivery,) = deliveries
    return delivery


class BrokerContract(PublisherContract):
    """Gives `make_broker(clock, subscriptions=…, backoff_scale=…)`, which shares nothing with other tests."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def broker(self, make_broker: MakeBroker, clock: ManualClock) -> Broker:
        return make_broker(clock, subscriptions=SUBSCRIPTIONS)

    @pytest.fixture
    def publisher(self, broker: Broker, clock: ManualClock) -> Broker:
        self._broker, self._clock = broker, clock
        return broker

    def received(self, subscription: str) -> list[tuple[str, bytes, dict[str, str]]]:
        deliveries = self._broker.lease(self._clock.now(), limit=100, subscriptions=[subscription])
        assert all(self._broker.ack(delivery) for delivery in deliveries)
        return [(delivery.id, delivery.data, dict(delivery.attributes)) for delivery in deliveries]

    def test_a_delivery_says_what_was_published_where_and_when(self, broker: Broker, clock: ManualClock) -> None:
        published_at = clock.now()
        message_id = broker.publish("work", b"data", {"k": "v"})
        delivery = one(broker.lease(clock.advance(5)))
        assert (delivery.id, delivery.subscription, delivery.data) == (message_id, "work", b"data")
        assert (delivery.attributes, delivery.delivery_attempt) == ({"k": "v"}, 1)
        assert delivery.published_at == published_at

    def test_messages_come_oldest_first_across_subscriptions(self, broker: Broker, clock: ManualClock) -> None:
        for number in range(6):
            broker.publish(("work", "numbers", "stubborn")[number % 3], b"%d" % number, {})
        assert [delivery.data for delivery in broker.lease(clock.now(), limit=4)] == [b"0", b"1", b"2", b"3"]
        assert [delivery.data for delivery in broker.lease(clock.now(), limit=4)] == [b"4", b"5"]
        assert broker.lease(clock.now(), limit=4) == []

    def test_a_job_that_was_begun_goes_on_before_another_begins(self, broker: Broker, clock: ManualClock) -> None:
        for steps, data in ((None, b"upload"), ("0", b"first step"), ("3", b"fourth step"), ("1", b"second step")):
            broker.publish("work", data, {} if steps is None else {STEPS_DONE: steps})
        broker.publish("stubborn", b"third step", {STEPS_DONE: "2"})
        order = [b"fourth step", b"third step", b"second step", b"upload", b"first step"]
        assert [delivery.data for delivery in broker.lease(clock.now(), limit=9)] == order

    def test_a_later_step_keeps_its_place_when_it_is_delivered_again(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("work", b"later", {STEPS_DONE: "3"})
        broker.nack(one(broker.lease(clock.now())), clock.now())
        broker.publish("work", b"first", {})
        assert [delivery.data for delivery in broker.lease(clock.advance(10), limit=9)] == [b"later", b"first"]

    def test_an_urgent_message_goes_before_all_others(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("work", b"last step", {"type": "Step", STEPS_DONE: "999"})
        broker.publish("work", b"urgent", {"type": "Stop"})
        broker.publish("stubborn", b"urgent elsewhere only", {"type": "Stop"})
        order = [b"urgent", b"last step", b"urgent elsewhere only"]
        assert [delivery.data for delivery in broker.lease(clock.now(), limit=9)] == order

    @pytest.mark.parametrize("steps", ["", "-1", "x", "²", "99999999999999999999"])
    def test_a_number_of_steps_that_cannot_be_counts_as_none(
        self, broker: Broker, clock: ManualClock, steps: str
    ) -> None:
        broker.publish("work", b"first", {STEPS_DONE: "1"})
        broker.publish("work", b"odd", {STEPS_DONE: steps})
        assert [delivery.data for delivery in broker.lease(clock.now(), limit=9)] == [b"first", b"odd"]

    def test_only_the_subscriptions_asked_for_are_leased(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("work", b"1", {})
        broker.publish("numbers", b"2", {})
        assert broker.lease(clock.now(), limit=9, subscriptions=[]) == []
        assert [d.data for d in broker.lease(clock.now(), limit=9, subscriptions=["counters", "readers"])] == [b"2"]

    def test_a_leased_message_is_not_leased_again_before_its_deadline(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("work", b"x", {})
        first = one(broker.lease(clock.now()))
        assert broker.lease(clock.advance(59.999)) == []
        second = one(broker.lease(clock.advance(0.001)))
        assert (second.id, second.delivery_attempt) == (first.id, 2)

    def test_an_acknowledged_message_is_gone_for_its_subscription_only(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("letters", b"x", {})
        assert broker.ack(one(broker.lease(clock.now(), subscriptions=["readers"])))
        assert broker.pending()["readers"] == 0
        assert broker.pending()["archive"] == 1
        assert broker.lease(clock.advance(10_000), subscriptions=["readers"]) == []

    def test_acknowledging_twice_counts_once(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("work", b"x", {})
        delivery = one(broker.lease(clock.now()))
        assert broker.ack(delivery)
        assert not broker.ack(delivery)
        assert not broker.nack(delivery, clock.now())

    def test_an_answer_to_an_old_lease_counts_for_nothing(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("work", b"x", {})
        late = one(broker.lease(clock.now()))
        current = one(broker.lease(clock.advance(60)))
        assert not broker.ack(late)
        assert not broker.nack(late, clock.now())
        assert broker.lease(clock.now()) == []
        assert broker.ack(current)
        assert broker.pending()["work"] == 0

    def test_a_refused_message_comes_back_after_a_backoff_that_doubles_up_to_the_longest(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("stubborn", b"x", {})
        for attempt, backoff_s in enumerate((10, 20, 40, 80, 160, 300, 300, 300), start=1):
            delivery = one(broker.lease(clock.now()))
            assert delivery.delivery_attempt == attempt
            assert broker.nack(delivery, clock.now())
            assert broker.next_due(clock.now()) == clock.now() + timedelta(seconds=backoff_s)
            assert broker.lease(clock.advance(backoff_s - 0.001)) == []
            clock.advance(0.001)

    def test_the_backoff_scale_shortens_every_backoff(self, make_broker: MakeBroker, clock: ManualClock) -> None:
        broker = make_broker(clock, subscriptions=SUBSCRIPTIONS, backoff_scale=0.02)
        broker.publish("stubborn", b"x", {})
        for backoff_s in (0.2, 0.4):
            broker.nack(one(broker.lease(clock.now())), clock.now())
            assert broker.next_due(clock.now()) == clock.now() + timedelta(seconds=backoff_s)
            clock.advance(backoff_s)

    def test_a_message_without_limit_is_tried_for_ever(self, broker: Broker, clock: ManualClock) -> None:
        broker.publish("stubborn", b"x", {})
        for attempt in range(1, 101):
            delivery = one(broker.lease(clock.advance(300)))
            assert delivery.delivery_attempt == attempt
            broker.nack(delivery, clock.now())

    def test_after_its_last_attempt_a_message_goes_to_the_dead_letters_with_its_story(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        published_at = clock.now()
        message_id = broker.publish("work", b"poison", {"job_id": "7"})
        for _ in range(3):
            assert broker.nack(one(broker.lease(clock.advance(300))), clock.now())
        assert broker.pending()["work"] == 0
        letter = one(broker.lease(clock.now(), limit=9))
        assert (letter.subscription, letter.data, letter.delivery_attempt) == ("mortuary", b"poison", 1)
        assert letter.published_at == clock.now()
        assert letter.attributes == {
            "job_id": "7",
            "CloudPubSubDeadLetterSourceSubscription": "work",
            "CloudPubSubDeadLetterSourceDeliveryCount": "3",
            "CloudPubSubDeadLetterSourceTopicPublishTime": published_at.isoformat(timespec="microseconds").replace(
                "+00:00", "Z"
            ),
        }
        assert letter.id != message_id
        broker.ack(letter)
        (record,) = broker.dead_letters()
        assert (record.message_id, record.subscription, record.deliveries) == (message_id, "work", 3)
        assert (record.data, record.attributes) == (b"poison", {"job_id": "7"})

    def test_a_message_whose_last_lease_runs_out_goes_to_the_dead_letters_too(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("work", b"hangs", {})
        for attempt in (1, 2, 3):
            assert one(broker.lease(clock.now())).delivery_attempt == attempt
            clock.advance(60)
        assert one(broker.lease(clock.now(), limit=9)).subscription == "mortuary"
        assert broker.pending()["work"] == 0

    def test_a_late_acknowledgement_before_the_next_lease_still_saves_the_message(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("work", b"slow", {})
        delivery = one(broker.lease(clock.now()))
        clock.advance(61)
        assert broker.ack(delivery)
        assert broker.lease(clock.now()) == []

    def test_without_a_subscription_for_dead_letters_they_are_still_recorded(
        self, make_broker: MakeBroker, clock: ManualClock
    ) -> None:
        broker = make_broker(clock, subscriptions=[WORK])
        broker.publish("work", b"x", {})
        for _ in range(3):
            broker.nack(one(broker.lease(clock.advance(300))), clock.now())
        assert [letter.data for letter in broker.dead_letters()] == [b"x"]
        assert broker.pending() == {"work": 0}

    def test_what_was_published_before_the_clock_was_set_back_is_leased_all_the_same(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("work", b"x", {})
        clock.advance(-3600)
        assert broker.next_due(clock.now()) == clock.now()
        leased = one(broker.lease(clock.now()))
        assert leased.data == b"x"
        assert broker.lease(clock.advance(59)) == []
        assert broker.next_due(clock.now()) == clock.now() + timedelta(seconds=1)
        assert broker.ack(leased)

    def test_a_message_that_kills_its_deliverer_every_time_becomes_a_dead_letter(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("work", b"takes all memory", {})
        for attempt in (1, 2, 3):
            assert one(broker.lease(clock.now())).delivery_attempt == attempt
            assert broker.release_leases(clock.now()) == 1
        assert one(broker.lease(clock.now(), limit=9)).subscription == "mortuary"
        assert broker.pending()["work"] == 0

    def test_released_leases_are_available_at_once_and_count_as_attempts(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        broker.publish("work", b"leased", {})
        broken_off = one(broker.lease(clock.now()))
        broker.publish("stubborn", b"refused", {})
        broker.nack(one(broker.lease(clock.now())), clock.now())
        broker.publish("numbers", b"waiting", {})
        assert broker.release_leases(clock.now()) == 1
        assert not broker.ack(broken_off)
        again = broker.lease(clock.now(), limit=9)
        assert [(delivery.data, delivery.delivery_attempt) for delivery in again] == [(b"leased", 2), (b"waiting", 1)]

    def test_next_due_is_now_later_or_never(self, broker: Broker, clock: ManualClock) -> None:
        assert broker.next_due(clock.now()) is None
        broker.publish("work", b"x", {})
        clock.advance(5)
        assert broker.next_due(clock.now()) == clock.now()
        assert broker.next_due(clock.now(), subscriptions=["readers"]) is None
        delivery = one(broker.lease(clock.now()))
        assert broker.next_due(clock.now()) == clock.now() + timedelta(seconds=60)
        broker.ack(delivery)
        assert broker.next_due(clock.now()) is None

    def test_pending_counts_what_is_not_acknowledged(self, broker: Broker, clock: ManualClock) -> None:
        assert set(broker.pending()) == {subscription.name for subscription in SUBSCRIPTIONS}
        assert set(broker.pending().values()) == {0}
        for _ in range(3):
            broker.publish("letters", b"x", {})
        broker.ack(one(broker.lease(clock.now(), subscriptions=["readers"])))
        broker.lease(clock.now(), subscriptions=["readers"])
        assert (broker.pending()["readers"], broker.pending()["archive"]) == (2, 3)

    def test_a_topic_without_subscription_is_a_mistake_and_said_so(self, broker: Broker) -> None:
        with pytest.raises(ConfigurationError, match="'typo' has no subscription"):
            broker.publish("typo", b"x", {})

    def test_threads_that_lease_at_once_never_get_the_same_message(self, broker: Broker, clock: ManualClock) -> None:
        for number in range(60):
            broker.publish("work", b"%d" % number, {})
        with ThreadPoolExecutor(8) as pool:
            leased = list(pool.map(lambda _: broker.lease(clock.now(), limit=5), range(20)))
        numbers = [int(delivery.data) for deliveries in leased for delivery in deliveries]
        assert sorted(numbers) == list(range(60))

    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_happens_no_message_is_lost_or_invented(
        self, broker: Broker, clock: ManualClock, seed: int
    ) -> None:
        rng, sent, done = random.Random(seed), set(), set()
        for number in range(20):
            broker.publish("work", b"%d" % number, {})
            sent.add(number)
        for _ in range(400):
            clock.advance(rng.choice([0, 1, 30, 300]))
            for delivery in broker.lease(clock.now(), limit=rng.randrange(1, 4), subscriptions=["work"]):
                answer = rng.random()
                if answer < 0.3:
                    assert broker.ack(delivery)
                    done.add(int(delivery.data))
                elif answer < 0.7:
                    assert broker.nack(delivery, clock.now())
        buried = [int(letter.data) for letter in broker.dead_letters()]
        assert len(buried) == len(set(buried))
        assert sorted([*done, *buried]) == sorted(sent)
        assert broker.pending()["mortuary"] == len(buried)

    def test_the_backlog_is_as_old_as_the_oldest_message_that_is_not_acknowledged(
        self, broker: Broker, clock: ManualClock
    ) -> None:
        assert broker.waiting_since() == {}
        first = clock.now()
        broker.publish("work", b"1", {})
        broker.publish("stubborn", b"1", {})
        clock.advance(100)
        broker.publish("work", b"2", {})
        assert broker.waiting_since() == {"work": first, "stubborn": first}
        leased = one(broker.lease(clock.now(), subscriptions=["work"]))
        assert (broker.waiting_since() or {})["work"] == first, "somebody works on it"
        broker.ack(leased)
        assert broker.waiting_since() == {"work": clock.now(), "stubborn": first}
