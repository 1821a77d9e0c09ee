"""The fields that a form asks for by the entry criteria of the next state, and the criteria that are not met."""

from __future__ import annotations

import pytest

from shared.vault.admin.form_needs import (
    applicable_criteria,
    condition_result,
    unmet_criteria,
)
from shared.vault.model.component_model import EntryCriterion, ValueFormat
from shared.vault.vql import parse_criteria

CRITERIA = (
    EntryCriterion("text__v", "", "", required_field="text__v"),
    EntryCriterion(
        "email__v",
        "",
        "",
        required_field="email__v",
        condition="way__v = 'email__v'",
        value_format=ValueFormat.EMAIL,
    ),
    EntryCriterion(
        "city__v",
        "",
        "",
        required_field="city__v",
        condition="way__v CONTAINS ('mail__v', 'urgent_mail__v')",
    ),
    # What only the stored record can tell, and what is no condition on a field, is left to the service.
    EntryCriterion(
        "far__v",
        "",
        "",
        required_field="far__v",
        condition="account__vr.name__v = 'x'",
    ),
    EntryCriterion("any__v", "name__v LIKE 'a%'", "Begin with a."),
)
EMAIL = {"text__v": "?", "way__v": "email__v", "email__v": "a@b.example", "city__v": ""}


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        ("", ["text__v"]),
        ("email__v", ["text__v", "email__v"]),
        ("mail__v", ["text__v", "city__v"]),
        ("urgent_mail__v", ["text__v", "city__v"]),
        ("fax__v", ["text__v"]),
    ],
)
def test_what_is_asked_for_follows_the_choice(way: str, asked: list[str]) -> None:
    found = applicable_criteria(CRITERIA, {"way__v": way})
    assert [each.required_field for each in found] == asked


@pytest.mark.parametrize(
    ("changed", "missing", "malformed"),
    [
        ({}, [], []),
        ({"text__v": " "}, ["text__v"], []),
        ({"email__v": ""}, ["email__v"], []),
        ({"email__v": "nobody"}, [], ["email__v"]),
        ({"way__v": "mail__v", "email__v": "nobody"}, ["city__v"], []),
    ],
)
def test_what_is_lacking_is_known_by_field(
    changed: dict[str, str], missing: list[str], malformed: list[str]
) -> None:
    unmet = unmet_criteria(CRITERIA, {**EMAIL, **changed})
    assert [each.required_field for each in unmet.missing] == missing
    assert [each.required_field for each in unmet.malformed] == malformed
    assert bool(unmet) is bool(missing or malformed)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("a__v = 'x'", True),
        ("a__v = 'y'", False),
        ("a__v CONTAINS ('x', 'y')", True),
        ("b__v = null", True),
        ("a__v = null", False),
        ("a__v != null", True),
        ("a__v = 'x' AND b__v = 'x'", False),
        ("a__v = 'x' OR c__v > 1", True),
        ("a__v = 'x' AND a__v > 'a'", None),
        ("a__v = 'y' OR a__v > 'a'", None),
        ("a__v = 'x' AND b__v = null", True),
        ("a__v = 'y' OR b__v != null", False),
        ("a__v != 'x'", None),
        ("missing__v = 'x'", None),
        ("a__vr.name__v = 'x'", None),
        ("LOWER(a__v) = 'x'", None),
    ],
)
def test_a_condition_is_told_by_values_or_not_at_all(
    condition: str, told: bool | None
) -> None:
    values = {"a__v": "x", "b__v": ""}
    assert condition_result(parse_criteria(condition).expression, values) is told
