"""What every `darkroom.runtime.ports.ReservationStore` promises. An adapter inherits the suite and gives `store`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from darkroom.domain.errors import RevisionConflict
from darkroom.domain.quota import Reservation, Reservations
from darkroom.runtime.ports import ReservationStore
from tests.contract.jobs import START

WRITERS = 8


def place(name: str) -> Reservation:
    return Reservation(object=f"api/{name}", expires_at=START, signed=True, deleted=("a", "b"))


def adding(found: Reservations, name: str) -> Reservations:
    return found.model_copy(update={"entries": {**found.entries, name: place(name)}})


def add(store: ReservationStore, owner: str, name: str) -> Reservations:
    """Add one entry, whoever else does so at the same moment."""
    while True:
        try:
            return store.save(adding(store.get(owner), name))
        except RevisionConflict:
            continue


class ReservationStoreContract:
    def test_who_never_saved_has_no_entries_and_no_version(self, store: ReservationStore) -> None:
        assert store.get("anna") == Reservations(owner="anna", entries={}, version="")

    def test_what_was_saved_comes_back_equal_with_its_version(self, store: ReservationStore) -> None:
        saved = add(store, "visitor:ä/…", "x")
        assert saved.version
        assert store.get("visitor:ä/…") == saved
        assert add(store, "visitor:ä/…", "y").version != saved.version

    def test_owners_have_reservations_of_their_own(self, store: ReservationStore) -> None:
        add(store, "anna", "x")
        add(store, "", "y")
        assert list(store.get("anna").entries) == ["x"]
        assert list(store.get("").entries) == ["y"]

    def test_saving_an_older_version_raises_and_changes_nothing(self, store: ReservationStore) -> None:
        first = add(store, "anna", "x")
        second = add(store, "anna", "y")
        with pytest.raises(RevisionConflict):
            store.save(adding(first, "z"))
        assert store.get("anna") == second

    def test_saving_first_what_somebody_else_saved_first_raises(self, store: ReservationStore) -> None:
        nothing = store.get("anna")
        saved = add(store, "anna", "x")
        with pytest.raises(RevisionConflict):
            store.save(adding(nothing, "y"))
        assert store.get("anna") == saved

    def test_without_entries_nothing_is_stored_and_an_old_version_stays_old(self, store: ReservationStore) -> None:
        first = add(store, "anna", "x")
        assert store.save(first.model_copy(update={"entries": {}})) == Reservations(owner="anna")
        assert store.get("anna") == Reservations(owner="anna")
        again = add(store, "anna", "x")
        with pytest.raises(RevisionConflict):
            store.save(adding(first, "y"))
        assert store.get("anna") == again

    def test_emptying_an_older_version_raises_and_changes_nothing(self, store: ReservationStore) -> None:
        first = add(store, "anna", "x")
        second = add(store, "anna", "y")
        with pytest.raises(RevisionConflict):
            store.save(first.model_copy(update={"entries": {}}))
        assert store.get("anna") == second

    def test_of_threads_that_save_the_same_version_exactly_one_succeeds(self, store: ReservationStore) -> None:
        found = add(store, "anna", "x")

        def save(number: int) -> bool:
            try:
                store.save(adding(found, str(number)))
            except RevisionConflict:
                return False
            return True

        with ThreadPoolExecutor(WRITERS) as pool:
            assert sum(pool.map(save, range(WRITERS))) == 1

    def test_no_entry_is_lost_among_threads_that_try_again(self, store: ReservationStore) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda number: add(store, "anna", str(number)), range(WRITERS)))
        assert sorted(store.get("anna").entries) == sorted(map(str, range(WRITERS)))
