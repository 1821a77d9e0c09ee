"""A registry builds the typed model and refuses references that lead nowhere."""

from __future__ import annotations

import pytest

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.registry import Registry, object_type_id
from shared.vault.model.component_model import FieldType, RelationshipDeletion
from tests.unit.components.builders import run

BASE = """
    CREATE Picklist color__c (label('Color'), Picklistentry red__c (label('Red'), order(2)),
        Picklistentry blue__c (label('Blue'), order(1), active(false)));
    CREATE Objectlifecycle life__c (label('Life'), starting_state('new__c'),
        Objectlifecyclestate new__c (label('New'),
            Objectlifecyclestateuseraction close__c (label('Close'), order(2), action('change_state'),
                next_state('closed__c'), prompts('color__c', 'name__v')),
            Objectlifecyclestateuseraction send__c (label('Send'), order(1), action('send'))),
        Objectlifecyclestate closed__c (label('Closed'),
            Objectlifecyclestateentryaction tell__c (action('send_message'), queue('q__c'), level(3))));
    CREATE Object parent__c (label('Parent'), prefix('V0P'), allow_types(true), Field key__c (label('Key'),
        type('String'), unique(true)));
    CREATE Objecttype parent__c.special__c (label('Special'));
    CREATE Object child__c (label('Child'), label_plural('Children'), prefix('V0C'),
        lifecycle('Objectlifecycle.life__c'),
        Field name__v (system_managed_name(true), value_format('C-{0000}')),
        Field link__sys (unique(true)),
        Field amount__c (label('Amount'), type('Number'), scale(2), min_value(0.5)),
        Field color__c (label('Color'), type('Picklist'), picklist('Picklist.color__c'), multi_value(true)),
        Field parent__c (label('Parent'), type('Object'), object('Object.parent__c'), relationship_type('parent'),
            relationship_deletion('cascade'), relationship_inbound_name('children__cr')));
    CREATE Queue q__c (label('Q'), type('outbound'),
        Queueconnection c__c (connection_name('medical_crm__v'), deliver_to_queue('r__c')));
    CREATE Integrationrule rule__c (connection('medical_crm__v'),
        Fieldrule parent (target_object('Object.child__c'), target_object_field('Field.parent__c'),
            target_obj_field_ref_obj('Object.parent__c'), target_field_lookup('key__c'),
            query_object('x__v'), query_field('key__v')));
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return run(BASE)


def test_objects_have_platform_fields_and_their_own(registry: Registry) -> None:
    child = registry.objects["child__c"]
    assert list(child.fields) == [
        "id", "global_id__sys", "link__sys", "name__v", "status__v", "lifecycle__v", "state__v", "created_by__v",
        "created_date__v", "modified_by__v", "modified_date__v", "source_modified_date__sys", "amount__c",
        "color__c", "parent__c",
    ]  # fmt: skip
    assert child.label_plural == "Children"
    assert child.lifecycle == "life__c"
    name = child.fields["name__v"]
    assert (name.system_managed_name, name.value_format, name.required, name.editable) == (
        True, "C-{0000}", False, False,
    )  # fmt: skip
    assert (child.fields["link__sys"].unique, child.fields["link__sys"].max_length) == (
        True,
        500,
    )
    assert (child.fields["amount__c"].scale, child.fields["amount__c"].min_value) == (
        2,
        0.5,
    )
    assert child.fields["color__c"].multi_value
    parent = registry.objects["parent__c"]
    assert (parent.label_plural, parent.default_type, parent.fields["object_type__v"].type) == (
        "Parents", "base__v", FieldType.STRING,
    )  # fmt: skip
    assert (
        parent.fields["link__sys"].unique,
        parent.fields["link__sys"].max_length,
    ) == (False, 1500)


def test_relationships_are_found_from_both_ends(registry: Registry) -> None:
    field = registry.objects["child__c"].outbound["parent__cr"]
    assert field.object == "parent__c"
    assert field.relationship_deletion is RelationshipDeletion.CASCADE
    assert registry.inbound("parent__c") == {"children__cr": ("child__c", field)}
    assert registry.inbound("child__c") == {}


def test_picklists_keep_their_order_and_the_default_status_is_there(
    registry: Registry,
) -> None:
    assert list(registry.picklists["color__c"].entries) == ["blue__c", "red__c"]
    assert not registry.picklists["color__c"].entries["blue__c"].active
    assert set(registry.picklists["default_status__v"].entries) == {
        "active__v",
        "inactive__v",
    }


def test_lifecycles_have_ordered_actions_and_parameters(registry: Registry) -> None:
    lifecycle = registry.lifecycles["life__c"]
    assert lifecycle.starting_state == "new__c"
    assert [action.name for action in lifecycle.states["new__c"].user_actions] == [
        "send__c",
        "close__c",
    ]
    assert lifecycle.states["new__c"].user_actions[1].prompts == ("color__c", "name__v")
    (entry,) = lifecycle.states["closed__c"].entry_actions
    assert (entry.action, dict(entry.parameters)) == (
        "send_message",
        {"queue": ("q__c",), "level": (3,)},
    )


def test_object_types_have_lasting_ids(registry: Registry) -> None:
    assert set(registry.types_of("parent__c")) == {"base__v", "special__c"}
    assert registry.types_of("child__c") == {}
    type_id = registry.object_type_id("parent__c", "special__c")
    assert type_id == object_type_id("parent__c", "special__c")
    assert (len(type_id), type_id[:3], type_id.isupper()) == (15, "OOT", True)
    object_type = registry.object_type(type_id)
    assert object_type is not None
    assert object_type.name == "special__c"
    assert registry.object_type("OOT000000000000") is None


def test_queues_know_their_connections(registry: Registry) -> None:
    (connection,) = registry.queues["q__c"].connections
    assert (connection.connection_name, connection.deliver_to_queue) == (
        "medical_crm__v",
        "r__c",
    )


def test_order_of_components_does_not_matter_to_build(registry: Registry) -> None:
    again = Registry.build(reversed(list(registry.components.values())))
    assert again.objects == registry.objects
    assert again.object_types == registry.object_types


def test_changes_leave_the_former_registry_as_it_was(registry: Registry) -> None:
    changed = run(
        "ALTER Object parent__c (label('Other')); DROP Integrationrule rule__c;",
        registry,
    )
    assert changed.objects["parent__c"].label == "Other"
    assert registry.objects["parent__c"].label == "Parent"
    assert ("Integrationrule", "rule__c") in registry.components
    assert ("Integrationrule", "rule__c") not in changed.components


def test_objects_may_refer_to_each_other_by_a_later_alter() -> None:
    registry = run(
        BASE
        + """ALTER Object parent__c (ADD Field favourite__c (label('Favourite'), type('Object'),
            object('Object.child__c'), relationship_inbound_name('favoured_by__cr')));"""
    )
    assert list(registry.inbound("child__c")) == ["favoured_by__cr"]


def test_default_type_follows_its_object_type() -> None:
    registry = run(BASE + "ALTER Object parent__c (default_type('special__c'));")
    assert registry.objects["parent__c"].default_type == "special__c"
    with pytest.raises(ComponentError, match="in use"):
        run("DROP Objecttype parent__c.special__c;", registry)


@pytest.mark.parametrize(
    "text",
    [
        "DROP Picklist color__c;",
        "DROP Object parent__c;",
        "DROP Object child__c;",
        "DROP Objectlifecycle life__c;",
    ],
)
def test_what_is_referred_to_cannot_be_dropped(registry: Registry, text: str) -> None:
    with pytest.raises(ComponentError, match="is in use") as caught:
        run(text, registry)
    assert caught.value.code is Code.IN_USE


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "ALTER Object child__c (DROP Field color__c);",
            ["life__c", "close__c", "color__c"],
        ),
        (
            "ALTER Object parent__c (DROP Field key__c);",
            ["Integrationrule.rule__c", "no unique field key__c"],
        ),
        (
            "ALTER Object parent__c (allow_types(false));",
            ["Objecttype.parent__c.special__c", "allow types"],
        ),
        (
            "ALTER Object parent__c (ADD Field x__c (label('X'), type('Picklist'), picklist('Picklist.y__c')));",
            ["Object.parent__c: Field x__c", "Picklist.y__c"],
        ),
        (
            "ALTER Object parent__c (ADD Field x__c (label('X'), type('Object'), object('Object.y__c')));",
            ["Object.parent__c: Field x__c", "Object.y__c"],
        ),
        (
            "ALTER Object parent__c (lifecycle('Objectlifecycle.y__c'));",
            ["Object.parent__c: lifecycle"],
        ),
        (
            "ALTER Object parent__c (lifecycle('Objectlifecycle.life__c'));",
            ["Object.parent__c has no", "color__c"],
        ),
        (
            "ALTER Object parent__c (default_type('y__c'));",
            ["default_type", "Objecttype.parent__c.y__c"],
        ),
        (
            "CREATE Objecttype y__c.z__c (label('Z'));",
            ["Objecttype.y__c.z__c", "no Object.y__c"],
        ),
        (
            "CREATE Object y__c (label('Y'), prefix('V0P'));",
            ["prefix V0P belongs to Object.parent__c"],
        ),
        (
            (
                "CREATE Object y__c (label('Y'), prefix('V0Y'), Field p__c (label('P'), type('Object'),"
                " object('Object.parent__c'), relationship_inbound_name('children__cr')));"
            ),
            ["Object.parent__c already has a relationship children__cr"],
        ),
        (
            (
                "ALTER Object child__c (ADD Field p__c (label('P'), type('Object'), object('Object.parent__c'),"
                " relationship_outbound_name('parent__cr')));"
            ),
            ["Object.child__c already has a relationship parent__cr"],
        ),
        (
            (
                "CREATE Integrationrule y__c (connection('c__c'), Fieldrule f (target_object('Object.y__c'),"
                " target_object_field('Field.name__v'), field_default('x')));"
            ),
            ["Integrationrule.y__c: Fieldrule f", "no Object.y__c"],
        ),
        (
            (
                "CREATE Integrationrule y__c (connection('c__c'), Fieldrule f (target_object('Object.child__c'),"
                " target_object_field('Field.y__c'), field_default('x')));"
            ),
            ["Object.child__c has no field y__c"],
        ),
        (
            (
                "CREATE Integrationrule y__c (connection('c__c'), Fieldrule f (target_object('Object.child__c'),"
                " target_object_field('Field.name__v'), target_field_lookup('key__c'), field_default('x')));"
            ),
            ["name__v refers to no object"],
        ),
    ],
)
def test_references_must_lead_somewhere(
    registry: Registry, text: str, parts: list[str]
) -> None:
    with pytest.raises(ComponentError) as caught:
        run(text, registry)
    assert caught.value.code is Code.BROKEN_REFERENCE
    for part in parts:
        assert part in caught.value.message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            "CREATE Objectaction none__c.go__c (label('Go'), action('x'));",
            "there is no such object",
        ),
        (
            "CREATE Object a__c (label('A'), available_lifecycles('none__c'));",
            "no Objectlifecycle.none__c",
        ),
        (
            "CREATE Object a__c (label('A'), Objectaction go__c (label('Go'), action('x'), prompts('none__c')));",
            "no such field none__c",
        ),
        (
            """CREATE Object a__c (label('A'), Objectaction go__c (label('Go'), action('x')));
               CREATE Objectaction a__c.go__c (label('Go'), action('x'));""",
            "defined twice",
        ),
        (
            "CREATE Picklist p__c (label('P'), controlling_picklist('none__c'));",
            "no Picklist.none__c",
        ),
    ],
)
def test_references_of_actions_lifecycles_and_picklists(text: str, part: str) -> None:
    with pytest.raises(ComponentError, match=part):
        run(text)


def test_actions_of_an_object_are_sorted_wherever_they_are_written() -> None:
    registry = run(
        "CREATE Object a__c (label('A'), Field f__c (label('F'), type('String')),"
        " Objectaction second__c (label('Second'), action('send_message'), order(2), prompts('f__c'), queue('q__c')));"
        "CREATE Objectaction a__c.first__c (label('First'), action('x'), order(1), active(false));"
    )
    first, second = registry.objects["a__c"].actions
    assert (first.name, first.active) == ("first__c", False)
    assert (second.prompts, second.parameters) == (("f__c",), {"queue": ("q__c",)})
