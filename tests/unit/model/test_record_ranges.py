"""Which records of a call are rows of many."""

from __future__ import annotations

import pytest

from shared.vault.model.record_ranges import PER_ROW, SEVERAL, SPREAD, divided
from shared.vault.records.new_records import record_ids


def ids(*numbers: int) -> list[str]:
    return [record_ids("V0A", number, 1)[0] for number in numbers]


def shapes(records: list[str]) -> tuple[list[int], list[int]]:
    """The lengths of the parts that are rows of many, and of the others."""
    together, apart = (
        [len(records[part]) for part in parts] for parts in divided(records)
    )
    return together, apart


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], ([], [])),
        (ids(*range(SEVERAL - 1)), ([], [SEVERAL - 1])),
        (ids(*range(SEVERAL)), ([SEVERAL], [])),
        (ids(*range(30, 30 - SEVERAL, -1)), ([SEVERAL], [])),
        (ids(*range(PER_ROW + 1)), ([50, 51], [])),
        (ids(*range(500)), ([100] * 5, [])),
        # The same record several times, with a change of another field each.
        (ids(*(number // 4 for number in range(80))), ([80], [])),
        (ids(*range(9), SPREAD * 10 - 1), ([10], [])),
        (ids(*range(9), SPREAD * 10), ([], [10])),
        # Only the second half has a distant record.
        (ids(*range(199), 10**6), ([100], [100])),
        # Users.
        ([str(number) for number in range(995, 1010)], ([15], [])),
    ],
)
def test_parts(records: list[str], expected: tuple[list[int], list[int]]) -> None:
    assert shapes(records) == expected


def test_every_record_is_in_one_part_in_its_place() -> None:
    records = ids(*range(437))
    together, apart = divided(records)
    assert not apart
    assert [each for part in together for each in records[part]] == records
