"""Components of every type, as their specification allows them, are executed from their own MDL unchanged."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.vault.components.change import apply
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.component_validation import check
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.specification import (
    Attribute,
    ComponentType,
    NameRule,
    ValueType,
)
from shared.vault.components.types import COMPONENT_TYPES

_name = st.from_regex(
    r"[a-z][a-z0-9]{0,3}(_[a-z0-9]{1,3}){0,1}__(v|c|sys)", fullmatch=True
)
_dotted = st.tuples(_name, _name).map(".".join)
_free = st.from_regex(r"[A-Za-z0-9_]{1,6}(\.[A-Za-z0-9_]{1,6}){0,2}", fullmatch=True)
_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.text("'\\\\\\n();{}[]/*#-", max_size=8)
_inner = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0{}[]'\""), max_size=8
)
_braces = st.recursive(
    _inner,
    lambda inner: st.lists(inner, max_size=3).map(lambda x: f"a{{{'|'.join(x)}}}b"),
    max_leaves=4,
)
_embedded = (
    _braces.filter(lambda text: "{{{{{{{" not in text).map(
        lambda text: Embedded(f"{{<x>{text}</x>}}")
    )
    | _inner.map(lambda text: Embedded(f"[{text} = 'it]' && \"]\"]"))
    | st.builds(
        lambda tag, text: Embedded(f"<{tag}>{text}</{tag}>"),
        st.sampled_from(("VeevaData", "ActionScript")),
        _inner,
    )
)
_numbers = st.integers(0, 1000) | st.floats(-1e6, 1e6, allow_nan=False)
_anything: st.SearchStrategy[Scalar] = st.one_of(
    st.booleans(), _numbers, _text, _embedded
)


def _values(attribute: Attribute) -> st.SearchStrategy[tuple[Scalar, ...]]:
    value: st.SearchStrategy[Scalar]
    match attribute.type:
        case ValueType.BOOLEAN:
            value = st.booleans()
        case ValueType.NUMBER:
            value = st.integers(attribute.minimum or 0, attribute.maximum or 100)
        case ValueType.ENUM:
            value = st.sampled_from(attribute.enums)
        case ValueType.COMPONENT:
            value = _name.map(lambda name: f"{attribute.component}.{name}")
        case ValueType.XML | ValueType.EXPRESSION:
            value = _text | _embedded
        case ValueType.STRING:
            value = _text.map(lambda text: text[: attribute.max_length])
    least = 1 if attribute.required else 0
    return st.lists(
        value, min_size=least, max_size=3 if attribute.multi_value else 1
    ).map(tuple)


def _component(
    kind: ComponentType, *, top: bool = True
) -> st.SearchStrategy[Component]:
    rule = kind.name_rule
    dotted = rule is NameRule.OBJECT_TYPE or (
        top and rule in (NameRule.OBJECT_MEMBER, NameRule.STATE_MEMBER)
    )
    name = _free if rule is NameRule.FREE else _dotted if dotted else _name
    attributes = st.fixed_dictionaries(
        {a.name: _values(a) for a in kind.attributes.values() if a.required},
        optional={
            a.name: _values(a) for a in kind.attributes.values() if not a.required
        },
    )
    if kind.open:
        extra = st.dictionaries(
            st.sampled_from(["queue", "codes", "page_markup"]),
            st.lists(_anything, max_size=2).map(tuple),
            max_size=2,
        )
        attributes = st.builds(
            lambda first, second: {**second, **first}, attributes, extra
        )
    children = (
        st.lists(
            st.one_of(
                [_component(subtype, top=False) for subtype in kind.subtypes.values()]
            ),
            max_size=2,
        )
        if kind.subtypes
        else st.just([])
    )
    return st.builds(
        lambda name, attributes, children: Component(
            kind.name,
            name,
            attributes,
            tuple({child.key: child for child in children}.values()),
        ),
        name,
        attributes,
        children,
    )


def _executes_to_the_same(component: Component) -> None:
    (statement,) = parse(render(component))
    assert statement.component == component
    assert Component.from_json(component.to_json()) == component
    try:
        check(component)
    except ComponentError:
        return  # its parts do not agree with each other: not a component of a Vault
    executed = apply(statement, component)
    assert executed == component
    assert render(executed) == render(component)


@pytest.mark.parametrize(
    "type_name",
    [kind.name for kind in COMPONENT_TYPES.values() if not kind.stored_only],
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_typed_component_executes_to_itself(
    type_name: str, data: st.DataObject
) -> None:
    _executes_to_the_same(data.draw(_component(COMPONENT_TYPES[type_name])))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        [kind for kind in COMPONENT_TYPES.values() if kind.stored_only]
    ).flatmap(_component)
)
def test_a_kept_component_executes_to_itself(component: Component) -> None:
    _executes_to_the_same(component)
