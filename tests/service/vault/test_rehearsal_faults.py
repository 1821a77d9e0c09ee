"""What each fault switch does to a call or a message, and what clients make of it."""

from __future__ import annotations

from collections import Counter

import aiohttp
import pytest

from shared.client import VaultClient
from shared.client.errors import (
    ClientError,
    ExpiredPage,
    QueryTimeout,
    VaultRefused,
    VaultUnavailable,
)
from shared.client.results import Row
from shared.spark.envelope import Envelope
from shared.vault.rehearsal.fault import CallFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from tests.service.vault import rehearsing
from tests.service.vault.rehearsing import (
    ENDLESS,
    ME,
    PATIENT,
    SWITCHES,
    patience,
    switched_on,
    switches,
)
from tests.service.vault.served import PASSWORD, USERNAMES, Api
from tests.service.vault.test_relay import Apart, subjects

apart = rehearsing.apart
admin = rehearsing.admin


async def effect_of(
    admin: Api,
    method: str = "GET",
    path: str = ME,
    seconds: float = PATIENT,
    **options: object,
) -> str:
    """The result of one call for a plain HTTP client: status, content type and error; or how the connection ended."""
    headers = {"Authorization": admin.session_id or ""}
    timeout = aiohttp.ClientTimeout(total=seconds)
    url = f"{admin.url}/api/v25.1{path}"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, url, headers=headers, **options) as response,  # type: ignore[arg-type]
        ):
            text = await response.text()
            kind = response.content_type.rpartition("/")[2]
            seen = f"{response.status} {kind}"
            if kind != "json":
                return seen
            body = await response.json()
            errors = body.get("errors") or []
            seen = " ".join(
                [seen, body["responseStatus"], *(e["type"] for e in errors)]
            )
            if retry_after := response.headers.get("Retry-After"):
                seen += f", again after {retry_after} s"
            if delay := response.headers.get("X-VaultAPI-ResponseDelay"):
                seen += f", delayed by {delay} ms"
            assert text
            return seen
    except TimeoutError:
        return "no answer"
    except aiohttp.ClientError as error:
        return type(error).__name__


EFFECTS: dict[str, tuple[str, dict[str, object]]] = {
    "burst_delay": ("200 json SUCCESS, delayed by 50 ms", {"seconds": 0.05}),
    "api_limit_exceeded": ("200 json FAILURE API_LIMIT_EXCEEDED", {}),
    "too_many_requests": (
        "429 json FAILURE API_LIMIT_EXCEEDED, again after 7 s",
        {"seconds": 7},
    ),
    "status_500_html": ("500 html", {}),
    "status_500_json": ("500 json EXCEPTION UNEXPECTED_ERROR", {}),
    "status_502_html": ("502 html", {}),
    "status_502_json": ("502 json EXCEPTION UNEXPECTED_ERROR", {}),
    "status_503_html": ("503 html", {}),
    "status_503_json": ("503 json EXCEPTION UNEXPECTED_ERROR", {}),
    "timeout_after_effect": ("no answer", {}),
    "timeout_before_effect": ("no answer", {}),
    "cut_answer": ("ClientPayloadError", {}),
    "slow_bytes": ("no answer", {"seconds": 100}),
    "invalid_session": ("200 json FAILURE INVALID_SESSION_ID", {}),
    "expired_next_page": ("200 json FAILURE INVALID_DATA", {"path": f"/api/*{ME}"}),
    "fewer_rows": ("200 json SUCCESS", {"path": f"/api/*{ME}"}),
    "costly_query": (
        "200 json FAILURE OPERATION_NOT_ALLOWED",
        {"path": f"/api/*{ME}"},
    ),
    "password_change_required": (
        "200 json FAILURE PASSWORD_CHANGE_REQUIRED",
        {"path": f"/api/*{ME}"},
    ),
}


def test_each_fault_of_calls_is_shown() -> None:
    assert set(EFFECTS) == {n for n, f in FAULTS.items() if isinstance(f, CallFault)}


@pytest.mark.parametrize("name", EFFECTS)
async def test_what_a_client_sees(admin: Api, name: str) -> None:
    seen, fields = EFFECTS[name]
    await switched_on(admin, fault=name, calls=1, **fields)
    assert await effect_of(admin, seconds=patience(name)) == seen
    (switch,) = await switches(admin)
    assert (switch["struck"], switch["used_up"]) == (1, True)
    assert await effect_of(admin) == "200 json SUCCESS"


async def things(admin: Api, name: str) -> int:
    found = await admin.query(f"SELECT id FROM thing__c WHERE name__v = '{name}'")
    return len(found.data)


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        ("timeout_before_effect", 0),
        ("timeout_after_effect", 1),
        ("cut_answer", 1),
        ("slow_bytes", 1),
        ("status_502_html", 0),
        ("too_many_requests", 0),
        ("invalid_session", 0),
    ],
)
async def test_whether_a_call_is_carried_out(admin: Api, fault: str, made: int) -> None:
    # So that the Vault ends the call, whatever time that takes, and not the client.
    short = {"seconds": 0.01} if fault in ENDLESS else {}
    target = {"method": "POST", "path": "/api/*/vobjects/*"}
    await switched_on(admin, fault=fault, calls=1, **target, **short)
    row = [{"name__v": fault}]
    seen = await effect_of(admin, "POST", "/vobjects/thing__c", json=row)
    assert ("SUCCESS" in seen) is (fault == "slow_bytes")
    assert await things(admin, fault) == made


