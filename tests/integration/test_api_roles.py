"""Who may do what: keys, roles, other people's jobs, this computer alone, other origins, and how often."""

import json
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from darkroom.api.core.rate_limits import MAX_CALLERS, RateLimiter
from darkroom.api.core.routing import Route
from darkroom.api.routes.table import ROUTES
from darkroom.auth.callers import Access
from darkroom.auth.keys import MEMORY, Keys
from darkroom.auth.roles import Role
from darkroom.cli.main import cli
from darkroom.cli.support.service import Service as CommandLine
from darkroom.domain.http_errors import TooManyRequests
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.pictures import jpeg_bytes
from tests.world import memory_world

NOBODYS_ID = "0" * 24
ROLES: tuple[Role, ...] = get_args(Role)
RANK = {access: rank for rank, access in enumerate(get_args(Access))}


@pytest.fixture(scope="module")
def locked() -> Service:
    """A service with keys for every role, so that nobody gets in without."""
    api = service()
    for role in ROLES:
        api.key("anna", role)
    return api


def ask(api: Service, route: Route, headers: dict[str, str]) -> Any:
    """The route with a body that it refuses after it has let the caller in, or with none."""
    path = route.path.replace("{job}", NOBODYS_ID).replace("{stage}", "sepia").replace("{n}", "0").replace("{run}", "1")
    path = path.replace("{batch}", NOBODYS_ID).replace("{scope}", "sku").replace("{key}", "k").replace("{group}", "g")
    return api.client.open(path, method=route.method, headers=headers)


@pytest.mark.parametrize("role", [None, *ROLES])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_each_role_gets_in_where_the_table_says_so(locked: Service, route: Route, role: Role | None) -> None:
    status = ask(locked, route, locked.key("anna", role) if role else {}).status_code
    if route.access == "anyone":
        assert status == (404 if "{token}" in route.path else 200)
    elif role is None:
        assert status == 401
    elif RANK[role] < RANK[route.access]:
        assert status == 403
    else:
        assert status not in (401, 403)


@pytest.mark.parametrize(
    "header",
    [{"Authorization": "Bearer dk_0123456789ab_" + "A" * 43}, {"Authorization": "Basic YTpi"}, {"X-Api-Key": "dk_"},
     {"X-Api-Key": "../../x"}, {"Authorization": "Bearer " + "x" * 5000}],
)  # fmt: skip
def test_what_is_no_key_is_401_with_the_way_in(locked: Service, header: dict[str, str]) -> None:
    answer = locked.client.get("/v1/jobs", headers=header)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="darkroom"'


def test_a_key_with_another_secret_is_401(locked: Service) -> None:
    token = locked.tokens.get("anna/admin") or locked.key("anna", "admin")["Authorization"].split()[1]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert locked.client.get("/v1/jobs", headers={"X-Api-Key": token}).status_code == 200
    assert locked.client.get("/v1/jobs", headers={"X-Api-Key": other}).status_code == 401


def test_a_key_is_stored_as_its_hash_and_opens_nothing_once_revoked() -> None:
    api = service()
    header = api.key("anna", "submitter")
    secret = header["Authorization"].split("_", 2)[2]
    (stored,) = (api.world.raw_objects.read(info.ref) for info in api.world.raw_objects.list("api-keys"))
    assert secret.encode() not in stored
    assert api.client.get("/v1/jobs", headers=header).status_code == 200
    (key,) = api.keys.all()
    api.keys.revoke(key.id)
    # Another process, which has read the key just now, believes it a little longer and no more.
    assert api.client.get("/v1/jobs", headers=header).status_code == 200
    api.world.clock.advance(MEMORY.total_seconds())
    assert api.client.get("/v1/jobs", headers=header).status_code == 401
    # A revoked key is a key: the door does not open again for everybody at this computer.
    assert api.client.get("/v1/jobs").status_code == 401


def test_the_command_line_makes_lists_and_revokes_keys() -> None:
    api = service()
    line = CommandLine(system=api.world.system)
    text = CliRunner().invoke(cli, ["keys", "create", "anna", "reviewer"], obj=line).stdout.strip()
    header = {"X-Api-Key": text}
    assert api.client.get("/v1/qc/pending", headers=header).status_code == 200
    (told,) = map(json.loads, CliRunner().invoke(cli, ["keys", "list", "--json"], obj=line).stdout.splitlines())
    assert (told["owner"], told["role"], told["revoked_at"]) == ("anna", "reviewer", None)
    assert text.split("_", 2)[2] not in json.dumps(told)
    assert CliRunner().invoke(cli, ["keys", "revoke", told["id"]], obj=line).exit_code == 0
    api.world.clock.advance(MEMORY.total_seconds())
    assert api.client.get("/v1/qc/pending", headers=header).status_code == 401
    assert CliRunner().invoke(cli, ["keys", "create", ""], obj=line).exit_code == 1


