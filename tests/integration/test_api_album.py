"""People without a key: their album, the cookie that knows them again, and how much they may keep."""

import re
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from darkroom.api.core.reading import MAX_BODY_BYTES
from darkroom.api.pages.album import SHOWN
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.contract.jobs import make_job
from tests.photographs import small_jpeg
from tests.pictures import truncated_jpeg

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def open_house(tmp_path: Path) -> Service:
    """A service that has keys and lets visitors in beside."""
    house = service(Settings(home=tmp_path / "home", anonymous=True, visitor_limit=2, owner_limit=3))
    house.key("ada", "admin")
    return house


def add(house: Service, name: str = "cat", **more: Any) -> Any:
    form = {"image": (BytesIO(small_jpeg(64)), "cat.jpg"), "name": name, "preset": "denoise"}
    return house.client.post("/", data=form, **{"headers": JSON, **more})


def album(house: Service) -> dict[str, Any]:
    told: dict[str, Any] = house.client.get("/").get_json()
    return told


def test_a_visitor_is_known_again_by_a_cookie_that_no_script_can_read(open_house: Service) -> None:
    first = open_house.client.get("/")
    (cookie,) = first.headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert open_house.client.get("/").headers.getlist("Set-Cookie") == []
    assert add(open_house).status_code == 202
    assert [job["display_name"] for job in album(open_house)["jobs"]] == ["cat"]


def test_the_cookie_is_for_https_alone_where_there_is_https(open_house: Service) -> None:
    (cookie,) = open_house.client.get("/", headers={"X-Forwarded-Proto": "https"}).headers.getlist("Set-Cookie")
    assert "; Secure" in cookie


@pytest.mark.parametrize("value", ["", "visitor:0", "ImFkbWluIg.aaaa.bbbb"])
def test_a_forged_cookie_makes_a_newcomer(open_house: Service, value: str) -> None:
    add(open_house)
    open_house.client.set_cookie("user_id", value)
    assert album(open_house)["jobs"] == []


def test_visitors_do_not_see_each_other(open_house: Service) -> None:
    job = add(open_house).get_json()["id"]
    open_house.client.delete_cookie("user_id")
    assert album(open_house)["jobs"] == []
    for method, path in (("GET", f"/v1/jobs/{job}"), ("DELETE", f"/remove/{job}")):
        assert open_house.client.open(path, method=method).status_code == 404


def test_a_full_album_takes_one_more_when_one_was_removed(open_house: Service) -> None:
    kept = [add(open_house).get_json()["id"] for _ in range(2)]
    refused = add(open_house)
    assert (refused.status_code, refused.get_json()["code"], refused.get_json()["limit"]) == (403, "quota_reached", 2)
    assert open_house.client.post("/v1/uploads", json={}).status_code == 403
    assert open_house.client.delete(f"/remove/{kept[0]}").get_json() == {"message": "success"}
    assert add(open_house).status_code == 202


def test_submitters_have_a_limit_of_their_own_and_admins_none(open_house: Service) -> None:
    for role, expected in (("submitter", [202, 202, 202, 403]), ("admin", [202] * 4)):
        key = open_house.key(f"{role}s", role)  # type: ignore[arg-type]
        assert [open_house.post_job(headers=key).status_code for _ in range(4)] == expected


def test_a_photograph_is_renamed_as_the_other_service_does(open_house: Service) -> None:
    job = add(open_house).get_json()["id"]
    told = {"record_id": job, "record_name": "tabby"}
    assert open_house.client.put(f"/update/{job}", json=told).get_json() == {"message": "success"}
    assert album(open_house)["jobs"][0]["display_name"] == "tabby"


@pytest.mark.parametrize("headers", [PAGE, {}, {"Accept": "*/*"}])
def test_whoever_sends_the_form_is_sent_back_to_the_page(open_house: Service, headers: dict[str, str]) -> None:
    answer = add(open_house, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    open_house.world.deliver_all()
    page = open_house.client.get("/", headers=PAGE)
    assert page.mimetype == "text/html"
    assert "/thumbnail" in page.text
    assert "/result" in page.text
    assert "refresh" not in page.text, "nothing is being worked on"


def test_names_on_the_page_are_text(open_house: Service) -> None:
    add(open_house, name='"><script>alert(1)</script>')
    assert "<script>alert" not in open_house.client.get("/", headers=PAGE).text


def test_the_page_says_what_was_wrong(open_house: Service) -> None:
    form = {"image": (BytesIO(b"no picture"), "a.txt"), "preset": "denoise"}
    assert open_house.client.post("/", data=form, headers=PAGE).status_code == 302
    page = open_house.client.get("/", headers=PAGE)
    assert 'role="alert">Failed to generate the image: ' in page.text


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"image": (BytesIO(bytes(MAX_BODY_BYTES)), "a.tif")}, f"exceeds {MAX_BODY_BYTES} bytes"),
        ({"image": (BytesIO(small_jpeg(64)), "a.jpg"), "name": "x" * 201}, "200 characters"),
    ],
)
def test_a_form_that_cannot_be_read_leads_back_to_the_page_too(
    open_house: Service, form: dict[str, Any], told: str
) -> None:
    answer = open_house.client.post("/", data=form, headers=PAGE)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    page = open_house.client.get("/", headers=PAGE).text
    assert 'role="alert">Failed to generate the image: ' in page
    assert told in page, page[page.index('role="alert"') :][:400]
    assert album(open_house)["count"] == 0


