"""Writes the CSV files of one Direct Data file to a folder, all from one snapshot of the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shared.protocol.csv_cells import exact_csv_text
from shared.vault.direct_data.configuration_extracts import (
    Cells,
    ConfigurationExtract,
    configuration_extracts,
    difference,
    metadata_extract,
)
from shared.vault.direct_data.table_extracts import (
    DELETIONS,
    TableExtract,
    log_extracts,
    table_extracts,
)
from shared.vault.direct_data.workflow_extracts import workflow_extracts
from shared.vault.model.field_types import table

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

MANIFEST, METADATA_FULL = "manifest.csv", "metadata_full.csv"
COPY_TIMEOUT = 3600.0  # seconds of one extract
# Of the snapshot's transaction alone: an extract takes as long as it takes, and packing none of its time.
WITHOUT_BOUNDS = "SET LOCAL statement_timeout = 0"
# Before the first query, which takes the snapshot: no table may change its columns afterwards.
KEEP_TABLES = "LOCK TABLE {tables} IN ACCESS SHARE MODE"
COMPONENT_DATES = (
    "SELECT type || '.' || name AS name, modified_date FROM platform.component"
)
UPDATES, DELETES = "updates", "deletes"

Digests = Mapping[str, Mapping[str, str]]
"""Digests of rows by extract of the configuration and by row key; the next file is compared with them."""


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One line of ``manifest.csv``; an extract without records has no file."""

    extract: str
    label: str
    type: str
    records: int
    file: str


@dataclass(slots=True)
class Written:
    """The written content: the files by their paths in the folder, the manifest, and digests of the configuration."""

    names: list[str] = field(default_factory=list)
    lines: list[ManifestLine] = field(default_factory=list)
    digests: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def record_count(self) -> int:
        """Return the number of records of all extracts."""
        return sum(line.records for line in self.lines)


@asynccontextmanager
async def snapshot(
    database: Database, components: ComponentService
) -> AsyncIterator[tuple[Connection, Registry]]:
    """Yield a connection that reads one snapshot of the database, and the components to which its tables belong."""
    # Another process may have changed them since this one heard of a change.
    await components.load()
    registry = components.registry
    names = [table(name) for name, each in registry.objects.items() if each.active]
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(WITHOUT_BOUNDS)
        await connection.execute(KEEP_TABLES.format(tables=", ".join(names)))
        yield connection, registry


