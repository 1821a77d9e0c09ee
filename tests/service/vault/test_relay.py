"""Outgoing messages: queues under administration, peers that go away, two processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.spark.connection import BrokerConnection
from shared.spark.consumer import Consumer, Delivery
from shared.spark.envelope import Envelope
from shared.spark.topology import queue_state
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.spark.proxy import Proxy, proxy_to
from tests.service.vault import objects
from tests.service.vault.objects import ITEMS, action, items, key, outcomes, record
from tests.service.vault.served import MDL, Api, served, settings, started
from tests.service.vault.vault_databases import vault_database

SEND = action("first__c", "send__c")
QUEUES = "/services/queues"


@dataclass(frozen=True, slots=True)
class Apart:
    """A Vault only for this module, whose connection to the broker may be cut, and the broker itself."""

    admin: Api
    proxy: Proxy
    broker: BrokerConnection
    dsn: str
    files: Path

    def vault(self) -> Vault:
        """Another process of this Vault."""
        return Vault(MEDICAL_VAULT, settings(self.dsn, self.proxy.url, self.files))

    async def sent(self, number: int) -> list[str]:
        """Create items and send a message for each, in this order."""
        ids = await items(self.admin, number)
        for record_id in ids:
            assert (
                await self.admin.post(f"{ITEMS}/{record_id}/actions/{SEND}")
            ).status == "SUCCESS"
        return ids

    async def waiting(self, queue: str = "out__c") -> int:
        """Messages in the queue, as the API counts them."""
        return int(
            (await self.admin.get(f"{QUEUES}/{queue}")).data[0]["messages_in_queue"]
        )

    async def received(self, number: int, queue: str = "out__c") -> list[Envelope]:
        """Take this many messages off the queue in order; the queue is empty then."""
        envelopes: list[Envelope] = []

        async def take() -> str | None:
            async with self.broker.short_channel() as channel:
                source = await channel.get_queue(queue, ensure=False)
                while message := await source.get(no_ack=True, fail=False):
                    envelopes.append(Envelope.parse(message.body))
            return (
                None
                if len(envelopes) >= number
                else f"{len(envelopes)} of {number} messages came"
            )

        async def nothing_waits() -> str | None:
            # A message arrives a moment before the relay has deleted it from the outbox.
            waiting = await self.waiting(queue)
            return f"{waiting} messages wait" if waiting else None

        await self.declared(queue)
        assert await answers_within(60, take) is None
        assert await answers_within(60, nothing_waits) is None
        return envelopes

    async def in_sequence(self, number: int) -> list[Envelope]:
        """Take ``number`` messages off the sequential queue, one at a time, without duplicates."""
        envelopes: dict[str, Envelope] = {}
        complete = asyncio.Event()

        async def take(deliveries: list[Delivery]) -> None:
            (envelope,) = (Envelope.parse(delivery.body) for delivery in deliveries)
            envelopes.setdefault(envelope.message_id, envelope)
            if len(envelopes) == number:
                complete.set()

        consumer = Consumer(
            self.broker,
            "out__c.sequential",
            take,
            prefetch=1,
            concurrency=1,
            max_batch=1,
        )
        await consumer.start()
        async with asyncio.timeout(60):
            await complete.wait()
        await consumer.stop()
        return list(envelopes.values())

    async def declared(self, queue: str, messages: int = 0) -> None:
        """Wait until the broker has the queue, with ``messages`` messages."""

        async def ask() -> str | None:
            state = await queue_state(self.broker, queue)
            return (
                None
                if state and state.messages >= messages
                else f"{queue} is not there: {state}"
            )

        assert await answers_within(60, ask) is None


@pytest.fixture(scope="module")
async def apart(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Apart]:
    files = tmp_path_factory.mktemp("files")
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        proxy_to(vhost.amqp_url) as proxy,
        BrokerConnection(vhost.amqp_url, "tests") as broker,
    ):
        vault = Vault(MEDICAL_VAULT, settings(dsn, proxy.url, files))
        async with served(create_app(vault)) as api:
            await started(vault)
            admin = await api.signed_in("admin")
            answer = await admin.post("/api/mdl/execute", data=MDL + objects.MDL)
            assert answer.status == "SUCCESS", answer.text
            yield Apart(admin, proxy, broker, dsn, files)


def subjects(envelopes: list[Envelope]) -> list[str]:
    return [item for envelope in envelopes for item in envelope.message.items]


async def test_messages_leave_in_order(apart: Apart) -> None:
    ids = await apart.sent(5)
    envelopes = await apart.received(5)
    assert subjects(envelopes) == ids
    first = envelopes[0]
    assert (first.queue_name, first.send_attempt) == ("out__c", 1)
    assert dict(first.message.attributes) == {
        "object": "item__c",
        "event": "sent",
        "integration_point": "there__c",
    }
    assert first.enter_queue_timestamp <= first.send_message_timestamp


async def test_many_records_are_one_message(apart: Apart) -> None:
    ids = await items(apart.admin, 500)
    await apart.admin.post(f"{ITEMS}/actions/{SEND}", data={"ids": ",".join(ids)})
    (envelope,) = await apart.received(1)
    assert list(envelope.message.items) == ids


async def test_disabled_delivery_takes_messages_and_sends_none(apart: Apart) -> None:
    assert (
        await apart.admin.put(f"{QUEUES}/out__c/actions/disable_delivery")
    ).status == "SUCCESS"
    ids = await apart.sent(3)
    shown = (await apart.admin.get(f"{QUEUES}/out__c")).data[0]
    assert (shown["delivery"], shown["messages_in_queue"]) == ("disabled", 3)
    state = await queue_state(apart.broker, "out__c")
    assert state is not None
    assert state.messages == 0
    await apart.admin.put(f"{QUEUES}/out__c/actions/enable_delivery")
    assert subjects(await apart.received(3)) == ids


async def test_reset_deletes_what_waits_on_either_side(apart: Apart) -> None:
    await apart.sent(2)
    await apart.declared("out__c", messages=2)
    await apart.admin.put(f"{QUEUES}/out__c/actions/disable_delivery")
    await apart.sent(2)
    assert await apart.waiting() == 4
    answer = await apart.admin.put(f"{QUEUES}/out__c/actions/reset")
    assert answer.body["responseMessage"] == "Deleted messages in queue."
    assert await apart.waiting() == 0
    await apart.admin.put(f"{QUEUES}/out__c/actions/enable_delivery")
    ids = await apart.sent(1)
    assert subjects(await apart.received(1)) == ids


async def test_a_sequential_queue_keeps_the_order_of_the_commits(apart: Apart) -> None:
    """Two processes send at once, then the broker is away for a time: the order of commits is kept."""
    mdl = "RECREATE Queue out__c ( label('Out'), type('outbound'), sequential({}) );"
    # Seen without its sequential queue before there is one.
    assert await apart.waiting() == 0
    await apart.admin.post("/api/mdl/execute", data=mdl.format("true"))
    await apart.declared("out__c.sequential")
    other = apart.vault()
    async with served(create_app(other)) as api:
        await started(other)
        second = await api.signed_in("admin")
        ids = await items(apart.admin, 40)
        sending = [
            (apart.admin, second)[n % 2].post(f"{ITEMS}/{i}/actions/{SEND}")
            for n, i in enumerate(ids)
        ]
        assert {answer.status for answer in await asyncio.gather(*sending)} == {
            "SUCCESS"
        }
        apart.proxy.cut()
        later = await apart.sent(5)
        apart.proxy.restore()
        envelopes = await apart.in_sequence(45)
    entered = [envelope.enter_queue_timestamp for envelope in envelopes]
    assert entered == sorted(entered)
    assert subjects(envelopes)[40:] == later
    assert sorted(subjects(envelopes)[:40]) == sorted(ids)

    await apart.sent(2)
    await apart.declared("out__c.sequential", messages=2)
    assert await apart.waiting() == 2
    await apart.admin.post("/api/mdl/execute", data=mdl.format("false"))
    # What is left on it is counted, and removed, when the queue is sequential no more.
    assert await apart.waiting() == 2
    await apart.admin.put(f"{QUEUES}/out__c/actions/reset")
    assert await apart.waiting() == 0
    ids = await apart.sent(1)
    assert subjects(await apart.received(1)) == ids


async def test_what_each_kind_of_queue_refuses(apart: Apart) -> None:
    listed = {queue["name"]: queue for queue in (await apart.admin.get(QUEUES)).data}
    kinds = {
        name: (listed[name]["type"], listed[name]["status"])
        for name in ("out__c", "in__c", "closed__c", "job__c")
    }
    assert kinds == {
        "out__c": ("outbound", "active"),
        "in__c": ("inbound", "active"),
        "closed__c": ("outbound", "inactive"),
        "job__c": ("job", "active"),
    }
    for verb in ("disable_delivery", "enable_delivery"):
        assert (
            await apart.admin.put(f"{QUEUES}/in__c/actions/{verb}")
        ).error == "OPERATION_NOT_ALLOWED"
        assert (
            await apart.admin.put(f"{QUEUES}/none__c/actions/{verb}")
        ).error == "INVALID_DATA"
    for name in ("closed__c", "in__c", "job__c"):
        assert (
            await apart.admin.put(f"{QUEUES}/{name}/actions/reset")
        ).status == "SUCCESS"
        assert await apart.waiting(name) == 0


async def test_a_queue_with_messages_is_not_dropped(apart: Apart) -> None:
    queue = "RECREATE Queue passing__c ( label('Passing'), type('outbound') );"
    state = """ALTER Objectlifecycle stages__c ( MODIFY Objectlifecyclestate sent__c (
      MODIFY Objectlifecyclestateentryaction e__c ( queue('{}') ) ) );"""
    await apart.admin.post("/api/mdl/execute", data=queue + state.format("passing__c"))
    await apart.admin.put(f"{QUEUES}/passing__c/actions/disable_delivery")
    await apart.sent(1)
    used = await apart.admin.post("/api/mdl/execute", data="DROP Queue passing__c;")
    assert used.body["script_execution"]["code"] == "GEN-F-406"
    unused = state.format("out__c")
    refused = await apart.admin.post(
        "/api/mdl/execute", data=unused + "DROP Queue passing__c;"
    )
    assert refused.body["script_execution"]["code"] == "GEN-F-410"
    await apart.admin.put(f"{QUEUES}/passing__c/actions/reset")
    dropped = await apart.admin.post(
        "/api/mdl/execute", data="DROP Queue passing__c; " + queue
    )
    assert dropped.status == "SUCCESS"
    assert (await apart.admin.get(f"{QUEUES}/passing__c")).data[0][
        "delivery"
    ] == "enabled"
    await apart.admin.post("/api/mdl/execute", data="DROP Queue passing__c;")


async def test_a_broker_that_is_away_is_waited_for(apart: Apart) -> None:
    apart.proxy.cut()
    ids = await apart.sent(3)
    (record_id,) = ids[:1]
    assert (await record(apart.admin, "item__c", record_id))["state__v"] == ["sent__c"]
    apart.proxy.restore()
    envelopes = await apart.received(3)
    assert sorted(subjects(envelopes)) == ids
    assert len({envelope.message_id for envelope in envelopes}) == 3


async def test_a_queue_that_the_broker_lost_holds_up_nothing_and_is_made_again(
    apart: Apart,
) -> None:
    ids = await items(apart.admin, 2)
    async with apart.broker.short_channel() as channel:
        await channel.queue_delete("out__c")
    await apart.admin.post(f"{ITEMS}/{ids[0]}/actions/{SEND}")
    envelope = """{"vault_name":"v","vault_host_name":"h","queue_name":"q","send_attempt":1,"message_id":"m",
      "enter_queue_timestamp":"2025-01-01T00:00:00Z","send_message_timestamp":"2025-01-01T00:00:00Z",
      "message":{"attributes":{},"items":["x"]}}"""
    row = {
        "message_id__sys": key(),
        "queue__sys": "in__c",
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "open__sys",
        "message_body_json__sys": envelope,
    }
    (exception,) = (
        await apart.admin.post("/vobjects/exception_message__sys", json=[row])
    ).ids
    retry = "Objectaction.exception_message__sys.retry_transfer__sys"
    await apart.admin.post(
        f"/vobjects/exception_message__sys/{exception}/actions/{retry}"
    )
    (again,) = await apart.received(1, "in__c")
    assert (again.message_id, again.message.items) == (row["message_id__sys"], ("x",))
    assert subjects(await apart.received(1)) == ids[:1]


async def test_two_processes_share_components_and_messages(apart: Apart) -> None:
    other = apart.vault()
    async with served(create_app(other)) as api:
        await started(other)
        second = await api.signed_in("admin")
        await second.post(
            "/api/mdl/execute",
            data="ALTER Object item__c ( ADD Field late__c ( type('String'), label('L') ) );",
        )
        for n in range(5):
            await second.post(
                "/api/mdl/execute",
                data=f"ALTER Object item__c ( MODIFY Field late__c ( label('{n}') ) );",
            )
            rows = [{"name__v": "item", "late__c": "x"}]
            assert outcomes(await apart.admin.post(ITEMS, json=rows)) == ["SUCCESS"]
        batches = await asyncio.gather(items(apart.admin, 30), items(second, 30))
        ids = [record_id for batch in batches for record_id in batch]
        sending = [
            (apart.admin, second)[n % 2].post(f"{ITEMS}/{i}/actions/{SEND}")
            for n, i in enumerate(ids)
        ]
        assert {answer.status for answer in await asyncio.gather(*sending)} == {
            "SUCCESS"
        }
        envelopes = await apart.received(60)
    assert sorted(subjects(envelopes)) == sorted(ids)
    assert len({envelope.message_id for envelope in envelopes}) == 60


async def test_a_process_stops_under_load_and_keeps_its_word(apart: Apart) -> None:
    other = apart.vault()
    kept: list[str] = []
    async with served(create_app(other)) as api:
        await started(other)
        second = await api.signed_in("admin")
        busy = asyncio.Event()

        async def load() -> None:
            while True:
                answer = await second.post(
                    ITEMS,
                    json=[{"name__v": "item", "key__c": key()} for _ in range(20)],
                )
                assert (answer.http_status, outcomes(answer)) == (200, ["SUCCESS"] * 20)
                kept.extend(answer.ids)
                busy.set()

        load_tasks = [asyncio.create_task(load()) for _ in range(4)]
        await busy.wait()
    failures = await asyncio.gather(*load_tasks, return_exceptions=True)
    assert not [failure for failure in failures if isinstance(failure, AssertionError)]
    listed = ", ".join(f"'{record_id}'" for record_id in kept)
    found = await apart.admin.query(
        f"SELECT id FROM item__c WHERE id CONTAINS ({listed}) PAGESIZE 1000"
    )
    assert found.body["responseDetails"]["total"] == len(kept)


CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user
"""


async def test_lost_connections_to_the_database_are_said_and_made_again(
    apart: Apart,
) -> None:
    connection = await asyncpg.connect(apart.dsn)
    answers = []
    try:
        for _ in range(3):
            names = [key() for _ in range(12)]
            asking = [
                apart.admin.post(ITEMS, json=[{"name__v": "item", "key__c": name}])
                for name in names
            ]
            results = asyncio.gather(*asking)
            await connection.fetchval(CUT)
            answers += list(zip(names, await results, strict=True))
    finally:
        await connection.close()
    assert {answer.http_status for _, answer in answers} <= {200, 503, 504}
    for name, answer in answers:
        stored = await apart.admin.query(
            f"SELECT id FROM item__c WHERE key__c = '{name}'"
        )
        if answer.http_status != 504:  # it says that the outcome is not known
            assert len(stored.data) == (answer.http_status == 200), answer.text
    ids = await apart.sent(2)
    assert subjects(await apart.received(2)) == ids
