"""Serves components as MDL: lists them, shows one, and reviews scripts before it executes them."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize, authorize_components
from shared.vault.admin.mdl_completion import completion_of, statement_text
from shared.vault.admin.page_context import CurrentPage, PageContext, safe_target
from shared.vault.admin.script_review import digest_of, script_page
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.errors import ApiError, VaultFault

router = APIRouter(prefix="/components")

EMPTY = ApiError(ErrorType.PARAMETER_REQUIRED, "There is no statement")
# COMPLETE is sent by the button that adds a statement, LOOK while the user types into the statement's inputs.
COMPLETE = "complete"
LOOK = "look"
NAMED = 10  # statements in the message after a script


@router.get("")
async def types(context: CurrentPage) -> Response:
    """List the component types that have components, each with the number of its components."""
    authorize(context.caller, Grant.READ_CONFIGURATION)
    counts = Counter(kind for kind, _ in context.registry.components)
    listed = [(COMPONENT_TYPES[kind], counts[kind]) for kind in sorted(counts)]
    # Who may change components of one type may execute scripts with these.
    executes = any(context.may_change(kind) for kind in COMPONENT_TYPES)
    return context.page("components.html", types=listed, executes=executes)


@router.post("")
async def review_or_execute(context: CurrentPage) -> Response:
    """List the statements of a script, or execute the script that was just reviewed."""
    # Browsers end the lines of a text area with CR and LF.
    text = context.form.fields.get("mdl", "").replace("\r\n", "\n")
    back = _back(context)
    if LOOK in context.form.fields or COMPLETE in context.form.fields:
        return await _completed(context, text, back)
    try:
        statements = await context.vault.components.statements(context.caller, text)
        if not statements:
            return await script_page(context, text, back, error=EMPTY)
        # A script that was changed after its review is reviewed again.
        if context.form.fields.get("reviewed") != digest_of(text):
            return await script_page(context, text, back, statements=statements)
        script = await context.vault.components.execute(context.caller, text)
    except VaultFault as fault:
        return await script_page(context, text, back, error=fault.error)
    if script.failures:
        return await script_page(context, text, back, results=script.statements)
    first = script.statements[:NAMED]
    names = [f"{each.command} {each.component}" for each in first]
    named = ", ".join(names)
    further = len(statements) - NAMED
    more = f" and {further} more" if further > 0 else ""
    return context.go(back, f"Executed: {named}{more}.")


@router.get("/mdl")
async def new(context: CurrentPage) -> Response:
    """Show an empty script."""
    authorize_components(context.caller)
    return await script_page(context, "", _back(context))


@router.get("/{kind}")
async def of_type(
    context: CurrentPage,
    kind: str,
) -> Response:
    """List the components of a type by name."""
    authorize(context.caller, Grant.READ_CONFIGURATION)
    if kind not in COMPONENT_TYPES:
        message = f"There is no component type [{kind[:60]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    components = sorted(context.registry.components.items())
    found = [component for (each, _), component in components if each == kind]
    return context.page(
        "components_of.html",
        type=COMPONENT_TYPES[kind],
        components=found,
    )


@router.get("/{kind}/{name}")
async def one_component(
    context: CurrentPage,
    kind: str,
    name: str,
) -> Response:
    """Show the MDL that defines a component; users who may change the component can edit and execute the MDL."""
    full_name = f"{kind}.{name}"
    text = context.vault.components.mdl(context.caller, full_name)
    component = context.vault.components.component(context.caller, full_name)
    return context.page(
        "component.html", text=text, type=COMPONENT_TYPES[kind], component=component
    )


async def _completed(context: PageContext, text: str, back: str) -> Response:
    """Show a script with the possible next words, after adding the statement that the form has chosen, if any."""
    authorize_components(context.caller)
    if COMPLETE in context.form.fields:
        chosen = completion_of(context.form.fields)
        statement = statement_text(context.registry, chosen)
        text = "\n".join(each for each in (text.rstrip("\n"), statement) if each)
    return await script_page(context, text, back)


def _back(context: PageContext) -> str:
    """Return the page from which the script was opened."""
    back = context.form.fields.get("back", "/ui/components")
    return safe_target(back)
