"""Offers the possible values of a rule's attributes: objects and fields of both Vaults, lookups, points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.vault.admin.connector_sessions import Source, page_sessions, source_of
from shared.vault.admin.inputs import Input, InputKind
from shared.vault.admin.showing import named
from shared.vault.components.integration_rules import DOCUMENTS
from shared.vault.components.rule_changes import RULE
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.components.component_tree import Component
    from shared.vault.model.component_model import VaultObject

Choice = tuple[str, str]
"""A value, and what it is called with its type."""


@dataclass(slots=True)
class RuleChoices:
    """The choices by attribute; ``error`` is the reason why those from the other Vault are missing."""

    by_attribute: dict[str, list[Choice]] = field(default_factory=dict)
    source: Source | None = None
    error: ApiError | None = None

    def offered_in(self, inputs: Iterable[Input]) -> list[Input]:
        """Return the inputs; the input of an attribute with choices becomes a text input with suggestions."""
        return [self._offered(each) for each in inputs]

    def _offered(self, field: Input) -> Input:
        choices = self.by_attribute.get(field.name)
        if choices is None:
            return field
        return replace(field, kind=InputKind.SUGGEST, options=tuple(choices))


async def choices_of(
    context: PageContext, rule: Component, values: Mapping[str, str]
) -> RuleChoices:
    """Return the choices of a rule and its parts; ``values`` are the form's values, on which some choices depend."""
    found_choices = RuleChoices(_own(context, values))
    found_choices.by_attribute["connection"] = _named(
        await named(context, "connection__sys")
    )
    points = await named(context, "integration_point__sys")
    found_choices.by_attribute["integration_point"] = _named(points)
    api_name = values.get("connection") or rule.text("connection")
    found_choices.source = await source_of(context, api_name, "api_name__sys")
    if found_choices.source is not None:
        try:
            found_choices.by_attribute |= await _of_source(
                context, found_choices.source, values
            )
        except VaultFault as fault:
            found_choices.error = fault.error
    return found_choices


def _own(context: PageContext, values: Mapping[str, str]) -> dict[str, list[Choice]]:
    """Return the choices from this Vault's configuration, by attribute."""
    registry = context.registry
    objects = [each for each in registry.objects.values() if each.active]
    target = registry.objects.get(values.get("target_object", ""))
    name = values.get("target_object_field", "")
    chosen = target.fields.get(name) if target else None
    referred = registry.objects.get((chosen.object or "") if chosen else "")
    return {
        "query_field": [],
        "target_object": [(each.name, each.label) for each in objects],
        "target_object_field": _fields(target),
        "target_obj_field_ref_obj": [(referred.name, referred.label)]
        if referred
        else [],
        "target_field_lookup": _fields(referred, unique=True),
        "reference_lookup": [(each, "") for each in _lookups(context)],
    }


def _fields(owner: VaultObject | None, *, unique: bool = False) -> list[Choice]:
    """Return the active fields of an object with label and type; with ``unique``, only its unique fields."""
    if owner is None:
        return []
    return [
        (each.name, _described(each.label, each.type, each.object or ""))
        for each in owner.fields.values()
        if each.active and (each.unique or not unique)
    ]


def _described(label: str, type: str, object: str = "") -> str:
    """Return a field's description in a list, for example "Account (Object account__v)"."""
    kind = f"{type} {object}".strip()
    return f"{label} ({kind})"


def _lookups(context: PageContext) -> list[str]:
    """Return the names of the reference lookups that rules use, sorted."""
    rules = (
        component
        for (kind, _), component in context.registry.components.items()
        if kind == RULE
    )
    parts = (part for rule in rules for part in rule.children_of("Fieldrule"))
    return sorted({part.text("reference_lookup") for part in parts} - {""})


def _named(records: Mapping[str, Any]) -> list[Choice]:
    """Return records as choices: their API names with their names."""
    return [(api_name, str(each.name)) for api_name, each in records.items()]


async def _of_source(
    context: PageContext, source: Source, values: Mapping[str, str]
) -> dict[str, list[Choice]]:
    """Return the choices from the other Vault's configuration.

    :raises VaultFault: as ``ConnectorQuestions.ask``.
    """
    connector, sessions = context.vault.connector, page_sessions(context)
    address = (source.connection, "objects")
    found = await connector.ask("sources", *address, sessions=sessions)
    objects = _labelled(found)
    queried = [*objects, (DOCUMENTS, "Documents")]
    choices = {"query_object": queried, "primary_query_object": queried}
    name = values.get("query_object", "")
    # A name that is still being typed is not an object: the connector is not asked for its fields.
    if name in dict(objects):
        fields = await connector.ask("sources", *address, name, sessions=sessions)
        choices["query_field"] = [
            (
                str(each["name"]),
                _described(each["label"], each["type"], each["object"] or ""),
            )
            for each in fields["fields"]
        ]
    return choices


def _labelled(rows: Sequence[Mapping[str, Any]]) -> list[Choice]:
    return [(str(each["name"]), str(each["label"])) for each in rows]


async def records_of(
    context: PageContext, source: Source, object_name: str, words: str
) -> list[Choice]:
    """Return records of the source Vault for a preview: the latest or, with ``words``, those that match them.

    :raises VaultFault: as ``ConnectorQuestions.ask``.
    """
    found = await context.vault.connector.ask(
        "sources",
        source.connection,
        "records",
        object_name,
        sessions=source.sessions,
        json={"q": words[:100]},
    )
    return [(str(each["id"]), str(each["name"] or "")) for each in found]
