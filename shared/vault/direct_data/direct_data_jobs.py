"""Makes Direct Data files as jobs: on request, or scheduled every 15 minutes and every day."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.direct_data.archive_writing import PART_BYTES, pack
from shared.vault.direct_data.direct_data_table import (
    FIRST,
    MINUTE,
    Chain,
    DataFile,
    ExtractType,
    FileTable,
    Part,
    file_name,
    move_chain,
    record,
)
from shared.vault.direct_data.file_contents import FileContents, Written, snapshot
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import CHUNK, delete_tree
from shared.vault.jobs.job_model import JobContext, JobResult, JobType
from shared.vault.queries.query_pages import unless_changed
from shared.vault.storage.clock import read_clock

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.configuration.order_indexes import OrderedFields
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Connection, Database

MAKE = "direct_data"
INCREMENTAL, DAILY = "direct_data_incremental", "direct_data_daily"
TITLES = {INCREMENTAL: "Direct Data Incremental", DAILY: "Direct Data Manager Daily"}
TIMEOUT = 12 * 3600.0  # seconds of one run; the next run makes the file anew
WINDOW = timedelta(minutes=15)
DAY = timedelta(days=1)
DAILY_AT = timedelta(hours=1)  # after midnight UTC
FOLDER = "direct_data"


@dataclass(frozen=True, slots=True)
class Plan:
    """A file to make: its type and period, and the chain that it continues or begins."""

    extract_type: ExtractType
    start: datetime
    stop: datetime
    former: Chain | None
    begins: bool = False


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that was written: its content, its packed parts, and the moment until which its data are complete."""

    written: Written
    parts: list[Path]
    data_until: datetime


