"""What a job's page makes of the results that are stored of it."""

from __future__ import annotations

import pytest

from shared.vault.admin.job_pages import result_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ({"read": 2, "rows_failed": 1}, "2 read, 1 rows failed"),
        # Stored as JSON, the shorter names come first.
        ({"read": 3, "failed": 1, "mapped": 2}, "3 read, 2 mapped, 1 failed"),
        ({"type": "INVALID_DATA", "message": "Too few"}, "Too few (INVALID_DATA)"),
        ({"deep": {"one": 1}}, '{\n  "deep": {\n    "one": 1\n  }\n}'),
        ({}, "{}"),
        (["a"], '[\n  "a"\n]'),
        ({"done": True}, '{\n  "done": true\n}'),
    ],
)
def test_results_are_words_where_they_can_be(value: object, text: str) -> None:
    assert result_text(value) == text
