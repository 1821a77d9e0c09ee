"""Statements create, alter and drop components, and refuse invalid ones."""

from __future__ import annotations

import pytest

from shared.vault.components.change import apply
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render

PICKLIST = (
    "RECREATE Picklist color__c (label('Color'), Picklistentry red__c (label('Red')));"
)
OBJECT = "RECREATE Object a__c (label('A'), prefix('V0A'), %s);"
FIELD = OBJECT % "Field f__c (%s)"
LIFECYCLE = "RECREATE Objectlifecycle l__c (label('L'), %s);"
RULE = "RECREATE Integrationrule r__c (connection('medical_crm__v'), Fieldrule f (%s));"
TARGET = "target_object('Object.a__c'), target_object_field('Field.f__c')"


def execute(text: str, existing: Component | None = None) -> Component | None:
    for statement in parse(text):
        existing = apply(statement, existing)
    return existing


def made(text: str, existing: Component | None = None) -> Component:
    component = execute(text, existing)
    assert component is not None
    return component


def test_create_refuses_what_exists_and_recreate_replaces_it() -> None:
    existing = made(PICKLIST)
    with pytest.raises(ComponentError) as caught:
        execute("CREATE Picklist color__c (label('Again'));", existing)
    assert caught.value.code is Code.EXISTS
    replaced = made("RECREATE Picklist color__c (label('Again'));", existing)
    assert replaced.text("label") == "Again"
    assert replaced.children == ()


def test_alter_changes_only_what_it_names() -> None:
    altered = made(
        """ALTER Picklist color__c (description('Paint'), ADD Picklistentry blue__c (label('Blue')),
             MODIFY Picklistentry red__c (label('Crimson'), order(5)));
           ALTER Picklist color__c (DROP description, DROP Picklistentry blue__c);""",
        made(PICKLIST),
    )
    assert altered == made(
        "CREATE Picklist color__c (label('Color'), Picklistentry red__c (label('Crimson'), order(5)));"
    )


def test_alter_reaches_nested_sub_components() -> None:
    lifecycle = made(
        LIFECYCLE
        % "starting_state('s__c'), Objectlifecyclestate s__c (label('S'), Objectlifecyclestateuseraction go__c ("
        "label('Go'), action('change_state'), next_state('s__c')))"
    )
    altered = made(
        "ALTER Objectlifecycle l__c (MODIFY Objectlifecyclestate s__c ("
        "MODIFY Objectlifecyclestateuseraction go__c (label('Went'))));",
        lifecycle,
    )
    action = altered.children[0].children[0]
    assert (action.text("label"), action.text("next_state")) == ("Went", "s__c")


