"""Serves Admin > Connections > Integration Rules: rules with their Field Rules and Query Object Rules."""

from __future__ import annotations

from difflib import unified_diff
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.attributes import label_of
from shared.vault.admin.error_advice import field_words
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.showing import named
from shared.vault.components.mdl_writing import render
from shared.vault.components.rule_changes import RULE
from shared.vault.components.rule_warnings import rule_warnings
from shared.vault.configuration.standard_items import delivered_mdl

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry

router = APIRouter(prefix="/rules")

# Attributes that the page shows in places of their own.
ELSEWHERE = (
    "label",
    "connection",
    "integration_point",
    "primary_query_object",
    "active",
)


@router.get("")
async def all_rules(
    context: CurrentPage,
    connection: str = "",
) -> Response:
    """List the rules of all connections, or of one, each with its integration point."""
    authorize(context.caller, Grant.READ_CONFIGURATION)
    rules = rules_of(context, connection)
    return context.page(
        "rules.html",
        # They come in the order of connections, as groupby() needs it.
        groups=groupby(rules, lambda rule: rule.text("connection")),
        connections=await named(context, "connection__sys"),
        points=await named(context, "integration_point__sys"),
        connection=connection[:100],
        targets_of=partial(targets_of, registry=context.registry),
    )


def targets_of(rule: Component, registry: Registry) -> list[str]:
    """Return the labels of the objects that a rule writes, each once; the name of an object that this Vault lacks."""
    parts = rule.children_of("Fieldrule")
    names = dict.fromkeys(part.reference("target_object") or "" for part in parts)
    known = {name: registry.objects.get(name) for name in names if name}
    return [target.label if target else name for name, target in known.items()]


def target_words(part: Component, registry: Registry) -> str:
    """Return the labels of the object and field that a field rule writes; empty when this Vault lacks the field."""
    owner = part.reference("target_object") or ""
    return field_words(f"{owner}.{part.reference('target_object_field')}", registry)


@router.get("/{name}")
async def one_rule(
    context: CurrentPage,
    name: str,
) -> Response:
    """Show a rule: its own attributes, its Field Rules and its Query Object Rules."""
    rule = context.vault.components.component(context.caller, f"{RULE}.{name}")
    further = {key: rule.texts(key) for key in rule.attributes if key not in ELSEWHERE}
    connections = await named(context, "connection__sys")
    points = await named(context, "integration_point__sys")
    connection = connections.get(rule.text("connection"))
    point = points.get(rule.text("integration_point"))
    mdl = render(rule)
    delivered = await delivered_mdl(
        context.vault.database, context.caller, RULE, rule.name
    )
    return context.page(
        "rule.html",
        rule=rule,
        mdl=mdl,
        is_delivered=delivered is not None,
        difference=difference_of(delivered or "", mdl),
        warnings=rule_warnings(rule, context.registry),
        further=further,
        label_of=label_of,
        connection=connection,
        point=point,
        field_rules=list(rule.children_of("Fieldrule")),
        target_words=partial(target_words, registry=context.registry),
        query_object_rules=list(rule.children_of("Queryobjectrule")),
    )


def difference_of(delivered: str, present: str) -> list[tuple[str, str]]:
    """Return the lines in which two texts differ, as ("added" or "removed", line); lines around them as ("", line)."""
    signs = {"+": "added", "-": "removed", " ": ""}
    compared = unified_diff(
        delivered.splitlines(), present.splitlines(), n=1, lineterm=""
    )
    # Without the two lines that name the texts, and the positions of each hunk.
    lines = [line for line in list(compared)[2:] if not line.startswith("@@")]
    return [(signs[line[0]], line[1:]) for line in lines]


def rules_of(context: PageContext, connection: str = "") -> list[Component]:
    """Return the rules of a connection, or all, in the order of connections and labels."""
    rules = (
        component
        for (kind, _), component in context.registry.components.items()
        if kind == RULE
    )
    chosen = [rule for rule in rules if connection in ("", rule.text("connection"))]
    return sorted(
        chosen,
        key=lambda rule: (rule.text("connection"), rule.text("label"), rule.name),
    )
