"""Finds the labels for the preview of a rule: of objects and fields of both Vaults, and of picklist values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.vault.admin.error_advice import field_words, in_words, object_words
from shared.vault.components.rule_changes import RULE
from shared.vault.errors import VaultFault
from shared.vault.exceptions.error_explanations import reason_of
from shared.vault.model.component_model import FieldType

if TYPE_CHECKING:
    from shared.vault.admin.connector_sessions import Source
    from shared.vault.admin.page_context import PageContext
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry

MAX_OBJECTS = 5  # of the source Vault whose labels are requested for one page


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object of the source Vault: its label, and the labels of its fields by name."""

    label: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PreviewLabels:
    """The labels for a preview; unknown labels are empty.

    ``edited`` is the rule in the form, ``vault_id`` the id of this Vault, ``source`` the objects of the source Vault by
    name.
    """

    registry: Registry
    edited: Component
    vault_id: int
    source: Mapping[str, SourceObject] = field(default_factory=dict)

    def source_object(self, name: str) -> str:
        """Return the label of an object of the source Vault."""
        known = self.source.get(name)
        return known.label if known else ""

    def source_field(self, rule: str, field_rule: str) -> tuple[str, str]:
        """Return the label and the name of the field that a field rule reads; the label of a path is empty."""
        part = self._field_rule(rule, field_rule)
        if part is None:
            return "", ""
        known = self.source.get(part.text("query_object"))
        name = part.text("query_field")
        return (known.fields.get(name, "") if known else ""), name

    def target_field(self, object_name: str, name: str) -> str:
        """Return the labels of an object of this Vault and its field."""
        return field_words(f"{object_name}.{name}", self.registry)

    def target_value(self, object_name: str, name: str, value: object) -> str:
        """Return the labels of the values of a picklist field of this Vault; empty for any other field."""
        target = self.registry.objects.get(object_name)
        known = target.fields.get(name) if target else None
        if known is None or known.type is not FieldType.PICKLIST:
            return ""
        picklist = self.registry.picklists.get(known.picklist or "")
        entries = picklist.entries if picklist else {}
        names = [str(each) for each in (value if isinstance(value, list) else [value])]
        labels = [entries[each].label for each in names if each in entries]
        return ", ".join(labels) if len(labels) == len(names) else ""

    def written_object(self, object_name: str, vault_id: int) -> str:
        """Return the label of an object in this Vault or, for the id of another Vault, in the source Vault."""
        if vault_id != self.vault_id:
            return self.source_object(object_name)
        return object_words(object_name, self.registry)

    def reason(self, text: str) -> str:
        """Return an error text with labels, without the names of rules, which the preview shows beside it."""
        return in_words(reason_of(text), self.registry)

    def _field_rule(self, rule: str, field_rule: str) -> Component | None:
        known = self.registry.components.get((RULE, rule))
        found = self.edited if rule == self.edited.name else known
        return found.child("Fieldrule", field_rule) if found else None


async def preview_labels(
    context: PageContext,
    edited: Component,
    source: Source | None,
    shown: Mapping[str, Any],
) -> PreviewLabels:
    """Return the labels for a preview; without those of the source Vault if the connector cannot read it."""
    words = partial(PreviewLabels, context.registry, edited, context.vault.vault_id)
    if source is None:
        return words()
    found: dict[str, SourceObject] = {}
    for name in _source_objects(context.registry, edited, shown)[:MAX_OBJECTS]:
        try:
            found[name] = await _source_object(context, source, name)
        except VaultFault:
            # The preview shows names in place of the labels.
            break
    return words(found)


def _source_objects(
    registry: Registry, edited: Component, shown: Mapping[str, Any]
) -> list[str]:
    """Return the names of the objects that the rules of a preview read, each once."""
    names = [str(each["rule"]) for each in shown["rules"]]
    known: Iterable[Component | None] = (
        edited if name == edited.name else registry.components.get((RULE, name))
        for name in names
    )
    parts = (part for rule in known if rule for part in rule.children_of("Fieldrule"))
    queried = [str(each["object"]) for each in shown["rules"]]
    queried += [part.text("query_object") for part in parts]
    return [each for each in dict.fromkeys(queried) if each]


async def _source_object(
    context: PageContext, source: Source, name: str
) -> SourceObject:
    """Return the labels of an object of the source Vault.

    :raises VaultFault: as ``ConnectorQuestions.ask``.
    """
    found = await context.vault.connector.ask(
        "sources", source.connection, "objects", name, sessions=source.sessions
    )
    fields = {str(each["name"]): str(each["label"]) for each in found["fields"]}
    return SourceObject(str(found["label"]), fields)
