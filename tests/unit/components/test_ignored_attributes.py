"""Attributes of other Vaults: accepted in every type, stored, returned, with a warning where they have no effect."""

from __future__ import annotations

import pytest

from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_tree import Component
from shared.vault.components.description import configuration_json
from shared.vault.components.ignored_attributes import (
    MAX_SHOWN,
    ignored_attribute_warnings,
)
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.registry import Registry
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.model.component_model import FieldType, RelationshipType
from tests.unit.components.builders import run

FOREIGN = "someForeignKey('a', 'b'), otherFlag(true), emptyOne(), numberOf(3)"
NAMES = ("someForeignKey", "otherFlag", "emptyOne", "numberOf")
BASE = """
RECREATE Picklist tones__c (label('Tones'), Picklistentry low__c (label('Low')));
RECREATE Objectlifecycle round__c (label('Round'), starting_state('one__c'),
  Objectlifecyclestate one__c (label('One')));
RECREATE Doclifecycle papers__c (label('Papers'), Doclifecyclestate one__c (label('One')));
RECREATE Object bell__c (label('Bell'), label_plural('Bells'), prefix('ZBL'), allow_types(true));
"""
HEADS = {
    "Picklist": "Picklist loud__c (label('L'), Picklistentry a__c (label('A'), {0}), {0})",
    "Objectlifecycle": "Objectlifecycle way__c (label('W'), starting_state('a__c'), "
    "Objectlifecyclestate a__c (label('A'), {0}), {0})",
    "Object": "Object tower__c (label('T'), prefix('ZTO'), Field a__c (label('A'), type('String'), {0}), {0})",
    "Objecttype": "Objecttype bell__c.big__c (label('Big'), Typefield name__v ({0}), {0})",
    "Objectaction": "Objectaction bell__c.ring__c (label('R'), action('x'), {0})",
    "Queue": "Queue ring__c (label('R'), type('outbound'), Queueconnection a__c (connection_name('a'), {0}), {0})",
    "Integrationrule": "Integrationrule rule__c (connection('a__c'), Fieldrule a__c (target_docfield('a__c'), "
    "field_default('a'), {0}), {0})",
    "Permissionset": "Permissionset set__c (label('S'), {0})",
    "Securityprofile": "Securityprofile who__c (label('W'), {0})",
    "Doctype": "Doctype paper__c (label('P'), available_lifecycles('papers__c'), {0})",
    "Docfield": "Docfield colour__c (label('C'), type('String'), {0})",
    "Doclifecycle": "Doclifecycle path__c (label('P'), Doclifecyclestate a__c (label('A'), {0}), {0})",
    "Renditiontype": "Renditiontype thumb__c (label('T'), {0})",
    "Tab": "Tab place__c (label('T'), Subtab a__c ({0}), {0})",
}
"""A component of each type that a Vault acts on, and one of those that it keeps; attributes come in at the braces."""


def made(kind: str, attributes: str = FOREIGN) -> tuple[Registry, Component]:
    written = f"RECREATE {HEADS[kind].format(attributes)};"
    registry = run(written, run(BASE))
    (statement,) = parse(written)
    return registry, registry.components[statement.key]


def test_every_type_that_a_vault_acts_on_is_here() -> None:
    acted_on = {name for name, kind in COMPONENT_TYPES.items() if not kind.stored_only}
    assert acted_on <= {*HEADS, "Lifecyclestatetypeassociation"}


@pytest.mark.parametrize("kind", HEADS)
def test_they_are_kept_and_returned_as_written(kind: str) -> None:
    registry, component = made(kind)
    assert {name: component.attributes[name] for name in NAMES} == {
        "someForeignKey": ("a", "b"),
        "otherFlag": (True,),
        "emptyOne": (),
        "numberOf": (3,),
    }
    text = render(component)
    assert run(text, registry).components[component.key] == component
    assert configuration_json(component)["someForeignKey"] == ["a", "b"]


@pytest.mark.parametrize("kind", HEADS)
def test_they_are_a_warning_where_none_is_expected(kind: str) -> None:
    _, component = made(kind)
    warnings = ignored_attribute_warnings(component)
    if kind == "Objectaction":
        # Its further attributes are the parameters of the action.
        assert warnings == []
        return
    (warning,) = warnings
    if kind == "Tab":
        assert "as all components of its type" in warning
        return
    for name in NAMES:
        assert name in warning
    _, known = made(kind, "active(true)")
    assert ignored_attribute_warnings(known) == []


