"""Rules of user records: who may change whom, and which change ends the last administrator."""

from __future__ import annotations

from typing import Any

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import (
    BUSINESS_USER,
    SUPPLIED,
    SYSTEM_ADMIN,
    Caller,
    SecurityProfile,
)
from shared.vault.errors import VaultFault
from shared.vault.records.rows import NewRow, ResolvedRow
from shared.vault.security.user_records import UserTrigger
from tests.unit.records.shapes import Answers

ADMIN = Caller(2, "admin@vault.example", SYSTEM_ADMIN)
USER = Caller(3, "user@vault.example", BUSINESS_USER)
ADMINISTRATOR, BUSINESS = SYSTEM_ADMIN.name, BUSINESS_USER.name


class Profiles:
    def in_full(self, name: str) -> SecurityProfile:
        return SUPPLIED[name]


PROFILES: Any = Profiles()
TRIGGER = UserTrigger(PROFILES)


def stored(user_id: int, profile: str = BUSINESS) -> Any:
    return {"id": str(user_id), "security_profile__sys": profile}


@pytest.mark.parametrize(
    ("caller", "user", "changes", "refusal"),
    [
        (ADMIN, stored(4), {"title__sys": "Dr"}, None),
        (ADMIN, stored(4), {"security_profile__sys": ADMINISTRATOR}, None),
        (ADMIN, stored(1), {"title__sys": "Dr"}, ErrorType.OPERATION_NOT_ALLOWED),
        (
            ADMIN,
            stored(2, ADMINISTRATOR),
            {"status__v": "inactive__v"},
            ErrorType.OPERATION_NOT_ALLOWED,
        ),
        (USER, stored(3), {"title__sys": "Dr"}, None),
        (
            USER,
            stored(3),
            {"security_profile__sys": ADMINISTRATOR},
            ErrorType.INSUFFICIENT_ACCESS,
        ),
        (
            USER,
            stored(2, ADMINISTRATOR),
            {"title__sys": "Dr"},
            ErrorType.INSUFFICIENT_ACCESS,
        ),
    ],
)
def test_callers_change_users_who_may_do_no_more_than_they(
    caller: Caller,
    user: Any,
    changes: dict[str, object],
    refusal: ErrorType | None,
) -> None:
    error = TRIGGER.before_update(caller, user, changes)

    assert (error and error.type) == refusal


async def test_nobody_makes_a_user_who_may_do_more() -> None:
    values: dict[str, object] = {"security_profile__sys": ADMINISTRATOR}
    row = NewRow.of(ResolvedRow(index=0, values=values))
    nothing: Any = None

    await TRIGGER.before_create(nothing, USER, [row])

    assert [error.type for error in row.errors] == [ErrorType.INSUFFICIENT_ACCESS]


def test_no_user_is_deleted() -> None:
    error = TRIGGER.before_delete(ADMIN, stored(4))

    assert error is not None
    assert error.type == ErrorType.OPERATION_NOT_ALLOWED


class Administered(Answers):
    """A connection that acquires the lock and says whether an administrator is left."""

    async def execute(self, sql: str, *parameters: object) -> None:
        self.asked.append((sql, parameters))


ENDING: list[dict[str, object]] = [
    {"status__v": "inactive__v"},
    {"security_profile__sys": BUSINESS},
]


@pytest.mark.parametrize("changes", ENDING)
async def test_the_last_administrator_stays(changes: dict[str, object]) -> None:
    connection: Any = Administered([False])

    with pytest.raises(VaultFault, match="no active System Admin"):
        await TRIGGER.after_update(
            connection, ADMIN, [(stored(4, ADMINISTRATOR), changes)]
        )


@pytest.mark.parametrize("changes", ENDING)
async def test_one_of_several_administrators_may_go(
    changes: dict[str, object],
) -> None:
    connection: Any = Administered([True])

    await TRIGGER.after_update(connection, ADMIN, [(stored(4, ADMINISTRATOR), changes)])

    assert len(connection.asked) == 2


async def test_other_changes_take_no_lock() -> None:
    connection: Any = Administered()

    await TRIGGER.after_update(
        connection,
        ADMIN,
        [
            (stored(4), {"status__v": "inactive__v"}),
            (stored(2, ADMINISTRATOR), {"title__sys": "Dr"}),
        ],
    )

    assert connection.asked == []
