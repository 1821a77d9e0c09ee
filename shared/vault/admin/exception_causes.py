"""Groups User Exception Messages and Items by their causes, among those that an address selects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.vault.access.permissions import Grant, Operation, may
from shared.vault.admin.exception_filters import (
    MODIFIED,
    PARTS,
    TYPE,
    ExceptionSelection,
    quoted,
)
from shared.vault.admin.listing import listed, selected
from shared.vault.exceptions.error_explanations import (
    ErrorExplanation,
    explanation_of,
    reason_of,
)
from shared.vault.exceptions.exception_model import ITEM, MESSAGE
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.exception_mends import Link
    from shared.vault.admin.page_context import PageContext

# The latest items, and the latest messages, that are grouped: one fewer than a query returns, to see that more follow.
MOST = 999
MAX_ACTED = 500  # records of one action
MAX_TEXTS = 5  # error texts of one cause that are looked at
QUEUE = "queue__sys"
TEXT = "error_message__sys"
OF_MESSAGE = "exception_message__sysr."
ITEMS = "exception_items__sysr"
# An id that no record has: a list of values must not be empty.
NO_ID = "-"


@dataclass(slots=True)
class Cause:
    """A cause of failures: its messages and items by id, and ``latest``, the date of their latest change.

    ``selection`` selects the exceptions of the cause: items by rule, messages that failed as a whole by queue.
    ``lookup`` is the reference lookup of the field rule, empty without one.
    """

    selection: ExceptionSelection
    lookup: str
    messages: dict[str, None] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)
    latest: str = ""
    # Error texts of its latest items, each once.
    texts: dict[str, None] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Return the reasons in the error texts of the latest items, each once."""
        return list(dict.fromkeys(map(reason_of, self.texts)))

    @property
    def words(self) -> ErrorExplanation | None:
        """Return the explanation of the cause's error type; None for an unknown type."""
        return explanation_of(self.selection.type)

    def add(self, message: str, changed: str, item: str = "") -> None:
        """Add an item with its message, or a message without items; ``changed`` is the date of the last change."""
        self.messages[message] = None
        self.latest = max(self.latest, changed)
        if item:
            self.items.append(item)

    def add_text(self, text: str) -> None:
        """Add the error text of an item, up to ``MAX_TEXTS`` different texts."""
        if text and len(self.texts) < MAX_TEXTS:
            self.texts[text] = None


@dataclass(frozen=True, slots=True)
class Causes:
    """The causes, those with the most items first; ``left_out`` is True when older exceptions are not grouped."""

    causes: list[Cause]
    left_out: bool


async def scope(
    context: PageContext, wanted: ExceptionSelection, path: str = ""
) -> list[str]:
    """Return the VQL conditions that select messages by their connection and integration.

    ``path`` is the relationship from an item to its message; empty in a query of messages.
    """
    terms = []
    if wanted.integration:
        name = quoted(wanted.integration)
        api_name = f"{path}integration__sysr.integration_api_name__sys"
        terms.append(f"{api_name} = {name}")
    if wanted.connection:
        integrations = await _integrations(context, wanted.connection)
        field_name = f"{path}integration__sys"
        of_queue = f"{path}{QUEUE} CONTAINS ({_queues(context, wanted.connection)})"
        # A delivery exception belongs to no integration: its connection is found by its queue.
        terms.append(
            f"({field_name} CONTAINS ({integrations}) OR ({field_name} = null AND {of_queue}))"
        )
    return terms


async def _integrations(context: PageContext, connection: str) -> str:
    """Return the ids of a connection's integrations as literals."""
    own = f"connection__sysr.api_name__sys = {quoted(connection)}"
    rows = await selected(context, f"SELECT id FROM integration__sys WHERE {own}")
    ids = [str(row["id"]) for row in rows] or [NO_ID]
    return ", ".join(map(literal, ids))


def _queues(context: PageContext, connection: str) -> str:
    """Return the names of a connection's queues as literals."""
    names = [
        queue.name
        for queue in context.registry.queues.values()
        if any(part.connection_name == connection for part in queue.connections)
    ]
    return ", ".join(map(literal, names or [NO_ID]))


def where(terms: list[str]) -> str:
    """Return a WHERE clause with all conditions; empty without conditions."""
    if terms:
        return f" WHERE {' AND '.join(terms)}"
    return ""


