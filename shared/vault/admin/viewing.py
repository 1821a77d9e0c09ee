"""Reads a record as its page shows it: fields by section, user actions, and links to related records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, require
from shared.vault.admin.inputs import Input, inputs
from shared.vault.admin.leading import leading
from shared.vault.admin.listing import plain, selected
from shared.vault.admin.offered_actions import BlockedAction, offered_actions
from shared.vault.admin.showing import (
    Shown,
    ValueFormatter,
    people,
    record_path,
    writers,
)
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.errors import ApiError, VaultFault
from shared.vault.queries.query_pages import unless_changed
from shared.vault.records.deletions import first_blocker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.vault.actions.action_service import AvailableAction
    from shared.vault.admin.page_context import PageContext
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.records.record_service import Refusals


# The beginnings of names of actions that end something.
ENDING = ("cancel", "reject", "inactivate", "delete")


@dataclass(frozen=True, slots=True)
class Participants:
    """A participant control of a workflow; its initiator chooses among ``people``, ids and names of users."""

    name: str
    label: str
    people: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Action:
    """A user action that the record offers, with the inputs of its start prompts, and the errors of a refused form."""

    name: str
    label: str
    inputs: list[Input]
    participants: list[Participants] = field(default_factory=list)
    errors: Sequence[ApiError] = ()

    @property
    def asks(self) -> bool:
        """Return whether the page asks for confirmation first, because the action ends something for good."""
        name = self.name.rpartition(".")[2]
        return name.startswith(ENDING)


@dataclass(frozen=True, slots=True)
class RecordView:
    """The content of one record's page.

    ``leading`` are the values at its head, ``blocked_actions`` the actions that are not possible yet, with the reasons.
    ``children`` are labels and addresses of lists of the records that refer to it.
    """

    target: VaultObject
    id: str
    name: str
    values: dict[str, Any]
    leading: list[Shown]
    details: list[Shown]
    system: list[Shown]
    actions: list[Action]
    blocked_actions: list[BlockedAction]
    refusals: Refusals
    children: list[tuple[str, str]]

    @property
    def path(self) -> str:
        """Return the address of the record's page."""
        return record_path(self.target.name, self.id)

    @property
    def generic_path(self) -> str:
        """Return the address below which the record's edit, delete and audit pages are."""
        return f"/ui/objects/{self.target.name}/{self.id}"

    @property
    def state_or_status(self) -> Shown:
        """Return the record's lifecycle state, or its status when its object has no lifecycle."""
        return self.shown("state__v" if self.target.lifecycle else "status__v")

    @property
    def remaining(self) -> list[Shown]:
        """Return the details that have a value and are not at the head of the page."""
        leading = {each.name for each in self.leading}
        return [each for each in self.details if each.text and each.name not in leading]

    @property
    def blank(self) -> list[str]:
        """Return the labels of the details without a value."""
        return [each.label for each in self.details if not each.text]

    def shown(self, name: str) -> Shown:
        """Return the value of one of the record's fields."""
        fields = (*self.details, *self.system)
        return next(each for each in fields if each.name == name)


def object_of(
    context: PageContext,
    name: str,
    operation: Operation = Operation.READ,
) -> VaultObject:
    """Return an active object, after checking the caller's right to an operation on its records.

    :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such object.
    """
    target = context.registry.objects.get(name)
    if target is None or not target.active:
        raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{name[:100]}]")
    require(context.caller, name, operation)
    return target


async def record_of(
    context: PageContext, object_name: str, record_id: str
) -> dict[str, Any]:
    """Return all values of a record, with the names of the records that it refers to.

    :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such object or record.
    """
    target = object_of(context, object_name)
    queries = context.vault.queries
    record = plain(await queries.record(context.caller, object_name, record_id))
    paths = ValueFormatter(target, context.caller, context.registry).paths
    if paths:
        names = ", ".join(paths.values())
        # The id that the record has, not the one in the address: it becomes part of a statement.
        statement = f"SELECT {names} FROM {object_name} WHERE id = '{record['id']}'"
        record |= next(iter(await selected(context, statement)), {})
    return record


