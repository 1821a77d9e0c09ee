"""Runs extract jobs: writes the pages of a query to a CSV file as they are read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import parse_qs, urlsplit

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import result_key
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    TaskState,
    error_json,
)
from shared.vault.loader.load_writing import RESULTS
from shared.vault.loader.request import ExtractTask
from shared.vault.loader.sheet import lines
from shared.vault.model.component_model import FieldType

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.file_store import FileStore
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.queries.queries import QueryPage, QueryService

EXTRACT = "loader_extract"
TIMEOUT = 12 * 3600.0  # seconds of one run; the next run repeats the task it ended in
VERSION = "v25.1"  # of the addresses of pages, which are read here
SOURCE, RENDITIONS = "source", "renditions"
# The column by which the files of a row are found, unless the task has it among its own.
VERSION_ID = "version_id"
MAX_COPIED = 10_000  # versions whose files one task copies

_FUNCTION = re.compile(r"\w+ \( (?P<field>\S+) \)")

CopiedFile = tuple[str, str]
"""The type of a rendition, empty for a source file, and the path of its copy in the staging area."""
CopyFiles = Callable[
    ["Caller", str, str, Sequence[str]], Awaitable[Sequence[CopiedFile]]
]
"""Copies files of a version: the caller, the folder, the version's id, and which files."""


class ExtractJobs:
    """Carries out the extracts that the loader submits."""

    def __init__(
        self,
        components: ComponentService,
        queries: QueryService,
        files: FileStore,
        copy_files: CopyFiles,
    ) -> None:
        self.components = components
        self.queries = queries
        self.files = files
        self.copy_files = copy_files

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {EXTRACT: JobType(self.extract, timeout=TIMEOUT)}

    async def extract(self, context: JobContext) -> JobResult:
        """Extract the records of all tasks; an interrupted task starts from the beginning."""
        stored: Sequence[Mapping[str, object]] = context.parameters["tasks"]  # type: ignore[assignment]
        tasks = [ExtractTask.from_json(task) for task in stored]
        ended: dict[str, Any] = dict(context.checkpoint)
        left = [task for task in tasks if task.task_id not in ended]
        for task in left:
            await context.progress(task.task_id, {}, state=TaskState.QUEUED)
        for task in left:
            # A file of the store is written whole or not at all: a task has no checkpoint within.
            ended[task.task_id] = await _TaskRun(self, context, task).run()
            await context.save(ended)
        return _result(ended)


def _result(ended: Mapping[str, Any]) -> JobResult:
    """Return the job's result, with the error of the first task that has one."""
    results: dict[str, object] = {"tasks": ended}
    errors = [outcome["error"] for outcome in ended.values() if "error" in outcome]
    if not errors:
        return JobResult(JobStatus.SUCCESS, results)
    results["error"] = errors[0]
    return JobResult(JobStatus.ERRORS_ENCOUNTERED, results)


class _TaskRun:
    """One running task of an extract."""

    def __init__(
        self,
        services: ExtractJobs,
        context: JobContext,
        task: ExtractTask,
    ) -> None:
        self._services = services
        self._context = context
        self._task = task
        objects = services.components.registry.objects
        self._target = objects.get(task.object_name)
        self._columns = columns(task, self._target)
        self._rows = 0
        self._copied = 0
        self._renditions: list[Sequence[object]] = [
            ("file", "rendition_type__v", *task.fields)
        ]

    async def run(self) -> dict[str, object]:
        """Store the task's file; return its row count, and its error when it failed."""
        key = result_key(self._context.job_id, self._task.task_id, RESULTS)
        try:
            await self._services.files.put(key, self._content())
            if RENDITIONS in self._task.files:
                await self._put_renditions()
        except VaultFault as fault:
            await self._report(TaskState.ERRORS_ENCOUNTERED)
            return {"rows": self._rows, "error": error_json(fault.error)}
        await self._report(TaskState.SUCCESS)
        return {"rows": self._rows}

    async def _report(self, state: TaskState) -> None:
        counts = {"total": self._rows, "success": self._rows, "failure": 0}
        await self._context.progress(self._task.task_id, counts, state=state)

    async def _content(self) -> AsyncIterator[bytes]:
        text = statement(self._task, self._target)
        queries, caller = self._services.queries, self._context.caller
        async for page in pages(queries, caller, text):
            self._context.raise_if_stopped()
            # Once, on the first page; an extract without records has a header all the same.
            if not self._rows:
                first = ("file",) if SOURCE in self._task.files else ()
                header = lines([(*first, *self._task.fields)])
                yield header.encode()
            rows = lines([await self._cells(row) for row in page.rows])
            yield rows.encode()
            self._rows += page.size
            await self._report(TaskState.RUNNING)

    async def _cells(self, row: Mapping[str, object]) -> Sequence[object]:
        """Copy the files of a row if the task asks for it, and return its cells, with the source file's path first.

        :raises VaultFault: INVALID_DATA for too many versions; EXCEEDS_FILE_MAX_SIZE where the folder has no room.
        """
        task, context = self._task, self._context
        # Keys are those of the statement, whose functions have names of their own.
        values = list(row.values())
        cells = [values[place] for place in self._columns.places]
        if not task.files:
            return cells
        self._copied += 1
        if self._copied > MAX_COPIED:
            message = f"A task copies the files of at most {MAX_COPIED} versions"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        context.raise_if_stopped()
        version = str(row[VERSION_ID])
        folder = f"/{context.job_id}"
        copy = self._services.copy_files
        copied = await copy(context.caller, folder, version, task.files)
        self._renditions += [(path, kind, *cells) for kind, path in copied if kind]
        if SOURCE not in task.files:
            return cells
        paths = [path for kind, path in copied if not kind]
        return [paths[0] if paths else None, *cells]

    async def _put_renditions(self) -> None:
        """Store the paths of the renditions that were copied, a line for each."""

        async def content() -> AsyncIterator[bytes]:
            yield lines(self._renditions).encode()

        key = result_key(self._context.job_id, self._task.task_id, RENDITIONS)
        await self._services.files.put(key, content())


