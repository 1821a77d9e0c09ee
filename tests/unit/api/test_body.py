"""Request bodies: every accepted form, and every way of being malformed or too large."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.api import body as module
from shared.vault.api.body import (
    decoded,
    parse_form,
    read_body,
    read_fields,
    read_record,
    read_rows,
    read_text,
)
from shared.vault.api.json_rows import parse_json_rows
from shared.vault.api.openapi.request_bodies import FORM
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS
from tests.unit.api.requests import request

SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ROWS = st.lists(
    st.dictionaries(TEXT, SCALAR | TEXT | st.lists(TEXT, max_size=3), max_size=4),
    max_size=5,
)

MULTIPART = "multipart/form-data; boundary=XX"


def multipart(*parts: tuple[str, str]) -> bytes:
    lines = [
        f"--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"
        for head, value in parts
    ]
    return ("".join(lines) + "--XX--\r\n").encode()


@given(ROWS)
def test_json_rows_are_read_as_they_are(rows: list[dict[str, object]]) -> None:
    assert parse_json_rows(orjson.dumps(rows)) == rows
    assert parse_json_rows(b"\xef\xbb\xbf " + orjson.dumps(rows)) == rows


@pytest.mark.parametrize(
    ("number", "read"),
    [
        ("1234567890123456789.0123456789", "1234567890123456789.0123456789"),
        ("-0.12345678901234567", "-0.12345678901234567"),
        ("1000000000000000.5", 1000000000000000.5),
        ("1.2345678901234567e10", 1.2345678901234567e10),
        ("1e-99999999999999999999", "1e-99999999999999999999"),
        ("1e-400", "1e-400"),
        ("-2.5E+400", "-2.5E+400"),
        ("1e22", 1e22),
        ("12345678901234567", 12345678901234567),
        ("123456789012345678901234567", "123456789012345678901234567"),
    ],
)
def test_digits_that_a_float_would_lose_come_as_text(number: str, read: object) -> None:
    body = b'[{"number":' + number.encode() + b',"long":"12345678901234567890"}]'
    assert parse_json_rows(body) == [{"number": read, "long": "12345678901234567890"}]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1020 + b"12345678901234567.5" + b"]" * 1020,
        b'[{"number":%s}]' % (b"1" * 5000),
    ],
)
def test_long_numbers_out_of_bounds_are_refused(body: bytes) -> None:
    with pytest.raises(VaultFault):
        parse_json_rows(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_invalid_data(data: bytes) -> None:
    try:
        rows = parse_json_rows(data)
    except VaultFault as fault:
        rows = [{"refused": fault.error.type}]
    assert all(isinstance(row, dict) for row in rows)
    assert (
        not rows
        or rows[0].get("refused", ErrorType.INVALID_DATA) is ErrorType.INVALID_DATA
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'[{"a":1}', "not JSON at line 1, column 9"),
        (b'"secret"', "not a JSON array of records"),
        (b"[1]", "row 1 is not a JSON object"),
        (b'[{},{"a":{"b":1}}]', r"row 2: \[a\] is neither"),
        (b'[{"a":[[1]]}]', r"row 1: \[a\] is neither"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
        (b'[{"a":NaN}]', "not JSON"),
        (b'[{"a":"\xff"}]', "not JSON"),
    ],
)
def test_malformed_json_names_the_place_and_not_the_value(
    data: bytes, reason: str
) -> None:
    with pytest.raises(VaultFault, match=reason) as refused:
        parse_json_rows(data)
    assert refused.value.error.type is ErrorType.INVALID_DATA
    assert "secret" not in str(refused.value)


def test_an_object_alone_is_one_row() -> None:
    assert parse_json_rows(b'{"id":"1"}') == [{"id": "1"}]


def test_five_hundred_rows_and_no_more() -> None:
    assert len(parse_json_rows(orjson.dumps([{}] * MAX_ROWS))) == MAX_ROWS
    with pytest.raises(VaultFault, match=r"^A call takes at most 500 rows$"):
        parse_json_rows(orjson.dumps([{}] * (MAX_ROWS + 1)))


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=5))
def test_forms_are_read_back(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()) == fields


@pytest.mark.parametrize(
    "data", [b"a=1&a=2", b"a=%ff", b"a", b"\xff=1", b"&".join([b"a=1"] * 2000)]
)
def test_malformed_forms_are_refused(data: bytes) -> None:
    with pytest.raises(VaultFault) as refused:
        parse_form(data)
    assert refused.value.error.type is ErrorType.INVALID_DATA


def test_text_may_begin_with_a_byte_order_mark() -> None:
    assert decoded(b"\xef\xbb\xbfid") == "id"
    with pytest.raises(VaultFault, match="not UTF-8"):
        decoded(b"\xff\xfe")


@pytest.mark.parametrize(
    ("content_type", "data", "single"),
    [
        ("application/json", b'[{"id":"1","x":"y z"}]', False),
        ("application/json;charset=UTF-8", b'[{"id":"1","x":"y z"}]', False),
        ("", b'[{"id":"1","x":"y z"}]', False),
        ("text/csv", b"\xef\xbb\xbfid,x\r\n1,y z\r\n", False),
        ("Text/CSV; charset=utf-8", b'"id","x"\n1,y z', False),
        (FORM, b"id=1&x=y+z", True),
        (MULTIPART, multipart(('name="id"', "1"), ('name="x"', "y z")), True),
    ],
)
async def test_rows_of_every_content_type(
    content_type: str, data: bytes, single: bool
) -> None:
    rows = await read_rows(
        request(data, {"Content-Type": content_type} if content_type else {}, chunk=5)
    )
    assert rows.rows == [{"id": "1", "x": "y z"}]
    assert rows.single is single


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/csv", FORM, MULTIPART, "text/plain"]
)
async def test_an_empty_body_has_no_rows(content_type: str) -> None:
    assert (await read_rows(request(b"", {"Content-Type": content_type}))).rows == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", FORM, MULTIPART, "application/octet-stream", ""],
)
async def test_an_empty_body_has_no_fields(content_type: str) -> None:
    assert await read_fields(request(b"", {"Content-Type": content_type})) == {}


async def test_fields_of_a_json_object_become_text() -> None:
    data = b'{"ids":["a","b"],"n":1,"t":true,"z":null}'
    assert await read_fields(request(data, {"Content-Type": "application/json"})) == {
        "ids": "a,b",
        "n": "1",
        "t": "true",
        "z": "",
    }


async def test_one_record_from_a_form_or_a_json_object() -> None:
    assert await read_record(request(b"a=1", {"Content-Type": FORM})) == {"a": "1"}
    assert await read_record(
        request(b'{"a":1}', {"Content-Type": "application/json"})
    ) == {"a": 1}
    with pytest.raises(VaultFault, match="not a JSON object"):
        await read_record(request(b"[]", {"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        (MULTIPART, b"no parts at all"),
        ("multipart/form-data", multipart(('name="id"', "1"))),
        (MULTIPART, multipart(('name="id"', "1"), ('name="id"', "2"))),
        (MULTIPART, multipart(('name="f"; filename="x.txt"', "file"))),
        ("application/xml", b"<q/>"),
    ],
)
async def test_malformed_fields_are_refused(content_type: str, data: bytes) -> None:
    with pytest.raises(VaultFault) as refused:
        await read_fields(request(data, {"Content-Type": content_type}))
    assert refused.value.error.type is ErrorType.INVALID_DATA


async def test_text_is_read_under_any_content_type() -> None:
    assert (
        await read_text(
            request(b"DROP Object x__v;", {"Content-Type": "application/json"})
        )
        == "DROP Object x__v;"
    )


async def test_a_body_above_its_limit_is_refused() -> None:
    assert await read_body(request(b"x" * 10, chunk=3), 10) == b"x" * 10
    with pytest.raises(VaultFault) as refused:
        await read_body(request(b"x" * 11, chunk=3), 10)
    assert refused.value.error.type is ErrorType.EXCEEDS_FILE_MAX_SIZE


async def test_a_body_that_does_not_arrive_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ARRIVAL_TIMEOUT", 0.01)
    stalled = request()
    stalled._receive = asyncio.Event().wait  # type: ignore[assignment]
    with pytest.raises(VaultFault, match="did not arrive"):
        await read_body(stalled, 10)
