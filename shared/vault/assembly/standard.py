"""Standard configuration and example data: given to a new Vault, and what is new in them to one that has some."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from shared.vault.assembly.standard_components import give_components
from shared.vault.assembly.standard_records import give_records
from shared.vault.components.evolution import after
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.configuration.standard_items import Giving, StandardLoadFailed
from shared.vault.storage.migrate import alone

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

__all__ = ["StandardLoadFailed", "load_standard"]

SEEN = "SELECT EXISTS (SELECT FROM platform.standard_load WHERE name = $1)"
SEE = "INSERT INTO platform.standard_load (name) VALUES ($1)"
BEGUN = "SELECT EXISTS (SELECT FROM platform.standard_load WHERE split_part(name, ':', 1) = $1)"


async def load_standard(
    database: Database,
    components: ComponentService,
    records: RecordService,
    folder: Path,
    *,
    example_data: bool,
) -> None:
    """Give the Vault ``components/*.mdl``, ``records/*.csv`` and ``data/*.csv``, as far as it has not got them.

    Files that this Vault has seen, in this version or in passing, are not looked at again: an older process that
    starts beside newer ones takes nothing back. What somebody has changed here stays. One process does it while the
    others wait; cut off, it is done again from its start. Raises StandardLoadFailed when a new Vault cannot be given
    a file.
    """
    async with alone(database) as connection:
        await components.load()
        for part in ("components", "records", *(("data",) if example_data else ())):
            seen = f"{part}:{_digest(folder / part)}"
            if not await connection.fetchval(SEEN, seen):
                await _give(connection, components, records, folder / part)
                await connection.execute(SEE, seen)
                log.info("standard.loaded", part=part)


async def _give(
    connection: Connection,
    components: ComponentService,
    records: RecordService,
    folder: Path,
) -> None:
    giving = Giving(connection, first=not await connection.fetchval(BEGUN, folder.name))
    await give_components(giving, components, _shipped(folder))
    for file in _files(folder, "*.csv"):
        await give_records(giving, components.registry, records, file)


def _shipped(folder: Path) -> Registry:
    """What the folder's scripts make of a Vault without components."""
    registry = Registry.build()
    for file in _files(folder, "*.mdl"):
        for statement in parse(file.read_text(encoding="utf-8")):
            registry = after(statement, registry)
    return registry


def _files(folder: Path, pattern: str) -> list[Path]:
    """The folder's files in the order of their numbers."""
    return sorted(folder.glob(pattern))


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in _files(folder, "*.*"):
        digest.update(hashlib.sha256(file.name.encode()).digest())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
