"""First start: a Vault's standard configuration and example data, loaded through the services of its API."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from shared.vault.records.rows import MAX_ROWS
from shared.vault.security.caller import SYSTEM
from shared.vault.storage.migrate import alone

if TYPE_CHECKING:
    from shared.vault.records.service import RecordService
    from shared.vault.storage.components import ComponentService
    from shared.vault.storage.database import Database

log = structlog.get_logger(__name__)


class StandardLoadFailed(Exception):
    """A file of the standard configuration was refused: a fault of the installation, not of a user."""


async def load_standard(
    database: Database, components: ComponentService, records: RecordService, folder: Path, *, example_data: bool
) -> None:
    """Load ``components/*.mdl``, ``records/*.csv`` and ``data/*.csv``, each once in a Vault's life.

    One process loads while the others wait. A load that was cut off is done again from its start; every part of it
    may be repeated. Raises StandardLoadFailed.
    """
    async with alone(database) as connection:
        done = {row["name"] for row in await connection.fetch("SELECT name FROM platform.standard_load")}
        await components.load()
        for part in ("components", "records", *(("data",) if example_data else ())):
            if part in done:
                continue
            await _load_part(components, records, folder / part)
            await connection.execute("INSERT INTO platform.standard_load (name) VALUES ($1)", part)
            log.info("standard.loaded", part=part)


async def _load_part(components: ComponentService, records: RecordService, folder: Path) -> None:
    for file in _files(folder, "*.mdl"):
        script = await components.execute(SYSTEM, file.read_text(encoding="utf-8"))
        if script.failures:
            failure = script.failures[0]
            message = f"{file.name}, line {failure.line}, {failure.component}: {failure.message}"
            raise StandardLoadFailed(message)
    for file in _files(folder, "*.csv"):
        await _load_csv(records, file)


def _files(folder: Path, pattern: str) -> list[Path]:
    """The folder's files in the order of their numbers."""
    return sorted(folder.glob(pattern))


async def _load_csv(records: RecordService, file: Path) -> None:
    """Rows of ``NN_{object}.csv``; its first column is the unique field that names a record."""
    object_name = file.stem.partition("_")[2]
    with file.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
        key = (reader.fieldnames or ["id"])[0]
    for start in range(0, len(rows), MAX_ROWS):
        results = await records.upsert(SYSTEM, object_name, rows[start : start + MAX_ROWS], key)
        for number, result in enumerate(results, start + 1):
            if result.errors:
                message = f"{file.name}, row {number}: {result.errors[0].message}"
                raise StandardLoadFailed(message)
