"""Rows are checked one by one, the strongest configuration wins, and a batch knows how far it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from darkroom.domain.envelope import decode, encode
from darkroom.domain.errors import BadMessage, PermanentError
from darkroom.domain.pipeline import Pipeline, build_pipeline
from darkroom.domain.products.batches import STATUSES, BatchProgress, refused_name
from darkroom.domain.products.configs import Config, keys_of, resolve
from darkroom.domain.products.messages import (
    JobsChosen,
    Member,
    PageRequested,
    ProductMessage,
    RowRequested,
    RowsListed,
)
from darkroom.domain.products.rows import MAX_ROWS, TEMPLATE, Columns, Row, check_rows, csv_rows

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
URL = "https://shop.example/a.jpg"
GOOD = {"sku_id": "LAMP-1", "image_url": URL}


def problem(**fields: Any) -> tuple[str, str, int | None]:
    """The one problem of a row that is good but for these fields: field, message, limit."""
    (found,) = check_rows([GOOD | fields], Columns()).problems
    assert found.row == 1
    return found.field, found.message, found.limit


def test_a_row_needs_a_sku_and_a_url_and_takes_no_notice_of_other_fields() -> None:
    (found,) = check_rows([{**GOOD, "price": 12.5, "tags": ["x"]}], Columns()).good
    assert found.picture == Row(sku_id="LAMP-1", image_url=URL)
    assert problem(sku_id=None) == ("sku_id", "missing", None)
    assert problem(image_url="  ") == ("image_url", "missing", None)


@pytest.mark.parametrize(
    ("field", "value", "part", "limit"),
    [
        ("sku_id", "x" * 201, "201 bytes exceed 200", 200),
        ("sku_id", "ü" * 101, "202 bytes exceed 200", 200),
        ("sku_id", ["x"], "expected a text, not list", None),
        ("sku_id", True, "expected a text, not bool", None),
        ("product_group_id", "a\nb", "cannot be printed", None),
        ("image_type", "\ud800", "cannot be printed", None),
        ("image_url", "ftp://shop.example/a.jpg", "no http or https URL", None),
        ("image_url", "/a.jpg", "no http or https URL", None),
        ("image_url", "https:///a.jpg", "no http or https URL", None),
        ("image_url", "https://shop.example:port/", "is no URL", None),
        ("image_url", "https://[::1/", "is no URL", None),
        ("image_url", "https://me:secret@shop.example/a.jpg", "user name or a password", None),
        ("image_url", "https://shop.example/a b.jpg", "spaces", None),
        ("image_url", "https://...", "no name can be", None),
        ("image_url", f"https://{'a' * 64}.example/a.jpg", "no name can be", None),
        ("image_url", "https://shop.example/" + "a" * 2000, "2021 characters exceed 2000", 2000),
    ],
)
def test_what_is_wrong_with_a_field_is_told_with_its_limit(
    field: str, value: object, part: str, limit: int | None
) -> None:
    where, message, told = problem(**{field: value})
    assert (where, told) == (field, limit)
    assert part in message


def test_a_password_in_a_url_is_not_repeated() -> None:
    (found,) = check_rows([GOOD | {"image_url": "https://me:secret@shop.example/"}], Columns()).problems
    assert "secret" not in found.model_dump_json()


def test_good_rows_go_on_whatever_the_others_are() -> None:
    rows: list[object] = [GOOD, "text", 7, None, {}, {**GOOD, "image_type": "side"}, GOOD]
    found = check_rows(rows, Columns())
    assert [each.row for each in found.good] == [1, 6]
    assert [(each.row, each.same_as) for each in found.duplicates] == [(7, 1)]
    assert [each.row for each in found.problems] == [2, 3, 4, 5, 5]
    assert found.rejected == 4


def test_numbers_are_ids_too_and_blanks_around_them_are_not() -> None:
    (found,) = check_rows([{"sku_id": 4711, "image_url": f" {URL} ", "product_group_id": " LAMPS "}], Columns()).good
    assert (found.picture.sku_id, found.picture.product_group_id, found.picture.image_url) == ("4711", "LAMPS", URL)


def test_letters_beyond_ascii_are_quoted_once_in_a_url() -> None:
    (found,) = check_rows([GOOD | {"image_url": "https://shop.example/stühle/a%20b.jpg?größe=1#x"}], Columns()).good
    assert found.picture.image_url == "https://shop.example/st%C3%BChle/a%20b.jpg?gr%C3%B6%C3%9Fe=1"


def test_columns_can_have_other_names() -> None:
    columns = Columns(sku_id="artikel", image_url="bild")
    data = "\ufeffartikel;bild;sku_id\nA;https://shop.example/a.jpg;ignored\n".encode()
    (found,) = check_rows(csv_rows(data, columns), columns).good
    assert found.picture.sku_id == "A"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_may_use_any_of_four_delimiters(delimiter: str) -> None:
    data = TEMPLATE.replace(",", delimiter).encode()
    found = check_rows(csv_rows(data, Columns()), Columns())
    assert [each.picture.image_type for each in found.good] == ["primary", "side"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "no column sku_id, image_url"),
        (b"sku_id,url\nA,b\n", "no column image_url, only sku_id, url"),
        (b"sku_id,image_url\n\xff,x\n", "not UTF-8: byte 17"),
        (b'sku_id,image_url\n"A"x,b\n', "cannot be read after line 1"),
        (b"sku_id,image_url\n" + b"x" * 200_000 + b",b\n", "cannot be read after line 1"),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(data: bytes, part: str) -> None:
    with pytest.raises(PermanentError, match=part) as caught:
        check_rows(csv_rows(data, Columns()), Columns())
    assert caught.value.code == "bad_table"


def test_a_short_line_is_a_row_with_missing_fields_and_a_long_one_loses_what_has_no_name() -> None:
    data = b"sku_id,image_url\nA\nB,https://shop.example/b.jpg,more,and more\n"
    found = check_rows(csv_rows(data, Columns()), Columns())
    assert [(each.row, each.field) for each in found.problems] == [(1, "image_url")]
    assert [each.row for each in found.good] == [2]


def test_an_import_has_a_largest_number_of_rows() -> None:
    rows = ({"sku_id": str(number), "image_url": URL} for number in range(MAX_ROWS + 1))
    with pytest.raises(PermanentError, match=f"at most {MAX_ROWS} rows"):
        check_rows(rows, Columns())


def test_a_row_is_itself_for_its_owner_alone() -> None:
    row = Row(sku_id="A", image_url=URL)
    assert row.identity("anna") == Row(sku_id="A", image_url=URL).identity("anna")
    others = [row.identity("ben"), Row(sku_id="B", image_url=URL).identity("anna")]
    others.append(Row(sku_id="A", image_url=URL, image_type="side").identity("anna"))
    assert len({row.identity("anna"), *others}) == 4


# Configurations


def config(**fields: Any) -> Config:
    return Config.model_validate({"scope": "sku", "key": "k", "owner": "", "updated_at": NOW} | fields)


PRODUCT, SHARPEN = build_pipeline({"preset": "product"}), build_pipeline({"preset": "sharpen"})


def test_a_sku_beats_its_group_and_that_beats_the_default() -> None:
    group, sku = config(scope="group", pipeline=PRODUCT), config(pipeline=SHARPEN)
    assert resolve([sku, group], Pipeline()) == SHARPEN
    assert resolve([group], Pipeline()) == PRODUCT
    assert resolve([], SHARPEN) == SHARPEN
    assert keys_of({"product_group_id": "G", "sku_id": "S"}) == [("sku", "S"), ("group", "G")]
    assert keys_of({"sku_id": "", "other": "x"}) == []


def test_pipeline_and_threshold_are_looked_for_one_by_one() -> None:
    group, sku = config(scope="group", pipeline=PRODUCT), config(qc_threshold=90.0)
    found = resolve([sku, group], Pipeline())
    assert (found.preset, found.qc_threshold) == ("product", 90.0)
    strict = build_pipeline({"preset": "sharpen", "qc_threshold": 80.0})
    found = resolve([config(pipeline=strict), config(scope="group", qc_threshold=10.0)], Pipeline())
    assert (found.preset, found.qc_threshold) == ("sharpen", 80.0)


def test_the_threshold_of_a_pipeline_survives_being_stored() -> None:
    strict = build_pipeline({"preset": "sharpen", "qc_threshold": 75.0})  # which is the default, but was said
    stored = Config.model_validate_json(config(pipeline=strict).model_dump_json(exclude_unset=True))
    assert stored.threshold == 75.0
    silent = Config.model_validate_json(config(pipeline=SHARPEN).model_dump_json(exclude_unset=True))
    assert silent.threshold is None


def test_a_configuration_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="give a pipeline, a qc_threshold or both"):
        config()


# Progress


def progress(total: int | None, refused: int = 0, **jobs: int) -> BatchProgress:
    counts = {status: jobs.get(status, 0) for status in STATUSES}
    return BatchProgress(total=total, jobs=counts, refused=refused, is_cancelled=False, started_at=NOW)


def test_a_batch_is_as_far_as_its_jobs_and_refusals() -> None:
    half = progress(10, refused=1, completed=3, failed=1, processing=2)
    assert (half.done, half.percent, half.state) == (5, 50.0, "processing")
    assert half.remaining_s(NOW + timedelta(seconds=60)) == 60.0
    done = progress(3, refused=1, completed=1, cancelled=1)
    assert (done.percent, done.state, done.remaining_s(NOW)) == (100.0, "completed", None)
    assert progress(0).percent == 100.0


def test_a_batch_that_is_being_chosen_promises_nothing() -> None:
    early = progress(None, completed=5)
    assert (early.percent, early.state, early.remaining_s(NOW + timedelta(seconds=9))) == (None, "choosing", None)
    assert progress(4, pending=4).remaining_s(NOW + timedelta(seconds=9)) is None


def test_a_cancelled_batch_says_so_before_anything_else() -> None:
    counts = dict.fromkeys(STATUSES, 1)
    told = BatchProgress(total=5, jobs=counts, refused=0, is_cancelled=True, started_at=NOW)
    assert told.state == "cancelled"


def test_refusals_are_listed_in_order_of_their_rows() -> None:
    names = [refused_name("0" * 24, what) for what in ("2", "10", "9", "a/b", "１")]
    assert sorted(names)[:3] == [names[0], names[2], names[1]]
    assert len(set(names)) == 5


# Messages

MESSAGES: list[ProductMessage] = [
    RowsListed(batch_id="b", shard=0),
    RowRequested(batch_id="b", row=7, picture=Row(sku_id="Ä", image_url=URL)),
    PageRequested(batch_id="b", page=2, cursor="c", room=5),
    JobsChosen(batch_id="b", members=(Member(kind="object", name="a/b.jpg"),)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_out_as_it_went_in(message: ProductMessage) -> None:
    data, attributes = encode(message)
    assert decode(data) == message
    assert attributes == {"type": type(message).__name__, "batch_id": "b"}


@pytest.mark.parametrize("data", [b"", b"[]", b'{"version":1,"type":"StageRequested","body":{}}', b'{"version":2}'])
def test_a_message_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(data)
