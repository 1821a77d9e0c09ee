"""Three real processes of one Vault on one database: changes by one apply to all, and the loss of one is survived."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from itertools import count

import asyncpg
import pytest

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from shared.spark.connection import BrokerConnection
from shared.spark.envelope import Envelope
from tests.servers import fresh_database, fresh_vhost
from tests.service.vault import objects
from tests.service.vault.objects import ITEMS, action
from tests.service.vault.package_calls import (
    BOX,
    SHADE,
    finished,
    imported,
    package_status,
)
from tests.service.vault.people import as_user, new_user
from tests.service.vault.processes import Fleet, balanced, fleet
from tests.service.vault.served import MDL, Answer, Api
from tests.unit.packages.building import component_files, data_files, vpk

THINGS = "/vobjects/thing__c"
ROWS = 6000


@pytest.fixture(scope="module")
async def processes(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Fleet]:
    async with (
        fresh_database(postgres_server) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        fleet(dsn, vhost.amqp_url, tmp_path_factory.mktemp("fleet")) as started,
    ):
        admin = (await started.signed_in())[0]
        assert (
            await admin.post("/api/mdl/execute", data=MDL + objects.MDL)
        ).status == "SUCCESS"
        yield started


@pytest.fixture
async def admins(processes: Fleet) -> list[Api]:
    """One administrator's session at each process."""
    await processes.all_run()
    return await processes.signed_in()


