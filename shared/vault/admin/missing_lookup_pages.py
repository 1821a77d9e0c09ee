"""Serves missing rows of reference lookups: source keys without a row, each with a form that adds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize
from shared.vault.admin.connector_sessions import Source, source_of
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.listing import selected
from shared.vault.admin.lookup_pages import connections_of
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.viewing import object_of
from shared.vault.components.rule_changes import RULE
from shared.vault.errors import ApiError, VaultFault
from shared.vault.integrations.reference_lookups import (
    CONNECTION,
    NAME,
    OBJECT,
    SOURCE,
    TARGET_OBJECT,
    TYPE,
)
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component

router = APIRouter(prefix="/lookups/missing")

HERE = "/ui/lookups/missing"
TARGET = "target_key__sys"
# Fields of a missing row in the connector's answer, which the form sends back.
PARTS = (NAME, TYPE, SOURCE, TARGET_OBJECT, "target_key_field__sys")

Id = Annotated[str, Query(max_length=40)]


@dataclass(frozen=True, slots=True)
class MissingRow:
    """A missing row of a lookup set; ``parts`` are its known fields, ``count`` the number of records that need it.

    ``targets`` are the names and labels of the values that its target key can have, empty when any value is allowed.
    """

    parts: dict[str, str]
    count: int
    targets: list[tuple[str, str]]

    @property
    def name(self) -> str:
        """Return the name of the set."""
        return self.parts[NAME]

    @property
    def key(self) -> str:
        """Return the source key."""
        return self.parts[SOURCE]


@router.get("")
async def missing(
    context: CurrentPage, connection: Id = "", integration: Id = ""
) -> Response:
    """Show the missing rows: for records that have failed, or for all that a run of an integration would read."""
    authorize(context.caller, Grant.MANAGE_INTEGRATIONS)
    object_of(context, OBJECT)
    found = await connections_of(context)
    ids = [each_id for each_id, _ in found]
    # Most Vaults have one.
    chosen = connection if connection in ids else next(iter(ids), "")
    integrations = await _integrations(context, chosen)
    names = {each_id: name for each_id, _, name in integrations}
    source = await source_of(context, chosen)
    error: ApiError | None = None
    rows: list[MissingRow] = []
    complete = True
    if source is not None and source.has_session:
        try:
            answer = await _dry_run(context, source, names.get(integration, ""))
        except VaultFault as fault:
            error = fault.error
        else:
            rows = list(_rows(context, answer["missing_lookups"]))
            complete = bool(answer["complete"])
    return context.page(
        "lookups_missing.html",
        connections=found,
        connection=chosen,
        integrations=[(each_id, label) for each_id, label, _ in integrations],
        integration=integration if integration in names else "",
        source=source,
        rows=rows,
        complete=complete,
        adds=context.may(OBJECT, Operation.CREATE),
        error=error,
    )


@router.post("")
async def add(context: CurrentPage) -> Response:
    """Store a row with the target key that was typed."""
    object_of(context, OBJECT, Operation.CREATE)
    sent = context.form.fields
    parameters = {
        "connection": sent.get(CONNECTION, "")[:40],
        "integration": sent.get("integration", "")[:40],
    }
    path = f"{HERE}?{urlencode(parameters)}"
    row = {name: sent[name] for name in (*PARTS, TARGET, CONNECTION) if sent.get(name)}
    if not row.get(TARGET, "").strip():
        message = "Type the target key first"
        return context.refuse(path, ApiError(ErrorType.PARAMETER_REQUIRED, message))

    async def carry_out() -> str:
        (result,) = await context.vault.records.create(context.caller, OBJECT, [row])
        if result.errors:
            error = result.errors[0]
            raise VaultFault(error.type, error.message)
        return path

    try:
        done = await context.once(carry_out)
    except VaultFault as fault:
        text = f"{fault.error.message} ({fault.error.type})"
        return context.go(path, text, NoteKind.REFUSED)
    return context.go(done, "The row was added.")


async def _dry_run(
    context: PageContext, source: Source, integration: str
) -> Mapping[str, Any]:
    """Return the connector's answer about the connection, or about one of its integrations.

    :raises VaultFault: as ``ConnectorQuestions.ask``.
    """
    params = {"integration": integration} if integration else {}
    answer: Mapping[str, Any] = await context.vault.connector.ask(
        "missing-lookups", source.connection, sessions=source.sessions, params=params
    )
    return answer


async def _integrations(
    context: PageContext, connection: str
) -> list[tuple[str, str, str]]:
    """Return id, name and API name of the connection's integrations."""
    where = f"WHERE connection__sys = {literal(connection)}"
    columns = "id, name__v, integration_api_name__sys"
    statement = f"SELECT {columns} FROM integration__sys {where} ORDER BY name__v"
    rows = await selected(context, statement) if connection else []
    return [
        (str(row["id"]), str(row["name__v"]), str(row["integration_api_name__sys"]))
        for row in rows
    ]


def _rows(
    context: PageContext, found: Iterable[Mapping[str, Any]]
) -> Iterable[MissingRow]:
    """Yield the missing rows, within each set those that the most records need first."""
    ordered = sorted(found, key=lambda each: (each[NAME], -each["count"], each[SOURCE]))
    targets: dict[str, list[tuple[str, str]]] = {}
    for each in ordered:
        name = str(each[NAME])
        if name not in targets:
            targets[name] = _targets(context, name)
        parts = {part: str(each.get(part) or "") for part in PARTS}
        yield MissingRow(parts, int(each["count"]), targets[name])


def _targets(context: PageContext, lookup: str) -> list[tuple[str, str]]:
    """Return the name and label of each value that a set may map to: those of the picklists of its target fields."""
    registry = context.registry
    found: dict[str, str] = {}
    for (kind, _), rule in registry.components.items():
        parts = rule.children_of("Fieldrule") if kind == RULE else ()
        for part in parts:
            if part.text("reference_lookup") == lookup:
                found |= _values(context, part)
    return sorted(found.items(), key=lambda each: each[1].casefold())


def _values(context: PageContext, part: Component) -> dict[str, str]:
    """Return the labels, by name, of the values of a field rule's target field; empty when it has no picklist."""
    registry = context.registry
    owner = registry.objects.get(part.reference("target_object") or "")
    target = (
        owner.fields.get(part.reference("target_object_field") or "") if owner else None
    )
    picklist = registry.picklists.get(target.picklist or "") if target else None
    if picklist is None:
        return {}
    return {each.name: each.label for each in picklist.entries.values() if each.active}
