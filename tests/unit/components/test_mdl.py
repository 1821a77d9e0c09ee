"""MDL text is read, refused and written back."""

from __future__ import annotations

from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.vault.components import mdl
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.mdl import (
    MAX_VALUES,
    MdlSyntaxError,
    parse,
)
from shared.vault.components.mdl_writing import render, render_statement
from shared.vault.components.statement import (
    AddChild,
    AddValues,
    Change,
    Command,
    Condition,
    DropAttribute,
    DropChild,
    DropValues,
    ModifyChild,
    RenameChild,
    SetAttribute,
    Statement,
)

_T = TypeVar("_T")

_names = st.from_regex(
    r"[a-z][a-z0-9]{0,5}(_[a-z0-9]{1,4}){0,2}__(v|c|sys)", fullmatch=True
) | st.sampled_from(
    [
        "drop",
        "add",
        "modify",
        "to",
        "true",
        "false",
        "create",
        "person__sys.case_contact__v",
        "5__c",
    ]
)
_types = st.sampled_from(["Object", "Field", "Create", "Drop", "Picklistentry"])
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text(
    "'\\\n();/*", max_size=12
)
_scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    _text,
)
_attributes = st.dictionaries(
    _names, st.lists(_scalars, max_size=3).map(tuple), max_size=4
)


def _unique(children: list[Component]) -> tuple[Component, ...]:
    return tuple({child.key: child for child in children}.values())


def _with_children(
    children: st.SearchStrategy[Component],
) -> st.SearchStrategy[Component]:
    return st.builds(
        Component,
        _types,
        _names,
        _attributes,
        st.lists(children, max_size=3).map(_unique),
    )


_components = st.recursive(
    st.builds(Component, _types, _names, _attributes), _with_children, max_leaves=8
)


@given(_components)
def test_what_is_rendered_parses_to_the_same_component(component: Component) -> None:
    (statement,) = parse(render(component))
    assert statement.command is Command.RECREATE
    assert statement.component == component
    assert render(statement.component) == render(component)


@given(_components)
def test_json_form_is_the_same_component(component: Component) -> None:
    assert Component.from_json(component.to_json()) == component


def _only(items: list[_T]) -> _T:
    (item,) = items
    return item


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'a'", "a"),
        ("''", ""),
        ("'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        (r"'a\\'", "a\\"),
        (r"'C:\new'", r"C:\new"),
        ("'two\nlines'", "two\nlines"),
        ("'// no comment /* here */'", "// no comment /* here */"),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
    ],
)
def test_values(literal: str, value: Scalar) -> None:
    component = _only(parse(f"CREATE Picklist x__c (label({literal}));")).component
    assert component is not None
    assert component.attributes == {"label": (value,)}
    assert type(component.attributes["label"][0]) is type(value)


def test_multiple_and_absent_values() -> None:
    component = _only(parse("RECREATE Picklist x__c (a(1, 'b', true), b());")).component
    assert component is not None
    assert component.attributes == {"a": (1, "b", True), "b": ()}


def test_statements_of_every_command_with_their_lines() -> None:
    script = """
        // a comment
        CREATE Picklist a__c;
        recreate Picklist b__c ();   /* another
        comment */ ALTER Object c__c (label('x'), DROP description, ADD Field d__c (label('d')),
            MODIFY Field e__c (label('e'), DROP unique), DROP Field f__c);
        RENAME Picklist a__c TO g__c;
        DROP Picklist b__c;
    """
    create, recreate, alter, rename, drop = parse(script)
    assert (create.command, create.type, create.name, create.line) == (
        Command.CREATE,
        "Picklist",
        "a__c",
        3,
    )
    assert (recreate.command, recreate.line) == (Command.RECREATE, 4)
    assert alter.line == 5
    assert alter.changes == (
        SetAttribute("label", ("x",)),
        DropAttribute("description"),
        AddChild(Component("Field", "d__c", {"label": ("d",)})),
        ModifyChild(
            "Field", "e__c", (SetAttribute("label", ("e",)), DropAttribute("unique"))
        ),
        DropChild("Field", "f__c"),
    )
    assert (rename.name, rename.new_name) == ("a__c", "g__c")
    assert (drop.command, drop.name) == (Command.DROP, "b__c")


