"""The text of ``members__v``: which change of a group's members it is."""

from __future__ import annotations

import pytest

from shared.vault.errors import VaultFault
from shared.vault.security.group_service import (
    MAX_MEMBERS,
    MemberChange,
    Members,
    read_members,
)

SET, ADD, DELETE = MemberChange.SET, MemberChange.ADD, MemberChange.DELETE


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("1,2", Members(SET, [1, 2])),
        (" 2 , 1, 2", Members(SET, [1, 2])),
        ("", Members(SET, [])),
        ("add (3)", Members(ADD, [3])),
        ("ADD(3, 4)", Members(ADD, [3, 4])),
        ("Delete (5)", Members(DELETE, [5])),
        ("delete ()", Members(DELETE, [])),
    ],
)
def test_ids_replace_members_and_add_and_delete_change_some(
    text: str, members: Members
) -> None:
    assert read_members(text) == members


@pytest.mark.parametrize(
    "text",
    [
        "one",
        "1;2",
        "1 2",
        "add 3",
        "remove (3)",
        str(2**63),
        ",".join(map(str, range(MAX_MEMBERS + 1))),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(VaultFault, match="members__v"):
        read_members(text)
