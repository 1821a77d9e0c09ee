"""A Vault process refuses bodies that are meant to overload it, and continues to answer other clients."""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bench.hostile_bodies import FORM, HostileBody, hostile_bodies
from bench.processor_time import processor_seconds
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from tests.servers import fresh_vhost
from tests.service.vault.processes import Fleet, fleet
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import MDL, Answer, Api
from tests.service.vault.vault_databases import vault_database

RECORDS = "/vobjects/thing__c"
BODIES = list(hostile_bodies(RECORDS))
# Of the process, for all that it does for one such call: many times what it takes on a machine that is busy otherwise.
PROCESSOR_SECONDS = 20.0
MEMORY = 400 * 10**6
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
async def served(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Fleet]:
    """One process of a Vault of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        fleet(dsn, vhost.amqp_url, folder, size=1) as made,
    ):
        (admin,) = await made.signed_in()
        answer = await admin.post("/api/mdl/execute", data=MDL)
        assert answer.status == "SUCCESS", answer.text
        yield made


@pytest.fixture(scope="module")
async def admin(served: Fleet) -> Api:
    """The administrator who may make the calls."""
    (api,) = await served.signed_in()
    return api


@pytest.fixture(scope="module")
async def other(served: Fleet) -> Api:
    """Another user, who works meanwhile, and may not make the calls."""
    (api,) = await served.signed_in("user")
    return api


async def sent(api: Api, body: HostileBody) -> Answer:
    headers = {"Content-Type": body.content_type}
    return await api.post(body.path, data=io.BytesIO(body.make()), headers=headers)


@pytest.mark.parametrize("body", BODIES, ids=str)
async def test_the_process_goes_on_with_what_others_ask(
    served: Fleet, admin: Api, other: Api, body: HostileBody
) -> None:
    process = served.processes[0]
    pid = served.state.process(process.name)
    assert pid is not None
    before = processor_seconds({"vault": pid.pid})["vault"]
    call = asyncio.create_task(sent(admin, body))
    peak = 0
    others: list[Any] = []
    while not call.done():
        peak = max(peak, resident(pid.pid))
        # Each is asked in turn, so that every one was asked while the body was on its way or was read.
        asked = await other.get(f"{RECORDS}?limit=1")
        others.append(asked.status)
        async with served.http.get(f"{process.url}/healthz") as health:
            others.append(health.status)
    answer = await call
    spent = processor_seconds({"vault": pid.pid})["vault"] - before
    assert set(others) <= {"SUCCESS", "FAILURE", 200}
    assert spent < PROCESSOR_SECONDS
    assert peak < MEMORY
    if body.error is not None:
        assert answer.error == body.error
    # One record as a form has its errors in the envelope.
    elif body.content_type != FORM:
        assert answer.status == "SUCCESS"
    # Seconds: without bounds, the first of the bodies alone took minutes in one step.
    lags = await lag_counts(served)
    assert lags["10.0"] == lags["+Inf"]
    # The broker has heard of the process all the while.
    logs = [path.read_text() for path in process.logs.glob("*.log")]
    assert logs
    assert not any("relay.waiting" in log for log in logs)
    # However many errors a row has, the answer names some of them.
    assert len(answer.text) < 2 * 10**6


async def lag_counts(served: Fleet) -> dict[str, str]:
    """Delays of the process's event loop so far, by the bounds of the histogram."""
    async with served.http.get(f"{served.processes[0].url}/metrics") as answer:
        text = await answer.text()
    return dict(re.findall(r'event_loop_lag_seconds_bucket{le="(.+?)"} (.+)', text))


def resident(pid: int) -> int:
    """Bytes of a process's memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


async def test_who_may_not_make_a_call_costs_next_to_nothing(
    admin: Api,
) -> None:
    rightless = await with_profile(admin, set(), {})
    records = [body for body in BODIES if body.path == RECORDS]
    answers = [await sent(rightless, body) for body in records[:3]]
    assert {answer.error for answer in answers} == {"INSUFFICIENT_ACCESS"}
