"""Everything that the description allows, and much that it does not, is answered as it says."""

import logging
from io import StringIO
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from darkroom.runtime.logs import configure
from tests.api_client import Service, flask_app, service
from tests.pictures import jpeg_bytes

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
#: Requests made of each operation.
EXAMPLES = 8


def unreachable(url: str) -> bytes:
    """The internet of this test, which has one picture."""
    return jpeg_bytes()


API: Service = service(fetch=unreachable)
schema = schemathesis.openapi.from_wsgi("/openapi.json", flask_app(API.api))


@pytest.fixture(autouse=True)
def quiet() -> None:
    """The log goes nowhere; the rate is that of nobody in particular."""
    configure("ERROR", StringIO())
    logging.getLogger("hypothesis").setLevel(logging.ERROR)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_has_an_answer_that_is_not_described(case: Any) -> None:
    API.world.clock.advance(60)  # so that the rate is never used up
    # About half of the requests for a job mean one that is there.
    if str((case.path_parameters or {}).get("job", "f"))[-1] < "8":
        case.path_parameters["job"] = API.any_job()
    if str((case.path_parameters or {}).get("batch", "f"))[-1] < "8":
        case.path_parameters["batch"] = API.any_batch()
    response = case.call(headers={"Accept-Encoding": "identity"})  # schemathesis does not decompress
    case.validate_response(response, checks=CHECKS)
