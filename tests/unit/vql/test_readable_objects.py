"""Rows about records of many objects: which callers see them."""

from __future__ import annotations

import pytest

from shared.vault.vql import readable_objects

OBJECTS = ("account__v", "case__v")


@pytest.mark.parametrize(
    ("may_read", "expected"),
    [
        (("account__v", "case__v"), ("<> ALL", [])),
        (("account__v",), ("= ANY", ["account__v"])),
        ((), ("= ANY", [])),
        # What has been dropped or renamed since is shown to those only who may read everything.
        (("account__v", "gone__c"), ("= ANY", ["account__v"])),
    ],
)
def test_rows_are_those_about_readable_objects(
    may_read: tuple[str, ...], expected: tuple[str, list[str]]
) -> None:
    assert readable_objects(OBJECTS, may_read.__contains__) == expected
