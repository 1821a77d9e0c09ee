"""Differences between a folder and a Vault, in words."""

from __future__ import annotations

from medcrm.configuration import Configuration, Table, read_component
from medcrm.difference import Kind, compare
from medcrm.statement_order import statements

COLOUR = "RECREATE Picklist colour__c ( label('Colour'), Picklistentry red__c ( label('Red'), order(1) ) );"
THING = """RECREATE Object thing__c ( label('Thing'), prefix('ZTH'),
  Field note__c ( type('String'), label('Note'), max_length(100) ),
  Field colour__c ( type('Picklist'), label('Colour'), picklist('Picklist.colour__c') ) );"""


def configuration(*texts: str, **tables: Table) -> Configuration:
    components = {}
    for text in texts:
        _, kind, name = text.split()[:3]
        components[f"{kind}.{name}"] = read_component(f"{kind}.{name}", text)
    return Configuration(components, tables)


def table(*rows: str) -> Table:
    cells = [row.split(",") for row in rows]
    found = {
        key: {"api_name__sys": key, "name__v": name, "status__v": status}
        for key, name, status in cells
    }
    return Table(
        "api_name__sys",
        ("api_name__sys", "name__v", "status__v"),
        found,
        {key: f"V0{key}" for key in found},
    )


def test_the_same_in_another_order_is_the_same() -> None:
    other = """RECREATE Object thing__c ( prefix('ZTH'), active(true), label('Thing'), description(''),
      Field colour__c ( label('Colour'), picklist('Picklist.colour__c'), type('Picklist') ),
      Field note__c ( max_length(100), type('String'), label('Note') ) );"""
    assert not compare(configuration(THING, COLOUR), configuration(COLOUR, other))


def test_what_is_changed_is_said_by_attribute_and_part() -> None:
    changed = """RECREATE Object thing__c ( label('A thing'), prefix('ZTH'), in_menu(false),
      Field note__c ( type('String'), label('Note') ),
      Field size__c ( type('Number'), label('Size') ) );"""
    (found,) = compare(configuration(changed), configuration(THING)).components
    assert (found.kind, found.name) == (Kind.CHANGED, "Object.thing__c")
    assert found.lines == (
        "  + in_menu false",
        "  ~ label 'Thing' -> 'A thing'",
        "  - Field colour__c",
        "  ~ Field note__c",
        "    - max_length 100",
        "  + Field size__c",
        "    + label 'Size'",
        "    + type 'Number'",
    )


def test_what_is_new_and_what_only_the_vault_has() -> None:
    difference = compare(configuration(COLOUR), configuration(THING))
    assert [(c.kind, c.name) for c in difference.components] == [
        (Kind.REMOVED, "Object.thing__c"),
        (Kind.ADDED, "Picklist.colour__c"),
    ]
    assert difference.components[1].lines == (
        "  + label 'Colour'",
        "  + Picklistentry red__c",
        "    + label 'Red'",
        "    + order 1",
    )
    assert [c.name for c in difference.without_removals().components] == [
        "Picklist.colour__c"
    ]


def test_types_that_are_not_known_are_compared_as_text() -> None:
    layout = "RECREATE Unknowntype layout__c ( markup({<a>1</a>}) );"
    assert not compare(
        configuration(layout), configuration(layout.replace(" (", "\n  ("))
    )
    (found,) = compare(
        configuration(layout), configuration(layout.replace("1", "2"))
    ).components
    assert found.kind is Kind.CHANGED


def test_records() -> None:
    wanted = configuration(
        connection__sys=table(
            "a__v,A,active__v", "b__v,B,active__v", "c__v,C,inactive__v"
        )
    )
    present = configuration(
        connection__sys=table(
            "a__v,A,active__v", "c__v,C,active__v", "d__v,D,active__v"
        )
    )
    added, changed, removed = compare(wanted, present).records
    assert (added.kind, added.key, added.values) == (
        Kind.ADDED,
        "b__v",
        {"api_name__sys": "b__v", "name__v": "B", "status__v": "active__v"},
    )
    assert (changed.kind, changed.key, changed.values) == (
        Kind.CHANGED,
        "c__v",
        {"api_name__sys": "c__v", "status__v": "inactive__v"},
    )
    assert changed.lines == ("  ~ status__v 'active__v' -> 'inactive__v'",)
    assert (removed.kind, removed.key) == (Kind.REMOVED, "d__v")
    assert len(compare(wanted, Configuration()).records) == 3


def test_the_order_of_the_statements() -> None:
    wanted, present = (
        configuration(THING, COLOUR),
        configuration(THING.replace("thing__c", "old__c"), COLOUR),
    )
    present = configuration(
        THING.replace("thing__c", "old__c").replace("colour__c')", "shade__c')"),
        COLOUR.replace("colour__c", "shade__c"),
    )
    found = statements(compare(wanted, present), wanted, present)
    assert [statement.title for statement in found] == [
        "RECREATE Picklist.colour__c",
        "RECREATE Object.thing__c",
        "DROP Object.old__c",
        "DROP Picklist.shade__c",
    ]
    assert found[2].text == "DROP Object old__c;"
