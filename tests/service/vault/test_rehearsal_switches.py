"""Fault switches: who may set them, which calls each applies to, and how they end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local.polling import answers_within
from shared.vault.process.application import create_app
from shared.vault.rehearsal.fault_switches import MAX_SWITCHES
from tests.service.vault import rehearsing
from tests.service.vault.browsing import browser
from tests.service.vault.rehearsing import ME, SWITCHES, sandbox, switched_on, switches
from tests.service.vault.served import PASSWORD, USERNAMES, Api, served, started
from tests.service.vault.test_relay import Apart

apart = rehearsing.apart
admin = rehearsing.admin

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


async def test_a_probe_is_struck_when_its_path_is_named(admin: Api) -> None:
    await switched_on(admin, fault="status_503_html", calls=1, path="/healthz")
    async with admin.http.get(f"{admin.url}/healthz") as probe:
        assert probe.status == 503


REFUSED = {
    "no fault": (
        {"calls": "1"},
        "PARAMETER_REQUIRED",
        "Missing required parameter [fault]",
    ),
    "no amount": (
        {"fault": "cut_answer"},
        "PARAMETER_REQUIRED",
        "Missing required parameter [calls] or [share]",
    ),
    "two amounts": (
        {"fault": "cut_answer", "calls": "1", "share": "1"},
        "INVALID_DATA",
        "not both",
    ),
    "an unknown fault": (
        {"fault": "flood", "calls": "1"},
        "INVALID_DATA",
        "no fault [flood]",
    ),
    "an unknown field": (
        {"fault": "cut_answer", "call": "1"},
        "INVALID_DATA",
        "no parameter [call]",
    ),
    "no call": (
        {"fault": "cut_answer", "calls": "0"},
        "INVALID_DATA",
        "[calls] is a whole number",
    ),
    "too many calls": (
        {"fault": "cut_answer", "calls": "100001"},
        "INVALID_DATA",
        "[calls] is a whole number",
    ),
    "more than all": (
        {"fault": "cut_answer", "share": "101"},
        "INVALID_DATA",
        "[share] is a whole number",
    ),
    "more than a day": (
        {"fault": "cut_answer", "calls": "1", "minutes": "1441"},
        "INVALID_DATA",
        "[minutes] is a whole number",
    ),
    "no time": (
        {"fault": "slow_bytes", "calls": "1", "seconds": "0"},
        "INVALID_DATA",
        "[seconds] is a number above 0",
    ),
    "no number": (
        {"fault": "slow_bytes", "calls": "1", "seconds": "NaN"},
        "INVALID_DATA",
        "[seconds] is a number above 0",
    ),
    "a fault without time": (
        {"fault": "cut_answer", "calls": "1", "seconds": "1"},
        "INVALID_DATA",
        "takes no time",
    ),
    "a method": (
        {"fault": "cut_answer", "calls": "1", "method": "BREW"},
        "INVALID_DATA",
        "[method] is one of",
    ),
    "a pattern": (
        {"fault": "cut_answer", "calls": "1", "path": "/api/**/x"},
        "INVALID_DATA",
        "** only as its last one",
    ),
    "a path that nothing serves": (
        {"fault": "cut_answer", "calls": "1", "path": "/apj/**"},
        "INVALID_DATA",
        "matches no call",
    ),
    "a path too long": (
        {"fault": "cut_answer", "calls": "1", "path": "/api/*/query/*/more"},
        "INVALID_DATA",
        "matches no call",
    ),
    "a path that is never struck": (
        {"fault": "cut_answer", "calls": "1", "path": "/api/*/services/rehearsal/**"},
        "INVALID_DATA",
        "matches no call",
    ),
    "a method that the path does not take": (
        {
            "fault": "cut_answer",
            "calls": "1",
            "method": "DELETE",
            "path": "/api/*/query",
        },
        "INVALID_DATA",
        "takes DELETE",
    ),
    "a name that no client has": (
        {"fault": "cut_answer", "calls": "1", "client_id": "nightly load"},
        "INVALID_DATA",
        "[client_id] has letters",
    ),
    "an unknown user": (
        {"fault": "cut_answer", "calls": "1", "user": "nobody"},
        "INVALID_DATA",
        "no user with the name in [user]",
    ),
    "an unknown queue": (
        {"fault": "delivered_twice", "calls": "1", "queue": "none__c"},
        "INVALID_DATA",
        "no queue [none__c]",
    ),
    "a queue for calls": (
        {"fault": "cut_answer", "calls": "1", "queue": "out__c"},
        "INVALID_DATA",
        "takes no [queue]",
    ),
    "a path for messages": (
        {"fault": "delivered_twice", "calls": "1", "path": "/api/**"},
        "INVALID_DATA",
        "takes no [path]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_switched_on(admin: Api, case: str) -> None:
    fields, error, said = REFUSED[case]
    answer = await admin.post(SWITCHES, data=fields)
    assert (answer.status, answer.error) == ("FAILURE", error), answer.text
    assert said in answer.message
    assert await switches(admin) == []


async def test_so_many_switches_and_no_more(admin: Api) -> None:
    for _ in range(MAX_SWITCHES):
        await switched_on(admin, fault="slow_bytes", calls=1, path="/api/*/limits")
    more = await admin.post(SWITCHES, data={"fault": "slow_bytes", "calls": "1"})
    assert more.error == "OPERATION_NOT_ALLOWED"


async def test_a_switch_that_is_not_there_cannot_be_ended(admin: Api) -> None:
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


@asynccontextmanager
async def second_process(apart: Apart) -> AsyncIterator[Api]:
    """Serve the same Vault once more, as its System Admin calls it."""
    vault = sandbox(apart.dsn, apart.proxy.url, apart.files)
    async with served(create_app(vault)) as api:
        await started(vault)
        yield await api.signed_in("admin")


async def has_switches(process: Api, number: int) -> None:
    """Wait until so many switches are on in a process."""

    async def ask() -> str | None:
        found = len(await switches(process))
        return None if found == number else f"{found} switches"

    assert await answers_within(60, ask) is None


async def test_a_process_that_starts_later_has_no_switch(
    apart: Apart, admin: Api
) -> None:
    # Switches are in the memory of processes only: a restart ends them.
    await switched_on(admin, fault="slow_bytes", share=1, path="/api/*/limits")
    async with second_process(apart) as second:
        assert await switches(second) == []


async def test_every_process_hears_of_a_switch_and_of_its_end(
    apart: Apart, admin: Api
) -> None:
    async with second_process(apart) as second:
        switch = await switched_on(admin, fault="status_503_json", calls=1)
        await has_switches(second, 1)
        # Each process counts for itself.
        for process in (admin, second):
            assert (await process.get(ME)).http_status == 503
            assert (await process.get(ME)).http_status == 200
        await admin.delete(f"{SWITCHES}/{switch}")
        await has_switches(second, 0)


async def test_every_process_hears_that_all_switches_end(
    apart: Apart, admin: Api
) -> None:
    async with second_process(apart) as second:
        for path in ("/api/*/limits", "/api/*/query"):
            await switched_on(admin, fault="status_503_json", calls=1, path=path)
        await has_switches(second, 2)
        await admin.delete(SWITCHES)
        await has_switches(second, 0)


async def test_the_page_says_why_a_fault_cannot_be_switched_on(admin: Api) -> None:
    async with browser(admin.url, "admin") as person:
        page = await person.open("/ui/rehearsal")
        page = await person.press(
            page, "Switch on", fault="HTTP 502 in HTML", calls="1", share="1"
        )
        assert page.status == 400
        assert "not both" in page.text
    assert await switches(admin) == []


async def test_a_fault_is_switched_on_and_off_on_the_page(admin: Api) -> None:
    async with browser(admin.url, "admin") as person:
        page = await person.open("/ui/rehearsal")
        assert "No fault is switched on" in page.text
        page = await person.press(
            page, "Switch on", fault="HTTP 502 in HTML", calls="2", share=""
        )
        assert "The fault is switched on." in page.text
        assert "status_502_html: the next 2 calls, every method /api/**" in page.text
        page = await person.press(page, "Switch off")
        assert "No fault is switched on" in page.text
    assert await switches(admin) == []


async def test_every_page_says_which_faults_are_on(admin: Api) -> None:
    await switched_on(admin, fault="status_502_html", calls=2)
    said = "faults are switched on in this Vault (HTTP 502 in HTML)"
    async with browser(admin.url) as visitor:
        assert said in (await visitor.open("/ui/sign-in")).text
        assert said in (await visitor.sign_in(USERNAMES["user"])).text
        await admin.delete(SWITCHES)
        assert said not in (await visitor.open("/ui/")).text


async def test_who_lacks_the_permission_has_no_link_to_the_page(admin: Api) -> None:
    for role, expected in (("admin", True), ("user", False)):
        async with browser(admin.url, role) as person:
            home = await person.open("/ui/")
            assert ("Rehearsal" in home.links) is expected