async def test_a_silent_connection_is_cut_in_the_end(admin: Api) -> None:
    await switched_on(admin, fault="timeout_before_effect", calls=1, seconds=0.01)
    assert await effect_of(admin) == "ClientPayloadError"


PAGED = "SELECT name__v FROM thing__c WHERE name__v LIKE 'paged %'"


@pytest.fixture(scope="module")
async def paged(apart: Apart) -> set[str]:
    """Twelve records, which a page with fewer rows does not hold; their names."""
    names = [f"paged {number}" for number in range(12)]
    rows = [{"name__v": name} for name in names]
    answer = await apart.admin.post("/vobjects/thing__c", json=rows)
    assert answer.status == "SUCCESS", answer.text
    return set(names)


async def test_a_page_has_fewer_rows_and_says_where_the_others_are(
    admin: Api, paged: set[str]
) -> None:
    await switched_on(admin, fault="fewer_rows", calls=1)
    page = await admin.query(PAGED)
    assert len(page.data) == 5
    read = list(page.data)
    while address := page.body["responseDetails"].get("next_page"):
        page = await admin.get(address)
        read += page.data
    assert {row["name__v"] for row in read} == paged


async def test_a_later_page_is_said_to_be_gone_and_may_be_read_again(
    admin: Api, paged: set[str]
) -> None:
    await switched_on(admin, fault="expired_next_page", calls=1)
    page = await admin.query(f"{PAGED} PAGESIZE 10")
    address = page.body["responseDetails"]["next_page"]
    assert (await admin.get(address)).error == "INVALID_DATA"
    assert len((await admin.get(address)).data) == len(paged) - 10


# The error with which our own client ends a query that a fault strikes; none where it gets all rows by itself.
CLIENT = {
    "burst_delay": None,
    "api_limit_exceeded": VaultRefused,
    "too_many_requests": VaultRefused,
    "status_500_html": VaultUnavailable,
    "status_500_json": VaultUnavailable,
    "status_502_html": VaultUnavailable,
    "status_502_json": VaultUnavailable,
    "status_503_html": VaultUnavailable,
    "status_503_json": VaultUnavailable,
    "timeout_after_effect": VaultUnavailable,
    "timeout_before_effect": VaultUnavailable,
    "cut_answer": None,
    "slow_bytes": VaultUnavailable,
    "invalid_session": None,
    "expired_next_page": ExpiredPage,
    "fewer_rows": None,
    "costly_query": QueryTimeout,
    "password_change_required": VaultRefused,
}


# Of more than one page, so that there is a later one to strike.
USERS = "SELECT id FROM user__sys ORDER BY id PAGESIZE 1"


@pytest.mark.parametrize("fault", CLIENT)
async def test_what_our_client_makes_of_it(admin: Api, fault: str) -> None:
    seconds = {"seconds": 0.01} if fault == "burst_delay" else {}
    async with VaultClient(
        admin.url, USERNAMES["admin"], PASSWORD, timeout=patience(fault)
    ) as client:
        if fault != "password_change_required":  # which strikes the sign-in
            await client.sign_in()
        await switched_on(admin, fault=fault, calls=1, **seconds)
        rows: list[Row] | None = None
        error: type[ClientError] | None = None
        try:
            rows = (await client.query(USERS)).rows
        except ClientError as raised:
            error = type(raised)
        (switch,) = await switches(admin)
        assert (switch["struck"], error) == (1, CLIENT[fault])
        again = (await client.query(USERS)).rows
        assert again
        assert rows in (again, None)


async def test_messages_come_twice(apart: Apart, admin: Api) -> None:
    await switched_on(admin, fault="delivered_twice", calls=2, queue="out__c")
    ids = await apart.sent(3)
    came = Counter(subjects(await apart.received(5)))
    assert [came[each] for each in ids] == [2, 2, 1]


async def test_a_message_is_overtaken_by_the_next_one(apart: Apart, admin: Api) -> None:
    await switched_on(admin, fault="out_of_order", calls=1, queue="out*")
    first, second, third = await apart.sent(3)
    assert subjects(await apart.received(3)) == [second, first, third]


async def test_a_message_is_late_until_its_switch_ends(
    apart: Apart, admin: Api
) -> None:
    await apart.declared("out__c")
    fields = {"calls": 1, "seconds": 300, "queue": "out__c"}
    switch = await switched_on(admin, fault="delivery_delayed", **fields)
    late, punctual = await apart.sent(2)
    await apart.declared("out__c", messages=1)
    async with apart.broker.short_channel() as channel:
        queue = await channel.get_queue("out__c", ensure=False)
        message = await queue.get(no_ack=True)
    assert subjects([Envelope.parse(message.body)]) == [punctual]
    assert await apart.waiting() == 1
    await admin.delete(f"{SWITCHES}/{switch}")
    assert subjects(await apart.received(1)) == [late]
