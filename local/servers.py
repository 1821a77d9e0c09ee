"""What the system asks of the PostgreSQL and RabbitMQ that it runs on, whoever provides them."""

from __future__ import annotations

from typing import Protocol


class Server(Protocol):
    """A server that can be started, ended and asked."""

    @property
    def name(self) -> str:
        """Name of the server in status and logs."""

    @property
    def running(self) -> bool:
        """Whether its process runs."""

    @property
    def detail(self) -> str:
        """Where it is, for people: address and process id."""

    async def start(self) -> None:
        """Start it unless it runs, and return when it answers."""

    async def stop(self) -> None:
        """End it in good order; nothing of it is left running."""

    async def kill(self) -> None:
        """End it at once, as a crash would."""


class PostgresServer(Server, Protocol):
    """A PostgreSQL server with its administrator's address."""

    @property
    def dsn(self) -> str:
        """Address of the maintenance database, as its administrator."""

    def database_dsn(self, name: str, password: str) -> str:
        """Address of database ``name`` as the role of the same name."""


class RabbitServer(Server, Protocol):
    """A RabbitMQ server with its administrator's addresses."""

    @property
    def username(self) -> str:
        """Name of the administrator."""

    @property
    def password(self) -> str:
        """Password of the administrator."""

    @property
    def amqp_url(self) -> str:
        """AMQP address as its administrator, without a virtual host."""

    @property
    def management_url(self) -> str:
        """HTTP address of the management API and console, without credentials."""

    def vhost_url(self, username: str, password: str, vhost: str) -> str:
        """AMQP address of a virtual host as a user."""