def test_revoking_twice_keeps_the_first_date_and_an_unknown_key_is_told() -> None:
    api = service()
    key, _ = api.keys.create("anna", "admin")
    first = api.keys.revoke(key.id)
    api.world.clock.advance(60)
    assert api.keys.revoke(key.id).revoked_at == first.revoked_at
    from darkroom.domain.errors import KeyNotFound

    with pytest.raises(KeyNotFound, match="there is no key"):
        api.keys.revoke("0" * 12)


def test_a_process_remembers_a_bounded_number_of_keys() -> None:
    world = memory_world()
    keys = Keys(objects=world.raw_objects, bucket="api-keys", clock=world.clock)
    texts = [keys.create("anna", "submitter")[1] for _ in range(3)]
    assert all(keys.find(text) for text in texts)
    assert len(keys._remembered) == 3


@pytest.fixture
def two() -> tuple[Service, str]:
    """A service, and the id of a finished job of anna's."""
    api = service()
    api.key("ben", "submitter")
    return api, api.finished_job(
        headers=api.key("anna", "submitter"), pipeline='{"preset":"denoise","qc_threshold":100}'
    )


OF_A_JOB = [route for route in ROUTES if "{job}" in route.path]
BODIES: dict[str, Any] = {
    "describe_job": {"display_name": "mine now"},
    "rename_in_album": {"record_name": "mine now"},
    "rework_job": {"pipeline": "sharpen"},
    "qc_review": {"status": "approved"},
    "api_qc_review": {"status": "approved"},
}


@pytest.mark.parametrize("route", OF_A_JOB, ids=lambda route: route.name)
def test_other_peoples_jobs_are_404_for_submitters_exactly_as_unknown_ones(
    two: tuple[Service, str], route: Route
) -> None:
    api, job_id = two
    if route.access != "submitter":
        return
    told = []
    for each in (job_id, NOBODYS_ID):
        path = route.path.replace("{job}", each).replace("{n}", "0")
        answer = api.client.open(
            path, method=route.method, headers=api.key("ben", "submitter"), json=BODIES.get(route.name)
        )
        assert answer.status_code == 404
        problem = answer.get_json()
        told.append({**problem, "request_id": "", "detail": problem["detail"].replace(each, "ID")})
    assert told[0] == told[1]
    assert api.world.job(job_id).display_name == "cat.jpg"


def test_lists_hold_ones_own_jobs_and_for_reviewers_all(two: tuple[Service, str]) -> None:
    api, job_id = two
    own = api.post_job(headers=api.key("ben", "submitter")).get_json()["id"]

    def seen(owner: str, role: Role, query: str = "") -> set[str]:
        told = api.client.get(f"/v1/jobs{query}", headers=api.key(owner, role)).get_json()
        return {each["id"] for each in told["jobs"]}

    assert seen("ben", "submitter") == {own}
    assert seen("ben", "submitter", "?owner=anna") == set()
    assert seen("rita", "reviewer") == seen("ada", "admin") == {own, job_id}
    assert seen("rita", "reviewer", "?owner=anna") == {job_id}


def test_a_reviewer_sees_and_reviews_but_does_not_delete_what_is_anothers(two: tuple[Service, str]) -> None:
    api, job_id = two
    reviewer = api.key("rita", "reviewer")
    assert api.client.get(f"/v1/jobs/{job_id}/result", headers=reviewer).status_code == 200
    assert api.client.delete(f"/v1/jobs/{job_id}", headers=reviewer).status_code == 403
    answer = api.client.post(f"/v1/qc/{job_id}/review", headers=reviewer, json={"status": "approved"})
    assert answer.status_code == 200
    assert api.world.job(job_id).history[-1].who == "rita"
    assert api.client.delete(f"/v1/jobs/{job_id}", headers=api.key("ada", "admin")).status_code == 200


def test_an_object_of_somebody_else_cannot_be_taken(two: tuple[Service, str]) -> None:
    api, job_id = two
    name = api.world.job(job_id).source.ref.name
    for each in (name, "nothing.jpg"):
        answer = api.client.post("/v1/jobs", json={"object": each}, headers=api.key("ben", "submitter"))
        assert (answer.status_code, answer.get_json()["code"]) == (404, "object_not_found")
    assert api.client.post("/v1/jobs", json={"object": name}, headers=api.key("anna", "submitter")).status_code == 202
    assert api.client.post("/v1/jobs", json={"object": name}, headers=api.key("rita", "reviewer")).status_code == 202


# This computer alone


def test_without_keys_this_computer_may_do_everything_and_is_told_so() -> None:
    api = service()
    assert api.client.get("/v1/jobs").status_code == 200
    assert api.client.get("/health").get_json()["keys_needed"] is False
    api.key("anna", "submitter")
    assert api.client.get("/v1/jobs").status_code == 401
    assert api.client.get("/health").get_json()["keys_needed"] is True


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "8.8.8.8", "fe80::1", "::ffff:8.8.8.8"])
def test_without_keys_another_computer_may_do_nothing(address: str) -> None:
    answer = service().client.get("/v1/jobs", environ_overrides={"REMOTE_ADDR": address})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "not_authenticated")


