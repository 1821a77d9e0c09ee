"""One source record as several target records: a part for each value of one of its fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.points.country import spread, spread_field
from services.connector.rules.compile import compile_rule
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import RuleError, read_rule
from tests.unit.connector.examples import field, field_rule, metadata, rule_json

SETTINGS = metadata(
    "settings__v",
    field("filter__v", "Picklist", multi_value=True),
    children={"lines__vr": "line__v"},
)
TARGETS = {"used__v": metadata("used__v", field("country__v"))}


def filled_from(query: str | None, query_object: str = "settings__v") -> CompiledRule:
    (rule,) = read_rule(
        rule_json(
            field_rule("used__v.country__v", query, query_object), primary="settings__v"
        )
    )
    return compile_rule(rule, plan(rule, SETTINGS), TARGETS, {})


@pytest.mark.parametrize(
    ("given_value", "values"),
    [
        (["de__v", "fr__v"], ["de__v", "fr__v"]),
        (["fr__v", "de__v", "fr__v"], ["fr__v", "de__v"]),
        ("de__v", ["de__v"]),
        ([], []),
        (None, []),
        ("", []),
    ],
)
def test_a_part_for_each_value(given_value: object, values: list[str]) -> None:
    row = {"id": "S1", "name__v": "CLM", "filter__v": given_value}
    parts = list(spread({"S1": row}, "filter__v"))
    assert [(part.item, part.value) for part in parts] == [
        ("S1", value) for value in values
    ]
    assert [part.row for part in parts] == [
        {**row, "filter__v": [value]} for value in values
    ]
    assert row["filter__v"] is given_value, "the source row stays as it is"


@given(
    st.dictionaries(
        st.text("SV12", min_size=1), st.lists(st.sampled_from(("a__v", "b__v", "c d")))
    )
)
def test_parts_are_known_apart(filters: dict[str, list[str]]) -> None:
    parts = list(
        spread(
            {item: {"filter__v": values} for item, values in filters.items()},
            "filter__v",
        )
    )
    assert (
        len({part.key for part in parts})
        == len(parts)
        == sum(len(set(values)) for values in filters.values())
    )


def test_the_field_that_a_rule_spreads() -> None:
    assert spread_field(filled_from("filter__v"), "country__v") == "filter__v"


@pytest.mark.parametrize("rule", [filled_from("name__v", "line__v"), filled_from(None)])
def test_no_field_to_spread(rule: CompiledRule) -> None:
    with pytest.raises(
        RuleError,
        match="no active field rule fills country__v from a field of settings__v",
    ):
        spread_field(rule, "country__v")