def test_a_warning_is_bounded() -> None:
    many = ", ".join(f"foreign{number}(1)" for number in range(MAX_SHOWN + 5))
    _, component = made("Queue", many)
    (warning,) = ignored_attribute_warnings(component)
    assert f"foreign{MAX_SHOWN}" not in warning
    assert "more" in warning


REFERENCES = [
    "Doctype paper__c (label('P'), available_lifecycles('papers__c'))",
    "Object tower__c (label('T'), prefix('ZTO'), lifecycle('round__c'))",
    "Object tower__c (label('T'), prefix('ZTO'), Field a__c (label('A'), type('Picklist'), picklist('tones__c')))",
    "Object tower__c (label('T'), prefix('ZTO'), Field a__c (label('A'), type('Object'), object('bell__c')))",
]


@pytest.mark.parametrize("statement", REFERENCES)
def test_references_go_without_their_types(statement: str) -> None:
    registry = run(f"RECREATE {statement};", run(BASE))
    (written,) = parse(f"RECREATE {statement};")
    component = registry.components[written.key]
    (used,) = [
        key for key, users in registry.used_in.items() if written.key in set(users)
    ]
    kind, name = used
    renamed = run(f"RENAME {kind} {name} TO other__c;", registry)
    text = render(renamed.components[component.key])
    assert "other__c" in text
    assert name not in text


PLATFORM = ("name__v", "link__sys", "status__v")


@pytest.mark.parametrize("name", PLATFORM)
def test_a_platform_field_is_modified_without_being_declared(name: str) -> None:
    modified = f"ALTER Object bell__c (MODIFY Field {name} (label('X')));"
    registry = run(modified, run(BASE))
    assert registry.objects["bell__c"].fields[name].label == "X"
    again = run(modified.replace("'X'", "'Y'"), registry)
    assert again.objects["bell__c"].fields[name].label == "Y"


LABELLED = """RECREATE Objectlifecycle turn__c (label('Turn'), starting_state(),
  state_labels('base:object_lifecycle:initial_state_type', 'base:object_lifecycle:complete_state_type'),
  labeled_states('Objectlifecyclestate.second__c', 'Objectlifecyclestate.NONE'),
  Objectlifecyclestate first__c (label('First')), Objectlifecyclestate second__c (label('Second')));"""


def test_a_lifecycle_begins_in_the_state_that_is_labelled_as_the_initial_one() -> None:
    assert run(LABELLED).lifecycles["turn__c"].starting_state == "second__c"
    unlabelled = LABELLED.replace("initial_state_type", "other_state_type")
    with pytest.raises(ComponentError, match="starting_state is required"):
        run(unlabelled)


EXPORTED = [
    (
        "ALTER Object bell__c (ADD Field a__c (label('A'), type('Object'), object('bell__c'), "
        "relationship_criteria([name__v = 'x'])));"
    ),
    "ALTER Object bell__c (ADD Field a__c (label('A'), type('Object'), object('currency__sys')));",
    "RECREATE Objecttype bell__c.big__c (label('Big'), Typefield id (source('standard'), required(false)));",
]


@pytest.mark.parametrize("text", EXPORTED)
def test_what_vaults_export_is_taken(text: str) -> None:
    registry = run(text, run(BASE))
    for key in (("Object", "bell__c"), ("Objecttype", "bell__c.big__c")):
        component = registry.components.get(key)
        if component is not None:
            again = run(render(component), registry).components[key]
            assert again == component


# The format of names as other Vaults write it, the one by which records are named here, and what it goes without.
NAMED = [
    ("BELL-{####}", "BELL-{0000}", []),
    ("{ringer__c}-{###}", "{000}", ["{ringer__c}"]),
    (
        "{tower__cr.name__v} / {ringer__c}: {00000} bells",
        "{00000}",
        ["{tower__cr.name__v}", "{ringer__c}"],
    ),
]