async def message_conditions(
    context: PageContext, wanted: ExceptionSelection
) -> list[str]:
    """Return the conditions of the messages that an address selects."""
    terms = await scope(context, wanted)
    if wanted.queue is not None:
        found = await causes_of(context, wanted)
        ids = [name for each in found.causes for name in each.messages] or [NO_ID]
        terms.append(f"id CONTAINS ({', '.join(map(literal, ids[:MAX_ACTED]))})")
    elif wanted.by_items:
        of_items = where(wanted.item_conditions())
        terms.append(f"id IN (SELECT id FROM {ITEMS}{of_items})")
    else:
        terms += wanted.conditions()
    return terms


async def causes_of(context: PageContext, wanted: ExceptionSelection) -> Causes:
    """Return the causes of the items, and of the messages without items, that an address selects."""
    found: dict[ExceptionSelection, Cause] = {}
    left_out = False
    reads_items = may(context.caller, ITEM, Operation.READ)
    if reads_items and wanted.queue is None:
        left_out |= await _add_items(context, wanted, found)
    if not wanted.by_items:
        left_out |= await _add_messages(context, wanted, found, reads_items)
    ordered = sorted(found.values(), key=lambda each: each.latest, reverse=True)
    ordered.sort(key=lambda each: (-len(each.items), -len(each.messages)))
    return Causes(ordered, left_out=left_out)


async def _add_items(
    context: PageContext,
    wanted: ExceptionSelection,
    found: dict[ExceptionSelection, Cause],
) -> bool:
    """Add the latest items to their causes, and return whether older items are left out."""
    terms = [*wanted.item_conditions(), *await scope(context, wanted, OF_MESSAGE)]
    columns = ", ".join((MESSAGE, TYPE, MODIFIED, TEXT, *PARTS.values()))
    statement = (
        f"SELECT id, {columns} FROM {ITEM}{where(terms)} ORDER BY {MODIFIED} DESC"
    )
    listing = await listed(context, statement, size=MOST, counted=False)
    for row in listing.rows:
        parts = {name: str(row[column] or "") for name, column in PARTS.items()}
        key = wanted.with_cause(_first(row[TYPE]), parts)
        cause = found.setdefault(key, Cause(key, lookup_of(context, parts)))
        cause.add(str(row[MESSAGE]), str(row[MODIFIED]), str(row["id"]))
        cause.add_text(str(row[TEXT] or ""))
    return listing.more


async def _add_messages(
    context: PageContext,
    wanted: ExceptionSelection,
    found: dict[ExceptionSelection, Cause],
    reads_items: bool,
) -> bool:
    """Add the latest messages without items to their causes, and return whether older messages are left out."""
    terms = [*wanted.conditions(), *await scope(context, wanted)]
    if wanted.queue is not None:
        terms.append(f"{QUEUE} = {quoted(wanted.queue) if wanted.queue else 'null'}")
    has_items = f", (SELECT id FROM {ITEMS} LIMIT 1)" if reads_items else ""
    columns = f"id, {TYPE}, {QUEUE}, {MODIFIED}{has_items}"
    statement = (
        f"SELECT {columns} FROM {MESSAGE}{where(terms)} ORDER BY {MODIFIED} DESC"
    )
    listing = await listed(context, statement, size=MOST, counted=False)
    for row in listing.rows:
        if reads_items and row[ITEMS]["data"]:
            continue
        key = replace(wanted, type=_first(row[TYPE]), queue=str(row[QUEUE] or ""))
        cause = found.setdefault(key, Cause(key, ""))
        cause.add(str(row["id"]), str(row[MODIFIED]))
    return listing.more


def _first(value: Any) -> str:
    """Return the first name in the list that a row has for a picklist field; empty without one."""
    return str(value[0]) if value else ""


def lookup_of(context: PageContext, parts: Mapping[str, str]) -> str:
    """Return the reference lookup of a field rule; empty when it has none, or the caller may not read rules."""
    rule = context.registry.components.get(("Integrationrule", parts["rule"]))
    part = rule.child("Fieldrule", parts["field_rule"]) if rule else None
    shown = part is not None and context.granted(Grant.READ_CONFIGURATION)
    return part.text("reference_lookup") if part and shown else ""
