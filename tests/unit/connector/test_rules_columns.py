"""A rule that is evaluated over many rows at once gives each row what it gives the row alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.rules.lookups import read_lookups
from services.connector.rules.rows import Selection, SourceColumns, reader
from tests.unit.connector.examples import compiled, field_rule

SOURCE = "delivery_method__v"
LOOKUPS = read_lookups(
    [
        {
            "reference_lookup_name__sys": "channel",
            "reference_lookup_type__sys": ["picklist__sys"],
            "source_key__sys": "a",
            "target_key__sys": "by_a__v",
        }
    ]
)
LOOKUP = {"reference_lookup": "channel", "reference_lookup_type": "picklist"}
REQUEST = "case_request__v"
RULE = compiled(
    field_rule(f"{REQUEST}.question__v", SOURCE),
    field_rule(f"{REQUEST}.quantity__v", SOURCE),
    field_rule(f"{REQUEST}.topics__v", SOURCE, empty_source="keep"),
    field_rule(f"{REQUEST}.link__sys", "group_identifier__v", empty_source="keep"),
    field_rule(
        f"{REQUEST}.product__v",
        "group_identifier__v",
        target_field_lookup="external_id__v",
    ),
    field_rule(
        f"{REQUEST}.link__sys",
        "inquiry_text__v",
        field_default="source_id",
        field_default_type="code",
        name="other__v",
    ),
    field_rule("case__v.priority__v", SOURCE, missing_lookup="warning", **LOOKUP),
    lookups=LOOKUPS,
)
VALUES = (
    st.sampled_from(["", "a", "7", "x" * 41, None, True, 3, [], ["a"], ["a", "b"]])
    | st.text(max_size=5)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=1)
)
ROWS = st.fixed_dictionaries(
    {"id": st.sampled_from(["I1", "I2"])},
    optional={
        SOURCE: VALUES,
        "group_identifier__v": VALUES,
        "inquiry_text__v": VALUES,
        "product__vr.id": st.sampled_from([None, "P1"]),
    },
)


@given(st.lists(ROWS, max_size=6))
def test_a_row_among_others_is_evaluated_as_alone(
    rows: list[dict[str, object]],
) -> None:
    assert RULE.evaluate_all(rows) == [RULE.evaluate(row) for row in rows]


def test_no_two_rows_share_the_fields_of_an_object() -> None:
    first, second = RULE.evaluate_all([{"id": "I1"}, {"id": "I1"}])
    assert first == second
    for name, fields in first.targets.items():
        assert fields is not second.targets[name]


@pytest.mark.parametrize("known", [True, False])
def test_a_value_without_a_translation_empties_no_field(known: bool) -> None:
    rows: list[dict[str, object]] = [{SOURCE: "a"}, {SOURCE: "b"}, {SOURCE: None}]
    if not known:
        rows = rows[1:2]
    rule = compiled(
        field_rule("case__v.priority__v", SOURCE, missing_lookup="warning", **LOOKUP),
        lookups=LOOKUPS,
    )
    evaluated = rule.evaluate_all(rows)
    expected = {"a": {"priority__v": "by_a__v"}, "b": {}, None: {"priority__v": None}}
    for row, each in zip(rows, evaluated, strict=True):
        assert each.targets == {"case__v": expected[row[SOURCE]]}  # type: ignore[index]
        assert len(each.warnings) == (row[SOURCE] == "b")


def test_an_object_without_a_filled_field_has_an_empty_row_each() -> None:
    rule = compiled(field_rule("case__v.priority__v", SOURCE, empty_source="keep"))
    targets = [each.targets for each in rule.evaluate_all([{}, {}])]
    assert targets == [{"case__v": {}}, {"case__v": {}}]


RELATED: tuple[object, ...] = (
    None,
    {},
    {"data": None},
    {"data": []},
    {"data": [None]},
    [{"city__v": "x"}],
)


ADDRESSES = (*RELATED, {"data": [{"city__v": "Rome"}, {"city__v": "Bern"}]})


@pytest.mark.parametrize(
    "row",
    [{}, {"city__v": "Rome"}, *({"addresses__vr": each} for each in ADDRESSES)],
)
@pytest.mark.parametrize("child", [None, "addresses__vr"])
def test_a_column_has_what_is_read_row_by_row(
    child: str | None, row: dict[str, object]
) -> None:
    selection = Selection("city__v", child)
    columns = SourceColumns([row, row])
    assert columns.values(selection) == [reader(selection)(row)] * 2
    assert columns.values(selection) == columns.values(selection)