@pytest.mark.parametrize(("written", "effective", "told"), NAMED)
def test_names_go_without_the_values_of_fields(
    written: str, effective: str, told: list[str]
) -> None:
    text = f"ALTER Object bell__c (MODIFY Field name__v (system_managed_name(true), value_format('{written}')));"
    registry = run(text, run(BASE))
    assert registry.objects["bell__c"].fields["name__v"].value_format == effective
    component = registry.components["Object", "bell__c"]
    assert f"value_format('{written}')" in render(component)
    warnings = " ".join(ignored_attribute_warnings(component))
    assert [value for value in told if value not in warnings] == []
    assert bool(warnings) is bool(told)


@pytest.mark.parametrize("written", ["{ringer__c}", "{}-{000}", "{0}{0}", "{a b}{0}"])
def test_a_format_of_names_needs_one_number(written: str) -> None:
    text = f"ALTER Object bell__c (MODIFY Field name__v (system_managed_name(true), value_format('{written}')));"
    with pytest.raises(ComponentError, match="value_format"):
        run(text, run(BASE))


# What a field that is computed from others has in exports beside its type: the attributes of what it reads.
READ_FROM = [
    "object('bell__c'), multi_value(true), relationship_outbound_name('bells__cr')",
    "picklist('tones__c'), multi_value(true)",
    "max_length(80)",
    "min_value(0), max_value(9), scale(2)",
]


@pytest.mark.parametrize("attributes", READ_FROM)
@pytest.mark.parametrize("kind", ["Lookup", "Formula"])
def test_a_computed_document_field_repeats_what_it_reads(
    kind: str, attributes: str
) -> None:
    text = f"RECREATE Docfield hall__c (label('Hall'), type('{kind}'), {attributes});"
    registry = run(text, run(BASE))
    component = registry.components["Docfield", "hall__c"]
    (warning,) = ignored_attribute_warnings(component)
    assert f"type {kind}" in warning
    assert run(render(component), registry).components[component.key] == component


@pytest.mark.parametrize("attributes", READ_FROM)
def test_a_stored_document_field_has_the_attributes_of_its_type(
    attributes: str,
) -> None:
    text = f"RECREATE Docfield hall__c (label('Hall'), type('Date'), {attributes});"
    with pytest.raises(ComponentError, match="belongs to the types"):
        run(text, run(BASE))


# Fields as other Vaults declare them, and the reference that the Vault makes of each; None where it stores none.
DECLARED = [
    ("type('Object'), object('bell__c')", RelationshipType.REFERENCE),
    ("type('ObjectReference'), object('bell__c')", RelationshipType.REFERENCE),
    (
        "type('ObjectReference'), object('user__sys'), relationship_type('reference')",
        RelationshipType.REFERENCE,
    ),
    ("type('ObjectParent'), object('bell__c')", RelationshipType.PARENT),
    ("type('Object'), object('groups')", None),
    ("type('ObjectReference'), object('security_profile__sys')", None),
    ("type('Object'), object('feature_of_others__sys')", None),
    ("type('users')", None),
    ("type('documents')", None),
    ("type('Binary')", None),
]
USERS = "RECREATE Object user__sys (label('User'), prefix('V0A'));"


@pytest.mark.parametrize(("declared", "made_of_it"), DECLARED)
def test_a_reference_is_made_of_what_vaults_declare(
    declared: str, made_of_it: RelationshipType | None
) -> None:
    text = f"ALTER Object bell__c (add Field ringer__c (label('Ringer'), {declared}));"
    registry = run(text, run(USERS, run(BASE)))
    field = registry.objects["bell__c"].fields.get("ringer__c")
    found = None if field is None else (field.type, field.relationship_type)
    assert found == (None if made_of_it is None else (FieldType.OBJECT, made_of_it))
    assert declared.split(",", maxsplit=1)[0] in render(
        registry.components["Object", "bell__c"]
    )


OBJECTS_OF_OTHERS = [
    ("security_profile__sys", True),
    ("feature_of_others__sys", True),
    ("user__sys", False),
    ("bell__c", False),
    ("users", False),
]


