"""Reads the command line of a Vault: without a task it serves; with ``migrate`` it migrates the database and ends."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from shared.runtime.logging import configure_logging
from shared.vault.process.application import run
from shared.vault.process.owner_migration import MigrationSettings, migrate_as_owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.assembly.vault_definition import VaultDefinition

SERVE, MIGRATE = "serve", "migrate"


def main(definition: VaultDefinition, arguments: Sequence[str] | None = None) -> None:
    """Carry out the task that the command line names.

    :raises SystemExit: it names no task that exists.
    """
    parser = ArgumentParser(prog=f"services.{definition.name}")
    parser.add_argument("task", nargs="?", choices=[SERVE, MIGRATE], default=SERVE)
    task = parser.parse_args(arguments).task
    if task == SERVE:
        run(definition)
        return
    settings = MigrationSettings()
    configure_logging(settings, definition.name)
    asyncio.run(migrate_as_owner(settings))