async def pages(
    queries: QueryService,
    caller: Caller,
    text: str,
) -> AsyncIterator[QueryPage]:
    """Yield all pages of a query.

    :raises VaultFault: as ``QueryService.run`` and ``page`` do.
    """
    page = await queries.run(
        caller,
        text,
        describe=False,
        version_path=VERSION,
    )
    while True:
        yield page
        if page.next_page is None:
            return
        address = urlsplit(page.next_page)
        place = parse_qs(address.query)
        cursor = address.path.rpartition("/")[2]
        offset, size = int(place["pageoffset"][0]), int(place["pagesize"][0])
        page = await queries.page(
            caller,
            cursor,
            size,
            offset,
            VERSION,
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """The expressions that a statement selects, and for each field of the task the place of its own."""

    expressions: tuple[str, ...]
    places: tuple[int, ...]


def columns(task: ExtractTask, target: VaultObject | None) -> Columns:
    """Return what the statement of a task selects: long texts in full, and no expression twice.

    A query has one column for an expression that it selects twice, e.g. for a long text and its LONGTEXT. Functions of
    one field get aliases, since their column would have the field's name.
    """
    fields = target.fields if target is not None else {}
    wanted = [_whole(fields[name]) if name in fields else name for name in task.fields]
    expressions: dict[str, str] = {}
    for expression in wanted:
        expressions.setdefault(_compared(expression), expression)
    if task.files:
        expressions.setdefault(VERSION_ID, VERSION_ID)
    place = {compared: at for at, compared in enumerate(expressions)}
    places = tuple(place[_compared(expression)] for expression in wanted)
    named = Counter(map(_named, expressions))
    selected = [
        f"{expression} AS column_{at}"
        if _FUNCTION.fullmatch(compared) and named[_named(compared)] > 1
        else expression
        for at, (compared, expression) in enumerate(expressions.items(), 1)
    ]
    return Columns(tuple(selected), places)


def _compared(expression: str) -> str:
    """Return an expression in the form in which equal ones are the same text."""
    return " ".join(expression.lower().replace("(", " ( ").replace(")", " ) ").split())


def _named(compared: str) -> str:
    """Return the name of the column that an expression has without an alias."""
    call = _FUNCTION.fullmatch(compared)
    return call["field"] if call else compared


def statement(task: ExtractTask, target: VaultObject | None) -> str:
    """Return the query of a task."""
    names = ", ".join(columns(task, target).expressions)
    return f"SELECT {names} FROM {task.object_name} {task.criteria}".rstrip()


def _whole(field: Field) -> str:
    """Return the expression with which a query reads a field's value in full."""
    match field.type:
        # A query yields the first 250 characters of a long text, unless a function asks for all.
        case FieldType.LONG_TEXT:
            return f"LONGTEXT({field.name})"
        case FieldType.RICH_TEXT:
            return f"RICHTEXT({field.name})"
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return field.name
        case _:
            assert_never(field.type)
