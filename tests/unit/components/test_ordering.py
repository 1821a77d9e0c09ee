"""The order in which components can be created, also with circular references."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.components.component_tree import Component
from shared.vault.components.ordering import in_order
from shared.vault.components.uses import Dependency, dependencies_of


def vault_object(name: str, *references: str, **attributes: str) -> Component:
    fields = [
        Component("Field", f"{r}_of__c", {"object": (f"Object.{r}",)})
        for r in references
    ]
    return Component(
        "Object", name, {k: (v,) for k, v in attributes.items()}, tuple(fields)
    )


def test_what_a_component_refers_to() -> None:
    component = Component(
        "Object",
        "thing__c",
        {
            "label": ("Object of desire",),
            "lifecycle": ("Objectlifecycle.life__c",),
            "default_type": ("big__c",),
        },
        (
            Component("Field", "a__c", {"picklist": ("Picklist.colour__c",)}),
            Component("Field", "b__c", {"object": ("Object.thing__c",)}),
            Component(
                "Field", "c__c", {"object": ("Object.other__c",), "max_length": (3,)}
            ),
        ),
    )
    assert dependencies_of(component) == (
        Dependency("Object", "other__c"),
        Dependency("Objectlifecycle", "life__c"),
        Dependency("Objecttype", "thing__c.big__c"),
        Dependency("Picklist", "colour__c"),
    )
    assert dependencies_of(Component("Objecttype", "thing__c.big__c")) == (
        Dependency("Object", "thing__c"),
    )
    rule = {
        "target_object": ("Object.thing__c",),
        "target_object_field": ("Field.a__c",),
    }
    found = dependencies_of(
        Component("Integrationrule", "r__c", {}, (Component("Fieldrule", "f", rule),))
    )
    assert found == (
        Dependency("Object", "thing__c"),
        Dependency("Object", "thing__c", "Field", "a__c"),
    )
    assert dependencies_of(vault_object("a__c", default_type="base__v")) == ()


def test_each_comes_after_what_it_refers_to_and_else_in_order() -> None:
    a, b, c, d = (
        vault_object("a__c", "c__c"),
        vault_object("b__c"),
        vault_object("c__c"),
        vault_object("d__c"),
    )
    assert in_order([a, b, c, d]) == [b, c, a, d]
    assert in_order([a], [("Object", "c__c")]) == [a]


def test_a_circle_is_begun_without_what_comes_later() -> None:
    a, b = (
        vault_object("a__c", "b__c", lifecycle="Objectlifecycle.l__c"),
        vault_object("b__c", "a__c"),
    )
    assert in_order([a, b]) == [vault_object("a__c"), b, a]


def test_an_object_and_its_default_type() -> None:
    thing = vault_object("thing__c", default_type="big__c")
    kind = Component("Objecttype", "thing__c.big__c")
    assert in_order([kind, thing]) == [vault_object("thing__c"), kind, thing]


def test_what_is_present_is_never_begun_anew() -> None:
    a, b = vault_object("a__c", "b__c"), vault_object("b__c", "a__c")
    assert in_order([a, b], [("Object", "a__c")]) == [b, a]
    assert in_order([a, b], [("Object", "a__c"), ("Object", "b__c")]) == [a, b]


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30),
    st.sets(st.integers(0, 7)),
)
def test_every_component_comes_whole_when_everything_is_there(
    edges: list[tuple[int, int]], there: set[int]
) -> None:
    wanted = [
        vault_object(f"o{n}__c", *sorted({f"o{b}__c" for a, b in edges if a == n}))
        for n in range(8)
    ]
    present = {("Object", f"o{n}__c") for n in there}
    known = set(present)
    ordered = in_order(wanted, present)
    for component in ordered:
        assert all(d.key in known for d in dependencies_of(component))
        known.add(component.key)
    assert len({c.key for c in ordered}) == len(wanted)
    assert {c.key: c for c in ordered} == {c.key: c for c in wanted}
    assert all(sum(c.key == key for c in ordered) == 1 for key in present)
