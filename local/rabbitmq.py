"""Runs a private RabbitMQ with its own node, port mapper, data and ports, apart from the machine's instance."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from local.broker import broker_answers
from local.failure import SystemFailed
from local.polling import answers_within, holds_within
from local.processes import Command
from local.server_account import Account
from local.state import State

ADMINISTRATOR = "admin"
_START_WAIT = 90.0
_STOP_WAIT = 45.0
_EPMD_WAIT = 10.0
_EPMD = "epmd"


def find_server() -> Path | None:
    """Return RabbitMQ's own start script; None when RabbitMQ is not installed."""
    # Not the script on the PATH: Debian's wrapper insists on the account and directories of the machine's instance.
    candidates = [
        Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
        *Path("/opt").glob("rabbitmq*/sbin/rabbitmq-server"),
    ]
    for path in candidates:
        if path.exists():
            return path
    return None


@dataclass(slots=True)
class PrivateRabbit:
    """The RabbitMQ server of one system, run from the machine's binaries."""

    state: State
    directory: Path
    logs: Path
    account: Account | None
    name: str = "rabbitmq"
    username: str = ADMINISTRATOR

    @property
    def running(self) -> bool:
        """Return whether its process runs."""
        process = self.state.process(self.name)
        return process is not None

    @property
    def detail(self) -> str:
        """Return its addresses and process id, as a text for people."""
        process = self.state.process(self.name)
        if process is None:
            return "not running"
        address = f"127.0.0.1:{self.state.ports['amqp']}"
        return f"{address}, console {self.management_url}, process {process.pid}"

    @property
    def password(self) -> str:
        """Return the password of the administrator."""
        return self.state.secret("rabbitmq_admin")

    @property
    def amqp_url(self) -> str:
        """Return the administrator's AMQP address, without a virtual host."""
        port = self.state.ports["amqp"]
        return f"amqp://{self.username}:{self.password}@127.0.0.1:{port}"

    @property
    def management_url(self) -> str:
        """Return the HTTP address of the management API and console."""
        port = self.state.ports["management"]
        return f"http://127.0.0.1:{port}"

    def vhost_url(self, username: str, password: str, vhost: str) -> str:
        """Return the AMQP address of a virtual host for a user."""
        port = self.state.ports["amqp"]
        return f"amqp://{username}:{password}@127.0.0.1:{port}/{vhost}"

    async def start(self) -> None:
        """Start the server unless it runs, and wait until it answers.

        :raises SystemFailed: RabbitMQ is not installed, or did not start.
        """
        if not self.running:
            server = find_server()
            if server is None:
                raise SystemFailed(
                    "no RabbitMQ server on this machine: install the Debian package 'rabbitmq-server'"
                )
            self._prepare_directory()
            # Before the node, which would start a port mapper that outlives it.
            await self._start_epmd()
            self._write_configuration()
            command = self._command([server])
            self.state.started(self.name, command.spawn())
        reason = await answers_within(_START_WAIT, self._ask)
        if reason is not None:
            raise SystemFailed(f"RabbitMQ does not answer: {reason}", self._log)

    async def stop(self) -> None:
        """Shut the node down, then its port mapper."""
        await self.state.end(self.name, _STOP_WAIT)
        await self.state.end(_EPMD, _STOP_WAIT)

    async def kill(self) -> None:
        """End the node at once, as a crash would."""
        await self.state.end(self.name, _STOP_WAIT, signal.SIGKILL)

    async def discard(self) -> None:
        """Kill the node and its port mapper: an orderly shutdown takes 6 s, and only data used again need it."""
        await self.kill()
        await self.state.end(_EPMD, _STOP_WAIT)

    @property
    def _log(self) -> Path:
        return self.logs / "rabbitmq.log"

    @property
    def _node(self) -> str:
        # Node names of one machine must differ, and the data directory is bound to the name.
        digest = hashlib.sha256(str(self.directory).encode())
        return f"connection_{digest.hexdigest()[:8]}@localhost"

    def _environment(self) -> dict[str, str]:
        distribution = self.state.ports["distribution"]
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            # Erlang writes its cookie there.
            "HOME": str(self.directory),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.state.ports[_EPMD]),
            # A crash dump would have the contents of messages in it.
            "ERL_CRASH_DUMP_BYTES": "0",
            # Has the start script replace its shell by the node, so that the process started is the node.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(distribution),
            # The node has no terminal to read from, and other nodes reach it on the loopback address only.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.config"),
            # The machine's own would be read beside it.
            "RABBITMQ_CONFIG_FILES": str(self.directory / "conf.d" / "*.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.directory / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_PID_FILE": str(self.directory / "rabbitmq.pid"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            # To standard output, which is the log file of its process.
            "RABBITMQ_LOGS": "-",
        }

    def _command(self, arguments: list[str | Path], log: Path | None = None) -> Command:
        return Command(
            arguments,
            self._environment(),
            self.directory,
            log or self._log,
            self.account,
        )

    def _prepare_directory(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.account:
            self.account.own(self.directory)
        # Before the environment is made, which reads it.
        self.state.port("distribution")

    def _write_configuration(self) -> None:
        broker = [
            f'{{tcp_listeners, [{{"127.0.0.1", {self.state.port("amqp")}}}]}}',
            f'{{default_user, <<"{self.username}">>}}',
            f'{{default_pass, <<"{self.password}">>}}',
            "{default_user_tags, [administrator]}",
            "{loopback_users, []}",
            "{log, [{console, [{enabled, true}, {level, info}]}]}",
            # Milliseconds; for clients behind a slow link, whose handshake takes several exchanges.
            "{handshake_timeout, 60000}",
            # Four times the size that a message may have.
            "{max_message_size, 1048576}",
        ]
        port = self.state.port("management")
        console = [f'{{tcp_config, [{{ip, "127.0.0.1"}}, {{port, {port}}}]}}']
        applications = [
            f"{{rabbit, [{', '.join(broker)}]}}",
            f"{{rabbitmq_management, [{', '.join(console)}]}}",
        ]
        # Erlang's own form: RabbitMQ takes a second to read the schemas of the other one.
        self._write("rabbitmq.config", f"[{', '.join(applications)}].\n")
        self._write("enabled_plugins", "[rabbitmq_management].\n")
        self._write("rabbitmq-env.conf", "")

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.unlink(missing_ok=True)
        # The mode comes first: one of the files has a password.
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        if self.account:
            self.account.own(path)

    async def _start_epmd(self) -> None:
        """Start Erlang's port mapper, unless it runs, as a process that :meth:`stop` ends.

        :raises SystemFailed: the port mapper is not installed, or did not start.
        """
        if self.state.process(_EPMD) is not None:
            return
        epmd = shutil.which("epmd")
        if epmd is None:
            raise SystemFailed(
                "no epmd on this machine: install the Debian package 'erlang-base'"
            )
        port = self.state.port(_EPMD)
        arguments: list[str | Path] = [
            epmd,
            "-port",
            str(port),
            "-address",
            "127.0.0.1",
        ]
        process = self._command(arguments, self.logs / "epmd.log").spawn()
        self.state.started(_EPMD, process)

        def decided() -> bool:
            if not process.running:
                return True
            return _listens(port)

        in_time = await holds_within(_EPMD_WAIT, decided)
        if not in_time or not process.running:
            raise SystemFailed("epmd did not start", self.logs / "epmd.log")

    async def _ask(self) -> str | None:
        if not self.running:
            raise SystemFailed("RabbitMQ ended while starting", self._log)
        administrator = (self.username, self.password)
        return await broker_answers(self.management_url, administrator)


def _listens(port: int) -> bool:
    address = ("127.0.0.1", port)
    try:
        connection = socket.create_connection(address, timeout=1)
    except OSError:
        return False
    connection.close()
    return True
