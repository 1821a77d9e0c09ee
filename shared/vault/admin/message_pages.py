"""Serves the way of a message: when it was queued, sent, delivered, written and reported, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, assert_never

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from shared.vault.access.permissions import Grant, Operation, may
from shared.vault.admin.connector_sessions import sources_of
from shared.vault.admin.job_pages import SOON
from shared.vault.admin.listing import selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.record_names import names_of, object_of_id
from shared.vault.admin.rendering import moment_of
from shared.vault.admin.showing import record_path
from shared.vault.errors import ApiError, VaultFault
from shared.vault.exceptions.exception_model import MESSAGE as EXCEPTION
from shared.vault.queues.message_steps import MessageStep, MessageStepKind
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.connector_sessions import Source
    from shared.vault.admin.listing import Row
    from shared.vault.components.registry import Registry

router = APIRouter(prefix="/messages")

LATEST = 50
MAX_WRITES = 200
MAX_LINKS = 10

ENTERED = "Entered the queue"

MessageId = Annotated[str, Path(max_length=200)]
RecordId = Annotated[str, Query(max_length=20)]


@dataclass(frozen=True, slots=True)
class Station:
    """One station on a message's way; ``mark`` is its CSS class, ``links`` are labels and addresses of pages.

    ``place`` is the name of the other Vault of the station, empty for this Vault. ``last`` is True when the message
    has left its queue at this station.
    """

    title: str
    date: datetime
    mark: str
    text: str = ""
    links: tuple[tuple[str, str], ...] = ()
    place: str = ""
    last: bool = False


@router.get("")
async def of_record(context: CurrentPage, record: RecordId = "") -> Response:
    """List the messages that named a record."""
    found = await context.vault.message_steps.of_record(context.caller, record, LATEST)
    target = object_of_id(context, record)
    names = await names_of(context, target.name, [record]) if target else {}
    return context.page(
        "messages.html",
        name=names.get(record, record),
        path=record_path(target.name, record) if target and names else "",
        messages=found,
        queues=context.registry.queues,
    )


@router.get("/{message_id}")
async def one_message(context: CurrentPage, message_id: MessageId) -> Response:
    """Show the way of a message through this Vault, station by station."""
    steps = await context.vault.message_steps.steps(context.caller, message_id)
    stations = [_of_step(step, context.registry) for step in steps]
    stations += _of_exceptions(await _exceptions(context, message_id))
    rows = await _writes(context, message_id)
    names = await _written_names(context, rows)
    stations += _of_writes(rows, context.registry, names, reported=bool(steps))
    sources = await sources_of(context)
    error: ApiError | None = None
    try:
        stations += await _elsewhere(context, sources, message_id)
    except VaultFault as fault:
        # The stations in this Vault are shown nevertheless.
        error = fault.error
    stations.sort(key=lambda each: each.date)
    return context.page(
        "message.html",
        message_id=message_id,
        stations=stations,
        first=stations[0].date if stations else None,
        unseen=[source for source in sources if not source.has_session],
        error=error,
        again_in=SOON if _under_way(stations) else None,
    )


def _under_way(stations: Sequence[Station]) -> bool:
    """Return whether the message is on a queue, according to the stations that the caller can see.

    A retry puts the message on a queue again.
    """
    entered = sum(station.title == ENTERED for station in stations)
    return entered > sum(station.last for station in stations)


async def _elsewhere(
    context: PageContext, sources: Sequence[Source], message_id: str
) -> list[Station]:
    """Return the stations in the other Vaults in which the caller has a session.

    :raises VaultFault: as ``ConnectorQuestions.ask``.
    """
    stations: list[Station] = []
    if not context.granted(Grant.MANAGE_INTEGRATIONS):
        return stations
    for source in sources:
        if not source.has_session:
            continue
        found = await context.vault.connector.ask(
            "ways", message_id, sessions=source.sessions
        )
        # The answer has an entry for each Vault; those in which the caller has no session are empty.
        for vault in found:
            steps = [MessageStep.read(step) for step in vault["steps"]]
            parts = [_of_step(step, context.registry) for step in steps]
            parts += _of_exceptions(vault["exceptions"])
            parts += _of_writes(
                vault["writes"], context.registry, {}, reported=bool(vault["steps"])
            )
            # Pages of the other Vault have addresses of its own.
            stations += [
                replace(part, links=(), place=source.vault_name) for part in parts
            ]
    return stations


def _of_step(step: MessageStep, registry: Registry) -> Station:
    """Return the station of a step that the sending Vault has recorded."""
    queue = (("Queue", f"/ui/queues/{step.queue}"),)
    tried = f"{step.attempts} attempts" if (step.attempts or 0) > 1 else ""
    match step.step:
        case MessageStepKind.ENTERED:
            about = _about(step.detail, registry)
            return Station(ENTERED, step.date, "ok", about, queue)
        case MessageStepKind.SENT:
            return Station("Sent to the broker", step.date, "ok")
        case MessageStepKind.DELIVERED:
            title = "Delivered to the other Vault"
            return Station(title, step.date, "ok", tried, last=True)
        case MessageStepKind.REMOVED:
            text = f"{step.error}. {tried}".strip()
            return Station("Given up", step.date, "failed", text, queue, last=True)
        case MessageStepKind.LOGGED:
            text = f"{step.detail}. {step.error or ''}".strip()
            links = (("Queue log", f"/ui/queue-log/{step.date:%Y-%m-%d}"),)
            return Station("Logged", step.date, "warning", text, links)
        case _:
            assert_never(step.step)


def _about(detail: str, registry: Registry) -> str:
    """Return the records of a message in words, from the detail of a step such as ``2 records of account__v``."""
    number, _, rest = detail.partition(" ")
    _, _, object_name = rest.partition(" of ")
    if not object_name or not number.isdigit():
        return detail
    return _counted(int(number), object_name, registry)


async def _exceptions(context: PageContext, message_id: str) -> list[Row]:
    """Return the exceptions of the message that the caller may read."""
    if not may(context.caller, EXCEPTION, Operation.READ):
        return []
    # PostgreSQL takes NUL in no text.
    wanted = literal(message_id.replace("\x00", ""))
    columns = "id, name__v, error_status__sys, created_date__v, modified_date__v"
    statement = f"SELECT {columns} FROM {EXCEPTION} WHERE message_id__sys = {wanted}"
    return await selected(context, statement)


def _of_exceptions(rows: Iterable[Mapping[str, Any]]) -> list[Station]:
    """Return the stations of User Exception Messages: when the message failed, and how the exception was settled."""
    stations = []
    for row in rows:
        link = (("User exception", record_path(EXCEPTION, str(row["id"]))),)
        created = moment_of(str(row["created_date__v"]))
        changed = moment_of(str(row["modified_date__v"]))
        status = str(row["error_status__sys"][0]).removesuffix("__sys")
        stations.append(Station("Failed", created, "failed", str(row["name__v"]), link))
        if status != "open":
            text = f"The exception is {status}"
            stations.append(Station("Settled", changed, "ok", text, link))
    return stations


async def _writes(context: PageContext, message_id: str) -> list[dict[str, object]]:
    """Return the records that the message has written into this Vault, if the caller may read lineage."""
    if not context.granted(Grant.READ_AUDIT):
        return []
    page = await context.vault.lineage.of_message(
        context.caller, message_id.replace("\x00", ""), limit=MAX_WRITES, offset=0
    )
    return page.rows


async def _written_names(
    context: PageContext, rows: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the names of the records that a message has written, by id."""
    ids: dict[str, set[str]] = {}
    for row in rows:
        ids.setdefault(str(row["object_name"]), set()).add(str(row["record_id"]))
    names: dict[str, str] = {}
    for object_name, wanted in ids.items():
        names.update(await names_of(context, object_name, wanted))
    return names


