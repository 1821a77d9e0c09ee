"""SHOW: the targets, fields and relationships that a caller may read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.vql import Show, describe_show, parse_statement, show_rows
from shared.vault.vql.describe import _matches as matches
from tests.unit.vql.sample import REGISTRY, TARGETS, readable


def statement(text: str) -> Show:
    found = parse_statement(text)
    assert isinstance(found, Show)
    return found


def rows(text: str) -> list[dict[str, object]]:
    return show_rows(statement(text), REGISTRY, readable, TARGETS)


def test_targets() -> None:
    found = rows("SHOW TARGETS")
    assert {
        "name": "account__v",
        "label": "Account",
        "label_plural": "Accounts",
    } in found
    names = [str(row["name"]) for row in found]
    assert names == sorted(names)
    assert {"object_type__v", "vault_component__v", "users", "user__sys"} < set(names)
    assert "secret__v" not in names


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("address__v", ["address__v"]),
        ("ad%", ["address__v"]),
        ("%ry__v", ["country__v", "medical_inquiry__v"]),
        ("%inquiry%", ["medical_inquiry__v"]),
        ("c%t%v", ["country__v"]),
        ("%y__v%y__v", []),
        ("country__v%country__v", []),
        ("", []),
    ],
)
def test_targets_like(pattern: str, names: list[str]) -> None:
    assert [row["name"] for row in rows(f"SHOW TARGETS LIKE '{pattern}'")] == names


def test_fields() -> None:
    found = {row["name"]: row for row in rows("SHOW FIELDS FROM address__v")}
    assert found["city_cda__v"] == {
        "name": "city_cda__v",
        "label": "City Cda",
        "type": "String",
    }
    assert found["account__v"] == {
        "name": "account__v",
        "label": "Account",
        "type": "ObjectReference",
        "relationship_name": "account__vr",
    }
    assert [row["name"] for row in rows("SHOW FIELDS FROM account__v LIKE 'b%'")] == [
        "beds__v",
        "biography__v",
        "birth_date__v",
    ]


def test_relationships() -> None:
    found = rows("SHOW RELATIONSHIPS FROM account__v")
    assert {"name": "addresses__vr", "target": "address__v", "type": "inbound"} in found
    assert {
        "name": "primary_country__vr",
        "target": "country__v",
        "type": "outbound",
    } in found
    assert {
        "name": "object_type__vr",
        "target": "object_type__v",
        "type": "outbound",
    } in found
    assert "secrets__vr" not in {row["name"] for row in found}


def test_descriptions() -> None:
    assert describe_show(statement("SHOW TARGETS"), REGISTRY, TARGETS) == {
        "type": "show_targets__sys",
        "object": {"name": None, "label": None, "label_plural": None},
        "fields": [],
    }
    described = describe_show(statement("SHOW FIELDS FROM users"), REGISTRY, TARGETS)
    assert described["object"] == {
        "name": "users",
        "label": "User",
        "label_plural": "Users",
    }


@given(
    st.text("ab_", max_size=8),
    st.lists(st.text("ab_", max_size=2), min_size=1, max_size=5),
)
def test_like_finds_what_the_parts_in_their_order_fit(
    name: str, parts: list[str]
) -> None:
    fits = re.fullmatch(".*".join(map(re.escape, parts)), name) is not None
    assert matches(name, tuple(parts)) is fits
