"""Role columns of rows: which they are, the ids in them, and users or groups that do not exist."""

from __future__ import annotations

from typing import Any

import pytest

from shared.vault.records.invalid_values import InvalidValue
from shared.vault.records.record_roles import (
    MAX_ASSIGNED,
    STANDARD_ROLES,
    Holder,
    RoleChange,
    read_assignments,
    read_roles,
    replace_roles,
    roles_of,
    split_roles,
    store_roles,
)
from tests.unit.records.shapes import REGISTRY, Answers

USERS = ("editor__v", Holder.USERS)
GROUPS = ("editor__v", Holder.GROUPS)


def test_columns_of_roles_are_distinguished_from_fields() -> None:
    row = {
        "id": "V0A1",
        "editor__v.users": "1,2",
        "editor__v.groups": [3],
        "other__v.users": "4",
        "account__vr.users": "5",
    }

    (plain,), (columns,) = split_roles([row], STANDARD_ROLES)

    assert plain == {"id": "V0A1", "other__v.users": "4", "account__vr.users": "5"}
    assert columns == {USERS: "1,2", GROUPS: [3]}


def test_every_vault_has_the_standard_roles() -> None:
    assert roles_of(REGISTRY) == STANDARD_ROLES


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("1,2", {1, 2}),
        (" 1 , 2 ,", {1, 2}),
        ([1, "2"], {1, 2}),
        (7, {7}),
        ("", set()),
        (None, set()),
        ([], set()),
        (",".join(map(str, range(MAX_ASSIGNED))), set(range(MAX_ASSIGNED))),
    ],
)
def test_a_column_holds_ids(value: object, ids: set[int]) -> None:
    assert read_assignments({USERS: value}) == {USERS: ids}


@pytest.mark.parametrize(
    "value",
    [
        "one",
        "-1",
        "1;2",
        "٣",
        "1" * 19,
        list(range(MAX_ASSIGNED + 1)),
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue, match=r"\[editor__v.users\] takes ids"):
        read_assignments({USERS: value})


async def test_users_and_groups_of_all_rows_are_looked_up_together() -> None:
    answers: Any = Answers([[(2,)], []])

    rows = await read_roles(
        answers, [{USERS: "1"}, {USERS: "2", GROUPS: "3"}, {USERS: "x"}, {}]
    )

    assert len(answers.asked) == 2
    assert [[error.message for error in row.errors] for row in rows] == [
        [],
        ["A role names users that do not exist"],
        ["[editor__v.users] takes ids separated by commas, at most 1000"],
        [],
    ]


async def test_rows_that_name_nobody_ask_nothing() -> None:
    answers: Any = Answers()

    assert [row.errors for row in await read_roles(answers, [{}, {}])] == [(), ()]


async def test_no_roles_are_no_statements() -> None:
    nothing: Any = None

    assert await replace_roles(nothing, REGISTRY, nothing, "thing__c", [], []) == []
    await store_roles(nothing, REGISTRY, nothing, "thing__c", [], RoleChange.ADD)
