"""Components as MDL: which there are, the text of one, and scripts, which are reviewed before they are carried out."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize, authorize_components
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.visit import Visit, Visiting, safe_target
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.components.statement import Statement
    from shared.vault.configuration.scripts import StatementResult

router = APIRouter(prefix="/components")

EMPTY = ApiError(ErrorType.PARAMETER_REQUIRED, "There is no statement")
TOLD = 10
"""How many statements are named when all were carried out."""


@router.get("")
async def types(visit: Visiting) -> Response:
    """The types of components of which there are any."""
    authorize(visit.caller, Grant.READ_CONFIGURATION)
    counts = Counter(kind for kind, _ in visit.registry.components)
    return visit.page(
        "components.html",
        types=[(COMPONENT_TYPES[kind], counts[kind]) for kind in sorted(counts)],
        executes=any(visit.may_change(kind) for kind in COMPONENT_TYPES),
    )


@router.post("")
async def review_or_execute(visit: Visiting) -> Response:
    """Lists what a script asks for; the script that has just been reviewed is carried out instead."""
    text = visit.form.fields.get("mdl", "").replace("\r\n", "\n")
    try:
        statements = await visit.vault.components.statements(visit.caller, text)
        if not statements:
            return _script(visit, text, error=EMPTY)
        if visit.form.fields.get("reviewed") != _mark(text):
            return _script(visit, text, asked=statements)
        script = await visit.vault.components.execute(visit.caller, text)
    except VaultFault as fault:
        return _script(visit, text, error=fault.error)
    if script.failures:
        return _script(visit, text, results=script.statements)
    named = ", ".join(
        f"{each.command} {each.component}" for each in script.statements[:TOLD]
    )
    more = f" and {len(statements) - TOLD} more" if len(statements) > TOLD else ""
    return visit.go(_back(visit), f"Carried out: {named}{more}.")


@router.get("/mdl")
async def new(visit: Visiting) -> Response:
    """An empty script."""
    authorize_components(visit.caller)
    return _script(visit, "")


@router.get("/{kind}")
async def of_type(visit: Visiting, kind: str) -> Response:
    """The components of a type, by their names."""
    authorize(visit.caller, Grant.READ_CONFIGURATION)
    if kind not in COMPONENT_TYPES:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no component type [{kind[:60]}]"
        )
    found = [
        component
        for (each, _), component in sorted(visit.registry.components.items())
        if each == kind
    ]
    return visit.page(
        "components_of.html", type=COMPONENT_TYPES[kind], components=found
    )


@router.get("/{kind}/{name}")
async def one_component(visit: Visiting, kind: str, name: str) -> Response:
    """A component as MDL that executes to the same component, to be changed by who may."""
    text = visit.vault.components.mdl(visit.caller, f"{kind}.{name}")
    component = visit.vault.components.component(visit.caller, f"{kind}.{name}")
    return visit.page(
        "component.html", text=text, type=COMPONENT_TYPES[kind], component=component
    )


def _script(
    visit: Visit,
    text: str,
    *,
    asked: list[Statement] | None = None,
    results: list[StatementResult] | None = None,
    error: ApiError | None = None,
) -> Response:
    """The script in its form: with what it asks for, with what was refused of it, or as yet with neither."""
    status = status_of(error) if error else 400 if results else 200
    reviewed = [(each, each.key in visit.registry.components) for each in asked or ()]
    return visit.page(
        "mdl.html",
        status,
        text=text,
        back=_back(visit),
        reviewed=reviewed,
        mark=_mark(text) if asked else "",
        results=results or [],
        error=error,
    )


def _back(visit: Visit) -> str:
    """Where the script was opened."""
    return safe_target(visit.form.fields.get("back", "/ui/components"))


def _mark(text: str) -> str:
    """What tells that a script is the one that was reviewed."""
    return hashlib.sha256(text.encode()).hexdigest()
