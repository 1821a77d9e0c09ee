"""Queries of audit trails find the entries of records by the indexes of single rows and of rows of many."""

from __future__ import annotations

import pytest

from shared.vault.audit.trails import query_targets
from shared.vault.vql import compile_query, parse
from tests.unit.vql.sample import REGISTRY, readable

TARGETS = query_targets()
ONE = '((t0.row_record = $2::text OR t0.row_records @> $2::text) AND t0."record_id" = $2::text)'
SEVERAL = (
    "((t0.row_record = ANY($2::text[]) OR t0.row_records @> ANY($2::text[]))"
    ' AND t0."record_id" IN (SELECT unnest($2::text[])))'
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("record_id = 'V1'", ONE),
        ("record_id CONTAINS ('V1', 'V2')", SEVERAL),
        ("record_id != 'V1'", 't0."record_id" IS DISTINCT FROM $2::text'),
        ("record_id LIKE 'V%'", 't0."record_id" LIKE $2::text'),
        (
            "CASEINSENSITIVE(record_id) = 'v1'",
            'platform.caseless(t0."record_id") = (SELECT platform.caseless($2::text))',
        ),
        ("field_name = 'a'", 't0."field_name" = $2::text'),
    ],
)
def test_entries_of_records(condition: str, expected: str) -> None:
    text = f"SELECT id FROM object_audit_trail WHERE {condition}"
    query = compile_query(parse(text), REGISTRY, readable, targets=TARGETS)
    assert query.count_sql.endswith(f" t0 WHERE {expected}")
