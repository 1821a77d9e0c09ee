"""Loads those parts of the standard configuration and example data that a Vault does not have yet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from shared.vault.assembly.standard_components import load_components
from shared.vault.assembly.standard_records import load_records
from shared.vault.components.evolution import after
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.configuration.standard_items import StandardLoadFailed, StandardPass
from shared.vault.storage.migrate import alone

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

__all__ = ["StandardLoadFailed", "load_standard"]

# A part is stored by the digest of its files: an older process that starts beside newer ones finds its
# own version loaded before, and takes nothing back.
IS_LOADED = "SELECT EXISTS (SELECT FROM platform.standard_load WHERE name = $1)"
SAVE_LOADED = "INSERT INTO platform.standard_load (name) VALUES ($1)"
IS_BEGUN = "SELECT EXISTS (SELECT FROM platform.standard_load WHERE split_part(name, ':', 1) = $1)"


async def load_standard(
    database: Database,
    components: ComponentService,
    records: RecordService,
    folder: Path,
    *,
    example_data: bool,
) -> None:
    """Load ``components/*.mdl``, ``records/*.csv`` and ``data/*.csv``; each version of a file's items is loaded once.

    Changes that users have made in this Vault stay.

    :raises StandardLoadFailed: when a new Vault refuses an item.
    """
    parts = ["components", "records"]
    if example_data:
        parts.append("data")
    # One process loads while the others wait; a load that was cut off begins again.
    async with alone(database) as connection:
        await components.load()
        for part in parts:
            name = f"{part}:{_digest(folder / part)}"
            if await connection.fetchval(IS_LOADED, name):
                continue
            await _load_part(connection, components, records, folder / part)
            await connection.execute(SAVE_LOADED, name)
            log.info("standard.loaded", part=part)


async def _load_part(
    connection: Connection,
    components: ComponentService,
    records: RecordService,
    folder: Path,
) -> None:
    loaded_before = await connection.fetchval(IS_BEGUN, folder.name)
    standard_pass = StandardPass(connection, first=not loaded_before)
    # Records need the objects that the components define.
    await load_components(standard_pass, components, _shipped(folder))
    for file in _files(folder, "*.csv"):
        await load_records(standard_pass, components.registry, records, file)


def _shipped(folder: Path) -> Registry:
    """Return the registry that the folder's scripts define for a Vault without components."""
    registry = Registry.build()
    for file in _files(folder, "*.mdl"):
        script = file.read_text(encoding="utf-8")
        for statement in parse(script):
            registry = after(statement, registry)
    return registry


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the folder's files in the order of the numbers with which their names begin."""
    return sorted(folder.glob(pattern))


def _digest(folder: Path) -> str:
    """Return a digest of the names and contents of the folder's files."""
    digest = hashlib.sha256()
    for file in _files(folder, "*.*"):
        # Digests of one length: a name and a content cannot be divided in another way.
        name = hashlib.sha256(file.name.encode())
        content = hashlib.sha256(file.read_bytes())
        digest.update(name.digest())
        digest.update(content.digest())
    return digest.hexdigest()
