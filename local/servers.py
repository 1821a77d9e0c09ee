"""Defines the interface of the system's PostgreSQL and RabbitMQ, which tests may provide in other ways."""

from __future__ import annotations

from typing import Protocol


class Server(Protocol):
    """A server that can be started and ended, and whose state can be read."""

    @property
    def name(self) -> str:
        """Return the name of the server in status and logs."""

    @property
    def running(self) -> bool:
        """Return whether its process runs."""

    @property
    def detail(self) -> str:
        """Return its address and process id, as a text for people."""

    async def start(self) -> None:
        """Start the server unless it runs, and return when it answers."""

    async def stop(self) -> None:
        """Shut the server down, and return when none of its processes runs."""

    async def kill(self) -> None:
        """End the server at once, as a crash would."""


class PostgresServer(Server, Protocol):
    """A PostgreSQL server with its administrator's address."""

    @property
    def dsn(self) -> str:
        """Return the administrator's address of the maintenance database."""

    def database_dsn(self, name: str, password: str) -> str:
        """Return the address of database ``name`` for the role of the same name."""


class RabbitServer(Server, Protocol):
    """A RabbitMQ server with its administrator's addresses."""

    async def discard(self) -> None:
        """Kill the server and its helper processes, when its data are not used again."""

    @property
    def username(self) -> str:
        """Return the name of the administrator."""

    @property
    def password(self) -> str:
        """Return the password of the administrator."""

    @property
    def amqp_url(self) -> str:
        """Return the administrator's AMQP address, without a virtual host."""

    @property
    def management_url(self) -> str:
        """Return the HTTP address of the management API and console, without credentials."""

    def vhost_url(self, username: str, password: str, vhost: str) -> str:
        """Return the AMQP address of a virtual host for a user."""