def test_a_program_whose_form_cannot_be_read_is_told_in_json(open_house: Service) -> None:
    answer = add(open_house, name="x" * 201)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")


def test_what_became_of_the_form_is_told_once(open_house: Service) -> None:
    add(open_house, headers=PAGE)
    (cookie,) = (each for each in add(open_house, headers=PAGE).headers.getlist("Set-Cookie") if "flash" in each)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert album(open_house)["message"] == {"kind": "success", "text": "cat is being worked on."}
    assert album(open_house)["message"] is None


def test_a_full_album_says_so_on_the_page(open_house: Service) -> None:
    for _ in range(3):
        assert add(open_house, headers=PAGE).status_code == 302
    page = open_house.client.get("/", headers=PAGE)
    assert 'role="alert">Max limit reached. Please remove a record. (2 photographs are kept' in page.text
    assert album(open_house)["count"] == 2


@pytest.mark.parametrize("value", ["bm8", "!", "eyJraW5kIjoiZXZpbCIsInRleHQiOiJ4In0=", "x" * 500])
def test_a_message_that_is_none_is_passed_over(open_house: Service, value: str) -> None:
    open_house.client.set_cookie("flash", value)
    assert album(open_house)["message"] is None


def test_a_message_is_text_and_nothing_else(open_house: Service) -> None:
    open_house.client.set_cookie("flash", "eyJraW5kIjoiZGFuZ2VyIiwidGV4dCI6IjxzY3JpcHQ+YWxlcnQoMSk8L3NjcmlwdD4ifQ==")
    assert "&lt;script&gt;alert" in open_house.client.get("/", headers=PAGE).text


def test_a_photograph_that_cannot_be_read_is_not_shown(open_house: Service) -> None:
    form = {"image": (BytesIO(truncated_jpeg()), "half.jpg"), "preset": "denoise"}
    open_house.client.post("/", data=form, headers=JSON)
    open_house.world.deliver_all()
    page = open_house.client.get("/", headers=PAGE).text
    assert "failed: the JPEG file ends too early" in page
    assert "<img" not in page


def test_pages_of_other_sites_may_not_ask_for_visitors(open_house: Service) -> None:
    answer = open_house.client.get("/", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_origin")


def test_on_a_laptop_without_keys_whoever_asks_is_a_visitor_if_visitors_are_let_in(tmp_path: Path) -> None:
    house = service(Settings(home=tmp_path / "home", anonymous=True, visitor_limit=1))
    assert "user_id=" in house.client.get("/").headers["Set-Cookie"]
    assert [add(house).status_code for _ in range(2)] == [202, 403]
    assert house.client.get("/v1/qc/pending").status_code == 403


def test_without_the_switch_there_are_no_visitors() -> None:
    house = service()
    house.key("ada", "admin")
    assert house.client.get("/").status_code == 401


def test_visitors_on_google_cloud_need_a_key_that_signs_their_cookies() -> None:
    with pytest.raises(ValidationError, match="signing_key of at least 32"):
        Settings(backend="gcp", project="p", anonymous=True, signing_key="short")


def test_older_photographs_are_on_the_next_page_and_what_was_cancelled_is_not_under_way() -> None:
    api = service()
    for number in range(SHOWN + 1):
        job = make_job(f"{number:024x}", minutes=number, status="pending" if number else "cancelled")
        api.world.raw_jobs.create(job)
    first = api.client.get("/", headers=PAGE).text
    (address,) = re.findall(r'class="more" href="([^"]+)"', first)
    second = api.client.get(unescape(address), headers=PAGE).text
    assert (first.count("<li "), first.count('" data-busy>')) == (SHOWN, SHOWN)
    assert (second.count("<li "), second.count('" data-busy>'), 'class="more"' in second) == (1, 0, False)
    assert re.search(r"<small>\s*cancelled\s*</small>", second)
    assert f"{SHOWN + 1} photographs<" in first