async def becomes(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    async def reason() -> str | None:
        found = await ask()
        return None if found == wanted else f"{found!r}"

    assert await answers_within(60, reason) is None


async def test_no_process_answers_from_components_that_another_has_changed(
    admins: list[Api],
) -> None:
    for number, changing in enumerate(admins):
        await changing.post(
            "/api/mdl/execute",
            data=f"RECREATE Picklist told_{number}__c ( label('Told') );",
        )
        for other in admins:
            # MDL, and not the envelope of an error: at once, whether the notification has come or not.
            answer = await other.get(f"/api/mdl/components/Picklist.told_{number}__c")
            assert answer.body is None, answer.text


async def test_a_change_of_permissions_holds_at_once_at_every_process(
    admins: list[Api],
) -> None:
    granted = "RECREATE Permissionset told__c (label('Told'), Objectpermission thing__c (read({})));"
    profile = "RECREATE Securityprofile told__c (label('Told'), active(true), permission_sets('told__c'));"
    made = await admins[0].post(
        "/api/mdl/execute", data=granted.format("true") + profile
    )
    assert made.status == "SUCCESS", made.text
    _, username = await new_user(admins[0], security_profile__v="told__c")
    session = (await as_user(admins[0], username)).session_id
    users = [replace(api, session_id=session) for api in admins]
    for changing, (flag, wanted) in zip(
        admins, (("true", "SUCCESS"), ("false", "FAILURE")) * 2, strict=False
    ):
        await changing.post("/api/mdl/execute", data=granted.format(flag))
        for user in users:
            assert (await user.get(THINGS)).status == wanted


async def test_sessions_cursors_and_configuration_mode_are_of_the_vault(
    processes: Fleet, admins: list[Api]
) -> None:
    first, second, third = admins
    await first.post(
        THINGS, json=[{"name__v": "paged", "key__c": f"paged-{n}"} for n in range(30)]
    )
    page = await first.query(
        "SELECT key__c FROM thing__c WHERE name__v = 'paged' PAGESIZE 20"
    )
    cursor = page.body["responseDetails"]["next_page"]
    assert len((await second.get(cursor)).data) == 10

    users = await processes.signed_in("user")
    assert (
        await third.post("/services/configuration_mode/actions/enable")
    ).status == "SUCCESS"
    for user in users:

        async def refusal(api: Api = user) -> str:
            answer = await api.get("/objects/users/me")
            return answer.error if answer.status == "FAILURE" else ""

        await becomes(refusal, "CONFIGURATION_MODE_ENABLED")
    assert (
        await first.post("/services/configuration_mode/actions/disable")
    ).status == "SUCCESS"
    for user in users:

        async def status(api: Api = user) -> str:
            return (await api.get("/objects/users/me")).status

        await becomes(status, "SUCCESS")
    assert (await users[1].delete("/session")).status == "SUCCESS"
    assert {(await user.get("/objects/users/me")).error for user in users} == {
        "INVALID_SESSION_ID"
    }


async def test_wrong_passwords_at_all_processes_count_together(
    processes: Fleet,
) -> None:
    await processes.all_run()

    async def attempt(api: Api) -> Answer:
        return await api.post(
            "/auth", data={"username": "nobody@vault.example", "password": "wrong"}
        )

    apis = processes.apis
    for n in range(10):
        assert (await attempt(apis[n % len(apis)])).error != "USER_LOCKED_OUT"
    assert {(await attempt(api)).error for api in apis} == {"USER_LOCKED_OUT"}


async def test_relays_share_the_outbox_and_send_each_message_once(
    processes: Fleet, admins: list[Api]
) -> None:
    rows = [{"name__v": "item", "key__c": f"relayed-{n}"} for n in range(240)]
    ids = (await admins[0].post(ITEMS, json=rows)).ids
    send = action("first__c", "send__c")

    async def sending(api: Api, mine: list[str]) -> None:
        for record_id in mine:
            assert (
                await api.post(f"{ITEMS}/{record_id}/actions/{send}")
            ).status == "SUCCESS"

    await asyncio.gather(*(sending(api, ids[n::3]) for n, api in enumerate(admins)))

    async def waiting() -> object:
        return await processes.fetchval("SELECT count(*) FROM platform.outbox")

    await becomes(waiting, 0)
    broker = BrokerConnection(processes.amqp_url, "tests")
    received: Counter[str] = Counter()
    async with broker.short_channel() as channel:
        queue = await channel.get_queue("out__c", ensure=False)
        while message := await queue.get(no_ack=True, fail=False):
            received.update(Envelope.parse(message.body).message.items)
    await broker.close()
    # The queue may have what other tests have sent.
    assert {each: received[each] for each in ids} == dict.fromkeys(ids, 1)


async def test_each_job_and_schedule_runs_once(
    processes: Fleet, admins: list[Api]
) -> None:
    folder = {"kind": "folder", "path": "/shared"}
    assert (
        await admins[0].post("/services/file_staging/items", data=folder)
    ).status == "SUCCESS"
    submitted = []
    for n in range(9):
        api = admins[n % 3]
        csv = "name__v,note__c\n" + "".join(f"shared,{n}-{row}\n" for row in range(50))
        item = {
            "kind": "file",
            "path": f"/shared/{n}.csv",
            "file": io.BytesIO(csv.encode()),
        }
        assert (
            await api.post("/services/file_staging/items", data=item)
        ).status == "SUCCESS"
        task = {
            "object_type": "vobjects__v",
            "object": "thing__c",
            "action": "create",
            "file": f"/shared/{n}.csv",
        }
        submitted.append(
            (await api.post("/services/loader/load", json=[task])).body["job_id"]
        )
    assert {(await finished(admins[0], job_id))["status"] for job_id in submitted} == {
        "SUCCESS"
    }
    found = await admins[0].query(
        "SELECT note__c FROM thing__c WHERE name__v = 'shared'"
    )
    assert Counter(row["note__c"] for row in found.data) == Counter(
        f"{n}-{r}" for n in range(9) for r in range(50)
    )
    scheduled = "SELECT count(*) FROM platform.job WHERE job_type = 'housekeeping' AND status = 'SCHEDULED'"
    assert await processes.fetchval(scheduled) == 1


async def test_a_rolling_restart_loses_no_request(
    processes: Fleet, admins: list[Api]
) -> None:
    session_id = admins[0].session_id
    acknowledged: list[str] = []
    faults: list[object] = []
    over, numbers = asyncio.Event(), count()

    async def write(api: Api) -> None:
        while not over.is_set():
            keys = [f"rolling-{next(numbers)}" for _ in range(3)]
            rows = [{"name__v": "rolling", "key__c": key} for key in keys]
            try:
                answer = await api.post(THINGS, json=rows)
                assert answer.status == "SUCCESS", answer.text
                acknowledged.extend(keys)
                answer = await api.query(
                    "SELECT id FROM thing__c WHERE name__v = 'rolling'"
                )
                assert answer.status == "SUCCESS", answer.text
            except Exception as fault:  # noqa: BLE001  whatever it is, a client has lost a request
                faults.append(fault)

    async with balanced(processes.processes) as url:
        writers = [
            asyncio.create_task(write(Api(processes.http, url, session_id)))
            for _ in range(4)
        ]
        for process in processes.processes:
            before = len(acknowledged)
            await process.stop()
            await process.start()

            async def goes_on(before: int = before) -> bool:
                return len(acknowledged) > before or bool(faults)

            await becomes(goes_on, wanted=True)
        over.set()
        await asyncio.gather(*writers)
    assert faults == []
    names = Counter[str]()
    page = await admins[0].query(
        "SELECT key__c FROM thing__c WHERE name__v = 'rolling'"
    )
    names.update(row["key__c"] for row in page.data)
    while (following := page.body["responseDetails"].get("next_page")) is not None:
        page = await admins[0].get(following)
        names.update(row["key__c"] for row in page.data)
    assert names == Counter(acknowledged)


async def killed_in_a_job(processes: Fleet, job_id: int, nothing_of: str = "") -> Api:
    """Kill the process that runs in the middle of a job; return the API of its successor."""
    first, second, _ = processes.processes

    async def status() -> object:
        return await processes.fetchval(
            "SELECT status FROM platform.job WHERE job_id = $1", job_id
        )

    await becomes(status, "RUNNING")
    await first.kill()
    assert await status() == "RUNNING"
    assert await processes.fetchval(
        "SELECT to_regclass($1) IS NULL", nothing_of or "records.nothing__c"
    )
    await second.start()
    return await processes.apis[1].signed_in("admin")


async def alone(processes: Fleet) -> Api:
    await processes.processes[0].start()
    for process in processes.processes[1:]:
        await process.stop()
    return await processes.apis[0].signed_in("admin")


async def test_a_load_is_taken_over_from_a_killed_process(processes: Fleet) -> None:
    admin = await alone(processes)
    csv = "name__v,note__c\n" + "".join(f"killed,{n}\n" for n in range(ROWS))
    item = {"kind": "file", "path": "/killed.csv", "file": io.BytesIO(csv.encode())}
    assert (
        await admin.post("/services/file_staging/items", data=item)
    ).status == "SUCCESS"
    task = {
        "object_type": "vobjects__v",
        "object": "thing__c",
        "action": "create",
        "file": "/killed.csv",
    }
    job_id = (await admin.post("/services/loader/load", json=[task])).body["job_id"]
    admin = await killed_in_a_job(processes, job_id)
    assert (await finished(admin, job_id))["status"] == "SUCCESS"
    sql = "SELECT count(*) || ' of ' || count(DISTINCT note__c) FROM records.thing__c WHERE name__v = 'killed'"
    assert await processes.fetchval(sql) == f"{ROWS} of {ROWS}"


async def test_a_cascade_delete_is_taken_over_from_a_killed_process(
    processes: Fleet,
) -> None:
    admin = await alone(processes)
    owner = (
        await admin.post(
            "/vobjects/owner__c", json=[{"name__v": "owner", "key__c": "killed"}]
        )
    ).ids[0]
    for _ in range(ROWS // 500):
        await admin.post(
            "/vobjects/part__c",
            json=[{"name__v": "part", "owner__c": owner} for _ in range(500)],
        )
    answer = await admin.post(f"/vobjects/owner__c/{owner}/actions/cascadedelete")
    admin = await killed_in_a_job(processes, answer.body["job_id"])
    assert (await finished(admin, answer.body["job_id"]))["status"] == "SUCCESS"
    left = "SELECT (SELECT count(*) FROM records.part__c) + (SELECT count(*) FROM records.owner__c WHERE id = $1)"
    assert await processes.fetchval(left, owner) == 0
    gone = "SELECT count(*) FROM platform.audit_entry WHERE item IN ('part__c', 'owner__c') AND action = 'Delete'"
    assert await processes.fetchval(gone) == ROWS + 1


PLAIN, SAVED = 1500, 2500


@asynccontextmanager
async def locked(processes: Fleet, key: str) -> AsyncIterator[None]:
    """Lock a record by an open transaction: other changes of it wait."""
    connection = await asyncpg.connect(processes.dsn, timeout=10)
    try:
        async with connection.transaction():
            sql = "SELECT FROM records.pkg_box__c WHERE key__c = $1 FOR UPDATE"
            assert await connection.fetchrow(sql, key) is not None
            yield
    finally:
        await connection.close(timeout=10)


async def work_goes_on(processes: Fleet, admin: Api) -> None:
    """Records are written, a message is sent, and a run reads the records that were just deployed."""
    made = await admin.post(ITEMS, json=[{"name__v": "item", "key__c": "meanwhile"}])
    send = action("first__c", "send__c")
    sent = await admin.post(f"{ITEMS}/{made.ids[0]}/actions/{send}")
    assert sent.status == "SUCCESS", sent.text

    async def waiting() -> object:
        return await processes.fetchval("SELECT count(*) FROM platform.outbox")

    await becomes(waiting, 0)
    last = await processes.fetchval(
        "SELECT max(modified_date__v) FROM records.pkg_box__c"
    )
    assert isinstance(last, datetime)
    clock = (await admin.get("/services/clock")).data
    assert datetime.fromisoformat(clock["complete_until"]) >= last


async def test_a_deployment_is_taken_over_from_a_killed_process(
    processes: Fleet,
) -> None:
    """It is stopped in the middle of its rows, while all other work goes on, and its process is killed."""
    admin = await alone(processes)
    made = await admin.post("/api/mdl/execute", data=SHADE + BOX)
    assert made.body["script_execution"]["failures"] == 0, made.text
    stop = {"key__c": f"killed-{SAVED + 50}", "name__v": "Before"}
    await admin.post("/vobjects/pkg_box__c", json=[stop])
    plain = "name__v,note__c\r\n" + "".join(f"deployed,{n}\r\n" for n in range(PLAIN))
    rows = "key__c,name__v,shade__c\r\n" + "".join(
        f"killed-{n},First,dark__c\r\n" for n in range(ROWS)
    )
    content = vpk(
        component_files(10, "Object.pkg_box__c", BOX.replace("'Box'", "'Chest'")),
        data_files(20, "thing__c", "Create", plain),
        data_files(30, "pkg_box__c", "Upsert", rows, "key__c"),
        component_files(40, "Picklist.pkg_last__c", SHADE.replace("shade", "last")),
    )
    package_id = await imported(admin, content)
    path = f"/vobject/vault_package__v/{package_id}/actions/deploy"
    async with locked(processes, stop["key__c"]):
        job_id = (await admin.post(path)).body["job_id"]

        async def counts() -> object:
            tasks = (await admin.get(f"/services/jobs/{job_id}/tasks")).body["tasks"]
            return [task["counts"] for task in tasks]

        saved = [
            {"total": PLAIN, "success": PLAIN, "failure": 0},
            {"total": ROWS, "success": SAVED, "failure": 0},
        ]
        await becomes(counts, saved)
        await work_goes_on(processes, admin)
        admin = await killed_in_a_job(processes, job_id, "records.pkg_last__c")
        await becomes(counts, saved)
    assert (await finished(admin, job_id))["status"] == "SUCCESS"
    assert await processes.fetchval("SELECT count(*) FROM records.pkg_box__c") == ROWS
    sql = "SELECT count(*) || ' of ' || count(DISTINCT note__c) FROM records.thing__c WHERE name__v = 'deployed'"
    assert await processes.fetchval(sql) == f"{PLAIN} of {PLAIN}"
    assert await package_status(admin, package_id) == ["deployed__v"]
    results = (await admin.get(f"{path}/results")).body
    assert {step["deployment_status__v"] for step in results["package_steps"]} == {
        "deployed__v"
    }
    (log,) = results["responseDetails"]["data_deployment_log"]
    lines = (await admin.get(log["url"].removeprefix(admin.url))).text.splitlines()
    assert len(lines) == 1 + PLAIN + ROWS
    assert len({tuple(line.split(",")[:2]) for line in lines}) == len(lines)
