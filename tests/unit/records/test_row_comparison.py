"""Rows compared with records, all fields at once: as by comparing field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.records.batch_values import Comparison
from shared.vault.records.rows import Guard, ResolvedRow

NAMES = ["key__c", "note__c", "price__c", "ready__c"]
VALUES = st.sampled_from([None, "", "a", 0, 1, True])
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES), max_size=4)
# Every record has all columns; the key by which they were found has none.
COLUMNS = st.fixed_dictionaries(dict.fromkeys(NAMES[1:], VALUES))


class Stored:
    """A record as the driver returns it: its values by place, and by name."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = {"id": "V0A1", "key": "k", **values}

    def keys(self) -> list[str]:
        return list(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __getitem__(self, at: str | int) -> object:
        return self._values[at if isinstance(at, str) else self.keys()[at]]


@given(ROWS, COLUMNS, st.booleans())
def test_all_fields_at_once_are_compared_as_each_alone(
    rows: list[dict[str, object]], columns: dict[str, object], again: bool
) -> None:
    comparison = Comparison(again=again)
    record: Any = Stored(columns)
    for index, values in enumerate(rows):
        change = comparison.change(ResolvedRow(index=index, values=values), record)

        compared = {name: value for name, value in values.items() if name in columns}
        changed = {name: v for name, v in compared.items() if v != columns[name]}
        assert change.changed == changed.keys()
        assert list(change.values.items()) == list(
            (compared if again else changed).items()
        )
        assert change.row.errors == []


ERROR = ApiError(ErrorType.INVALID_DATA, "it is guarded")


@pytest.mark.parametrize(
    ("name", "value", "parts", "refused", "changes"),
    [
        ("note__c", "a", None, False, {}),
        ("note__c", "b", None, True, {}),
        ("other__c", "a", None, True, {}),
        # Inactive values of picklists.
        ("note__c", "a", {"a"}, False, {}),
        ("note__c", "b", {"b"}, True, {}),
        ("many__c", "a,b", {"b"}, False, {}),
        ("many__c", "c,b", {"b"}, False, {"many__c": "c,b"}),
        ("many__c", "a,b,d", {"b", "d"}, True, {}),
        ("empty__c", "b", {"b"}, True, {}),
    ],
)
def test_a_guarded_field_may_have_what_is_stored_only(
    name: str,
    value: str,
    parts: set[str] | None,
    refused: bool,
    changes: dict[str, object],
) -> None:
    record: Any = Stored({"note__c": "a", "many__c": "a,b", "empty__c": None})
    names = None if parts is None else frozenset(parts)
    row = ResolvedRow(index=0, guarded={name: Guard(value, ERROR, names)})

    change = Comparison(again=False).change(row, record)

    assert (row.errors, change.values) == ([ERROR] if refused else [], changes)
