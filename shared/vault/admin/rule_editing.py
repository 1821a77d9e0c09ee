"""Integration Rules by form: a rule's own attributes, and its Field Rules and Query Object Rules one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import authorize_components
from shared.vault.admin.attributes import attribute_inputs, changes_of
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.visit import Visit, Visiting
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
OVERTAKEN = ApiError(
    ErrorType.RACE_CONDITION,
    "The rule was changed since this form was opened. What is shown here is yours; save again to write it",
)


@dataclass(frozen=True, slots=True)
class Edited:
    """What a form is about: the rule itself, or a part of it, which may be one that is to be added."""

    rule: Component
    kind: ComponentType
    component: Component

    @property
    def is_rule(self) -> bool:
        """Whether it is the rule itself."""
        return self.component is self.rule

    @property
    def is_new(self) -> bool:
        """Whether it is still to be added."""
        return not self.component.name

    @property
    def mark(self) -> str:
        """What tells that the rule is the one that was read."""
        return hashlib.sha256(orjson.dumps(self.rule.to_json())).hexdigest()


@router.get("/edit")
async def edit_rule(visit: Visiting, name: str) -> Response:
    """The rule's own attributes in a form."""
    return _form(visit, _edited(visit, name))


@router.post("/edit")
async def save_rule(visit: Visiting, name: str) -> Response:
    """Writes what was changed of the rule's own attributes."""
    edited = _edited(visit, name)
    changes = changes_of(edited.kind, edited.component, visit.form.fields)
    return await _saved(visit, edited, changes)


@router.get("/{kind}")
async def new_part(visit: Visiting, name: str, kind: str) -> Response:
    """An empty form for a Field Rule or a Query Object Rule."""
    return _form(visit, _edited(visit, name, kind))


@router.post("/{kind}")
async def add_part(visit: Visiting, name: str, kind: str) -> Response:
    """Adds a Field Rule or a Query Object Rule."""
    edited = _edited(visit, name, kind)
    part = Component(kind, visit.form.fields.get(NAME, "").strip())
    changes = changes_of(edited.kind, part, visit.form.fields)
    return await _saved(visit, edited, (AddChild(altered(part, changes)),))


@router.get("/{kind}/{part}")
async def edit_part(visit: Visiting, name: str, kind: str, part: str) -> Response:
    """A Field Rule or Query Object Rule in a form."""
    return _form(visit, _edited(visit, name, kind, part))


@router.post("/{kind}/{part}")
async def save_part(visit: Visiting, name: str, kind: str, part: str) -> Response:
    """Writes what was changed of a part."""
    edited = _edited(visit, name, kind, part)
    changes = changes_of(edited.kind, edited.component, visit.form.fields)
    return await _saved(
        visit, edited, (ModifyChild(kind, part, changes),) if changes else ()
    )


@router.post("/{kind}/{part}/delete")
async def delete_part(visit: Visiting, name: str, kind: str, part: str) -> Response:
    """Takes a part out of the rule."""
    return await _saved(
        visit, _edited(visit, name, kind, part), (DropChild(kind, part),)
    )


def _edited(visit: Visit, name: str, kind: str = "", part: str = "") -> Edited:
    """What the address names, for who may change integration rules; raises VaultFault."""
    authorize_components(visit.caller, (RULE,))
    rule = visit.vault.components.component(visit.caller, f"{RULE}.{name}")
    if not kind:
        return Edited(rule, COMPONENT_TYPES[RULE], rule)
    component = rule.child(kind, part) if part else Component(kind, "")
    if kind not in PARTS or component is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The rule has no part [{kind[:60]} {part[:100]}]"
        )
    return Edited(rule, PARTS[kind], component)


async def _saved(visit: Visit, edited: Edited, changes: tuple[Change, ...]) -> Response:
    """The rule's page once the changes are made; the form again with why they are not."""
    rule = edited.rule
    if visit.form.fields.get("read", edited.mark) != edited.mark:
        return _form(visit, edited, OVERTAKEN)
    path = f"/ui/rules/{rule.name}"
    if not changes:
        return visit.go(path, "Nothing was changed.")
    statement = Statement(Command.ALTER, RULE, rule.name, 1, changes=changes)
    result = await visit.vault.components.execute_statement(visit.caller, 1, statement)
    if not result.ok:
        return _form(visit, edited, ApiError(ErrorType.INVALID_DATA, result.message))
    return visit.go(path, f"The {edited.kind.label} was saved.")


def _form(visit: Visit, edited: Edited, error: ApiError | None = None) -> Response:
    given: Mapping[str, str] = visit.form.fields
    locked = (
        frozenset()
        if edited.is_new
        else locked_attributes(edited.rule, edited.component)
    )
    return visit.page(
        "rule_edit.html",
        status_of(error) if error else 200,
        edited=edited,
        inputs=attribute_inputs(edited.kind, edited.component, locked, given),
        locked=bool(locked),
        name=given.get(NAME, ""),
        error=error,
    )
