"""Reads the command line of a Vault: by default it serves; with ``migrate`` it only migrates the database."""

from __future__ import annotations

import asyncio
import gc
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from shared.runtime.logging import configure_logging
from shared.runtime.workers import SharedSockets, run_workers
from shared.vault.assembly.vault_listening import VaultListening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.vault.assembly.vault_definition import VaultDefinition

SERVE, MIGRATE = "serve", "migrate"

# What the tasks import is loaded when they begin: a process that only begins workers is small and starts at once.


def main(
    name: str,
    definition: Callable[[], VaultDefinition],
    arguments: Sequence[str] | None = None,
) -> None:
    """Carry out the task that the command line names; ``definition`` loads the definition of the service ``name``.

    :raises SystemExit: when there is no such task, or the workers of the service have failed.
    """
    parser = ArgumentParser(prog=f"services.{name}")
    parser.add_argument("task", nargs="?", choices=[SERVE, MIGRATE], default=SERVE)
    parser.add_argument(
        "--sockets",
        help="the shared sockets of a worker, set by the process that starts it",
    )
    read = parser.parse_args(arguments)
    if read.task == MIGRATE:
        _migrate(name)
        return
    if read.sockets is not None:
        _serve(definition, SharedSockets.read(read.sockets))
        return
    listening = VaultListening()
    if listening.workers == 1:
        _serve(definition, None)
        return
    configure_logging(listening, name)
    command = [sys.executable, "-m", f"services.{name}", "--sockets", "{sockets}"]
    sys.exit(run_workers(command, listening.workers, listening.host, listening.ports))


def _serve(
    definition: Callable[[], VaultDefinition], shared: SharedSockets | None
) -> None:
    # What is loaded stays: looking for garbage in it takes a tenth of the time. The server begins to look for some.
    gc.disable()
    from shared.vault.process.application import run  # noqa: PLC0415

    run(definition(), shared)


def _migrate(name: str) -> None:
    from shared.vault.process.owner_migration import (  # noqa: PLC0415
        MigrationSettings,
        migrate_as_owner,
    )

    settings = MigrationSettings()
    configure_logging(settings, name)
    asyncio.run(migrate_as_owner(settings))
