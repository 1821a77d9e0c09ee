"""Who may change a view: its owner; a shared one only users who may share views."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

import pytest

from shared.vault.access.caller import BUSINESS_USER, SYSTEM_ADMIN, Caller
from shared.vault.access.delegated_profile import delegated
from shared.vault.queries.list_views import ListView, ListViews, Selection

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

VIEWS = ListViews(cast("Database", None))
SHARER = Caller(7, "sharer", SYSTEM_ADMIN, session_id="session")
DELEGATE = Caller(
    7, "sharer", delegated(SYSTEM_ADMIN), session_id="session", delegate_user_id=8
)
# Has the view from before the permission was taken away.
FORMER = Caller(7, "former", BUSINESS_USER, session_id="session")


@pytest.mark.parametrize(
    ("caller", "own", "shared", "may"),
    [
        (SHARER, True, True, True),
        (SHARER, True, False, True),
        (SHARER, False, True, True),
        (DELEGATE, True, False, True),
        (DELEGATE, True, True, False),
        (DELEGATE, False, True, False),
        (FORMER, True, False, True),
        (FORMER, True, True, False),
        (FORMER, False, True, False),
    ],
)
def test_what_all_see_is_changed_by_who_may_share(
    caller: Caller, own: bool, shared: bool, may: bool
) -> None:
    view = ListView(
        view_id=UUID(int=1),
        object_name="account__v",
        label="Accounts",
        shared=shared,
        own=own,
        usual=False,
        selection=Selection(),
    )
    assert VIEWS.may_change(caller, view) is may
