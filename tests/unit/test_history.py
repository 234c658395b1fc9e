"""A history never grows without bound, and what was folded is still counted."""

from datetime import timedelta

from darkroom.domain.history import MAX_ENTRIES, HistoryEntry, entries_since, occurrences, with_entry
from tests.jobs import NOW, new_job


def _history(*actions: str) -> tuple[HistoryEntry, ...]:
    history: tuple[HistoryEntry, ...] = ()
    for number, action in enumerate(actions):
        entry = HistoryEntry(at=NOW + timedelta(seconds=number), action=action, text=str(number))
        history = with_entry(history, entry)
    return history


def test_a_job_that_is_renamed_twenty_thousand_times_stays_small() -> None:
    job = new_job()
    before = len(job.history)
    sizes = []
    for number in range(20_000):
        job = job.described(NOW, display_name=f"name {number % 10}{number:06d}", labels=None)
        if number in (999, 19_999):
            sizes.append(len(job.model_dump_json()))
    assert len(job.history) <= MAX_ENTRIES
    assert max(sizes) < 40_000
    assert occurrences(job.history) == before + 20_000


def test_every_mixture_of_actions_is_bounded_and_counted() -> None:
    actions = [f"action-{number * number % 17}" for number in range(5000)]
    history = _history(*actions)
    assert len(history) <= MAX_ENTRIES
    assert occurrences(history) == 5000
    for action in set(actions):
        assert occurrences(entry for entry in history if entry.action == action) == actions.count(action)


def test_the_newest_entries_stay_as_they_are_and_all_stay_in_order() -> None:
    history = _history(*("described", "approved", "rejected") * 300)
    assert [entry.text for entry in history[-100:]] == [str(number) for number in range(800, 900)]
    assert list(history) == sorted(history, key=lambda entry: entry.at)


def test_what_happened_before_a_rework_is_not_counted_to_what_came_after() -> None:
    history = _history("driven", "driven", "rework", "driven", *("described",) * 400)
    rework = max(number for number, entry in enumerate(history) if entry.action == "rework")
    assert occurrences(entry for entry in history[rework:] if entry.action == "driven") == 1


def test_whoever_has_seen_some_of_a_history_is_shown_the_rest_once() -> None:
    assert [each.text for each in entries_since(_history("a", "b", "c"), 1)] == ["1", "2"]
    shown, seen = 0, 0
    for number in range(1, 1001):
        history = _history(*("described",) * number) if number in (150, 199, 200, 201, 350, 1000) else None
        if history is not None:
            shown += len(entries_since(history, seen))
            seen = occurrences(history)
    assert seen == 1000
    assert 0 < shown <= 1000
    assert not entries_since(_history(*("described",) * 1000), 1000)
