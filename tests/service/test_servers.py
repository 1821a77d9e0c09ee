"""The servers of a system: their contents and permissions after a start, and no rest after a stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pytest
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import ChannelAccessRefused

from local.broker import PERMISSIONS, management_api
from local.failure import SystemFailed
from local.polling import holds_within
from local.processes import Command, Process
from local.service import SignIn, connector_settings
from local.state import State, exclusive
from local.system import System
from shared.spark.topology import declare_exchanges, declare_queue
from tests.broker_connections import broker_connection
from tests.servers import Vhost

QUEUE = "medical_crm_inbound_queue__v"


@pytest.fixture(scope="module")
async def servers(system: System) -> AsyncIterator[System]:
    await system.start_servers()
    yield system
    await system.stop()


async def management(system: System, path: str) -> Any:
    administrator = (system.rabbitmq.username, system.rabbitmq.password)
    async with (
        management_api(system.rabbitmq.management_url, administrator) as session,
        session.get(path) as answer,
    ):
        return await answer.json()


def amqp_url(system: System, username: str, vhost: str) -> str:
    return system.rabbitmq.vhost_url(username, system.broker_password(username), vhost)


async def test_each_vault_has_a_database_of_its_own(servers: System) -> None:
    for vault in ("medical_vault", "crm_vault"):
        connection = await asyncpg.connect(servers.database_dsn(vault), timeout=10)
        assert await connection.fetchval("SELECT current_database()") == vault
        await connection.execute("CREATE SCHEMA mine")
        await connection.close()


async def test_a_vault_cannot_read_the_other_vaults_database(servers: System) -> None:
    stranger = (
        servers.database_dsn("crm_vault").removesuffix("crm_vault") + "medical_vault"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(stranger, timeout=10)


async def test_virtual_hosts_and_permissions_are_exactly_the_planned_ones(
    servers: System,
) -> None:
    vhosts = {vhost["name"] for vhost in await management(servers, "/api/vhosts")}
    rows = await management(servers, "/api/permissions")
    granted = {
        (row["user"], row["vhost"])
        for row in rows
        if row["user"] != servers.rabbitmq.username
    }
    assert {"medical", "crm"} <= vhosts
    assert granted == {
        (user, vhost)
        for user, permissions in PERMISSIONS.items()
        for vhost in permissions
    }


async def put(servers: System) -> None:
    """Have a Vault declare its queue, and a connector publish a persistent message to it."""
    async with (
        broker_connection(amqp_url(servers, "medical_vault", "medical")) as vault,
        broker_connection(amqp_url(servers, "connector", "medical")) as connector,
    ):
        channel = await vault.channel()
        await declare_exchanges(channel)
        await declare_queue(channel, QUEUE, "inbound")
        theirs = await connector.channel(on_return_raises=True)
        inbound = await theirs.get_exchange("spark.inbound", ensure=False)
        # A new queue first elects its leader, which on a busy machine takes a while.
        await inbound.publish(
            aio_pika.Message(b"{}", delivery_mode=aio_pika.DeliveryMode.PERSISTENT),
            QUEUE,
            timeout=60,
        )


async def take(servers: System) -> bytes:
    """Have a connector take the next message of the queue."""
    address = amqp_url(servers, "connector", "medical")
    async with broker_connection(address) as connector:
        channel = await connector.channel()
        queue = await channel.get_queue(QUEUE, ensure=False)
        message = await queue.get(timeout=60)
        assert message is not None
        await message.ack()
        return message.body


async def test_a_vault_declares_its_queues_and_a_connector_uses_them(
    servers: System,
) -> None:
    await put(servers)
    assert await take(servers) == b"{}"


async def test_a_connector_declares_nothing_and_no_vault_enters_the_other_virtual_host(
    servers: System,
) -> None:
    address = amqp_url(servers, "connector", "crm")
    async with broker_connection(address) as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("anything__c", durable=True)
    with pytest.raises(AMQPError):
        async with broker_connection(amqp_url(servers, "crm_vault", "medical")):
            pass


async def test_a_second_start_finds_the_running_servers(servers: System) -> None:
    before = (servers.postgres.detail, servers.rabbitmq.detail)
    await servers.start_servers()
    assert (servers.postgres.detail, servers.rabbitmq.detail) == before


@pytest.mark.parametrize("server", ["postgres", "rabbitmq"])
async def test_a_killed_server_comes_back_at_its_address_with_its_data(
    servers: System, server: str
) -> None:
    await put(servers)
    if server == "rabbitmq":
        # It registers a new quorum queue seconds later; one that is killed before never elects a leader again.
        await servers.restart(server)
    addresses = (servers.postgres.dsn, servers.rabbitmq.amqp_url)
    await servers.kill(server)
    assert not all(part.up for part in await servers.status() if part.name == server)
    await servers.restart(server)
    assert (servers.postgres.dsn, servers.rabbitmq.amqp_url) == addresses
    assert await take(servers) == b"{}"


async def test_stop_leaves_no_process_and_start_finds_the_data(servers: System) -> None:
    started = list(State.load(servers.directory / "state.json").processes.values())
    await servers.stop()
    assert not [process for process in started if process.running]
    assert not processes_naming(servers.directory)
    assert not any(part.up for part in await servers.status())
    await servers.stop()
    await servers.start_servers()
    connection = await asyncpg.connect(
        servers.database_dsn("medical_vault"), timeout=10
    )
    await connection.close()


def processes_naming(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + (
                    entry / "environ"
                ).read_bytes()
            except OSError:
                continue
            if str(directory).encode() in words:
                found.append(entry.name)
    return found


async def test_a_child_that_another_process_ends_leaves_no_zombie(
    tmp_path: Path,
) -> None:
    # A server that starts again takes the id in its lock file for a living one as long as the zombie is there.
    command = Command(
        ["sleep", "600"], {"PATH": os.defpath}, tmp_path, tmp_path / "log"
    )
    child = command.spawn()
    os.kill(child.pid, signal.SIGKILL)

    def freed() -> bool:
        # Asked for another one only, as after the record of the ended one is replaced.
        assert Process.of(os.getpid()) is not None
        return not Path(f"/proc/{child.pid}").exists()

    assert await holds_within(60, freed)


async def test_a_recycled_process_id_is_never_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        now = Process.of(child.pid)
        assert now is not None
        earlier = Process(now.pid, now.started - 1, now.boot)
        assert not earlier.running
        await earlier.end(grace=1)
        assert now.running
    finally:
        child.kill()
        child.wait()


async def test_a_process_that_ignores_the_request_is_killed() -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('deaf', flush=True); signal.pause()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    process = Process.of(child.pid)
    assert process is not None
    assert await process.end(grace=0.2) is False
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()


async def test_state_is_private_and_ports_and_passwords_are_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.json"
    state = State.load(path)
    port, password = state.port("postgres"), state.secret("postgres_admin")
    again = State.load(path)
    assert (again.port("postgres"), again.secret("postgres_admin")) == (port, password)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_two_changes_at_once_are_refused(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(SystemFailed),
        exclusive(tmp_path / "lock"),
    ):
        pass


def test_a_connector_gets_its_vaults_as_one_json_list() -> None:
    settings = connector_settings(
        1, {"crm": ("http://crm", SignIn("a", "b"), "amqp://x")}
    )
    assert settings["CONNECTOR_VAULTS"] == (
        '[{"name": "crm", "url": "http://crm", "username": "a", "password": "b", "amqp_url": "amqp://x"}]'
    )


async def test_each_test_has_an_empty_database_and_virtual_host(
    postgres_dsn: str, vhost: Vhost
) -> None:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    assert (
        await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        == 0
    )
    await connection.close()
    async with broker_connection(vhost.amqp_url) as broker:
        channel = await broker.channel()
        queue = await channel.declare_queue("mine__c", durable=True)
        assert queue.declaration_result.message_count == 0
