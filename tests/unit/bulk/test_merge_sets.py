"""Sets of a merge: two ids each, and none that contradict each other."""

from __future__ import annotations

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.bulk.merge import MAX_SETS, merge_sets
from shared.vault.bulk.record_merge import DUPLICATE, MAIN
from shared.vault.errors import VaultFault


def pair(duplicate: object, main: object) -> dict[str, object]:
    return {DUPLICATE: duplicate, MAIN: main}


def test_sets_keep_their_order() -> None:
    rows = [pair("B", "A"), pair("C", "A")]
    assert merge_sets(rows) == rows


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [pair(f"D{number}", "A") for number in range(MAX_SETS + 1)],
        [pair("B", "A"), pair("B", "C")],
        [pair("B", "A"), pair("C", "B")],
        [pair("A", "A")],
    ],
    ids=["none", "too many", "merged twice", "merged into a duplicate", "into itself"],
)
def test_sets_that_contradict_each_other(rows: list[dict[str, object]]) -> None:
    with pytest.raises(VaultFault) as refused:
        merge_sets(rows)
    assert refused.value.error.type == ErrorType.INVALID_DATA


@pytest.mark.parametrize(
    "row", [pair("", "A"), pair("B", None), pair("B", 7), pair("B\x00", "A"), {}]
)
def test_a_set_without_an_id(row: dict[str, object]) -> None:
    with pytest.raises(VaultFault) as refused:
        merge_sets([row])
    assert refused.value.error.type == ErrorType.PARAMETER_REQUIRED
