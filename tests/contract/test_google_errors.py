"""Google's errors become ours: those that no stand-in produces."""

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.cloud.storage.exceptions import DataCorruption
from urllib3.exceptions import ProtocolError

from darkroom.adapters.gcp.errors import translated
from darkroom.domain.errors import ObjectExists, PermanentError, TransientError


class TestTranslationOfErrors:
    @pytest.mark.parametrize(
        "name", ["ServiceUnavailable", "DeadlineExceeded", "TooManyRequests", "InternalServerError", "Aborted"]
    )
    def test_what_may_pass_is_transient(self, name: str) -> None:
        with pytest.raises(TransientError, match=f"could not do it .{name}"), translated("do it"):
            raise getattr(exceptions, name)("busy")

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.PermissionDenied("no"),
            exceptions.Forbidden("no"),
            exceptions.Unauthorized("no"),
            DefaultCredentialsError("none"),
            RefreshError("expired"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_a_missing_permission_keeps_the_message_and_says_what_to_do(self, error: Exception) -> None:
        with pytest.raises(TransientError, match="not allowed to do it; grant"), translated("do it"):
            raise error

    @pytest.mark.parametrize("name", ["BadRequest", "InvalidArgument"])
    def test_what_the_service_refuses_for_good_is_permanent(self, name: str) -> None:
        with pytest.raises(PermanentError, match="refuses to do it"), translated("do it"):
            raise getattr(exceptions, name)("never")

    def test_a_missing_index_may_still_be_built(self) -> None:
        with pytest.raises(TransientError), translated("do it"):
            raise exceptions.FailedPrecondition("The query requires an index")

    def test_broken_connections_and_damaged_downloads_are_transient(self) -> None:
        broken = (requests.ConnectionError("x"), ProtocolError("x"), DataCorruption("x"), ConnectionResetError("x"))
        for error in broken:
            with pytest.raises(TransientError), translated("do it"):
                raise error

    def test_an_answer_becomes_the_error_that_the_caller_named(self) -> None:
        with pytest.raises(ObjectExists), translated("do it", {"PreconditionFailed": ObjectExists("there")}):
            raise exceptions.PreconditionFailed("412")

    def test_our_own_mistakes_are_not_hidden(self) -> None:
        with pytest.raises(KeyError), translated("do it"):
            raise KeyError("a bug")
