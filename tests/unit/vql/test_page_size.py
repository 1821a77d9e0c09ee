"""Pages have fewer rows if their rows may be long."""

from __future__ import annotations

import pytest

from shared.vault import vql
from shared.vault.vql.columns import MAX_PAGE_CHARACTERS
from tests.unit.vql.sample import REGISTRY


def rows_of(text: str) -> int:
    return vql.compile_query(vql.parse(text), REGISTRY, lambda _: True).pagesize


def whole(aliases: int) -> str:
    return ", ".join(f"LONGTEXT(notes__v) AS a{number}" for number in range(aliases))


@pytest.mark.parametrize(
    ("selected", "rows"),
    [
        ("id, name__v", 1000),
        ("notes__v", 1000),
        (whole(1), 1000),
        (whole(10), MAX_PAGE_CHARACTERS // 320_000),
        (whole(400), MAX_PAGE_CHARACTERS // 12_800_000),
    ],
)
def test_a_page_has_as_many_rows_as_their_texts_leave_room_for(
    selected: str, rows: int
) -> None:
    assert rows_of(f"SELECT {selected} FROM account__v") == rows
    assert rows_of(f"SELECT {selected} FROM account__v PAGESIZE 1") == 1


def test_texts_of_related_records_count_once_for_each() -> None:
    child = "(SELECT LONGTEXT(inquiry_text__v) FROM medical_inquiries__vr)"
    assert rows_of(f"SELECT {child} FROM account__v") == 4
