"""Serves the forms of Integration Rules: a rule's own attributes, and its Field Rules and Query Object Rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize_components
from shared.vault.admin.attributes import attribute_inputs, changes_of
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.rule_check import checked, preview
from shared.vault.admin.rule_choices import choices_of
from shared.vault.admin.rule_form_groups import groups_of
from shared.vault.components.change import altered
from shared.vault.components.component_tree import Component
from shared.vault.components.rule_changes import RULE, locked_attributes
from shared.vault.components.statement import (
    AddChild,
    Change,
    Command,
    DropChild,
    ModifyChild,
    Statement,
)
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.components.specification import ComponentType

router = APIRouter(prefix="/rules/{name}")

PARTS = COMPONENT_TYPES[RULE].subtypes
NAME = "part_name"
# Sent by the check button, and by the script while the form is filled in.
CHECK = "check"
OVERTAKEN = ApiError(
    ErrorType.RACE_CONDITION,
    "The rule was changed after you opened this form. The form shows your values; save again to store them",
)


@dataclass(frozen=True, slots=True)
class EditedComponent:
    """The component that a form edits: the rule itself, or an existing or new part of it."""

    rule: Component
    kind: ComponentType
    component: Component

    @property
    def is_rule(self) -> bool:
        """Return whether the form edits the rule itself."""
        return self.component is self.rule

    @property
    def is_new(self) -> bool:
        """Return whether the form adds a part."""
        return not self.component.name

    @property
    def digest(self) -> str:
        """Return a digest of the rule, by which a form recognizes the rule that it showed."""
        # Components have no date that each change updates.
        content = orjson.dumps(self.rule.to_json())
        return hashlib.sha256(content).hexdigest()


@router.get("/edit")
async def edit_rule(
    context: CurrentPage,
    name: str,
) -> Response:
    """Show the form of the rule's own attributes."""
    return await _form(context, _edited(context, name))


@router.post("/edit")
async def save_rule(
    context: CurrentPage,
    name: str,
) -> Response:
    """Store changed attributes of the rule itself."""
    edited = _edited(context, name)
    changes = changes_of(edited.kind, edited.component, context.form.fields)
    return await _checked_or_saved(context, edited, changes)


@router.get("/{kind}")
async def new_part(
    context: CurrentPage,
    name: str,
    kind: str,
) -> Response:
    """Show an empty form for a Field Rule or a Query Object Rule."""
    return await _form(context, _edited(context, name, kind))


@router.post("/{kind}")
async def add_part(
    context: CurrentPage,
    name: str,
    kind: str,
) -> Response:
    """Add a Field Rule or a Query Object Rule."""
    edited = _edited(context, name, kind)
    part = Component(kind, context.form.fields.get(NAME, "").strip())
    changes = changes_of(edited.kind, part, context.form.fields)
    added = (AddChild(altered(part, changes)),)
    return await _checked_or_saved(context, edited, added)


@router.get("/{kind}/{part}")
async def edit_part(
    context: CurrentPage,
    name: str,
    kind: str,
    part: str,
) -> Response:
    """Show a Field Rule or Query Object Rule in a form."""
    return await _form(context, _edited(context, name, kind, part))


@router.post("/{kind}/{part}")
async def save_part(
    context: CurrentPage,
    name: str,
    kind: str,
    part: str,
) -> Response:
    """Store changed attributes of a part."""
    edited = _edited(context, name, kind, part)
    changes = changes_of(edited.kind, edited.component, context.form.fields)
    statements = (ModifyChild(kind, part, changes),) if changes else ()
    return await _checked_or_saved(context, edited, statements)


@router.post("/{kind}/{part}/delete")
async def delete_part(
    context: CurrentPage,
    name: str,
    kind: str,
    part: str,
) -> Response:
    """Remove a part from the rule."""
    edited = _edited(context, name, kind, part)
    return await _saved(context, edited, (DropChild(kind, part),))


def _edited(
    context: PageContext, name: str, kind: str = "", part: str = ""
) -> EditedComponent:
    """Return the component that the address names.

    :raises VaultFault: INSUFFICIENT_ACCESS unless the caller may change integration rules; INVALID_DATA.
    """
    authorize_components(context.caller, (RULE,))
    rule = context.vault.components.component(context.caller, f"{RULE}.{name}")
    if not kind:
        return EditedComponent(rule, COMPONENT_TYPES[RULE], rule)
    component = rule.child(kind, part) if part else Component(kind, "")
    if kind not in PARTS or component is None:
        message = f"The rule has no part [{kind[:60]} {part[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return EditedComponent(rule, PARTS[kind], component)


def _again(context: PageContext, edited: EditedComponent) -> EditedComponent:
    """Return the present state of a component and its rule.

    :raises VaultFault: as ``_edited`` does.
    """
    kind = "" if edited.is_rule else edited.kind.name
    return _edited(context, edited.rule.name, kind, edited.component.name)


async def _saved(
    context: PageContext, edited: EditedComponent, changes: tuple[Change, ...]
) -> Response:
    """Store the changes and redirect to the rule's page; when they are refused, show the form with the reason."""
    rule = edited.rule
    read = context.form.fields.get("read", edited.digest)
    # The form has the digest of the rule that it showed: another one is somebody else's change.
    if read != edited.digest:
        return await _form(context, edited, OVERTAKEN)
    path = f"/ui/rules/{rule.name}"
    if not changes:
        return context.go(path, "Nothing was changed.")
    # The same statement that a script would have, with the same checks.
    statement = Statement(Command.ALTER, RULE, rule.name, 1, changes=changes)
    components = context.vault.components
    try:
        result = await components.execute_statement(
            context.caller, 1, statement, seen=rule
        )
    except VaultFault as fault:
        if fault.error.type is not ErrorType.RACE_CONDITION:
            raise
        # This process may not have read the change yet.
        await components.load()
        return await _form(context, _again(context, edited), OVERTAKEN)
    if not result.ok:
        error = ApiError(ErrorType.INVALID_DATA, result.message)
        return await _form(context, edited, error)
    return context.go(path, f"The {edited.kind.label} was saved.")


async def _checked_or_saved(
    context: PageContext, edited: EditedComponent, changes: tuple[Change, ...]
) -> Response:
    """Save the changes; or only check them, when the form was sent by its check button."""
    if CHECK not in context.form.fields:
        return await _saved(context, edited, changes)
    return await _form(context, edited, changes=changes)


async def _form(
    context: PageContext,
    edited: EditedComponent,
    error: ApiError | None = None,
    changes: tuple[Change, ...] = (),
) -> Response:
    """Show the form of a component with its check; with an error, as the answer to a form that was refused."""
    sent: Mapping[str, str] = context.form.fields
    locked: frozenset[str] = frozenset()
    # Some attributes of the standard configuration are locked; a new part is the administrator's own.
    if not edited.is_new:
        locked = locked_attributes(edited.rule, edited.component)
    inputs = attribute_inputs(edited.kind, edited.component, locked, sent)
    values = {each.name: each.value for each in inputs}
    choices = await choices_of(context, edited.rule, values)
    check = checked(context.registry, edited.rule, changes)
    record = sent.get("record", "").strip()
    if context.granted(Grant.MANAGE_INTEGRATIONS):
        await preview(context, check, choices.source, record)
    return context.page(
        "rule_edit.html",
        status_of(error) if error else 200,
        edited=edited,
        groups=groups_of(edited.kind.name, choices.offered_in(inputs)),
        choices=choices,
        check=check,
        record=record,
        untouched=edited.is_new and not sent,
        locked=bool(locked),
        name=sent.get(NAME, ""),
        error=error,
    )
