"""The guide's table of permissions on a running system: each task by a user with only its permissions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import aiohttp
import pytest

from local.system import System
from tests.service.vault.profiles import execute, name, with_profile
from tests.service.vault.served import Answer, Api
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.test_bad_input import exception_messages, items_of, new_exception

DENIED = "INSUFFICIENT_ACCESS"
MESSAGE, ITEM = "exception_message__sys", "exception_item__sys"
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"
OUTBOUND = "/services/queues/medical_crm_outbound_queue__v"


@pytest.fixture
async def medical(running: System, connected: Connected) -> AsyncIterator[Api]:
    """The Medical Vault as its System Admin calls it."""
    assert connected
    account = running.sign_ins()["medical_vault"]["admin"]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        api = Api(http, running.endpoints()["medical_vault"]["url"])
        form = {"username": account["username"], "password": account["password"]}
        yield replace(
            api, session_id=(await api.post("/auth", data=form)).body["sessionId"]
        )


async def test_failures_are_seen_and_retried_by_those_who_may_read_them(
    medical: Api, connected: Connected
) -> None:
    before = await exception_messages(connected)
    await put_on_queue(connected, envelope([f"V4T{new_run()}GONE"]).encode())
    message = await new_exception(connected, before)
    await items_of(connected, message)
    seen = await with_profile(medical, set(), {MESSAGE: "e", ITEM: "r"})
    half = await with_profile(medical, set(), {MESSAGE: "e"})
    blind = await with_profile(medical, set(GRANTS), {"business_objects__sys": "rced"})
    one = f"/vobjects/{MESSAGE}/{message['id']}"
    for api, sees in (
        (seen, (True, True)),
        (half, (True, False)),
        (blind, (False, False)),
    ):
        answers = [await api.get(one), await api.get(f"/vobjects/{ITEM}")]
        assert tuple(answer.status == "SUCCESS" for answer in answers) == sees
    for api in (half, blind):
        assert (await api.post(f"{one}/actions/{RETRY}")).error == DENIED
    assert (await seen.post(f"{one}/actions/{RETRY}")).status == "SUCCESS"

    async def failed_again() -> bool:
        return bool((await seen.get(one)).data["error_status__sys"] == ["open__sys"])

    await eventually("the retried message's failure", failed_again)


GRANTS = (
    "manage_connections",
    "manage_integrations",
    "manage_queues",
    "read_queue_log",
    "execute_mdl",
)


@pytest.mark.parametrize("grant", GRANTS)
async def test_each_task_of_an_administrator_is_refused_without_its_permission(
    medical: Api, grant: str
) -> None:
    only = await with_profile(medical, {grant}, {})
    without = await with_profile(
        medical, set(GRANTS) - {grant}, {"all_objects__sys": "rced"}
    )
    own = name()
    tasks: dict[str, Callable[[Api], Awaitable[Answer]]] = {
        "manage_connections": lambda api: api.post(
            "/vobjects/connection__sys", json=[{"name__v": own, "api_name__sys": own}]
        ),
        "manage_integrations": lambda api: execute(
            api,
            f"RECREATE Integrationrule {own} (label('Own'), connection('medical_crm__v'), active(false));",
        ),
        "manage_queues": lambda api: api.put(f"{OUTBOUND}/actions/trace_delivery"),
        "read_queue_log": lambda api: api.get("/services/queue_logs"),
        "execute_mdl": lambda api: execute(
            api, f"RECREATE Picklist {own} (label('Own'));"
        ),
    }
    for other, task in tasks.items():
        asked = only if other != grant else without
        assert (await task(asked)).error == DENIED, other
    for other, task in tasks.items():
        answer = await task(without if other != grant else only)
        assert answer.status == "SUCCESS", answer.text
