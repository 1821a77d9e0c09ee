"""Every attribute of every component type takes effect, or is a warning that names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shared.vault.components.attribute_effects import WITHOUT_EFFECT, asks_for_something
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.description import configuration_json
from shared.vault.components.ignored_attributes import ignored_attribute_warnings
from shared.vault.components.specification import ComponentType, ValueType
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.unused_types import UNUSED_TYPES
from tests.unit.components.builders import run

UNUSED = {kind.name for kind in UNUSED_TYPES}
SHOWN = {"label", "description"}

# What code acts on, or shows to people who ask for it: a new attribute is entered here with what makes it so.
EFFECTIVE = {
    "Picklist": "active order_type",
    "Picklistentry": "active value order",
    "Objectlifecycle": "active starting_state state_labels labeled_states",
    "Objectlifecyclestate": "active state_type record_status cancel_state skip_cancel_state",
    "Objectlifecyclestateuseraction": "order action next_state prompts workflow rule",
    "Objectlifecyclestateentryaction": "action order rule",
    "Objectlifecyclestateentrycriterion": "required_field value_format criteria condition message order",
    "Objectlifecyclerole": "",
    "Objectlifecyclepermission": "",
    "Objectlifecycleevent": "",
    "Object": "label_plural prefix help_content active in_menu allow_types allow_attachments audit search order "
    "data_store default_type default_obj_type lifecycle available_lifecycles",
    "Field": "type subtype active help_content required unique editable search no_copy order max_length scale "
    "min_value max_value picklist multi_value object relationship_type relationship_deletion "
    "relationship_outbound_name relationship_inbound_name relationship_inbound_label system_managed_name value_format",
    "Objectaction": "action active order prompts",
    "Index": "",
    "Objecttype": "label_plural active",
    "Typefield": "source required active",
    "Typeaction": "",
    "Queue": "active type message_processor message_processor_user message_delivery_event_handler "
    "message_delivery_event_handler_user rollback_on_error sequential",
    "Queueconnection": "connection_name connection_type deliver_to_queue active",
    "Integrationrule": "active connection integration_point primary_query_object copy_of lock_activation lock_defaults",
    "Fieldrule": "active query_object query_field query_field_select query_field_type target_object "
    "target_object_field target_docfield target_obj_field_ref_obj target_field_lookup reference_lookup_type "
    "reference_lookup missing_lookup empty_source field_default field_default_type evaluate_field_length",
    "Queryobjectrule": "active query_object filter_clause",
    "Permissionset": "active permissions",
    "Objectpermission": "object read create edit delete",
    "Securityprofile": "active permission_sets",
    "Doctype": "active document_number_format available_lifecycles",
    "Docfield": "type active required editable multi_value help_content max_length scale min_value max_value picklist "
    "object relationship_outbound_name relationship_inbound_name",
    "Doclifecycle": "active starting_state state_labels labeled_states",
    "Doclifecyclestate": "active state_type",
    "Doclifecyclestateuseraction": "action next_state order",
    "Doclifecyclestateentryaction": "action order",
    "Doclifecyclerole": "",
    "Doclifecycleevent": "",
    "Renditiontype": "active",
    "Objectworkflow": "active object_lifecycles document_lifecycles cancellation_comment cardinality",
    "Objectworkflowstep": "type next_steps step_detail",
    "Workflowcancelationaction": "",
}


def kinds(
    kind: ComponentType, path: tuple[ComponentType, ...] = ()
) -> Iterator[tuple[ComponentType, ...]]:
    """Yield a type and its parts, each after the types in which it stands."""
    here = (*path, kind)
    yield here
    for part in kind.subtypes.values():
        yield from kinds(part, here)


PATHS = [
    path
    for kind in COMPONENT_TYPES.values()
    if kind.name not in UNUSED
    for path in kinds(kind)
]
IGNORED = [
    (path, name)
    for path in PATHS
    for name in path[-1].attributes
    if name in WITHOUT_EFFECT.get(path[-1].name, ())
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: "/".join(k.name for k in path))
def test_every_attribute_is_effective_or_known_to_have_no_effect(
    path: tuple[ComponentType, ...],
) -> None:
    kind = path[-1]
    effective = set(EFFECTIVE[kind.name].split())
    ignored = WITHOUT_EFFECT.get(kind.name, frozenset())
    assert not effective & ignored
    assert effective | ignored | (SHOWN & kind.attributes.keys()) == set(
        kind.attributes
    )


def asking(kind: ComponentType, name: str) -> Scalar:
    """Return a value of an attribute that asks for something."""
    attribute = kind.attributes[name]
    if attribute.type is ValueType.BOOLEAN:
        return not asks_for_something(kind.name, name, [False])
    return 3 if attribute.type is ValueType.NUMBER else "x"


@pytest.mark.parametrize(("path", "name"), IGNORED)
def test_an_attribute_without_effect_is_a_warning_that_names_it(
    path: tuple[ComponentType, ...], name: str
) -> None:
    attributes = {name: (asking(path[-1], name),)}
    component = Component(path[-1].name, "a__c", attributes)
    for owner in reversed(path[:-1]):
        component = Component(owner.name, "a__c", {}, (component,))
    (warning,) = ignored_attribute_warnings(component)
    assert name in warning


EXPORTED = """RECREATE Object tower__c (label('Tower'), prefix('ZTO'), object_class('base'), dynamic_security(false),
  secure_attachments(false), summary_fields(),
  Field a__c (label('A'), type('String'), encrypted(false), list_column(false), default_value(''), start_number()));"""


def test_what_asks_for_nothing_is_no_warning() -> None:
    component = run(EXPORTED).components["Object", "tower__c"]
    assert ignored_attribute_warnings(component) == []


@pytest.mark.parametrize("said", ["encrypted(true)", "default_value('x')"])
def test_a_field_is_not_taken_for_what_it_is_not(said: str) -> None:
    text = f"RECREATE Object tower__c (label('T'), prefix('ZTO'), Field a__c (label('A'), type('String'), {said}));"
    (warning,) = ignored_attribute_warnings(run(text).components["Object", "tower__c"])
    assert f"Field a__c {said.partition('(')[0]}" in warning


def test_a_type_that_is_not_used_is_a_warning() -> None:
    tab = Component("Tab", "place__c", {"label": ("Place",)})
    (warning,) = ignored_attribute_warnings(tab)
    assert warning.startswith("Tab.place__c: stored without effect")


BARE = """RECREATE Object tower__c (label('Tower'), prefix('ZTO'),
  Field a__c (label('A'), type('String')), Objectaction ring__c (label('Ring'), action('ring__c')));"""


def fields_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields in an object's configuration."""
    return list(shown["Field"])


