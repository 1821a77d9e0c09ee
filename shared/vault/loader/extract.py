"""The extract job: the pages of a query, written to a CSV file as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import result_key
from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, TaskState
from shared.vault.loader.load_logs import RESULTS
from shared.vault.loader.request import ExtractTask
from shared.vault.loader.sheet import lines
from shared.vault.model.component_model import FieldType

if TYPE_CHECKING:
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.queries.queries import QueryPage

EXTRACT = "loader_extract"
VERSION = "v25.1"  # of the addresses of pages, which are read here
WHOLE = {FieldType.LONG_TEXT: "LONGTEXT", FieldType.RICH_TEXT: "RICHTEXT"}


async def extract(context: JobContext) -> JobResult:
    """Extract the records of all tasks; a task that was cut off is done again from its start."""
    stored: Sequence[Mapping[str, object]] = context.parameters["tasks"]  # type: ignore[assignment]
    tasks = [ExtractTask.from_json(task) for task in stored]
    ended: dict[str, Any] = dict(context.checkpoint)
    for task in tasks:
        if task.task_id not in ended:
            await context.progress(task.task_id, {}, state=TaskState.QUEUED)
    for task in tasks:
        if task.task_id not in ended:
            ended[task.task_id] = await _TaskRun(context, task).run()
            await context.save(ended)
    errors = {
        task_id: outcome["error"]
        for task_id, outcome in ended.items()
        if "error" in outcome
    }
    status = JobStatus.ERRORS_ENCOUNTERED if errors else JobStatus.SUCCESS
    first = {"error": next(iter(errors.values()))} if errors else {}
    return JobResult(status, {"tasks": ended, **first})


class _TaskRun:
    """One task of an extract."""

    def __init__(self, context: JobContext, task: ExtractTask) -> None:
        self._context = context
        self._task = task
        self._rows = 0

    async def run(self) -> dict[str, object]:
        key = result_key(self._context.job_id, self._task.task_id, RESULTS)
        try:
            await self._context.vault.files.put(key, self._content())
        except VaultFault as fault:
            await self._report(TaskState.ERRORS_ENCOUNTERED)
            return {
                "rows": self._rows,
                "error": {"type": fault.error.type, "message": fault.error.message},
            }
        await self._report(TaskState.SUCCESS)
        return {"rows": self._rows}

    async def _report(self, state: TaskState) -> None:
        counts = {"total": self._rows, "success": self._rows, "failure": 0}
        await self._context.progress(self._task.task_id, counts, state=state)

    async def _content(self) -> AsyncIterator[bytes]:
        target = self._context.vault.components.registry.objects.get(
            self._task.object_name
        )
        text = statement(self._task, target)
        async for page in self._pages(text):
            self._context.raise_if_stopped()
            if not self._rows:
                yield lines([self._task.fields]).encode()
            keys = list(page.rows[0]) if page.rows else []
            yield lines([row[key] for key in keys] for row in page.rows).encode()
            self._rows += page.size
            await self._report(TaskState.RUNNING)

    async def _pages(self, text: str) -> AsyncIterator[QueryPage]:
        queries, caller = self._context.vault.queries, self._context.caller
        page = await queries.run(caller, text, describe=False, version_path=VERSION)
        while True:
            yield page
            if page.next_page is None:
                return
            address = urlsplit(page.next_page)
            place = parse_qs(address.query)
            cursor = address.path.rpartition("/")[2]
            offset, size = int(place["pageoffset"][0]), int(place["pagesize"][0])
            page = await queries.page(caller, cursor, size, offset, VERSION)


def statement(task: ExtractTask, target: VaultObject | None) -> str:
    """The query of a task; long text is taken whole."""
    fields = target.fields if target is not None else {}
    selected = [
        _whole(fields[name]) if name in fields else name for name in task.fields
    ]
    return (
        f"SELECT {', '.join(selected)} FROM {task.object_name} {task.criteria}".rstrip()
    )


def _whole(field: Field) -> str:
    function = WHOLE.get(field.type)
    return field.name if function is None else f"{function}({field.name})"
