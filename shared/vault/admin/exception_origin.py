"""Finds the origin of a User Exception's message: its Vault, its run, and its original body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope, RunEvent
from shared.vault.access.permissions import Grant, Operation, may
from shared.vault.admin.listing import selected
from shared.vault.admin.showing import record_path
from shared.vault.exceptions.exception_model import MessageErrorType
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.listing import Row
    from shared.vault.admin.page_context import PageContext

CONNECTION = "integration__sysr.connection__sys"
REMOTE_NAME = "integration__sysr.connection__sysr.remote_vault_name__sys"
API_NAME = "integration__sysr.connection__sysr.name__v"


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a message; unknown values are empty or None.

    ``vault`` is the name of the Vault that has the source records, ``own`` is True when it is this Vault. ``run`` is
    the job id of a run, ``run_path`` the address of its page. ``attempt`` is the number of deliveries until the message
    first failed.
    """

    connection_id: str
    vault: str
    own: bool
    run: int | None
    run_path: str
    attempt: int | None
    body: str


async def origin_of(context: PageContext, values: dict[str, Any]) -> Origin:
    """Return the origin of a message whose record has these values."""
    body = str(values.get("message_body_json__sys") or "")
    envelope = _envelope(body)
    connection = await _connection(context, str(values["id"]))
    sent = MessageErrorType.DELIVERY.value in (values.get("error_type__sys") or ())
    remote = str(connection.get(REMOTE_NAME) or connection.get(API_NAME) or "")
    run = _run(envelope)
    integration = str(values.get("integration__sys") or "")
    # Runs are shown to those who may read them, on the page of their integration.
    linked = run is not None and integration and context.granted(Grant.COPY_RECORDS)
    return Origin(
        connection_id=str(connection.get(CONNECTION) or ""),
        vault=context.vault.definition.label if sent else remote,
        own=sent,
        run=run,
        run_path=f"/ui/integrations/{integration}/runs/{run}" if linked else "",
        attempt=envelope.send_attempt if envelope else None,
        body=_indented(body),
    )


def source_path(context: PageContext, origin: Origin, row: Row) -> str:
    """Return the address of an item's source record.

    Empty when the record is in another Vault, or the caller may not read it.
    """
    name = source_object(row)
    known = context.registry.objects.get(name)
    if not origin.own or known is None or not may(context.caller, name, Operation.READ):
        return ""
    return record_path(name, str(row["item__sys"]))


def source_object(row: Row) -> str:
    """Return the name of the object of an item's source record; empty when the item has none."""
    try:
        data = json.loads(row.get("item_data__sys") or "{}")
    except ValueError:
        # The data are cut off, or written by another program: the item is shown without its object.
        return ""
    found = data.get("object") if isinstance(data, dict) else None
    if isinstance(found, str):
        return found
    return ""


async def _connection(context: PageContext, message_id: str) -> Row:
    """Return the connection by which a message arrived; empty without one, or when the caller may not read it."""
    names = ("integration__sys", "connection__sys")
    if not all(may(context.caller, name, Operation.READ) for name in names):
        return {}
    columns = f"{CONNECTION}, {REMOTE_NAME}, {API_NAME}"
    own = f"WHERE id = {literal(message_id)}"
    rows = await selected(
        context, f"SELECT {columns} FROM exception_message__sys {own}"
    )
    return next(iter(rows), {})


def _envelope(body: str) -> Envelope | None:
    """Return the message in a body; None when the body is no message."""
    try:
        return Envelope.parse(body.encode())
    except MalformedMessage:
        return None


def _run(envelope: Envelope | None) -> int | None:
    """Return the job id of the run to which a message belongs; None for a message of no run."""
    attributes = envelope.message.attributes if envelope else {}
    run = attributes.get("run")
    of_run = attributes.get("event") in tuple(RunEvent)
    return run if of_run and isinstance(run, int) else None


def _indented(body: str) -> str:
    """Return a JSON body indented; any other body unchanged."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
