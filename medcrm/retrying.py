"""Groups open user exceptions by cause, retries them, and follows the retries to their ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medcrm.tables import Progress, aligned
from shared.client import VaultClient
from shared.client.results import Row, mapping, rows_of, text, whole
from shared.client.transport import API, Request

MESSAGE = "exception_message__sys"
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"
RETRYING = "retrying__sys"
RESOLVED = "resolved__sys"
OPEN_MESSAGES = (
    "SELECT id, name__v, error_type__sys, error_message__sys, queue__sys, integration__sysr.integration_api_name__sys, "
    "(SELECT item__sys, error_type__sys, error_message__sys, integration_rule__sys, field_rule__sys, target_field__sys "
    "FROM exception_items__sysr WHERE error_status__sys = 'open__sys') "
    "FROM exception_message__sys WHERE error_status__sys = 'open__sys'"
)
STATUSES = (
    "SELECT id, error_status__sys FROM exception_message__sys WHERE id CONTAINS ({ids})"
)
PAGE = 200
POLL_SECONDS = 0.5
# As the job that retries all does: by then the connector is down, or busy for long.
STILL_POLLS = 120
ENDED = ("SUCCESS", "ERRORS_ENCOUNTERED", "CANCELLED")


@dataclass(slots=True)
class Cause:
    """The common cause of several exceptions; ``messages`` are ids of User Exception Messages."""

    error_type: str
    integration_rule: str
    field_rule: str
    target_field: str
    example: str
    items: int = 0
    messages: dict[str, None] = field(default_factory=dict)

    def to_json(self) -> Row:
        """Return the cause as a script reads it."""
        return {
            "error_type": self.error_type,
            "integration_rule": self.integration_rule,
            "field_rule": self.field_rule,
            "target_field": self.target_field,
            "example": self.example,
            "items": self.items,
            "messages": list(self.messages),
        }


def causes(messages: Sequence[Row], integration: str | None = None) -> list[Cause]:
    """Return the causes of open exceptions, those with the most items first."""
    found: dict[tuple[str, str, str, str], Cause] = {}
    for message in messages:
        own = text(message, "integration__sysr.integration_api_name__sys")
        if integration is not None and own != integration:
            continue
        block = message.get("exception_items__sysr") or {}
        items = rows_of(mapping(block, "items").get("data", []), "data")
        # One that failed as a whole has no items, and is one itself.
        for item in items or [message]:
            key = (
                text(item, "error_type__sys"),
                text(item, "integration_rule__sys"),
                text(item, "field_rule__sys"),
                text(item, "target_field__sys"),
            )
            example = text(item, "error_message__sys")
            cause = found.setdefault(key, Cause(*key, example))
            cause.items += 1
            cause.messages[text(message, "id")] = None
    return sorted(found.values(), key=lambda cause: -cause.items)


def table(found: Sequence[Cause]) -> list[str]:
    """Return causes as lines, each with the ids that ``retry messages`` takes."""
    lines: list[str] = []
    for cause in found:
        named = (cause.integration_rule, cause.field_rule, cause.target_field)
        where = " > ".join(name for name in named if name)
        kind = cause.error_type.removesuffix("__sys")
        lines.append(f"{cause.items} x {kind}  {where}".rstrip())
        lines.append(f"    {cause.example}")
        lines.append(f"    {' '.join(cause.messages)}")
    return lines or ["No open exceptions"]


async def retry_messages(
    client: VaultClient, ids: Sequence[str], progress: Progress
) -> dict[str, str]:
    """Run Retry Transfer on messages, and return the result of each, by its id.

    A result is the message's status, once its retry has ended or nothing has changed for a minute, or the reason why
    the retry was refused.
    """
    results = await client.run_bulk_action(MESSAGE, ids, RETRY)
    ended = {
        message: result.errors[0].message
        for message, result in zip(ids, results, strict=True)
        if result.errors
    }
    waiting = [message for message in ids if message not in ended]
    return {**ended, **await _outcomes(client, waiting, progress)}


async def _outcomes(
    client: VaultClient, ids: Sequence[str], progress: Progress
) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    still = 0
    while still < STILL_POLLS:
        now = await _statuses(client, ids)
        still = 0 if now != outcomes else still + 1
        outcomes = now
        retrying = Counter(outcomes.values())[RETRYING]
        progress(len(ids) - retrying, len(ids))
        if not retrying:
            break
        await asyncio.sleep(POLL_SECONDS)
    return outcomes


async def _statuses(client: VaultClient, ids: Sequence[str]) -> dict[str, str]:
    statuses: dict[str, str] = {}
    for start in range(0, len(ids), PAGE):
        part = ids[start : start + PAGE]
        # Ids that the Vault itself has accepted just now.
        quoted = ", ".join(f"'{message}'" for message in part)
        rows = (await client.query(STATUSES.format(ids=quoted))).rows
        statuses |= {text(row, "id"): text(row, "error_status__sys") for row in rows}
    return statuses


async def retry_all(
    client: VaultClient, scope: Mapping[str, str], progress: Progress
) -> Row:
    """Retry all open exceptions of a scope by a job; return ``job_id`` and the job's counts when the job has ended.

    The counts are ``messages`` and ``refused``, then the number of messages by status. If the counts have not changed
    for a minute, they are returned although the job goes on.
    """
    path = f"{API}/services/exceptions/actions/retry"
    answer = await client.call(Request("retry_exceptions", "POST", path, form=scope))
    job = whole(answer.get("job_id"), "job_id")
    counts: Row = {}
    still = 0
    while still < STILL_POLLS:
        tasks = await _tasks(client, job)
        now: Row = {}
        for name, task in tasks.items():
            now |= mapping(task.get("counts") or {}, name)
        still = 0 if now != counts else still + 1
        counts = now
        number = whole(counts.get("messages", 0), "messages")
        progress(number - whole(counts.get("retrying", 0), "retrying"), number)
        if text(tasks.get("outcome", {}), "state") in ENDED:
            break
        await asyncio.sleep(POLL_SECONDS)
    return {"job_id": job, **counts}


def all_resolved(counts: Row) -> bool:
    """Return whether a job that retried all has refused none, and all are resolved."""
    return not counts.get("refused") and counts.get("resolved", 0) == counts.get(
        "messages", 0
    )


async def _tasks(client: VaultClient, job: int) -> dict[str, Row]:
    request = Request("job_tasks", "GET", f"{API}/services/jobs/{job}/tasks")
    listed = rows_of((await client.call(request)).get("tasks"), "tasks")
    return {text(task, "id"): task for task in listed}


def outcome_table(outcomes: Mapping[str, str]) -> list[str]:
    """Return the results of messages as lines."""
    rows = [["exception", "now"]]
    rows += [[message, outcome] for message, outcome in outcomes.items()]
    return aligned(rows)