def test_empty_script() -> None:
    assert parse(" // nothing\n") == []


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("CREATE", 1, 7),
        ("MAKE Picklist x__c ();", 1, 1),
        ("CREATE Picklist x__c (\n  label('a)\n);", 2, 9),
        ("CREATE Picklist x__c (\n  label(a)\n);", 2, 9),
        ("CREATE Picklist x__c ()\n\nDROP Picklist y__c;", 3, 1),
        ("CREATE Picklist x__c (label('a'),\n label('b'));", 2, 2),
        ("CREATE Picklist x__c (Picklistentry a__c (), Picklistentry a__c ());", 1, 46),
        ("CREATE Picklist x__c (order(1e999));", 1, 29),
        ("ALTER Object x__c (Field y__c (label('a')));", 1, 26),
    ],
)
def test_errors_name_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(MdlSyntaxError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.message


@given(st.text("CREATE Picklst_x(')\\;,1. \n/*", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    place = (1, 1)
    try:
        parse(text)
    except MdlSyntaxError as error:
        place = (error.line, error.column)
    assert min(place) >= 1


LISTS = {
    "an attribute": "RECREATE Permissionset a__c (permissions({values}));",
    "an attribute of a part": "RECREATE Picklist a__c (Picklistentry b__c (label({values})));",
    "values that are set": "ALTER Permissionset a__c (permissions({values}));",
    "values that are added": "ALTER Permissionset a__c (permissions ADD ({values}));",
    "values that are dropped": "ALTER Permissionset a__c (permissions DROP ({values}));",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_values_of_an_attribute_have_a_bound(text: str) -> None:
    assert parse(text.format(values="1," * MAX_VALUES))
    with pytest.raises(MdlSyntaxError, match=r"Line 1, column \d+: .* 10,000 values"):
        parse(text.format(values="1," * (MAX_VALUES + 1)))


SCRIPTS = {
    "values": ("RECREATE Permissionset a__c (permissions(", "1,", "));"),
    "attributes": ("RECREATE Picklist a__c (", "a{}(1),", ");"),
    "parts": ("RECREATE Picklist a__c (", "Picklistentry a{}__c(),", ");"),
    "statements": ("", "DROP Object a__c;", ""),
    "marks": ("DROP Object a__c", ";", ""),
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_is_read_no_further_than_its_bound(
    script: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, repeated, end = script
    monkeypatch.setattr(mdl, "MAX_TOKENS", 1_000)
    few = "".join(repeated.format(number) for number in range(100))
    assert parse(begin + few + end)
    many = "".join(repeated.format(number) for number in range(1_000))
    with pytest.raises(MdlSyntaxError, match="at most 1,000 names, values"):
        parse(begin + many + end)


# What ALTER has words for cannot be the name of an attribute in it.
_declared = st.from_regex(r"[a-z][a-z0-9]{0,5}__(v|c|sys)", fullmatch=True)
_conditions = st.sampled_from(Condition)
_changes: st.SearchStrategy[Change] = st.recursive(
    st.one_of(
        st.builds(SetAttribute, _declared, st.lists(_scalars, max_size=3).map(tuple)),
        st.builds(AddValues, _declared, st.lists(_scalars, max_size=3).map(tuple)),
        st.builds(DropValues, _declared, st.lists(_scalars, max_size=3).map(tuple)),
        st.builds(DropAttribute, _declared),
        st.builds(AddChild, _components, _conditions),
        st.builds(RenameChild, _types, _declared, _declared, _conditions),
        st.builds(DropChild, _types, _declared, _conditions),
    ),
    lambda inner: st.builds(
        ModifyChild,
        _types,
        _declared,
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        _conditions,
    ),
    max_leaves=4,
)


@settings(max_examples=40)
@given(
    _types,
    _declared,
    st.lists(_changes, min_size=1, max_size=4).map(tuple),
    _conditions,
)
def test_an_alteration_that_is_rendered_parses_to_the_same_one(
    type_name: str, name: str, changes: tuple[Change, ...], condition: Condition
) -> None:
    made = Statement(
        Command.ALTER, type_name, name, 1, changes=changes, condition=condition
    )
    assert parse(render_statement(made)) == [made]


@settings(max_examples=20)
@given(st.sampled_from([Command.CREATE, Command.RECREATE]), _components, _conditions)
def test_a_creation_that_is_rendered_parses_to_the_same_one(
    command: Command, component: Component, condition: Condition
) -> None:
    made = Statement(
        command,
        component.type,
        component.name,
        1,
        component=component,
        condition=condition,
    )
    assert parse(render_statement(made)) == [made]


@pytest.mark.parametrize(
    "text",
    [
        "DROP Object a__c;\n",
        "DROP Object IF EXISTS a__c;\n",
        "RENAME Object a__c TO b__c;\n",
    ],
)
def test_a_statement_without_a_body_is_rendered_as_it_was(text: str) -> None:
    assert [render_statement(each) for each in parse(text)] == [text]