def test_configuration_has_what_is_in_force() -> None:
    registry = run(BARE)
    shown = configuration_json(registry.components["Object", "tower__c"])
    built = registry.objects["tower__c"]
    assert (shown["active"], shown["in_menu"], shown["audit"], shown["search"]) == (
        built.active,
        built.in_menu,
        built.audited,
        built.search,
    )
    (field,) = fields_of(shown)
    own = built.fields["a__c"]
    for name in ("active", "required", "unique", "editable", "no_copy", "search"):
        assert field[name] == getattr(own, name), name
    assert (shown["label_plural"], shown["data_store"]) == ("Towers", "standard")
    assert field["max_length"] == own.max_length


def test_configuration_has_what_is_in_force_of_platform_fields() -> None:
    text = """RECREATE Object tower__c (label('Tower'), prefix('ZTO'),
      Field name__v (label('Title'), system_managed_name(true)), Field status__v (label('Status')));
      RECREATE Object bell__c (label('Bell'), prefix('ZBL'), Field name__v (label('Title')),
        Field tower__c (label('Tower'), type('Object'), object('Object.tower__c')));"""
    registry = run(text)
    for name in ("tower__c", "bell__c"):
        shown = configuration_json(registry.components["Object", name])
        for field in fields_of(shown):
            own = registry.objects[name].fields[field["name"]]
            for each in ("required", "editable", "max_length", "value_format"):
                assert field[each] == getattr(own, each), (name, field["name"], each)
    _, reference = fields_of(
        configuration_json(registry.components["Object", "bell__c"])
    )
    assert reference["relationship_deletion"] == "block"
    assert reference["relationship_outbound_name"] == "tower__cr"
    assert reference["object"] == "Object.tower__c"