def test_drop_leaves_nothing() -> None:
    assert execute("DROP Picklist color__c;", made(PICKLIST)) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ALTER Picklist x__c (label('X'));", Code.NOT_FOUND),
        ("DROP Picklist x__c;", Code.NOT_FOUND),
        ("RENAME Picklist x__c TO y__c;", Code.NOT_FOUND),
        (PICKLIST + "RENAME Picklist color__c TO Colour__c;", Code.INVALID_NAME),
        (
            PICKLIST
            + "ALTER Picklist color__c (RENAME Picklistentry blue__c TO green__c);",
            Code.NOT_FOUND,
        ),
        (
            PICKLIST
            + "ALTER Picklist color__c (RENAME Picklistentry red__c TO red__c);",
            Code.EXISTS,
        ),
        (
            PICKLIST + "ALTER Picklist color__c (description DROP ('x'));",
            Code.NOT_FOUND,
        ),
        (
            PICKLIST
            + "ALTER Picklist color__c (ADD Picklistentry red__c (label('Red')));",
            Code.EXISTS,
        ),
        (
            PICKLIST + "ALTER Picklist color__c (DROP Picklistentry blue__c);",
            Code.NOT_FOUND,
        ),
        (
            PICKLIST
            + "ALTER Picklist color__c (MODIFY Picklistentry blue__c (label('B')));",
            Code.NOT_FOUND,
        ),
        (PICKLIST + "ALTER Picklist color__c (DROP description);", Code.NOT_FOUND),
        (PICKLIST + "ALTER Picklist color__c (DROP label);", Code.INVALID_ATTRIBUTE),
        ("CREATE Pagelayouts x__c (label('X'));", Code.UNKNOWN_TYPE),
    ],
)
def test_statements_that_cannot_be_carried_out(text: str, code: Code) -> None:
    with pytest.raises(ComponentError) as caught:
        execute(text)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("CREATE Picklist Color__c (label('C'));", ["Picklist.Color__c", "name"]),
        ("CREATE Picklist a__b__c (label('C'));", ["Picklist.a__b__c", "name"]),
        ("CREATE Picklist color (label('C'));", ["__v, __c or __sys"]),
        ("CREATE Picklist %s__c (label('C'));" % ("x" * 60), ["longer than 50"]),
        ("CREATE Objecttype a__c (label('A'));", ["{object}.{type}"]),
        ("CREATE Picklist x__c ();", ["Picklist.x__c", "label is required"]),
        ("CREATE Picklist x__c (label(''));", ["label is required"]),
        (
            "CREATE Picklist x__c (label('%s'));" % ("x" * 129),
            ["label is longer than 128"],
        ),
        ("CREATE Picklist x__c (label('a', 'b'));", ["label takes one value"]),
        ("CREATE Picklist x__c (label(5));", ["label must be a string"]),
        (
            "CREATE Picklist x__c (label('a'), active('yes'));",
            ["active must be true or false"],
        ),
        (
            "CREATE Picklist x__c (label('a'), %s('b'));" % ("color" * 21),
            ["is not an attribute name"],
        ),
        (
            "CREATE Picklist x__c (label('a'), Picklistentry y__c (order(1)));",
            ["y__c", "label (or value)"],
        ),
        (
            "CREATE Picklist x__c (label({a}));",
            ["label must be a string in single quotes"],
        ),
        ("CREATE Tab x__c (label('a\0'));", ["label", "null character"]),
        ("CREATE Objectaction a__c (label('A'), action('x'));", ["{object}.{name}"]),
        (
            "CREATE Picklist x__c (label('a'), Field y__c ());",
            ["has no sub-component Field", "Picklistentry"],
        ),
        (
            "CREATE Queue q__c (label('Q'), type('sideways'));",
            ["type must be one of inbound, outbound, job"],
        ),
        (OBJECT.replace("V0A", "ab") % "active(true)", ["prefix"]),
        (OBJECT.replace("V0A", "OOT") % "active(true)", ["prefix"]),
        (OBJECT % "default_type('x__c')", ["default_type", "allow_types"]),
        (
            OBJECT % "lifecycle('Picklist.x__c')",
            ["lifecycle must be a reference", "'Objectlifecycle.{name}'"],
        ),
        (
            OBJECT % "Field global_id__sys (type('Number'))",
            ["type of this platform field is String"],
        ),
        (
            OBJECT % "Field status__v (picklist('Picklist.x__c'))",
            ["Picklist.default_status__v"],
        ),
        (OBJECT % "Field other__c (label('O'), type('ID'))", ["only the field id"]),
        (
            OBJECT % "Field link__sys (type('Number'))",
            ["type of this platform field is String"],
        ),
        (
            OBJECT % "Field link__sys (scale(1))",
            ["scale is only for fields of type Number"],
        ),
        (
            OBJECT % "Field link__sys (unique(true), max_length(1000))",
            ["max_length of a unique field"],
        ),
        (
            OBJECT % "Field name__v (system_managed_name(true), value_format('CR'))",
            ["value_format"],
        ),
        (FIELD % "label('F')", ["Field f__c", "type is required"]),
        (FIELD % "label('F'), type('Text')", ["type must be one of String"]),
        (
            FIELD % "label('F'), type('String'), max_length(1501)",
            ["max_length of a String is at most 1500"],
        ),
        (
            FIELD % "label('F'), type('String'), max_length(1.5)",
            ["max_length must be a whole number"],
        ),
        (
            FIELD % "label('F'), type('String'), max_length(0)",
            ["max_length must be between 1"],
        ),
        (
            FIELD % "label('F'), type('String'), scale(1)",
            ["scale is only for fields of type Number"],
        ),
        (
            FIELD % "label('F'), type('LongText'), unique(true)",
            ["unique is only for", "String"],
        ),
        (
            FIELD % "label('F'), type('Number'), min_value(5), max_value(4)",
            ["min_value is greater"],
        ),
        (FIELD % "label('F'), type('Picklist')", ["needs the attribute picklist"]),
        (FIELD % "label('F'), type('Object')", ["needs the attribute object"]),
        (
            FIELD % "label('F'), type('String'), value_format('X-{0}')",
            ["only for name__v"],
        ),
        (
            FIELD
            % "label('F'), type('Object'), object('Object.b__c'), required(true), relationship_deletion('setnull')",
            ["setnull contradicts"],
        ),
        (
            FIELD
            % "label('F'), type('Object'), object('Object.b__c'), relationship_inbound_name('fs')",
            ["relationship_inbound_name must end in"],
        ),
        (
            LIFECYCLE % "starting_state('x__c')",
            ["starting_state is not one of its states"],
        ),
        (
            LIFECYCLE
            % "starting_state('s__c'), Objectlifecyclestate s__c (label('S'), "
            "Objectlifecyclestateuseraction go__c (label('Go'), action('change_state'), next_state('t__c')))",
            ["go__c", "no state t__c"],
        ),
        (
            LIFECYCLE
            % "starting_state('s__c'), Objectlifecyclestate s__c (label('S'), "
            "Objectlifecyclestateuseraction go__c (label('Go'), action('change_state')))",
            ["next_state"],
        ),
        (RULE % "field_default('x')", ["target_object"]),
        (RULE % TARGET, ["query_field", "field_default"]),
        (
            RULE % (TARGET + ", query_field('x')"),
            ["query_object and query_field need each other"],
        ),
        (
            RULE % (TARGET + ", field_default('x'), reference_lookup('y__c')"),
            ["reference_lookup_type"],
        ),
        (
            RULE
            % (
                TARGET
                + ", query_object('o'), query_field('x'), query_field_select('LONGTEXT(a) AS b')"
            ),
            ["alias in query_field_select"],
        ),
    ],
)
def test_errors_name_component_attribute_and_what_is_allowed(
    text: str, parts: list[str]
) -> None:
    with pytest.raises(ComponentError) as caught:
        execute(text)
    for part in parts:
        assert part in caught.value.message


def test_platform_fields_are_redefined_without_label_and_type() -> None:
    component = made(
        OBJECT % "Field link__sys (unique(true)), Field name__v (label('Title'))"
    )
    assert parse(render(component))[0].component == component


def test_entry_actions_take_parameters_of_any_name() -> None:
    component = made(
        LIFECYCLE % "starting_state('s__c'), Objectlifecyclestate s__c (label('S'), "
        "Objectlifecyclestateentryaction tell__c (action('send_message'), order(1), queue('q__c'), codes(1, 2)))"
    )
    assert component.children[0].children[0].attributes["codes"] == (1, 2)


def test_rule_names_may_lack_a_namespace() -> None:
    made(
        RULE
        % (
            TARGET
            + ", query_object('o'), query_field('x'), query_field_select('LONGTEXT(a) as x')"
        )
    )
