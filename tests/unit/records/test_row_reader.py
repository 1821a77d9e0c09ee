"""Reading rows: the value of each key, by mode, and its errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.components.registry import object_type_id
from shared.vault.errors import MAX_ERRORS
from shared.vault.records import row_reader
from shared.vault.records.lineage_entries import RowLineage
from shared.vault.records.row_reader import RowReader
from shared.vault.records.rows import NORMAL, ReadRow, UnchangedFields, WriteMode
from tests.unit.records.shapes import REGISTRY, THING

MIGRATION = WriteMode(migration=True)
IGNORING = WriteMode(unchanged=UnchangedFields.ALWAYS_IGNORE)
SMALL = object_type_id("thing__c", "small__c")


def read(
    source: dict[str, object], mode: WriteMode = NORMAL, key: str | None = None
) -> ReadRow:
    reader = RowReader(THING, REGISTRY, mode)
    (row,) = reader.read([source], THING.fields[key] if key else None)
    return row


def types(row: ReadRow) -> list[ErrorType]:
    return [error.type for error in row.errors]


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ({"note__c": "a"}, {"note__c": "a"}),
        ({"note__c": ""}, {"note__c": None}),
        ({"note__c": None}, {"note__c": None}),
        ({"count__c": "7"}, {"count__c": 7}),
        ({"open__c": "TRUE"}, {"open__c": True}),
        ({"colours__c": "red__c, blue__c"}, {"colours__c": "red__c,blue__c"}),
        ({"account__c": "V0A1"}, {"account__c": "V0A1"}),
        ({"object_type__v": SMALL}, {"object_type__v": SMALL}),
        ({"object_type__v.api_name__v": "small__c"}, {"object_type__v": SMALL}),
        ({"object_type__v": ""}, {}),
        ({"status__v": ""}, {}),
        ({"status__v": ["inactive__v"]}, {"status__v": "inactive__v"}),
    ],
)
def test_values_become_those_of_columns(
    source: dict[str, object], values: dict[str, object]
) -> None:
    row = read(source)

    assert (row.values, row.errors) == (values, [])


@pytest.mark.parametrize(
    "blank",
    [
        "",
        " ",
        "\t\n",
        "\N{NO-BREAK SPACE}",
        "\N{ZERO WIDTH SPACE}",
        " \N{ZERO WIDTH NO-BREAK SPACE} \N{LEFT-TO-RIGHT MARK}\n",
        None,
    ],
)
def test_white_space_alone_is_no_text(blank: str | None) -> None:
    row = read({"note__c": blank})
    assert (row.values, row.errors) == ({"note__c": None}, [])
    assert types(read({"name__v": blank})) == [ErrorType.PARAMETER_REQUIRED]


def test_a_text_keeps_what_nobody_sees_in_it() -> None:
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN} \N{ZERO WIDTH SPACE}"
    assert read({"note__c": family}).values["note__c"] == family


def test_a_connection_sets_what_people_may_not_edit() -> None:
    reader = RowReader(THING, REGISTRY, for_connection=True)
    source = {"secret__c": "a", "name__v": "n"}
    (row,) = reader.read([source])
    assert (row.values, row.errors) == (source, [])
    (row,) = reader.read([{"created_by__v": 2}])
    assert types(row) == [ErrorType.INVALID_DATA]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ({"nothing__c": "a"}, ErrorType.ATTRIBUTE_NOT_SUPPORTED),
        ({"gone__c": "a"}, ErrorType.ATTRIBUTE_NOT_SUPPORTED),
        ({"account__cr.city__c": "Rome"}, ErrorType.ATTRIBUTE_NOT_SUPPORTED),
        ({"name__v": ""}, ErrorType.PARAMETER_REQUIRED),
        ({"secret__c": "a"}, ErrorType.INVALID_DATA),
        ({"created_by__v": 2}, ErrorType.INVALID_DATA),
        ({"object_type__v": "OOT1"}, ErrorType.INVALID_DATA),
        ({"object_type__v.api_name__v": "closed__c"}, ErrorType.INVALID_DATA),
        ({"colour__c": "green__c"}, ErrorType.INVALID_DATA),
        ({"lineage__sys": [0, ""]}, ErrorType.INVALID_DATA),
        (
            {"account__c": "V0A1", "account__cr.key__c": "x"},
            ErrorType.INVALID_DATA,
        ),
    ],
)
def test_what_a_field_does_not_take_is_an_error_of_the_row(
    source: dict[str, object], error: ErrorType
) -> None:
    assert types(read(source)) == [error]


def test_an_inactive_value_is_for_records_that_have_it() -> None:
    row = read({"colour__c": "grey__c"})
    assert (row.values, row.errors) == ({}, [])
    guard = row.guarded["colour__c"]
    assert guard.value == "grey__c"
    assert guard.parts == frozenset({"grey__c"})
    assert guard.error.type is ErrorType.INVALID_DATA


def test_all_that_is_wrong_is_reported_in_the_order_of_the_keys() -> None:
    row = read({"count__c": "x", "nothing__c": 1, "name__v": ""})

    assert types(row) == [
        ErrorType.INVALID_DATA,
        ErrorType.ATTRIBUTE_NOT_SUPPORTED,
        ErrorType.PARAMETER_REQUIRED,
    ]


def test_a_reference_by_a_unique_field_is_looked_up_later() -> None:
    row = read({"account__cr.key__c": "x"})

    assert row.lookups == {"account__c": ("key__c", "x")}
    assert row.values == {}


def test_a_reference_by_an_empty_key_is_emptied() -> None:
    row = read({"account__cr.key__c": ""})

    assert (row.lookups, row.values) == ({}, {"account__c": None})


def test_a_key_is_read_apart_and_stored_unless_the_vault_sets_it() -> None:
    by_id = read({"id": "V0A1", "note__c": "a"}, key="id")
    by_key = read({"key__c": "x", "note__c": "a"}, key="key__c")

    assert (by_id.key, by_id.values) == ("V0A1", {"note__c": "a"})
    assert (by_key.key, by_key.values) == ("x", {"key__c": "x", "note__c": "a"})


def test_a_row_without_its_key_is_refused() -> None:
    assert types(read({"note__c": "a"}, key="id")) == [ErrorType.PARAMETER_REQUIRED]


def test_the_state_of_the_source_and_lineage_are_no_values() -> None:
    row = read(
        {
            "source_modified_date__sys": "2025-01-31T12:00:00Z",
            "lineage__sys": [0, "m", None],
        }
    )

    assert row.source_modified == datetime(2025, 1, 31, 12, tzinfo=UTC)
    assert row.lineage == RowLineage(0, "m", None)
    assert row.values == {}


def test_fields_of_the_vault_may_be_named_where_the_call_ignores_them() -> None:
    row = read({"secret__c": "a", "created_by__v": 2}, IGNORING)

    guarded = {name: guard.value for name, guard in row.guarded.items()}
    assert guarded == {"secret__c": "a", "created_by__v": 2}
    assert (row.values, row.errors) == ({}, [])


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ({"created_by__v": "2"}, {"created_by__v": 2}),
        ({"created_by__v": ""}, {}),
        ({"secret__c": "a"}, {"secret__c": "a"}),
        ({"state__v": "done__c"}, {"state__v": "done__c"}),
        ({"state__v": ["done__c"]}, {"state__v": "done__c"}),
        (
            {"state_label": "base:object_lifecycle:complete_state__sys"},
            {"state__v": "done__c"},
        ),
        ({"state__v": ""}, {}),
    ],
)
def test_migration_sets_what_the_vault_sets_otherwise(
    source: dict[str, object], values: dict[str, object]
) -> None:
    row = read(source, MIGRATION)

    assert (row.values, row.errors) == (values, [])


@pytest.mark.parametrize(
    "source",
    [
        {"state__v": "old__c"},
        {"state__v": "none__c"},
        {"state_label": "done__c"},
        {"state_label": "base:object_lifecycle:other__sys"},
    ],
)
def test_migration_takes_only_active_states_of_the_lifecycle(
    source: dict[str, object],
) -> None:
    assert types(read(source, MIGRATION)) == [ErrorType.INVALID_DATA]


KEYS = st.sampled_from([*THING.fields, "nothing__c", "account__cr.key__c", "state__v"])
SENT = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text())
)


@given(st.lists(st.dictionaries(KEYS, SENT)), st.sampled_from([NORMAL, MIGRATION]))
def test_any_rows_are_read_one_for_one_and_without_a_fault(
    sources: list[dict[str, object]], mode: WriteMode
) -> None:
    rows = RowReader(THING, REGISTRY, mode).read(sources)

    assert [row.index for row in rows] == list(range(len(sources)))


@given(
    st.dictionaries(KEYS, st.lists(SENT, min_size=3, max_size=3)),
    st.sampled_from([NORMAL, MIGRATION, IGNORING]),
    st.sampled_from([None, "key__c", "id"]),
)
def test_rows_of_the_same_keys_are_read_as_each_is_alone(
    columns: dict[str, list[object]], mode: WriteMode, key: str | None
) -> None:
    sources = [
        {name: column[place] for name, column in columns.items()} for place in range(3)
    ]
    # A row of other keys between them begins another run.
    sources.insert(1, {"note__c": "other"})
    reader = RowReader(THING, REGISTRY, mode)
    together = reader.read(sources, THING.fields[key] if key else None)

    for source, row in zip(sources, together, strict=True):
        alone = read(source, mode, key)
        assert (row.values, row.key) == (alone.values, alone.key)
        assert list(row.values) == list(alone.values)
        assert (row.errors, row.lookups) == (alone.errors, alone.lookups)
        assert (row.guarded, row.lineage) == (alone.guarded, alone.lineage)


@given(
    st.dictionaries(KEYS, st.lists(SENT, min_size=2, max_size=2)),
    st.sampled_from([NORMAL, MIGRATION, IGNORING]),
    st.sampled_from([None, "key__c", "id"]),
)
def test_rows_are_read_key_by_key_as_they_are_value_by_value(
    columns: dict[str, list[object]], mode: WriteMode, key: str | None
) -> None:
    sources = [{name: column[at] for name, column in columns.items()} for at in (0, 1)]
    reader = RowReader(THING, REGISTRY, mode)
    key_field = THING.fields[key] if key else None
    by_key = reader.read(sources, key_field)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_reader, "by_columns", lambda *_: None)
        by_value = reader.read(sources, key_field)

    assert by_key == by_value
    assert [list(row.values) for row in by_key] == [list(r.values) for r in by_value]


@pytest.mark.parametrize(
    "column", [["same"] * 3, ["", "", ""], [None, None, "a"], ["a", "b\x00", "c"]]
)
def test_a_column_is_read_as_its_values_are(column: list[object]) -> None:
    sources = [{"note__c": value} for value in column]
    together = RowReader(THING, REGISTRY, NORMAL).read(sources)

    for source, row in zip(sources, together, strict=True):
        alone = read(source)
        assert (row.values, row.errors) == (alone.values, alone.errors)


def test_a_row_of_unknown_keys_is_given_up_once_an_answer_would_name_no_more() -> None:
    row = read({f"unknown_{number}__c": 1 for number in range(1000)})
    assert types(row) == [ErrorType.ATTRIBUTE_NOT_SUPPORTED] * (MAX_ERRORS + 1)
