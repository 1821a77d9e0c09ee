"""The stages of a row: the data of each, and that no later stage removes an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.records.lineage_entries import LineageEntry, RowLineage
from shared.vault.records.rows import (
    CREATED,
    NEWER_STORED,
    UPDATED,
    Accepted,
    Change,
    NewRow,
    Outcome,
    Refused,
    ResolvedRow,
    in_order,
    lineage_of,
)

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
ORIGIN = RowLineage(0, "message-1", "V0S000000000001")
BAD = ApiError(ErrorType.INVALID_DATA, "bad")


def change(values: dict[str, object], **attributes: Any) -> Change:
    row = ResolvedRow(index=0, key="K", values=values, **attributes)
    stored: Any = {"id": "V0A1"}
    return Change(row, stored, dict(values), frozenset(values))


@given(st.lists(st.tuples(st.sampled_from(ErrorType), st.text()), min_size=1))
def test_a_row_keeps_every_rule_that_it_breaks_in_order(
    broken: list[tuple[ErrorType, str]],
) -> None:
    row = ResolvedRow(index=0, key="K")
    for error_type, message in broken:
        row.fail(error_type, message)

    assert row.refused().errors == tuple(ApiError(*each) for each in broken)


def test_a_refused_row_names_its_key_and_its_record_where_it_is_known() -> None:
    row = ResolvedRow(index=0, key=17, errors=[BAD])

    assert row.refused() == Refused(id_param_value="17", errors=(BAD,))
    assert row.refused("V0A1") == Refused(id="V0A1", id_param_value="17", errors=(BAD,))


def test_a_new_row_leaves_the_resolved_one_as_it_is() -> None:
    row = ResolvedRow(index=0, values={"name__v": "a"})

    new = NewRow.of(row)
    new.values["id"] = "V0A1"
    new.fail(ErrorType.INVALID_DATA, "bad")

    assert (row.values, row.errors) == ({"name__v": "a"}, [])


def test_a_new_row_has_set_the_fields_that_came_with_a_value() -> None:
    row = ResolvedRow(index=0, values={"name__v": "a", "note__c": None})

    assert NewRow.of(row).sent == {"name__v"}


def test_a_created_row_has_the_id_that_the_vault_gave_it() -> None:
    new = NewRow.of(ResolvedRow(index=0, key="K"))
    new.values["id"] = "V0A1"

    assert new.created() == Accepted(id="V0A1", event=CREATED, id_param_value="K")


def test_a_written_change_is_an_update() -> None:
    assert change({"note__c": "b"}).written() == Accepted(
        "V0A1", UPDATED, "K", changed=frozenset({"note__c"})
    )


def test_an_unchanged_row_is_an_update_with_a_warning_if_one_is_wanted() -> None:
    assert change({}).unchanged("same") == Accepted(
        "V0A1", UPDATED, "K", warning="same", stored_before=True
    )
    assert change({}).unchanged(None).warning is None


def test_a_row_of_an_older_state_says_which_is_stored_and_is_no_event() -> None:
    assert change({"note__c": "b"}).left_out(NOON) == Accepted(
        id="V0A1", id_param_value="K", warning=NEWER_STORED, newer=NOON
    )


def test_outcomes_are_in_the_order_of_their_rows() -> None:
    rows = [ResolvedRow(index=index) for index in (2, 0, 1)]
    outcomes = {index: Accepted(f"V0A{index}") for index in range(3)}

    ordered = in_order(rows, outcomes)

    assert [result.id for result in ordered] == ["V0A2", "V0A0", "V0A1"]


def test_lineage_is_that_of_accepted_rows_that_changed_something() -> None:
    changed = frozenset({"note__c"})
    outcomes: list[Outcome] = [
        Accepted("V0A1", lineage=ORIGIN, changed=changed),
        Accepted("V0A2", lineage=ORIGIN),
        Accepted("V0A3", changed=changed),
        Refused("V0A4", errors=(BAD,)),
    ]

    assert lineage_of(outcomes) == [LineageEntry("V0A1", ORIGIN, changed)]