class FileContents:
    """Writes the extracts of one file to a folder; ``connection`` reads the snapshot."""

    def __init__(
        self, connection: Connection, registry: Registry, folder: Path
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._folder = folder
        self._tables = [
            *table_extracts(registry.objects, registry.documents),
            *workflow_extracts(registry.documents),
        ]
        self._written = Written()

    async def full(self) -> Written:
        """Write all rows of all extracts."""
        for extract in self._tables:
            await self._copy(extract, extract.rows)
        configuration = await self._configuration()
        metadata = metadata_extract([*self._tables, *configuration])
        for sheet in (*configuration, metadata):
            await self._sheet(sheet, UPDATES, sheet.updates([*sheet.rows], None))
            self._written.digests[sheet.full_name] = sheet.digests()
        return await self._with_manifest()

    async def incremental(
        self, since: datetime, until: datetime, former: Digests
    ) -> Written:
        """Write the rows that have changed since a moment, and the keys of deleted rows.

        ``until`` is the date for changes of the configuration without a date of their own; ``former`` are the digests
        of the configuration in the previous file.
        """
        for extract in self._tables:
            await self._copy(extract, extract.rows_since, since)
            if extract.deleted is not None:
                await self._deletes(extract, extract.deleted, since)
        configuration = await self._configuration()
        metadata = metadata_extract([*self._tables, *configuration])
        for sheet in (*configuration, metadata):
            found = difference(sheet, former.get(sheet.full_name, {}))
            updates = sheet.updates(found.updated, until)
            await self._sheet(sheet, UPDATES, updates)
            deletes = sheet.deletes(found.deleted, until)
            await self._sheet(sheet, DELETES, deletes)
            self._written.digests[sheet.full_name] = sheet.digests()
        await self._metadata_full(metadata)
        return await self._with_manifest()

    async def logs(self, start: datetime, stop: datetime) -> Written:
        """Write the entries of the audit trails from ``start`` on and before ``stop``."""
        extracts = log_extracts()
        for extract in extracts:
            await self._copy(extract, extract.rows_between, start, stop)
        configuration = await self._configuration()
        metadata = metadata_extract([*self._tables, *configuration, *extracts])
        await self._metadata_full(metadata)
        return await self._with_manifest()

    async def _configuration(self) -> list[ConfigurationExtract]:
        """Return the extracts of the configuration."""
        rows = await self._connection.fetch(COMPONENT_DATES)
        changed = {row["name"]: row["modified_date"] for row in rows}
        return configuration_extracts(self._registry, changed)

    async def _copy(self, extract: TableExtract, query: str, *args: object) -> None:
        """Write the rows of a query to the extract's file."""
        file = f"{extract.component}/{extract.name}.csv"
        await self._copy_to(file, extract, UPDATES, query, *args)

    async def _deletes(
        self, extract: TableExtract, deleted: str, since: datetime
    ) -> None:
        """Write the ids of an extract's rows that have been deleted since a moment."""
        file = f"{extract.component}/{extract.name}_deletes.csv"
        await self._copy_to(file, extract, DELETES, DELETIONS, deleted, since)

    async def _copy_to(
        self, file: str, extract: TableExtract, kind: str, query: str, *args: object
    ) -> None:
        path = await asyncio.to_thread(self._place, file)
        # The server formats the rows, and the driver writes them as they arrive.
        status = await self._connection.copy_from_query(
            query,
            *args,
            output=path,
            format="csv",
            header=True,
            timeout=COPY_TIMEOUT,
        )
        records = int(status.rpartition(" ")[2])
        if not records:
            await asyncio.to_thread(path.unlink)
        self._add(extract.full_name, extract.label, kind, records, file)

    async def _sheet(
        self, extract: ConfigurationExtract, kind: str, sheet: Sequence[Cells]
    ) -> None:
        """Write header and rows to a file of an extract, unless there are no rows."""
        ending = "_deletes" if kind == DELETES else ""
        file = f"{extract.component}/{extract.name}{ending}.csv"
        records = len(sheet) - 1
        if records:
            await self._write(file, sheet)
        self._add(extract.full_name, extract.label, kind, records, file)

    async def _metadata_full(self, metadata: ConfigurationExtract) -> None:
        """Write the whole metadata to a file that the manifest does not list."""
        await self._write(METADATA_FULL, metadata.updates([*metadata.rows], None))
        self._written.names.append(METADATA_FULL)

    async def _with_manifest(self) -> Written:
        """Write the manifest as the first file, and return the written content."""
        sheet: list[Cells] = [("extract", "extract_label", "type", "records", "file")]
        for line in self._written.lines:
            file = line.file if line.records else None
            sheet.append((line.extract, line.label, line.type, line.records, file))
        await self._write(MANIFEST, sheet)
        self._written.names.insert(0, MANIFEST)
        return self._written

    def _add(
        self, extract: str, label: str, kind: str, records: int, file: str
    ) -> None:
        line = ManifestLine(extract, label, kind, records, file)
        self._written.lines.append(line)
        if records:
            self._written.names.append(file)

    async def _write(self, file: str, sheet: Sequence[Cells]) -> None:
        path = await asyncio.to_thread(self._place, file)
        text = exact_csv_text(sheet)
        await asyncio.to_thread(path.write_bytes, text.encode())

    def _place(self, file: str) -> Path:
        """Return the path of a file, after creating its folder."""
        path = self._folder / file
        path.parent.mkdir(exist_ok=True)
        return path