async def view(context: PageContext, object_name: str, record_id: str) -> RecordView:
    """Return a record as its page shows it.

    :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such object or record.
    """
    target = object_of(context, object_name)
    record = await record_of(context, object_name, record_id)
    formatter = ValueFormatter(target, context.caller, context.registry)
    colleagues = await people(context, target)
    formatter.error_text_fields = context.vault.definition.error_text_fields
    formatter.people = {**await writers(context, record), **colleagues}
    names = [field.name for field in target.fields.values() if field.active]
    shown = [formatter.show(name, record) for name in names]
    # The name is a field of the platform, and what a user looks for first.
    system_names = PLATFORM_FIELD_TYPES.keys() - {"name__v"}
    own = [each for each in shown if each.name not in system_names]
    system = [each for each in shown if each.name in system_names]
    name = str(record.get("name__v") or record["id"])
    refusals = await _refusals(context, target, record["id"])
    actions: list[Action] = []
    blocked_actions: list[BlockedAction] = []
    if may(context.caller, object_name, Operation.EDIT) and refusals.update is None:
        offered, blocked_actions = await offered_actions(context, target, record)
        actions = await _actions(context, target, record, offered)
    return RecordView(
        target,
        record["id"],
        name,
        record,
        await leading(context, target, record),
        own,
        system,
        actions,
        blocked_actions,
        refusals,
        _children(context, target, record["id"]),
    )


async def _actions(
    context: PageContext,
    target: VaultObject,
    record: dict[str, Any],
    offered: Sequence[AvailableAction],
) -> list[Action]:
    """Return the offered user actions with the inputs of their prompts."""
    actions = []
    for action in offered:
        # A prompt may name a field that the object has lost since.
        known = [name for name in action.prompts if name in target.fields]
        fields = [target.fields[name] for name in known]
        prompts = await inputs(context, target, fields, record)
        controls = await _participants(context, action.workflow)
        actions.append(Action(action.name, action.label, prompts, controls))
    return actions


async def _participants(context: PageContext, workflow: str) -> list[Participants]:
    """Return the participant controls for which a workflow's initiator chooses users; none without a workflow."""
    definition = context.vault.workflows.definition(workflow) if workflow else None
    if definition is None:
        return []
    open_controls = [each for each in definition.participants.values() if each.chosen]
    people = await context.vault.workflow_lists.colleagues() if open_controls else []
    return [Participants(each.name, each.label, people) for each in open_controls]


async def update_refusal(
    context: PageContext, target: VaultObject, record: Mapping[str, Any]
) -> ApiError | None:
    """Return the error with which every update of a record is refused; None when no reason is known."""
    refusals = await context.vault.records.refusals(
        context.caller, target, record["id"]
    )
    return refusals.update


async def _refusals(
    context: PageContext, target: VaultObject, record_id: str
) -> Refusals:
    """Return the reasons why a record cannot be updated or deleted now, such as another record that refers to it."""
    known = await context.vault.records.refusals(context.caller, target, record_id)
    if known.delete is not None or not may(
        context.caller, target.name, Operation.DELETE
    ):
        return known

    async def search() -> tuple[str, Field] | None:
        async with context.vault.database.connection() as connection:
            registry = context.vault.components.registry
            return await first_blocker(connection, registry, target.name, record_id)

    found = await unless_changed(context.vault.components, search)
    if found is None:
        return known
    name, reference = found
    label = context.registry.objects[name].label_plural
    text = f"{label} refer to it by the field {reference.label}"
    if not may(context.caller, name, Operation.READ):
        text = "Records that you may not read refer to it"
    refusal = ApiError(ErrorType.OPERATION_NOT_ALLOWED, text)
    return replace(known, delete=refusal)


def chosen_participants(context: PageContext, workflow: str) -> dict[str, str]:
    """Return the participants that a form names for the start of a workflow, in the format of the API."""
    definition = context.vault.workflows.definition(workflow) if workflow else None
    if definition is None:
        return {}
    named: dict[str, str] = {}
    for control in definition.participants:
        head = f"{control}."
        chosen = [
            name.removeprefix(head)
            for name in context.form.fields
            if name.startswith(head)
        ]
        if chosen:
            named[control] = ",".join(f"user:{each}" for each in chosen)
    return named


def _children(
    context: PageContext,
    target: VaultObject,
    record_id: str,
) -> list[tuple[str, str]]:
    """Return the labels and addresses of the lists of records that refer to a record, if the caller may read them."""
    listed = []
    inbound = list(context.registry.inbound(target.name).values())
    references = Counter(name for name, _ in inbound)
    for name, reference in inbound:
        child = context.registry.objects[name]
        if child.active and may(context.caller, name, Operation.READ):
            # An object may refer to another by several fields, which tell its lists apart.
            by = f" ({reference.label})" if references[name] > 1 else ""
            path = f"/ui/objects/{name}?{reference.name}={record_id}"
            listed.append((f"{child.label_plural}{by}", path))
    return listed
