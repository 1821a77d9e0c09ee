"""Finds the causes of a User Exception Message's items, and the pages on which to correct them.

Addresses contain names of configuration; a source key only if it is that of a catalogue, and never that of a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from shared.vault.access.permissions import Grant, Operation, may
from shared.vault.admin.exception_filters import PARTS, TYPE
from shared.vault.components.rule_changes import RULE
from shared.vault.exceptions.error_explanations import ErrorExplanation, explanation_of
from shared.vault.exceptions.exception_model import ItemErrorType
from shared.vault.exceptions.missing_keys import missing_lookup_key, missing_record_key
from shared.vault.integrations.reference_lookups import OBJECT as LOOKUP
from shared.vault.integrations.reference_lookups import OF_OBJECTS

if TYPE_CHECKING:
    from shared.vault.admin.listing import Row
    from shared.vault.admin.page_context import PageContext
    from shared.vault.components.component_tree import Component

MAX_KEYS = 5  # missing keys of one cause that have a link of their own
# Objects whose keys are no personal data.
CATALOGUES = frozenset({"country__v", "product__v", "product_group__v", "specialty__v"})
# Lookups whose source keys are names of configuration, and the objects from which even those are left out.
CODED = frozenset({"picklist", "objectlifecyclestate", "documentlifecyclestate"})
PEOPLE = frozenset({"account__v", "address__v", "person__sys", "user__sys"})


@dataclass(frozen=True, slots=True)
class Link:
    """A page on which a cause is corrected."""

    label: str
    path: str


@dataclass(slots=True)
class ItemCause:
    """One cause among the items of a message: error type, rule and field, the error text of each item, and links."""

    error_type: str
    rule: str
    field_rule: str
    target_field: str
    texts: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def words(self) -> ErrorExplanation | None:
        """Return the explanation of the error type; None for an unknown type."""
        return explanation_of(self.error_type)


def item_causes(
    context: PageContext, rows: Iterable[Row], connection_id: str
) -> list[ItemCause]:
    """Return the causes of the items in ``rows``; ``connection_id`` is the record's id, empty when unknown."""
    found: dict[tuple[str, ...], ItemCause] = {}
    for row in rows:
        kind = str(row[TYPE][0]) if row[TYPE] else ""
        rule, field_rule, target = (str(row[each] or "") for each in PARTS.values())
        new = ItemCause(kind, rule, field_rule, target)
        cause = found.setdefault((kind, rule, field_rule, target), new)
        cause.texts.append(str(row["error_message__sys"] or ""))
    for each in found.values():
        each.links = links_of(context, each, connection_id)
    return list(found.values())


def rule_path(context: PageContext, rule: str, field_rule: str = "") -> str:
    """Return the address of the page of a rule, or of its field rule; empty when the caller may not open the page."""
    known = context.registry.components.get((RULE, rule))
    if known is None or not context.granted(Grant.READ_CONFIGURATION):
        return ""
    path = f"/ui/rules/{quote(rule)}"
    part = known.child("Fieldrule", field_rule) if field_rule else None
    if part is None:
        return path
    # The form of a field rule is for users who may change rules; others see it on the rule's page.
    form = f"{path}/Fieldrule/{quote(field_rule)}"
    return form if context.may_change(RULE) else f"{path}#field-rules"


def links_of(context: PageContext, cause: ItemCause, connection_id: str) -> list[Link]:
    """Return the pages on which a cause is corrected, the most direct first."""
    rule = context.registry.components.get((RULE, cause.rule))
    part = rule.child("Fieldrule", cause.field_rule) if rule else None
    links: list[Link] = []
    if part is not None and context.granted(Grant.READ_CONFIGURATION):
        links += _lookup_links(context, cause, part, connection_id)
        links += _reference_links(context, cause, part)
        links += _object_link(context, part.reference("target_object"), "Records")
    path = rule_path(context, cause.rule, cause.field_rule)
    if path:
        links.append(Link("Field rule" if part else "Integration rule", path))
    return links


