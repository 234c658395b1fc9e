"""The history of a job: one entry for each thing that happened to it, in a bounded number of entries."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from darkroom.domain.messages import Record

#: Actions that bring a job to another step; requests from before them are answered or void.
PROGRESS = frozenset({"uploaded", "planned", "stage_completed", "replayed", "rework"})
#: Most entries of a history. A long pipeline has 20, an entry at most about 2,500 bytes, a Firestore document 1 MiB.
MAX_ENTRIES = 200
#: Newest entries that stay as they are when older ones are folded.
KEPT_ENTRIES = 100


class HistoryEntry(Record):
    """One line of a job's history."""

    at: datetime
    #: Stable word for what happened, for instance `stage_completed`.
    action: str
    text: str
    #: The person who did it, if there is one.
    who: str | None = None
    #: Earlier entries of the same action that were folded into this one, which is the last of them.
    repeats: int = 0


def with_entry(history: Sequence[HistoryEntry], entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """The history with one more entry. When it is full, old entries of the same action are folded into one.

    Folding keeps the order, and keeps apart what happened before and after the last progress among the old entries.
    """
    if len(history) < MAX_ENTRIES:
        return (*history, entry)
    old, recent = history[:-KEPT_ENTRIES], history[-KEPT_ENTRIES:]
    split = max((number for number, each in enumerate(old, start=1) if each.action in PROGRESS), default=0)
    return (*_folded(old[:split]), *_folded(old[split:]), *recent, entry)


def occurrences(entries: Iterable[HistoryEntry]) -> int:
    """How many things happened, those that were folded too."""
    return sum(1 + entry.repeats for entry in entries)


def entries_since(history: Sequence[HistoryEntry], seen: int) -> Sequence[HistoryEntry]:
    """The entries after the first `seen` occurrences; of entries that were merged since, the merged one."""
    missing = occurrences(history) - seen
    first = len(history)
    while first > 0 and missing > 0:
        first -= 1
        missing -= 1 + history[first].repeats
    return history[first:]


def _folded(entries: Sequence[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    last: dict[str, HistoryEntry] = {}
    for entry in entries:
        before = last.pop(entry.action, None)
        repeats = entry.repeats + (1 + before.repeats if before else 0)
        last[entry.action] = entry.model_copy(update={"repeats": repeats})
    return tuple(last.values())
