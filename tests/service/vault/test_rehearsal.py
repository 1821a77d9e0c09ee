"""Fault switches: the effect of each for clients, the permission to set them, and their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.client import VaultClient
from shared.client.errors import (
    ClientError,
    QueryTimeout,
    VaultRefused,
    VaultUnavailable,
)
from shared.spark.connection import BrokerConnection
from shared.spark.envelope import Envelope
from shared.vault.assembly.vault import Vault
from shared.vault.connections.connection_rules import DomainType
from shared.vault.process.application import create_app
from shared.vault.rehearsal.fault import CallFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from shared.vault.rehearsal.fault_switches import MAX_SWITCHES
from tests.servers import fresh_vhost
from tests.service.spark.proxy import proxy_to
from tests.service.vault import objects
from tests.service.vault.browsing import browser
from tests.service.vault.served import (
    MDL,
    PASSWORD,
    USERNAMES,
    Api,
    served,
    settings,
    started,
)
from tests.service.vault.test_relay import Apart, subjects
from tests.service.vault.vault_databases import vault_database

SWITCHES = "/services/rehearsal/switches"
ME = "/objects/users/me"
PATIENT = 30.0
# Shorter than the faults that a client gives up on; for calls that these strike only.
IMPATIENT = 2.0
ENDLESS = ("timeout_after_effect", "timeout_before_effect", "slow_bytes")


@pytest.fixture(scope="module")
async def apart(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Apart]:
    """A Vault of a sandbox domain, as its System Admin calls it, and its broker."""
    files = tmp_path_factory.mktemp("files")
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        proxy_to(vhost.amqp_url) as proxy,
        BrokerConnection(vhost.amqp_url, "tests") as broker,
    ):
        vault = sandbox(dsn, proxy.url, files)
        async with served(create_app(vault)) as api:
            await started(vault)
            admin = await api.signed_in("admin")
            answer = await admin.post("/api/mdl/execute", data=MDL + objects.MDL)
            assert answer.status == "SUCCESS", answer.text
            yield Apart(admin, proxy, broker, dsn, files)


def sandbox(dsn: str, amqp_url: str, files: Path) -> Vault:
    made = settings(dsn, amqp_url, files)
    domain = {"domain_type": DomainType.SANDBOX}
    return Vault(MEDICAL_VAULT, made.model_copy(update=domain))


@pytest.fixture
async def admin(apart: Apart) -> AsyncIterator[Api]:
    """The Vault without active switches before and after the test."""
    yield apart.admin
    assert (await apart.admin.delete(SWITCHES)).status == "SUCCESS"


async def switched_on(admin: Api, **fields: object) -> str:
    sent = {name: str(value) for name, value in fields.items()}
    answer = await admin.post(SWITCHES, data=sent)
    assert answer.status == "SUCCESS", answer.text
    return str(answer.data["id"])


async def switches(admin: Api) -> list[dict[str, object]]:
    return list((await admin.get(SWITCHES)).data)


def patience(fault: str) -> float:
    return IMPATIENT if fault in ENDLESS else PATIENT


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


async def test_a_page_has_fewer_rows_and_says_where_the_others_are(admin: Api) -> None:
    rows = [{"name__v": f"fewer {number}"} for number in range(12)]
    assert (await admin.post("/vobjects/thing__c", json=rows)).status == "SUCCESS"
    text = "SELECT name__v FROM thing__c WHERE name__v LIKE 'fewer %'"
    await switched_on(admin, fault="fewer_rows", calls=1)
    page = await admin.query(text)
    assert len(page.data) == 5
    await switched_on(admin, fault="expired_next_page", calls=1)
    address = page.body["responseDetails"]["next_page"]
    assert (await admin.get(address)).error == "INVALID_DATA"
    read = list(page.data)
    while address is not None:
        page = await admin.get(address)
        read += page.data
        address = page.body["responseDetails"].get("next_page")
    assert {row["name__v"] for row in read} == {row["name__v"] for row in rows}


TARGETS = {
    # fields of the switch → which of ADMIN, USER and NAMED see the fault
    "everyone": ({}, "ADMIN USER NAMED"),
    "one user": ({"user": USERNAMES["user"]}, "USER NAMED"),
    "one client": ({"client_id": "nightly-load"}, "NAMED"),
    "both": ({"user": USERNAMES["admin"], "client_id": "nightly-load"}, ""),
    "a path": ({"path": f"/api/v25.*{ME}"}, "ADMIN USER NAMED"),
    "another path": ({"path": "/api/*/vobjects/**"}, ""),
    "a method": ({"method": "get"}, "ADMIN USER NAMED"),
    "another method": ({"method": "POST"}, ""),
}


@pytest.mark.parametrize("case", TARGETS)
async def test_the_callers_that_a_switch_applies_to(admin: Api, case: str) -> None:
    fields, expected = TARGETS[case]
    user = await admin.signed_in("user")
    await switched_on(admin, fault="api_limit_exceeded", share=100, **fields)
    named = {"X-VaultAPI-ClientID": "nightly-load"}
    calls = {"ADMIN": (admin, {}), "USER": (user, {}), "NAMED": (user, named)}
    struck = [
        who
        for who, (caller, headers) in calls.items()
        if (await caller.get(ME, headers=headers)).status == "FAILURE"
    ]
    assert " ".join(struck) == expected


async def test_a_share_of_calls_is_struck_evenly(admin: Api) -> None:
    await switched_on(admin, fault="status_503_json", share=25)
    seen = [(await admin.get(ME)).http_status for _ in range(8)]
    assert seen == [200, 200, 200, 503] * 2


async def test_it_can_always_be_ended(admin: Api) -> None:
    switch = await switched_on(admin, fault="status_502_html", share=100, path="/**")
    assert (await admin.get(ME)).http_status == 502
    again = await admin.signed_in("admin")
    async with again.http.get(f"{again.url}/healthz") as probe:
        assert probe.status == 200
    async with again.http.get(f"{again.url}/metrics") as probe:
        text = await probe.text()
        assert 'faults_struck_total{fault="status_502_html"}' in text
        assert "\nfault_switches 0.0" not in text
    assert (await again.delete(f"{SWITCHES}/{switch}")).status == "SUCCESS"
    assert (await admin.get(ME)).status == "SUCCESS"


async def test_a_sign_in_is_struck_when_it_is_named(admin: Api) -> None:
    name = USERNAMES["user"]
    await switched_on(admin, fault="password_change_required", calls=1, user=name)
    assert (await admin.signed_in("admin")).session_id
    form = {"username": name, "password": PASSWORD}
    assert (await admin.post("/auth", data=form)).error == "PASSWORD_CHANGE_REQUIRED"
    assert (await admin.post("/auth", json=form)).status == "SUCCESS"
    await switched_on(admin, fault="status_503_html", calls=1, path="/healthz")
    async with admin.http.get(f"{admin.url}/healthz") as probe:
        assert probe.status == 503


REFUSED = {
    "no fault": ({"calls": "1"}, "PARAMETER_REQUIRED"),
    "no amount": ({"fault": "cut_answer"}, "PARAMETER_REQUIRED"),
    "two amounts": (
        {"fault": "cut_answer", "calls": "1", "share": "1"},
        "INVALID_DATA",
    ),
    "an unknown fault": ({"fault": "flood", "calls": "1"}, "INVALID_DATA"),
    "an unknown field": ({"fault": "cut_answer", "call": "1"}, "INVALID_DATA"),
    "no call": ({"fault": "cut_answer", "calls": "0"}, "INVALID_DATA"),
    "too many calls": ({"fault": "cut_answer", "calls": "100001"}, "INVALID_DATA"),
    "more than all": ({"fault": "cut_answer", "share": "101"}, "INVALID_DATA"),
    "more than a day": (
        {"fault": "cut_answer", "calls": "1", "minutes": "1441"},
        "INVALID_DATA",
    ),
    "no time": (
        {"fault": "slow_bytes", "calls": "1", "seconds": "0"},
        "INVALID_DATA",
    ),
    "no number": (
        {"fault": "slow_bytes", "calls": "1", "seconds": "NaN"},
        "INVALID_DATA",
    ),
    "a fault without time": (
        {"fault": "cut_answer", "calls": "1", "seconds": "1"},
        "INVALID_DATA",
    ),
    "a method": (
        {"fault": "cut_answer", "calls": "1", "method": "BREW"},
        "INVALID_DATA",
    ),
    "a pattern": (
        {"fault": "cut_answer", "calls": "1", "path": "/api/**/x"},
        "INVALID_DATA",
    ),
    "a path that nothing serves": (
        {"fault": "cut_answer", "calls": "1", "path": "/apj/**"},
        "INVALID_DATA",
    ),
    "a path too long": (
        {"fault": "cut_answer", "calls": "1", "path": "/api/*/query/*/more"},
        "INVALID_DATA",
    ),
    "a path that is never struck": (
        {"fault": "cut_answer", "calls": "1", "path": "/api/*/services/rehearsal/**"},
        "INVALID_DATA",
    ),
    "a method that the path does not take": (
        {
            "fault": "cut_answer",
            "calls": "1",
            "method": "DELETE",
            "path": "/api/*/query",
        },
        "INVALID_DATA",
    ),
    "a name that no client has": (
        {"fault": "cut_answer", "calls": "1", "client_id": "nightly load"},
        "INVALID_DATA",
    ),
    "an unknown user": (
        {"fault": "cut_answer", "calls": "1", "user": "nobody"},
        "INVALID_DATA",
    ),
    "an unknown queue": (
        {"fault": "delivered_twice", "calls": "1", "queue": "none__c"},
        "INVALID_DATA",
    ),
    "a queue for calls": (
        {"fault": "cut_answer", "calls": "1", "queue": "out__c"},
        "INVALID_DATA",
    ),
    "a path for messages": (
        {"fault": "delivered_twice", "calls": "1", "path": "/api/**"},
        "INVALID_DATA",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_switched_on(admin: Api, case: str) -> None:
    fields, error = REFUSED[case]
    answer = await admin.post(SWITCHES, data=fields)
    assert (answer.status, answer.error) == ("FAILURE", error), answer.text
    assert await switches(admin) == []


async def test_so_many_switches_and_no_more(admin: Api) -> None:
    for _ in range(MAX_SWITCHES):
        await switched_on(admin, fault="slow_bytes", calls=1, path="/api/*/limits")
    more = await admin.post(SWITCHES, data={"fault": "slow_bytes", "calls": "1"})
    assert more.error == "OPERATION_NOT_ALLOWED"
    assert (await admin.delete(f"{SWITCHES}/none")).error == "INVALID_DATA"


async def test_who_lacks_the_permission_is_refused(admin: Api) -> None:
    for role in ("user", "integration"):
        caller = await admin.signed_in(role)
        fields = {"fault": "cut_answer", "calls": "1"}
        for answer in (
            await caller.post(SWITCHES, data=fields),
            await caller.get(SWITCHES),
            await caller.delete(SWITCHES),
            await caller.get("/services/rehearsal/faults"),
        ):
            assert answer.error == "INSUFFICIENT_ACCESS"


async def test_the_audit_trail_says_who_switched_what(admin: Api) -> None:
    switch = await switched_on(admin, fault="slow_bytes", calls=3, path="/api/*/limits")
    await admin.delete(f"{SWITCHES}/{switch}")
    trail = await admin.get("/audittrail/system_audit_trail", params={"limit": "1000"})
    entries = [entry for entry in trail.data if entry["item"] == "Fault.slow_bytes"]
    actions = {entry["action"] for entry in entries}
    assert actions == {"Switch Fault On", "Switch Fault Off"}
    assert all(entry["user_name"] == USERNAMES["admin"] for entry in entries)
    assert any(
        "the next 3 calls, every method /api/*/limits" in e["new_value"]
        for e in entries
    )


async def test_every_process_hears_of_it_and_none_that_starts_later(
    apart: Apart, admin: Api
) -> None:
    forgotten = await switched_on(admin, fault="slow_bytes", share=1)
    second_vault = sandbox(apart.dsn, apart.proxy.url, apart.files)
    async with served(create_app(second_vault)) as api:
        await started(second_vault)
        second = await api.signed_in("admin")

        async def heard(number: int) -> None:
            async def ask() -> str | None:
                found = len(await switches(second))
                return None if found == number else f"{found} switches"

            assert await answers_within(60, ask) is None

        # It is in the memory of processes only: a restart ends it.
        assert await switches(second) == []
        await admin.delete(f"{SWITCHES}/{forgotten}")
        switch = await switched_on(admin, fault="status_503_json", calls=1)
        await heard(1)
        # Each process counts for itself.
        for process in (admin, second):
            assert (await process.get(ME)).http_status == 503
            assert (await process.get(ME)).http_status == 200
        await admin.delete(f"{SWITCHES}/{switch}")
        await heard(0)
        await switched_on(admin, fault="status_503_json", calls=1)
        await heard(1)
        await admin.delete(SWITCHES)
        await heard(0)


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


async def test_every_page_says_so(admin: Api) -> None:
    async with browser(admin.url, "admin") as person:
        page = await person.open("/ui/rehearsal")
        assert "No fault is switched on" in page.text
        page = await person.press(
            page, "Switch on", fault="HTTP 502 in HTML", calls="1", share="1"
        )
        assert page.status == 400
        assert "not both" in page.text
        page = await person.press(
            page, "Switch on", fault="HTTP 502 in HTML", calls="2", share=""
        )
        assert "The fault is switched on." in page.text
        assert "status_502_html: the next 2 calls, every method /api/**" in page.text
        said = "faults are switched on in this Vault (HTTP 502 in HTML)"
        async with browser(admin.url) as visitor:
            assert said in (await visitor.open("/ui/sign-in")).text
            other = await visitor.sign_in(USERNAMES["user"])
            assert said in other.text
            assert "Rehearsal" not in other.links
        home = await person.open("/ui/")
        page = await person.click(home, "Rehearsal")
        page = await person.press(page, "Switch off")
        assert said not in page.text
        assert await switches(admin) == []


CLIENT = {
    # what our own client makes of each fault, of a call that reads, and whether it comes through by itself
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
    "expired_next_page": None,
    "fewer_rows": None,
    "costly_query": QueryTimeout,
    "password_change_required": None,
}


@pytest.mark.parametrize("fault", CLIENT)
async def test_what_our_client_makes_of_it(admin: Api, fault: str) -> None:
    seconds = {"burst_delay": {"seconds": 0.01}}.get(fault, {})
    text = "SELECT id FROM user__sys"
    async with VaultClient(
        admin.url, USERNAMES["admin"], PASSWORD, timeout=patience(fault)
    ) as client:
        await client.sign_in()
        await switched_on(admin, fault=fault, calls=1, **seconds)
        error: type[ClientError] | None = None
        try:
            await client.query(text)
        except ClientError as raised:
            error = type(raised)
        assert error is CLIENT[fault]
        assert (await client.query(text)).rows
