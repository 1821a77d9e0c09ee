"""The requests that a call of the loader may contain."""

from __future__ import annotations

from typing import Any

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.loader.request import (
    Action,
    ExtractTask,
    LoadTask,
    clause,
    extract_tasks,
    load_tasks,
)

LOAD: dict[str, object] = {
    "object_type": "vobjects__v",
    "object": "account__v",
    "action": "create",
    "file": "/a.csv",
}
EXTRACT: dict[str, object] = {
    "object_type": "vobjects__v",
    "object": "account__v",
    "fields": ["id", "name__v"],
}


def test_load_tasks() -> None:
    first, second = load_tasks(
        [
            {**LOAD, "action": "UPSERT", "idparam": "key__c", "order": 5},
            {**LOAD, "order": "2"},
        ]
    )
    assert (first.task_id, first.action, first.id_param, first.order) == (
        "1",
        Action.UPSERT,
        "key__c",
        5,
    )
    assert (second.task_id, second.action, second.id_param, second.order) == (
        "2",
        Action.CREATE,
        None,
        2,
    )
    assert LoadTask.from_json(first.to_json()) == first


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), ("true", True), (False, False), (None, False), ("no", False)],
)
def test_flags(value: object, flag: bool) -> None:
    task = load_tasks([{**LOAD, "recordmigrationmode": value, "notriggers": value}])[0]
    assert (task.migration_mode, task.no_triggers) == (flag, flag)


def test_extract_tasks() -> None:
    task = extract_tasks(
        [{**EXTRACT, "vql_criteria__v": "status__v = 'active__v' MAXROWS 5"}]
    )[0]
    assert task.fields == ("id", "name__v")
    assert task.criteria == "WHERE status__v = 'active__v' MAXROWS 5"
    assert ExtractTask.from_json(task.to_json()) == task
    later = {
        "entity_type": "vobjects__v",
        "object": "account__v",
        "fields": "id, country__vr.name__v,id",
    }
    assert extract_tasks([later])[0].fields == ("id", "country__vr.name__v")


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ("", ""),
        ("  ", ""),
        ("MAXROWS 500 SKIP 100", "MAXROWS 500 SKIP 100"),
        ("where id = 'x'", "where id = 'x'"),
        ("order by id", "order by id"),
        ("id = 'x'", "WHERE id = 'x'"),
        ("wherever__c = 'x'", "WHERE wherever__c = 'x'"),
    ],
)
def test_where_is_understood(criteria: str, text: str) -> None:
    assert clause(criteria) == text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"object_type": None}, ErrorType.PARAMETER_REQUIRED),
        ({"object_type": "binders__v"}, ErrorType.OPERATION_NOT_ALLOWED),
        ({"object": ""}, ErrorType.PARAMETER_REQUIRED),
        ({"object": "account__v; DROP"}, ErrorType.INVALID_DATA),
        ({"action": "replace"}, ErrorType.INVALID_DATA),
        ({"action": None}, ErrorType.PARAMETER_REQUIRED),
        ({"action": "upsert"}, ErrorType.PARAMETER_REQUIRED),
        ({"file": None}, ErrorType.PARAMETER_REQUIRED),
        ({"file": 5}, ErrorType.INVALID_DATA),
        ({"order": "first"}, ErrorType.INVALID_DATA),
        ({"order": -1}, ErrorType.INVALID_DATA),
    ],
)
def test_refused_loads(change: dict[str, Any], error: ErrorType) -> None:
    with pytest.raises(VaultFault) as raised:
        load_tasks([{**LOAD, **change}])
    assert raised.value.error.type is error


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"fields": []}, ErrorType.PARAMETER_REQUIRED),
        ({"fields": None}, ErrorType.PARAMETER_REQUIRED),
        ({"fields": ["id", "(SELECT id FROM x__vr)"]}, ErrorType.INVALID_DATA),
        ({"fields": ["id FROM user__sys"]}, ErrorType.INVALID_DATA),
        ({"vql_criteria__v": "x" * 40_001}, ErrorType.INVALID_DATA),
    ],
)
def test_refused_extracts(change: dict[str, Any], error: ErrorType) -> None:
    with pytest.raises(VaultFault) as raised:
        extract_tasks([{**EXTRACT, **change}])
    assert raised.value.error.type is error


def test_at_most_ten_tasks() -> None:
    assert len(load_tasks([LOAD] * 10)) == 10
    for rows, error in (
        ([LOAD] * 11, ErrorType.INVALID_DATA),
        ([], ErrorType.PARAMETER_REQUIRED),
    ):
        with pytest.raises(VaultFault) as raised:
            load_tasks(rows)
        assert raised.value.error.type is error
