"""Turns of an upsert: no key is repeated within one, and rows of a key keep their order."""

from __future__ import annotations

import pytest

from shared.vault.records.upsert_turns import in_turns


@pytest.mark.parametrize(
    ("keys", "turns"),
    [
        ([], []),
        (["a", "b"], [[0, 1]]),
        (["a", "b", "a", "c", "a", "b"], [[0, 1, 3], [2, 5], [4]]),
        (["", None, " ", "a"], [[0, 1, 2, 3]]),
        (["1", "01", "1.0 ", 1], [[0], [1], [2], [3]]),
        (["NaN", "sNaN", "1e9999999999999999999", "NaN"], [[0, 1, 2], [3]]),
    ],
)
def test_turns(keys: list[object], turns: list[list[int]]) -> None:
    assert in_turns([{"key__c": key} for key in keys], "key__c") == turns
