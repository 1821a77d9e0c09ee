"""Fixtures that every test may ask for: real servers, and an empty database or virtual host on them."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from local.servers import PostgresServer, RabbitServer
from local.system import System
from tests.database_templates import drop_templates
from tests.servers import (
    RUN_DIRECTORY,
    Provider,
    Vhost,
    end_what_is_left,
    fresh_database,
    fresh_vhost,
    new_directory,
    private_system,
)

# How long an example takes says more of the machine's load than of the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# Vaults that tests serve are in the process of the tests, which is to collect as seldom as theirs.
_COLLECT_AFTER = (50_000, 20, 50)

SETTINGS = ("VAULT_", "CONNECTOR_")
"""The prefixes of variables that are settings of a service."""

_RUN = pytest.StashKey[Path]()


def pytest_xdist_auto_num_workers() -> int:
    """Return three workers for two cores: where one waits for its servers, another goes on."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_configure(config: pytest.Config) -> None:
    """Give all workers of a run one directory for their servers, and no settings of the shell to what they start."""
    for name in [each for each in os.environ if each.startswith(SETTINGS)]:
        del os.environ[name]
    if not hasattr(config, "workerinput"):
        config.stash[_RUN] = new_directory()
        os.environ[RUN_DIRECTORY] = str(config.stash[_RUN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers that interrupted workers have left running."""
    directory = config.stash.get(_RUN, None)
    if directory is not None:
        temporary = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        asyncio.run(end_what_is_left(directory, temporary))
        shutil.rmtree(directory, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Make the tests without the collector of cyclic garbage, and exempt them from it: they last as long as the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        gc.enable()


@pytest.fixture(scope="session")
def server_provider() -> Iterator[Provider]:
    """The provider of this run's shared servers."""
    provider = Provider.choose()
    yield provider
    provider.close()


@pytest.fixture(scope="session")
async def postgres_server(server_provider: Provider) -> AsyncIterator[PostgresServer]:
    """A running PostgreSQL server, shared by all tests of the run."""
    server = server_provider.postgres()
    try:
        await server.start()
        yield server
        await drop_templates(server)
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def rabbitmq_server(server_provider: Provider) -> AsyncIterator[RabbitServer]:
    """A running RabbitMQ server, shared by all tests of the run."""
    server = server_provider.rabbitmq()
    try:
        await server.start()
        yield server
    finally:
        await server.discard()


@pytest.fixture
async def postgres_dsn(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """Address of an empty database of the test's own."""
    async with fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
async def vhost(rabbitmq_server: RabbitServer) -> AsyncIterator[Vhost]:
    """An empty virtual host of the test's own."""
    async with fresh_vhost(rabbitmq_server) as host:
        yield host


@pytest.fixture
def amqp_url(vhost: Vhost) -> str:
    """AMQP address of an empty virtual host of the test's own, as administrator."""
    return vhost.amqp_url


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    """A whole system of the module's own, not started; its servers may be killed. Removed afterwards."""
    async with private_system() as system:
        yield system