def _of_writes(
    rows: Iterable[Mapping[str, Any]],
    registry: Registry,
    names: Mapping[str, str],
    *,
    reported: bool,
) -> list[Station]:
    """Return the stations of writes to records.

    ``reported`` is True in the Vault that sent the message, where the writes are statuses reported by the connector.
    """
    stations: list[Station] = []
    for moments, written_together in _by_times(rows).items():
        evaluated, written = (moment_of(each) for each in moments)
        point = str(written_together[0]["integration_point"])
        if not reported and not stations:
            rules = {str(row["integration_rule"]) for row in written_together} - {
                "None"
            }
            links = tuple(
                (f"Rule {rule}", f"/ui/rules/{rule}") for rule in sorted(rules)
            )
            text = f"By the connector, at the integration point {point}"
            stations.append(Station("Read and evaluated", evaluated, "ok", text, links))
        title = "Reported back" if reported else "Written"
        stations.append(_of_write(title, written, written_together, registry, names))
    return stations


def _of_write(
    title: str,
    written: datetime,
    rows: Iterable[Mapping[str, Any]],
    registry: Registry,
    names: Mapping[str, str],
) -> Station:
    """Return the station of records that were written together."""
    pairs = sorted({(str(row["object_name"]), str(row["record_id"])) for row in rows})
    numbers = Counter(name for name, _ in pairs)
    counted = [_counted(numbers[name], name, registry) for name in sorted(numbers)]
    links = tuple(
        (
            f"{_label(registry, name)} {names.get(record_id, record_id)}",
            record_path(name, record_id),
        )
        for name, record_id in pairs[:MAX_LINKS]
    )
    return Station(title, written, "ok", ", ".join(counted), links)


def _counted(number: int, object_name: str, registry: Registry) -> str:
    """Return a number of records in words, for example ``2 Case Requests``."""
    target = registry.objects.get(object_name)
    if target is not None and number != 1:
        return f"{number} {target.label_plural or target.label}"
    label = _label(registry, object_name)
    return f"{number} {label}" if number == 1 else f"{number} {label} records"


def _label(registry: Registry, object_name: str) -> str:
    """Return the label of an object; of an object that only the other Vault has, words made from its name."""
    target = registry.objects.get(object_name)
    if target is not None:
        return target.label
    return object_name.partition("__")[0].replace("_", " ").title()


def _by_times(
    rows: Iterable[Mapping[str, Any]],
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Group writes by the time of their evaluation and the time of their writing."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        moments = (str(row["connector_time"]), str(row["date"]))
        found.setdefault(moments, []).append(row)
    return found