def test_without_keys_what_a_proxy_hands_on_is_not_this_computers() -> None:
    assert service().client.get("/v1/jobs", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


def test_on_google_cloud_a_key_is_always_needed() -> None:
    api = service(Settings(backend="gcp", project="p"))
    assert api.client.get("/v1/jobs").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Origin": "http://localhost:3000"},
     {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}, {"Host": "localhost.evil.example"}],
)  # fmt: skip
def test_without_keys_no_page_of_another_origin_and_no_other_name_gets_in(headers: dict[str, str]) -> None:
    answer = service().client.post("/v1/jobs", data=jpeg_bytes(), headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_origin")


@pytest.mark.parametrize(
    "headers", [{"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"}, {"Host": "[::1]:8080"}]
)
def test_without_keys_pages_of_this_service_get_in(headers: dict[str, str]) -> None:
    assert service().client.get("/v1/jobs", headers=headers).status_code == 200


# Other origins

SHOP = "https://shop.example"


def test_a_page_of_an_allowed_origin_may_ask_and_read() -> None:
    api = service(Settings(api_origins=f"{SHOP}, https://b.example:8443"))
    asked = api.client.options("/v1/jobs", headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, SHOP)
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]
    answer = api.client.get("/v1/jobs", headers={"Origin": SHOP, **api.key("shop", "submitter")})
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "Origin" in answer.headers.getlist("Vary")
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"]
)
def test_a_page_of_any_other_origin_may_not_read(origin: str) -> None:
    api = service(Settings(api_origins=SHOP))
    for method in ("OPTIONS", "GET"):
        answer = api.client.open("/version", method=method, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers


# How often


def test_more_than_the_rate_is_429_with_the_time_to_wait() -> None:
    api = service(Settings(api_rate_per_minute=30))
    answers = [api.client.get("/version") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].headers["Retry-After"] == "2"
    assert (answers[-1].get_json()["code"], answers[-1].get_json()["limit"]) == ("too_many_requests", 30)
    api.world.clock.advance(2)
    assert api.client.get("/version").status_code == 200
    assert api.client.get("/version").status_code == 429


def test_each_key_and_each_address_has_a_rate_of_its_own() -> None:
    api = service(Settings(api_rate_per_minute=3))
    anna = api.key("anna", "submitter")
    for number in range(3):
        here = {"REMOTE_ADDR": f"10.0.0.{number}"}
        assert api.client.get("/v1/jobs", headers=anna, environ_overrides=here).status_code == 200
    other = {"REMOTE_ADDR": "10.0.0.9"}
    assert api.client.get("/v1/jobs", headers=anna, environ_overrides=other).status_code == 429
    assert api.client.get("/v1/jobs", headers=api.key("ben", "submitter"), environ_overrides=other).status_code == 200


@pytest.mark.parametrize(
    ("second", "status"),
    [("2001:db8:1:2:ffff::9", 429), ("2001:db8:1:3::1", 200), ("::ffff:8.8.8.8", 200), ("8.8.8.8", 200), ("?", 200)],
)
def test_the_addresses_of_one_connection_have_one_rate(second: str, status: int) -> None:
    api = service(Settings(backend="gcp", project="p", api_rate_per_minute=1))
    for address, expected in (("2001:db8:1:2::1", 200), (second, status)):
        assert api.client.get("/version", headers={"X-Forwarded-For": address}).status_code == expected


def test_guessing_keys_uses_up_the_rate_of_the_address() -> None:
    api = service(Settings(api_rate_per_minute=5))
    api.key("anna", "submitter")
    wrong = {"X-Api-Key": "dk_0123456789ab_" + "A" * 43}
    answers = [api.client.get("/v1/jobs", headers=wrong).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]


def test_behind_googles_front_end_the_address_that_it_saw_counts() -> None:
    api = service(Settings(backend="gcp", project="p", api_rate_per_minute=1))
    told = [
        api.client.get("/version", headers={"X-Forwarded-For": f"1.2.3.{n}, 8.8.8.8"}).status_code for n in range(2)
    ]
    assert told == [200, 429]


def test_callers_without_number_are_forgotten_in_turn() -> None:
    clock = memory_world().clock
    rate_limiter = RateLimiter(clock=clock, per_minute=1)
    rate_limiter.acquire("first")
    with pytest.raises(TooManyRequests):
        rate_limiter.acquire("first")
    for number in range(MAX_CALLERS):
        rate_limiter.acquire(str(number))
    assert len(rate_limiter._buckets) == MAX_CALLERS
    rate_limiter.acquire("first")
