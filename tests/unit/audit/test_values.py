"""Values as text of bounded length."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.audit.audit_entries import CUT, MAX_VALUE, cut, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (Decimal("1.50"), "1.50"),
        ("", ""),
        ("red__c,blue__c", "red__c,blue__c"),
        (date(2026, 2, 3), "2026-02-03"),
        (
            datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC),
            "2026-02-03T04:05:06.789Z",
        ),
    ],
)
def test_values_as_text(value: object, text: str | None) -> None:
    assert text_of(value) == text


@given(
    st.text(max_size=3 * MAX_VALUE), st.integers(min_value=1, max_value=2 * MAX_VALUE)
)
def test_text_is_cut_to_its_bound(text: str, length: int) -> None:
    kept = cut(text, length)
    assert len(kept) <= length
    assert kept == text or (
        kept.endswith(CUT) and text.startswith(kept[:-1]) and len(text) > length
    )