@pytest.mark.parametrize(("name", "told"), OBJECTS_OF_OTHERS)
def test_a_reference_to_an_object_of_other_platforms_is_a_warning(
    name: str, *, told: bool
) -> None:
    text = f"ALTER Object bell__c (ADD Field a__c (label('A'), type('Object'), object('{name}')));"
    registry = run(text, run(USERS, run(BASE)))
    warnings = ignored_attribute_warnings(registry.components["Object", "bell__c"])
    assert [("Field a__c object" in each) for each in warnings] == ([True] * told)


@pytest.mark.parametrize("name", ["bel__c", "study__v", "documents__c"])
def test_a_reference_to_what_no_platform_has_is_refused(name: str) -> None:
    text = f"ALTER Object bell__c (ADD Field a__c (label('A'), type('ObjectReference'), object('{name}')));"
    with pytest.raises(ComponentError, match=f"there is no Object.{name}"):
        run(text, run(BASE))


TYPELESS = "RECREATE Object drum__c (label('Drum'), label_plural('Drums'), prefix('ZDR'), allow_types(false));"


def test_the_base_type_of_an_object_without_types_is_kept() -> None:
    base = "RECREATE Objecttype drum__c.base__v (label('Base Drum'), Typefield name__v (required(true)));"
    registry = run(base, run(TYPELESS))
    assert ("Objecttype", "drum__c.base__v") in registry.components
    assert registry.types_of("drum__c") == {}
    typed = run("ALTER Object drum__c (allow_types(true));", registry)
    assert typed.types_of("drum__c")["base__v"].label == "Base Drum"
    with pytest.raises(ComponentError, match="does not allow types"):
        run(base.replace("base__v", "loud__c"), run(TYPELESS))


@pytest.mark.parametrize("typed", ["true", "false"])
def test_the_base_type_that_an_object_has_by_itself_is_altered(typed: str) -> None:
    owner = run(TYPELESS.replace("allow_types(false)", f"allow_types({typed})"))
    changed = run("ALTER Objecttype drum__c.base__v (active(false));", owner)
    base = changed.components["Objecttype", "drum__c.base__v"]
    assert (base.text("label"), base.flag("active", True)) == ("Base Drum", False)
    types = changed.types_of("drum__c")
    assert [each.active for each in types.values()] == [False] * (typed == "true")
    for name in ("drum__c.loud__c", "harp__c.base__v"):
        with pytest.raises(ComponentError, match="does not exist"):
            run(f"ALTER Objecttype {name} (active(false));", owner)


# The longest that other Vaults take, in characters.
LENGTHS = [
    ("Doctype paper__c (label('{0}'), available_lifecycles('papers__c'))", 200),
    ("Docfield colour__c (label('{0}'), type('String'))", 1500),
    ("Doclifecycle path__c (label('P'), Doclifecyclestate a__c (label('{0}')))", 128),
    ("Picklist loud__c (label('{0}'), Picklistentry a__c (label('A')))", 128),
    ("Picklist loud__c (label('L'), Picklistentry a__c (value('{0}')))", 256),
    (
        "Object tower__c (label('T'), Field a__c (label('A'), type('String'), description('{0}')))",
        1000,
    ),
    (
        "Object tower__c (label('T'), Field a__c (label('A'), type('String'), format_mask('{0}')))",
        3900,
    ),
    (
        "Object tower__c (label('T'), Index a__c (label('{0}'), fields('name__v')))",
        1500,
    ),
    ("Objecttype bell__c.big__c (label('Big'), description('{0}'))", 1000),
]


@pytest.mark.parametrize(("statement", "length"), LENGTHS)
def test_values_are_as_long_as_other_vaults_have_them(
    statement: str, length: int
) -> None:
    longest = f"RECREATE {statement};".format("x" * length)
    (written,) = parse(longest)
    assert written.key in run(longest, run(BASE)).components
    with pytest.raises(ComponentError, match=f"longer than {length}"):
        run(f"RECREATE {statement};".format("x" * (length + 1)), run(BASE))


def test_a_document_refers_to_one_record() -> None:
    text = "RECREATE Docfield bells__c (label('B'), type('ObjectReference'), object('bell__c'), multi_value(true));"
    registry = run(text, run(BASE))
    versions = registry.documents.versions
    assert versions is not None
    assert not versions.fields["bells__c"].multi_value
    (warning,) = ignored_attribute_warnings(registry.components["Docfield", "bells__c"])
    assert "multi_value" in warning
