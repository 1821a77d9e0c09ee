"""Bodies that are meant to overload a process: refused with a clear error, at a cost bounded by their bytes."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.hostile_bodies import CSV, FORM, JSON, HostileBody, hostile_bodies
from shared.protocol.error_types import ErrorType
from shared.vault.api import json_rows
from shared.vault.api.body import LARGE, LargeBodies, read_body, read_rows
from shared.vault.api.body_limits import (
    MAX_ITEMS,
    MAX_MEMBERS,
    MAX_ROW_BYTES,
    MAX_ROWS_BYTES,
    MAX_TEXT,
    MAX_VALUES,
)
from shared.vault.api.csv_rows import parse_csv
from shared.vault.api.json_rows import parse_json_record, parse_json_rows
from shared.vault.errors import VaultFault
from tests.unit.api.requests import request

RECORD_BODIES = [
    body
    for body in hostile_bodies("/vobjects/thing__c")
    if body.path == "/vobjects/thing__c"
]
# Of this process, for reading one body: fifty times what it takes, and a fiftieth of what it took without bounds.
PROCESSOR_SECONDS = 15.0


@pytest.mark.parametrize("hostile", RECORD_BODIES, ids=str)
async def test_what_a_hostile_body_costs_is_bounded(hostile: HostileBody) -> None:
    sent = request(
        hostile.make(), {"Content-Type": hostile.content_type}, path=hostile.path
    )
    sent.state.large_body_permit = _Free()
    before = time.process_time()
    error: ErrorType | None = None
    try:
        rows = (await read_rows(sent)).rows
        assert len(rows) <= 500
    except VaultFault as fault:
        error = fault.error.type
    assert time.process_time() - before < PROCESSOR_SECONDS
    assert error == hostile.error


SINGLES = st.none() | st.booleans() | st.integers(0, 99) | st.text("aé", max_size=5)
LISTS = st.lists(SINGLES | st.lists(st.none(), max_size=1), max_size=3)
NAMES = st.sampled_from(["a", "b", "c", "d"])
ROWS = st.dictionaries(
    NAMES, SINGLES | LISTS | st.dictionaries(NAMES, SINGLES, max_size=1), max_size=4
)


@given(st.lists(ROWS | SINGLES, max_size=4))
def test_bounds_are_the_same_for_all_rows_together_and_row_by_row(
    rows: list[object],
) -> None:
    body = orjson.dumps(rows)
    with pytest.MonkeyPatch.context() as patch:
        for name, bound in {"MAX_MEMBERS": 3, "MAX_ITEMS": 2, "MAX_TEXT": 4}.items():
            patch.setattr(json_rows, name, bound)
        together = _outcome(body)
        patch.setattr(json_rows, "WHOLE_BYTES", 0)
        one_by_one = _outcome(body)
    assert together == one_by_one


def _outcome(body: bytes) -> object:
    """The rows of a body, or the message with which it is refused."""
    try:
        return parse_json_rows(body)
    except VaultFault as fault:
        return fault.error.message


class _Free:
    """A place for a large body that is always free."""

    async def take(self) -> None:
        """Do not wait."""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (orjson.dumps([{f"k{n}": 1 for n in range(MAX_MEMBERS + 1)}]), "1001 members"),
        (orjson.dumps([{"a": [1] * (MAX_ITEMS + 1)}]), "more than 1000 items"),
        (orjson.dumps([{"a": "x" * (MAX_TEXT + 1)}]), "more than 300000 characters"),
        (orjson.dumps([{"a": ["x" * (MAX_TEXT + 1)]}]), "more than 300000 characters"),
        (orjson.dumps([{"a": [1] * 1000}] * 251), f"at most {MAX_VALUES} values"),
        (b'[{"a":"' + b"x" * MAX_ROW_BYTES + b'"}]', "Row 1 has more than"),
        (b"[" + b"{}," * 400_000 + b"{}]", "at most"),
        (b'[{"a":1},' + b" " * 2**20 + b'{"a":1} {"b":2}]', "row 2 is not JSON"),
        (b'[{"a":1}' + b" " * 2**20 + b"]]", "not JSON after row 1"),
        (b'[{"a":1}' + b" " * 2**20, "not JSON"),
        (b'[{"a":1},' + b" " * 2**20 + b"]", "row 2 is not JSON"),
        (b'["' + b'\\"' * 2**20, "row 1 is not JSON"),
    ],
    ids=range(12),
)
def test_too_much_json_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(VaultFault, match=reason) as refused:
        parse_json_rows(body)
    assert refused.value.error.type is ErrorType.INVALID_DATA


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (",".join(f"c{n}" for n in range(MAX_MEMBERS + 1)), "more than 1000 columns"),
        ("a\n" + "\n" * 1001, "more than 1000 empty lines"),
        ("a\n" + "x" * (MAX_TEXT + 1), "a cell of more than 300000"),
        ("a\n" + "," * 100_001, "more than 100000 commas"),
        ("a\n" + '"' + "x\n" * (MAX_ROW_BYTES // 2 + 1), "a line has more than"),
        ("x" * 300_000, "a line has more than 262144"),
    ],
    ids=range(6),
)
def test_too_much_csv_is_refused(body: str, reason: str) -> None:
    with pytest.raises(VaultFault, match=reason) as refused:
        parse_csv(body.encode(), 500)
    assert refused.value.error.type is ErrorType.INVALID_DATA


def test_a_record_takes_no_more_than_a_row() -> None:
    body = b'{"a":"' + b"x" * MAX_ROW_BYTES + b'"}'
    with pytest.raises(VaultFault, match="more than"):
        parse_json_record(body)
    messages = {"messages": ["x" * 250_000] * 50}
    assert parse_json_record(orjson.dumps(messages), MAX_ROWS_BYTES) == messages


VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9)
ROW = st.dictionaries(
    st.text(max_size=9), VALUES | st.lists(VALUES, max_size=3), max_size=4
)
BLANKS = st.text(" \n\r\t", max_size=3)


@given(st.lists(ROW, min_size=1, max_size=6), BLANKS)
def test_a_large_body_is_read_as_a_short_one(
    rows: list[dict[str, object]], blanks: str
) -> None:
    elements = [orjson.dumps(row).decode() for row in rows]
    body = f"[{blanks}{f'{blanks},{blanks}'.join(elements)}{blanks}]".encode()
    assert json_rows._checked(json_rows._elements(body)) == rows


@given(st.binary(max_size=60) | st.text('[]{},:"\\1a ', max_size=30).map(str.encode))
def test_a_large_body_is_refused_where_a_short_one_is(data: bytes) -> None:
    body = b"[" + data.strip()
    try:
        whole: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        whole = None
    try:
        elements: object = list(json_rows._elements(body))
    except VaultFault:
        elements = None
    assert elements == whole


async def test_large_bodies_are_in_memory_one_at_a_time() -> None:
    entered, held = asyncio.Event(), asyncio.Event()
    inside: list[int] = []

    async def app(scope: object, receive: object, send: object) -> None:
        del receive, send
        body = request(b" " * (LARGE + 1))
        body.scope["state"] = scope["state"]  # type: ignore[index]
        await read_body(body, MAX_ROWS_BYTES)
        inside.append(len(inside))
        entered.set()
        await held.wait()

    bodies = LargeBodies(app)
    calls = [
        asyncio.create_task(bodies({"type": "http"}, _nothing, _nothing))  # type: ignore[arg-type]
        for _ in range(3)
    ]
    await entered.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert inside == [0]
    held.set()
    await asyncio.gather(*calls)
    assert inside == [0, 1, 2]


async def _nothing(*_: object) -> None:
    """Neither send nor receive."""


def test_every_kind_of_body_is_among_the_hostile_ones() -> None:
    assert {body.content_type for body in RECORD_BODIES} >= {JSON, CSV, FORM}
