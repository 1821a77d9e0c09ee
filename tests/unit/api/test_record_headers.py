"""Headers of record calls and queries: write modes, lineage of rows, and extras besides rows."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.api.query import _extras
from shared.vault.api.records import MAX_LINEAGE, lineage_of, mode_of
from shared.vault.errors import VaultFault
from shared.vault.queries.query_pages import Extras, RecordProperties
from shared.vault.records.lineage_entries import CallLineage, Origin
from shared.vault.records.rows import UnchangedFields, WriteMode
from tests.unit.api.requests import request

LINEAGE = {
    "source_vault_id": 10102,
    "integration": "Medical Inquiry Details",
    "integration_point": "account_inbound__v",
    "run": 1201,
    "time": "2026-01-31T11:32:11.020+01:00",
    "origins": [
        {"object": "account__v", "rule": "pull__v", "own": ["object_type__v"]},
        {},
    ],
}


@pytest.mark.parametrize(
    ("headers", "mode"),
    [
        ({}, WriteMode()),
        ({"X-VaultAPI-MigrationMode": "true"}, WriteMode(migration=True)),
        ({"X-VaultAPI-MigrationMode": " TRUE "}, WriteMode(migration=True)),
        ({"X-VaultAPI-MigrationMode": "1"}, WriteMode()),
        ({"X-VaultAPI-NoTriggers": "true"}, WriteMode(no_triggers=True)),
        (
            {"X-VaultAPI-UnchangedFieldBehavior": "neverignore"},
            WriteMode(unchanged=UnchangedFields.NEVER_IGNORE),
        ),
        ({"X-VaultAPI-UnchangedFieldBehavior": ""}, WriteMode()),
    ],
)
def test_how_a_call_writes(headers: dict[str, str], mode: WriteMode) -> None:
    assert mode_of(request(headers=headers)) == mode


def test_an_unknown_behavior_is_refused_with_those_that_there_are() -> None:
    asked = request(headers={"X-VaultAPI-UnchangedFieldBehavior": "Sometimes"})
    with pytest.raises(VaultFault) as refused:
        mode_of(asked)
    assert all(each in str(refused.value) for each in UnchangedFields)


def lineage(value: object) -> CallLineage | None:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return lineage_of(request(headers={"X-VaultAPI-Lineage": text}))


def test_a_call_without_the_header_has_no_lineage() -> None:
    assert lineage_of(request()) is None


def test_lineage_has_its_time_in_utc() -> None:
    assert lineage(LINEAGE) == CallLineage(
        10102,
        "Medical Inquiry Details",
        "account_inbound__v",
        1201,
        datetime(2026, 1, 31, 10, 32, 11, 20_000, tzinfo=UTC),
        (
            Origin("account__v", "pull__v", frozenset({"object_type__v"})),
            Origin(None, None, frozenset()),
        ),
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"source_vault_id": "10102"}, "source_vault_id"),
        ({"source_vault_id": 0}, "source_vault_id"),
        ({"integration": ""}, "integration"),
        ({"time": "2026-01-31T10:32:11"}, "time"),
        ({"origins": []}, "origins"),
        ({"origins": [{"object": "a b"}]}, r"origins\.0\.object"),
        ({"orgins": []}, "orgins"),
    ],
)
def test_malformed_lineage_names_the_place_and_not_the_value(
    change: dict[str, object], place: str
) -> None:
    with pytest.raises(VaultFault, match=rf"cannot be read at \[{place}\]") as refused:
        lineage(LINEAGE | change)
    assert refused.value.error.type is ErrorType.INVALID_DATA
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_LINEAGE + 1),
        orjson.dumps(LINEAGE | {"time": "0001-01-01T00:00:00+02:00"}).decode(),
    ],
)
def test_lineage_has_a_length_and_an_era(text: str) -> None:
    with pytest.raises(VaultFault, match="at most 16384 characters"):
        lineage(text)


@pytest.mark.parametrize(
    ("headers", "extras"),
    [
        ({}, Extras(describe=False, properties=None, facets=())),
        (
            {"X-VaultAPI-DescribeQuery": "True"},
            Extras(describe=True, properties=None, facets=()),
        ),
        (
            {"X-VaultAPI-RecordProperties": " ALL "},
            Extras(describe=False, properties=RecordProperties("all"), facets=()),
        ),
        (
            {"X-VaultAPI-Facets": "status__v, , color__c"},
            Extras(describe=False, properties=None, facets=("status__v", "color__c")),
        ),
    ],
)
def test_what_a_query_requests_besides_rows(
    headers: dict[str, str], extras: Extras
) -> None:
    assert _extras(request(headers=headers)) == extras


@pytest.mark.parametrize(
    "headers",
    [
        {"X-VaultAPI-RecordProperties": "some"},
        {"X-VaultAPI-Facets": "1st"},
        {"X-VaultAPI-Facets": "a b"},
        {"X-VaultAPI-Facets": "count()"},
    ],
)
def test_malformed_headers_of_a_query_are_refused_by_name(
    headers: dict[str, str],
) -> None:
    (name,) = headers
    with pytest.raises(VaultFault, match=rf"\[{name}\]"):
        _extras(request(headers=headers))