def _lookup_links(
    context: PageContext,
    cause: ItemCause,
    part: Component,
    connection_id: str,
) -> list[Link]:
    """Return links to the rows of a field rule's lookup, and to forms for the missing rows."""
    name = part.text("reference_lookup")
    of_lookup = cause.error_type == ItemErrorType.LOOKUP
    if not name or not may(context.caller, LOOKUP, Operation.READ):
        return []
    listed = urlencode({"connection": connection_id, "name": name})
    links = [Link(f"Rows of reference lookup {name}", f"/ui/lookups?{listed}")]
    if not of_lookup or not may(context.caller, LOOKUP, Operation.CREATE):
        return links
    kind = part.text("reference_lookup_type")
    values = {
        "connection__sys": connection_id,
        "reference_lookup_name__sys": name,
        "reference_lookup_type__sys": f"{kind}__sys" if kind else "",
    }
    if values["reference_lookup_type__sys"] == OF_OBJECTS:
        values["target_object__sys"] = _referenced(context, part)
    keys = _keys(missing_lookup_key(text, name) for text in cause.texts)
    adds = [
        Link(
            f"Add a row for {key}",
            _form(LOOKUP, {**values, "source_key__sys": key}),
        )
        for key in (keys if _is_coded(context, part) else ())
    ]
    return [*(adds or [Link("Add a row", _form(LOOKUP, values))]), *links]


def _reference_links(
    context: PageContext, cause: ItemCause, part: Component
) -> list[Link]:
    """Return links to the records that a field refers to, and to forms for the missing records."""
    name = _referenced(context, part)
    found = _object_link(context, name, "")
    if not found:
        return []
    of_reference = cause.error_type == ItemErrorType.REFERENCE
    if not of_reference or not may(context.caller, name, Operation.CREATE):
        return found
    label = context.registry.objects[name].label
    key_field = part.text("target_field_lookup")
    keys = _keys(missing_record_key(text, name, key_field) for text in cause.texts)
    adds = [
        Link(f"Add {label} {key}", _form(name, {key_field: key}))
        for key in (keys if name in CATALOGUES else ())
    ]
    return [*(adds or [Link(f"Add {label}", _form(name, {}))]), *found]


def _object_link(context: PageContext, name: str | None, before: str) -> list[Link]:
    """Return a link to the list of an object's records, none if the caller may not read them.

    ``before`` is text in front of the object's name, empty for none.
    """
    target = context.registry.objects.get(name or "")
    if target is None or not target.active:
        return []
    if not may(context.caller, target.name, Operation.READ):
        return []
    label = f"{before}: {target.label_plural}" if before else target.label_plural
    return [Link(label, f"/ui/objects/{quote(target.name)}")]


def _referenced(context: PageContext, part: Component) -> str:
    """Return the object that the target field of a field rule refers to; empty when the field is not a reference."""
    owner = context.registry.objects.get(part.reference("target_object") or "")
    name = part.reference("target_object_field") or ""
    target = owner.fields.get(name) if owner else None
    return (target.object or "") if target else ""


def _is_coded(context: PageContext, part: Component) -> bool:
    """Return whether the source keys of a field rule's lookup are codes, which an address may show."""
    if part.text("query_object") in PEOPLE:
        return False
    if part.text("reference_lookup_type") in CODED:
        return True
    return _referenced(context, part) in CATALOGUES


def _keys(found: Iterable[str]) -> list[str]:
    """Return the first distinct keys, up to a limit."""
    keys = dict.fromkeys(key for key in found if key)
    return list(keys)[:MAX_KEYS]


def _form(object_name: str, values: dict[str, str]) -> str:
    """Return the address of the form of a new record, with preset values."""
    filled = urlencode({name: value for name, value in values.items() if value})
    path = f"/ui/objects/{quote(object_name)}/new"
    return f"{path}?{filled}" if filled else path