class DirectDataJobs:
    """Makes Direct Data files: on request and, if ``scheduled``, on a schedule."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        jobs: JobService,
        files: FileStore,
        vault_id: int,
        ordered_fields: OrderedFields,
        *,
        scheduled: bool,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._database = database
        self._components = components
        self._jobs = jobs
        self._files = files
        self._vault_id = vault_id
        self._ordered_fields = ordered_fields
        self._scheduled = scheduled
        self._part_bytes = part_bytes
        self._table = FileTable(database)

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this module, with their handlers."""
        return {
            MAKE: JobType(self.make_one, timeout=TIMEOUT),
            INCREMENTAL: JobType(self.make_windows, timeout=TIMEOUT),
            DAILY: JobType(self.make_daily, timeout=TIMEOUT),
        }

    async def schedule(self) -> None:
        """Schedule the next files if files are made on a schedule; the first full file is due at once."""
        if not self._scheduled:
            return
        await self._schedule(INCREMENTAL, next_window(datetime.now(UTC)))
        first = await self._chain() is None
        await self._schedule(DAILY, None if first else next_day(datetime.now(UTC)))

    async def _schedule(self, job_type: str, run_at: datetime | None) -> None:
        await self._jobs.submit(
            SYSTEM,
            job_type,
            TITLES[job_type],
            {},
            run_at=run_at,
            singleton_key=job_type,
        )

    async def make_one(self, context: JobContext) -> JobResult:
        """Make the requested file, with data until now."""
        extract_type = ExtractType(str(context.parameters["extract_type"]))
        file = await self._make(context, await self._plan(extract_type))
        return _result([file])

    async def make_windows(self, context: JobContext) -> JobResult:
        """Make an incremental file for each window that has ended since the last one."""
        if not self._scheduled:
            return JobResult()
        # First, so that a failure of this run does not end the schedule.
        await self._schedule(INCREMENTAL, next_window(datetime.now(UTC)))
        made: list[DataFile] = []
        last = next_window(datetime.now(UTC)) - WINDOW
        while chain := await self._chain():
            stop = next_window(chain.stop_time)
            if stop > last:
                break
            plan = Plan(ExtractType.INCREMENTAL, chain.stop_time, stop, chain)
            made.append(await self._make(context, plan))
        return _result(made)

    async def make_daily(self, context: JobContext) -> JobResult:
        """Make a full file and the log file of yesterday, and remove files that have expired."""
        if not self._scheduled:
            return JobResult()
        now = datetime.now(UTC)
        await self._schedule(DAILY, next_day(now))
        full = await self._make(context, await self._plan(ExtractType.FULL))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        plan = Plan(ExtractType.LOG, midnight - DAY, midnight, None)
        log = await self._make(context, plan)
        return _result([full, log])

    async def purge(self) -> None:
        """Remove the files that have expired."""
        for folder in await self._table.remove_expired():
            await delete_tree(self._files, folder)

    async def _chain(self) -> Chain | None:
        """Return the chain; None if its last file has expired, so that no reader can continue from it."""
        chain = await self._table.chain()
        oldest = datetime.now(UTC) - ExtractType.INCREMENTAL.retention
        return None if chain is None or chain.data_until < oldest else chain

    async def _plan(self, extract_type: ExtractType) -> Plan:
        """Return the plan of a file of a type that is made now.

        :raises VaultFault: OPERATION_NOT_ALLOWED for an incremental file before the first full file.
        """
        now = datetime.now(UTC)
        minute = now.replace(second=0, microsecond=0)
        chain = await self._chain()
        match extract_type:
            case ExtractType.FULL:
                if chain is not None:
                    # Where the next incremental file starts, so that each full file has one that follows it.
                    return Plan(extract_type, FIRST, chain.stop_time, chain)
                former = await self._table.chain()
                return Plan(extract_type, FIRST, minute, former, begins=True)
            case ExtractType.INCREMENTAL:
                if chain is None:
                    message = "Initial file being generated. Please check again later."
                    raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
                # Until the end of this minute: what has just changed is part of the file.
                stop = max(minute, chain.stop_time) + MINUTE
                return Plan(extract_type, chain.stop_time, stop, chain)
            case ExtractType.LOG:
                midnight = minute.replace(hour=0, minute=0)
                stop = min(minute + MINUTE, midnight + DAY)
                return Plan(extract_type, midnight, stop, None)
            case _:
                assert_never(extract_type)

    async def _make(self, context: JobContext, plan: Plan) -> DataFile:
        """Make a planned file, store it, and return it."""
        context.raise_if_stopped()
        name = file_name(self._vault_id, plan.extract_type, plan.stop)
        # Of this job alone: a file of the same name stays until this one takes its place.
        folder = f"{FOLDER}/{name}-{context.job_id}"
        with tempfile.TemporaryDirectory(prefix="direct_data") as scratch:
            made = await unless_changed(
                self._components, lambda: self._write(plan, Path(scratch))
            )
            context.raise_if_stopped()
            parts: list[Part] = []
            for path in made.parts:
                stored = await self._files.put(f"{folder}/{path.name}", _bytes_of(path))
                parts.append(Part(stored.size, stored.md5))
        count = made.written.record_count
        times = (plan.start, plan.stop)
        file = DataFile(name, plan.extract_type, *times, count, folder, tuple(parts))
        await self._publish(plan, made, file)
        return file

    async def _write(self, plan: Plan, scratch: Path) -> MadeFile:
        """Write and pack the content of a file; the database connection is released before packing begins."""
        contents = Path(tempfile.mkdtemp(dir=scratch))
        # Before the snapshot, which then has all changes that are dated before this moment.
        if plan.extract_type is ExtractType.INCREMENTAL:
            # It finds the changed records of each object by their dates.
            await self._ordered_fields.note_dated(self._components.registry.objects)
        clock = await read_clock(self._database)
        async with snapshot(self._database, self._components) as (connection, registry):
            writing = FileContents(connection, registry, contents)
            written = await _written(writing, plan, clock.date_time)
        packed = Path(tempfile.mkdtemp(dir=scratch))
        parts = await asyncio.to_thread(
            pack, contents, written.names, packed, self._part_bytes
        )
        return MadeFile(written, parts, clock.complete_until)

    async def _publish(self, plan: Plan, made: MadeFile, file: DataFile) -> None:
        """Store the row of a file whose parts are stored, and the new end of the chain."""
        chain = Chain(plan.stop, made.data_until, made.written.digests)

        async def work(connection: Connection) -> str | None:
            continues = plan.extract_type is ExtractType.INCREMENTAL
            if continues or plan.begins:
                await move_chain(connection, plan.former, chain, begin=plan.begins)
            return await record(connection, file)

        try:
            replaced = await self._database.unit_of_work(work)
        except VaultFault:
            await delete_tree(self._files, file.folder)
            raise
        # A second run of a job that was cut off after this writes the same folder again.
        if replaced is not None and replaced != file.folder:
            await delete_tree(self._files, replaced)


async def _written(contents: FileContents, plan: Plan, now: datetime) -> Written:
    """Write the content of a planned file.

    :raises VaultFault: OPERATION_NOT_ALLOWED for an incremental file when there is no chain that it can continue.
    """
    match plan.extract_type:
        case ExtractType.FULL:
            return await contents.full()
        case ExtractType.INCREMENTAL:
            former = plan.former
            if former is None:
                message = "An incremental file follows a full one"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
            return await contents.incremental(former.data_until, now, former.digests)
        case ExtractType.LOG:
            return await contents.logs(plan.start, plan.stop)
        case _:
            assert_never(plan.extract_type)


def next_window(moment: datetime) -> datetime:
    """Return the end of the 15-minute window that contains a moment."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour + WINDOW * ((moment - hour) // WINDOW + 1)


def next_day(moment: datetime) -> datetime:
    """Return the next moment at which daily files are made."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    today = midnight + DAILY_AT
    if today > moment:
        return today
    return today + DAY


def _result(made: list[DataFile]) -> JobResult:
    """Return the result of a job that made these files; the job's status has links to their parts."""
    paths = [
        f"/services/directdata/files/{file.name}.{number:03}"
        for file in made
        for number in range(1, len(file.parts) + 1)
    ]
    return JobResult(results={"artifacts": paths})


async def _bytes_of(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file in chunks."""
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
