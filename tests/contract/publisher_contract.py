"""What every `darkroom.runtime.ports.Publisher` promises.

An adapter inherits the suite, gives `publisher`, and receives.

The topics are `letters`, with the subscriptions `readers` and `archive`, and `numbers`, with `counters`.
"""

import pytest

from darkroom.domain.errors import BadMessage
from darkroom.domain.topology import Subscription
from darkroom.runtime.ports import Publisher

SUBSCRIPTIONS = tuple(
    Subscription(name=name, topic=topic, function="none", entry_point="none")
    for name, topic in (("readers", "letters"), ("archive", "letters"), ("counters", "numbers"))
)


class PublisherContract:
    def received(self, subscription: str) -> list[tuple[str, bytes, dict[str, str]]]:
        """Id, data and attributes of every message that the subscription has; acknowledges them."""
        raise NotImplementedError

    def test_every_subscription_of_the_topic_receives_the_message(self, publisher: Publisher) -> None:
        attributes = {"type": "Letter", "name": "Großmutter, 写真"}
        message_id = publisher.publish("letters", b'{"a": "\xc3\xa4"}', attributes)
        expected = [(message_id, b'{"a": "\xc3\xa4"}', attributes)]
        assert self.received("readers") == expected
        assert self.received("archive") == expected
        assert self.received("counters") == []

    def test_every_message_has_its_own_id(self, publisher: Publisher) -> None:
        sent = [publisher.publish("numbers", b"same", {}) for _ in range(5)]
        assert len(set(sent)) == 5
        assert sorted(message_id for message_id, _, _ in self.received("counters")) == sorted(sent)

    def test_attributes_may_be_called_like_the_arguments_of_a_client(self, publisher: Publisher) -> None:
        attributes = {"topic": "t", "data": "d", "timeout": "1", "retry": "2", "ordering_key": "3", "self": "4"}
        publisher.publish("numbers", b"x", attributes)
        assert [received[2] for received in self.received("counters")] == [attributes]

    def test_data_may_be_any_bytes(self, publisher: Publisher) -> None:
        data = bytes(range(256)) * 100
        publisher.publish("numbers", data, {})
        assert [received[1] for received in self.received("counters")] == [data]

    def test_a_message_without_data_is_refused(self, publisher: Publisher) -> None:
        with pytest.raises(BadMessage, match="no data"):
            publisher.publish("numbers", b"", {"type": "Empty"})
        assert self.received("counters") == []

    def test_a_message_over_ten_megabytes_is_refused(self, publisher: Publisher) -> None:
        with pytest.raises(BadMessage, match="10000001 bytes, at most 10000000"):
            publisher.publish("numbers", b"x" * 10_000_001, {})
        assert self.received("counters") == []
