"""Paths of the staging area: accepted and refused ones, and those that a user cannot reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.files.paths import ROOT, StagingArea, checked_name, quota_root, split

OWN = StagingArea("u7", everything=False)
ALL = StagingArea("u7", everything=True)


@pytest.mark.parametrize(
    ("area", "path", "key"),
    [
        (OWN, "/a.csv", "staging/u7/a.csv"),
        (OWN, "a.csv", "staging/u7/a.csv"),
        (OWN, "/u7/a.csv", "staging/u7/a.csv"),
        (OWN, "/u8/a.csv", "staging/u7/u8/a.csv"),
        (OWN, "//in//depth/", "staging/u7/in/depth"),
        (OWN, "", "staging/u7"),
        (OWN, "/u7", "staging/u7"),
        (ALL, "/u8/a.csv", "staging/u8/a.csv"),
        (ALL, "/", "staging"),
        (ALL, "Wonder Drug Référence.docx", "staging/Wonder Drug Référence.docx"),
    ],
)
def test_keys(area: StagingArea, path: str, key: str) -> None:
    assert area.key(path) == key


@pytest.mark.parametrize("area", [OWN, ALL])
def test_a_path_names_its_key_again(area: StagingArea) -> None:
    assert area.key(area.path(area.key("/folder/file"))) == area.key("folder/file")
    assert area.path(area.root) == "/"


def test_the_own_folder_may_be_meant_by_one_who_sees_everything() -> None:
    assert ALL.own_key("a.csv") == ALL.own_key("/u7/a.csv") == "staging/u7/a.csv"


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "/../x",
        "a/../b",
        "a/./b",
        ".hidden",
        "a\\b",
        "a\x00b",
        "a\nb",
        " a",
        "a /b",
        "a/ ",
        "x" * 256,
        "/".join("x" * 33),
        "/".join(["x" * 200] * 5),
        "\ud800",
    ],
)
def test_refused(path: str) -> None:
    for area in (OWN, ALL):
        with pytest.raises(VaultFault) as raised:
            area.key(path)
        assert raised.value.error.type is ErrorType.INVALID_DATA


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["..", ".", "u8", "", "/", "a"]), max_size=8).map(
        "/".join
    )
)
def test_nothing_reaches_out_of_the_own_folder(path: str) -> None:
    try:
        key = OWN.key(path)
    except VaultFault:
        return
    assert key == OWN.root or key.startswith(f"{OWN.root}/")
    assert not {"", ".", ".."} & set(key.split("/"))
    assert quota_root(key) == "staging/u7"
    assert split(key.removeprefix(ROOT)) == tuple(key.split("/")[1:])


@given(st.text(max_size=40))
def test_a_name_that_is_taken_is_one_name(name: str) -> None:
    try:
        checked = checked_name(name)
    except VaultFault:
        return
    assert checked_name(checked) == checked
    assert "/" not in checked
    assert split(checked) == (checked,)
